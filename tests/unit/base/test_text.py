from __future__ import annotations

from wasm2oci.base.text import error_line, masked, one_line, printable


def test_what_does_not_print_is_escaped_and_long_text_is_cut() -> None:
    assert printable("a\x1b[31m\tb\u202e") == "a\\x1b[31m\tb\\u202e"
    assert printable("x" * 1000, 10) == "x" * 7 + "..."
    assert printable("x" * 10, 10) == "x" * 10


def test_a_masked_text_keeps_its_columns() -> None:
    assert masked("a\x1b\n\tb") == "a???b"
    assert masked("a\x1b\n\tb", also="\t") == "a??\tb"


def test_one_line_is_one_line() -> None:
    assert one_line("a\x1b[31m\r\nb\u202e\x9bc\u2028d") == "a [31m b c d"
    assert one_line("x" * 1000) == "x" * 297 + "..."


def test_an_error_without_words_is_called_by_its_kind() -> None:
    assert error_line(ValueError("a\n\x1b[31mb")) == "a [31mb"
    assert error_line(ValueError(" \n")) == "ValueError"
