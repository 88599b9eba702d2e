/* Runs the SQL of standard input in the database named by the first argument, and prints each row. */
#include <stdio.h>
#include <stdlib.h>
#include "sqlite3.h"

static int row(void *unused, int count, char **values, char **names) {
    (void)unused;
    (void)names;
    for (int i = 0; i < count; i++)
        printf("%s%s", i ? "|" : "", values[i] ? values[i] : "");
    putchar('\n');
    return 0;
}

int main(int argc, char **argv) {
    static char text[1 << 20];
    size_t length = fread(text, 1, sizeof text - 1, stdin);
    sqlite3 *database;
    char *message = NULL;
    text[length] = 0;
    if (sqlite3_open(argc > 1 ? argv[1] : ":memory:", &database) != SQLITE_OK)
        return 2;
    if (sqlite3_exec(database, text, row, NULL, &message) != SQLITE_OK) {
        printf("error: %s\n", message);
        return 1;
    }
    return sqlite3_close(database) == SQLITE_OK ? 0 : 3;
}
