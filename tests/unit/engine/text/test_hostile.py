"""Texts that are made to be slow or deep: each is refused or assembled with one look at every character."""

import pytest

from wasm2oci.engine.text import TextError, assemble

MANY = 50_000

REFUSED = {
    "parentheses": "(" * MANY,
    "closing parentheses": ")" * MANY,
    "folded instructions without end": "(func " + "(i32.eqz " * MANY,
    "comments without end": "(;" * MANY,
    "a comment without end": "(; " + "x" * MANY * 10,
    "annotations without end": "(@a " * MANY,
    "quotes": '"' * MANY,
    "bad escapes": '"\\z' * MANY,
    "escaped quotes": '\\"' * MANY,
    "escaped quotes after a comment without end": "(;" + '\\"' * MANY,
    "an escaped quote in an identifier without end": '$"' + '\\"' * MANY,
    "glued strings": 'a"b"' * MANY,
    "a number of a million digits": "(func i32.const " + "1" * 1_000_000 + ")",
    "a hexadecimal number of a million digits": "(func i64.const 0x" + "f" * 1_000_000 + ")",
    "an exponent of a million digits": "(func f64.const 1e" + "9" * 1_000_000 + ")",
    "a line of a million blanks": "(" + " " * 1_000_000 + ",",
    "line ends": "\n" * 1_000_000 + "(",
    "branches to nowhere": "(func " + "block $b\n" * MANY + "br $a",
}
ASSEMBLED = {
    "folded instructions": "(func " + "(i32.eqz " * MANY + "(i32.const 0)" + ")" * MANY + " drop)",
    "blocks": "(func " + "(block " * MANY + ")" * MANY + ")",
    "flat blocks": "(func " + "block\n" * MANY + "end\n" * MANY + ")",
    "conditions": "(func " + "(if (i32.const 0) (then " * MANY + "))" * MANY + ")",
    "blocks in operands": "(func " + "(i32.eqz " * MANY + "(block)" * MANY + ")" * MANY + " drop)",
    "labels": "(func block $a\n" + "block $b\n" * MANY + "br $a\n" * MANY + "end\n" * MANY + "end)",
    "nested comments": "(;" * MANY + ";)" * MANY,
    "nested annotations": "(@a " * MANY + ")" * MANY,
    "annotations of many names": "".join(f"(@a{number})" for number in range(MANY)),
    "blanks": " " * 1_000_000,
    "zeros": "(func i32.const " + "0" * 1_000_000 + "1 drop)",
    "a fraction of a million digits": "(func f32.const 1.000000059604644775390625" + "0" * 1_000_000 + "1 drop)",
    "a hexadecimal fraction of a million digits": "(func f64.const 0x1." + "0" * 1_000_000 + "1p0 drop)",
    "escaped quotes": '(data "' + '\\"' * MANY + '")',
    "escaped quotes in an identifier": '(func $"' + '\\"' * MANY + '")',
    "escapes": '(data "' + "\\n\\00" * MANY + '")',
    "instructions in one line": "(func " + "nop " * MANY * 4 + ")",
    "instructions that go on": "(memory 1)(func (param i32) " + "local.get 0\ni32.load\noffset=8\ndrop\n" * MANY + ")",
    "labels in one branch": "(func br_table " + "0 " * MANY + ")",
    "elements": "(func) (elem func " + "0 " * MANY + ")",
    "functions": "(func)" * MANY,
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_text_is_refused(name: str) -> None:
    with pytest.raises(TextError) as caught:
        assemble(REFUSED[name])
    assert len(caught.value.message) < 200
    assert len(caught.value.detail) < 400


@pytest.mark.parametrize("name", ASSEMBLED)
def test_a_hostile_text_is_assembled(name: str) -> None:
    assert assemble(ASSEMBLED[name])[:4] == b"\0asm"


@pytest.mark.parametrize("text", [r'(@"\u{d800}")', r'(@"\u{110000}")', r'(module $"\u{d800}")'])
def test_an_escape_that_is_no_character_is_refused(text: str) -> None:
    with pytest.raises(TextError):
        assemble(text)
