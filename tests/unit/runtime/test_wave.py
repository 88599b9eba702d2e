"""Values of components as text."""

import math
from typing import Any

import pytest

from wasm2oci.engine.syntax.values import Val, ValueType
from wasm2oci.engine.validate.component.types import Function
from wasm2oci.errors import UsageError
from wasm2oci.runtime.wave import format_wave, parse_arguments

BYTES = ValueType("list", (), ("u8",))
POINT = ValueType("record", ("x", "y"), ("u32", ValueType("option", (), ("string",))))
SHAPE = ValueType("variant", ("dot", "circle"), (None, "f64"))
RESULT = ValueType("result", (), ("u8", "string"))
FLAGS = ValueType("flags", ("read", "write", "run"))
KEYWORDS = ValueType("enum", ("none", "err"))

SAME: list[tuple[str, Val, Any]] = [
    ("true", "bool", True),
    ("-128", "s8", -128),
    ("18446744073709551615", "u64", (1 << 64) - 1),
    ("1.5", "f32", 1.5),
    ('"a\\"\\\\\\n\\u{7}é"', "string", 'a"\\\n\x07é'),
    ("'\\''", "char", "'"),
    ("0.1", "f32", 0.10000000149011612),
    ("3.4028235e+38", "f32", 3.4028234663852886e38),
    ("1e-45", "f32", 2.0**-149),
    ("[1, 255]", BYTES, b"\x01\xff"),
    ("[]", ValueType("list", (), ("string",)), []),
    ('(1, "b")', ValueType("tuple", (), ("u8", "string")), (1, "b")),
    ('{x: 1, y: some("z")}', POINT, {"x": 1, "y": ("some", "z")}),
    ("{read, write}", FLAGS, frozenset({"read", "write"})),
    ("red", ValueType("enum", ("red", "green")), ("red", None)),
    ("dot", SHAPE, ("dot", None)),
    ("circle(2.5)", SHAPE, ("circle", 2.5)),
    ("none", ValueType("option", (), ("u8",)), ("none", None)),
    ("ok(1)", RESULT, ("ok", 1)),
    ('err("no")', RESULT, ("error", "no")),
    ("ok", ValueType("result", (), (None, None)), ("ok", None)),
]
READ_ONLY: list[tuple[str, Val, Any]] = [
    ("0xff", "u8", 255),
    ("inf", "f64", math.inf),
    ("-inf", "f32", -math.inf),
    ("16777217", "f32", 16777216.0),
    (" [ 1 , 2 , ] ", BYTES, b"\x01\x02"),
    ("{x: 1}", POINT, {"x": 1, "y": ("none", None)}),
    ("7", ValueType("option", (), ("u8",)), ("some", 7)),
    ("7", RESULT, ("ok", 7)),
    ("%dot", SHAPE, ("dot", None)),
    ("%none", ValueType("option", (), (KEYWORDS,)), ("some", ("none", None))),
    ("%err", ValueType("result", (), (KEYWORDS, None)), ("ok", ("err", None))),
    ("{x: 1,}", POINT, {"x": 1, "y": ("none", None)}),
    ("{:}", ValueType("record", ("y",), (ValueType("option", (), ("u8",)),)), {"y": ("none", None)}),
    ('(1, "b",)', ValueType("tuple", (), ("u8", "string")), (1, "b")),
    ("{read, write,}", FLAGS, frozenset({"read", "write"})),
]
WRONG: list[tuple[str, Val]] = [
    ("256", "u8"),
    ("-1", "u32"),
    ("yes", "bool"),
    ("1.5", "u32"),
    ("1e39", "f32"),
    ("text", "string"),
    ('"\\q"', "string"),
    ('"\\u{d800}"', "string"),
    ('"open', "string"),
    ("'ab'", "char"),
    ("[1", BYTES),
    ("[1,,2]", BYTES),
    ("1 2", "u8"),
    ("{y: none}", POINT),
    ("{x: 1, x: 2}", POINT),
    ("{x: 1, z: 2}", POINT),
    ("square", SHAPE),
    ("circle", SHAPE),
    ("{fly}", FLAGS),
    ("{read, read}", FLAGS),
    ("{,}", FLAGS),
    ("{read write}", FLAGS),
    ("{:}", POINT),
    ("{: x: 1}", POINT),
    ("%none", ValueType("option", (), ("u8",))),
    ("", "u8"),
    ("(1)", ValueType("tuple", (), ("u8", "u8"))),
    ("!", "u8"),
]


def parse(text: str, type_: Val) -> Any:
    return parse_arguments("f", Function(("p",), (type_,), None, is_async=False), [text])[0]


@pytest.mark.parametrize(("text", "type_", "value"), SAME, ids=lambda each: each if isinstance(each, str) else "")
def test_a_value_is_read_and_written_as_the_same_text(text: str, type_: Val, value: Any) -> None:
    assert parse(text, type_) == value
    assert format_wave(value, type_) == text


@pytest.mark.parametrize(("text", "type_", "value"), READ_ONLY, ids=lambda each: each if isinstance(each, str) else "")
def test_a_value_may_be_written_in_other_ways(text: str, type_: Val, value: Any) -> None:
    assert parse(text, type_) == value


@pytest.mark.parametrize(("text", "type_"), WRONG, ids=lambda each: each if isinstance(each, str) else "")
def test_what_is_no_value_of_the_type_is_a_usage_error(text: str, type_: Val) -> None:
    with pytest.raises(UsageError):
        parse(text, type_)


def test_bytes_of_a_command_line_that_are_not_utf8_are_a_usage_error() -> None:
    with pytest.raises(UsageError, match="not UTF-8"):
        parse('"\udcff"', "string")
