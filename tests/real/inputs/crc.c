typedef struct node { struct node *next; unsigned value; } node;

static unsigned crc(const unsigned char *bytes, unsigned count) {
    unsigned sum = 0xffff;
    while (count--) {
        sum ^= *bytes++;
        for (int bit = 0; bit < 8; bit++)
            sum = sum & 1 ? sum >> 1 ^ 0xa001 : sum >> 1;
    }
    return sum;
}

static node *insert(node *list, node *fresh) {
    node **at = &list;
    while (*at && (*at)->value < fresh->value)
        at = &(*at)->next;
    fresh->next = *at;
    *at = fresh;
    return list;
}

long power(long base, unsigned exponent) {
    long result = 1;
    for (; exponent; exponent >>= 1, base *= base)
        if (exponent & 1)
            result *= base;
    return result;
}

float mean(const float *values, int count) {
    float sum = 0;
    for (int i = 0; i < count; i++)
        sum += values[i];
    return count ? sum / count : 0;
}

int main(void) {
    static node nodes[8];
    node *list = 0;
    for (int i = 0; i < 8; i++) {
        nodes[i].value = crc((const unsigned char *)&i, sizeof i);
        list = insert(list, &nodes[i]);
    }
    switch (list->value % 7) {
    case 0: return 3;
    case 1: return power(3, list->next->value & 7);
    case 4: return -1;
    case 5: return list->value;
    default: return 0;
    }
}
