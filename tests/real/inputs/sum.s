; Adds the numbers of a table, with relocations, a macro and a loop.
.macro addto reg, lo
    add \reg, \lo
    adc r25, r1
.endm
.section .text
.global main
main:
    ldi r30, lo8(table)
    ldi r31, hi8(table)
    ldi r20, 5
    clr r24
    clr r25
    clr r1
again:
    lpm r18, Z+
    addto r24, r18
    dec r20
    brne again
    rcall store
    ret
store:
    sts total, r24
    sts total+1, r25
    ret
table:
    .byte 1, 2, 3, 250, 255
    .balign 2
.section .bss
.comm total, 2
