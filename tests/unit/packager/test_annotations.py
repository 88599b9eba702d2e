import json
from typing import Any

import pytest

from wasm2oci.errors import InvalidInputError
from wasm2oci.packager.annotations import (
    Annotations,
    InvalidAnnotationError,
    parse_annotation,
    parse_annotations,
    read_annotation_file,
)


@pytest.mark.parametrize(
    ("text", "pair"),
    [("k=v", ("k", "v")), ("k=", ("k", "")), ("k=a=b", ("k", "a=b")), (" k =v ", ("k", "v ")), ("ü.x=ü", ("ü.x", "ü"))],
)
def test_an_annotation_is_split_at_the_first_equals_sign(text: str, pair: tuple[str, str]) -> None:
    assert parse_annotation(text) == pair


@pytest.mark.parametrize("text", ["", "k", "=v", "  =v", "a\nb=v", "k=a\0b", "k=\udc80", "a\x1bb=v"])
def test_what_is_no_annotation_is_refused(text: str) -> None:
    with pytest.raises(InvalidAnnotationError):
        parse_annotation(text)


def test_an_annotation_with_two_values_is_refused() -> None:
    assert parse_annotations(["a=1", "b=2", "a=1"]) == {"a": "1", "b": "2"}
    with pytest.raises(InvalidAnnotationError, match="'a' has two values: '1' and '2'"):
        parse_annotations(["a=1", " a=2"])


@pytest.mark.parametrize("key", ["", " a", "a ", "a\tb", "a\u202eb"])
def test_a_bad_key_is_refused_wherever_it_comes_from(key: str) -> None:
    for part in ("manifest", "config", "layer"):
        with pytest.raises(InvalidAnnotationError):
            Annotations(**{part: {key: "v"}})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, Annotations()),
        ({"a": "b"}, Annotations(manifest={"a": "b"})),
        (
            {"$manifest": {"a": "1"}, "$config": {"b": "2"}, "hello.wasm": {"c": "3"}},
            Annotations({"a": "1"}, {"b": "2"}, {"c": "3"}),
        ),
    ],
)
def test_both_forms_of_annotation_files_are_read(value: Any, expected: Annotations) -> None:
    assert read_annotation_file(json.dumps(value).encode(), "hello.wasm") == expected


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "annotation file is not valid JSON"),
        (b"[]", "annotation file is not a JSON object"),
        (b'{"a":1}', "'a' is not an object of strings"),
        (b'{"a":"b","$manifest":{}}', "'a' is not an object of strings"),
        (b'{"$manifest":{"a":1}}', "is not an object of strings"),
        (b'{"other.wasm":{}}', "names 'other.wasm', which is not pushed"),
        (b'{"":"x"}', "empty key"),
    ],
)
def test_a_bad_annotation_file_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        read_annotation_file(raw, "hello.wasm")
