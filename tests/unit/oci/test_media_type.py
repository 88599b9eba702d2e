import pytest
from hypothesis import given

from tests.support.strategies import media_types
from wasm2oci.oci import media_type as mt


@given(media_types())
def test_media_types_are_taken(text: str) -> None:
    assert mt.check(text) == text
    assert mt.essence(f" {text} ; charset=utf-8") == text.lower()


@pytest.mark.parametrize(
    "text",
    ["", "wasm", "/wasm", "application/", "application/wasm; x=1", "a/b/c", "a/b\n", "é/b", " a/b", "a/" + "b" * 128],
)
def test_what_is_no_media_type_is_refused(text: str) -> None:
    with pytest.raises(mt.InvalidMediaTypeError, match="not a media type"):
        mt.check(text)
