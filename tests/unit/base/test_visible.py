"""Letters that show nothing are neither printed nor kept in names."""

from __future__ import annotations

import pytest

from wasm2oci.base.text import is_visible, masked, one_line, printable
from wasm2oci.packager.choice import file_name

INVISIBLE = "\u3164\u115f\u1160\uffa0\u034f\u17b4\u180b\u2800\ufe0f\U000e0101\u200b\u202e\u00ad\x1b\x00"


@pytest.mark.parametrize("char", INVISIBLE)
def test_what_cannot_be_seen_is_written_as_an_escape(char: str) -> None:
    assert not is_visible(f"a{char}b")
    assert printable(f"a{char}b").startswith("a\\")
    assert masked(f"a{char}b") == "a?b"
    assert one_line(f"a{char}b") == "a b"
    assert file_name(f"a{char}b.wasm", "r") == "ab.wasm"


def test_what_can_be_seen_stays() -> None:
    for text in ("plain", "gr\u00fc\u00df", "\u6f22\u5b57", "\u0645\u0631\u062d\u0628\u0627", "\U0001f600", "a b"):
        assert is_visible(text)
        assert printable(text) == masked(text) == one_line(text) == text
    assert printable("a\tb") == "a\tb"


def test_a_name_of_nothing_visible_is_no_name() -> None:
    assert file_name(INVISIBLE, "repo").endswith(".wasm")
    assert is_visible(file_name(INVISIBLE, "repo"))


def test_long_text_is_cut() -> None:
    assert printable("a" * 100, 10) == "aaaaaaa..."
    assert one_line("\u3164" * 5000 + "a", 10) in ("", "a")
