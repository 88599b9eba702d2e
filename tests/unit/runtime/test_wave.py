"""Values of components as text, and functions of components called with them."""

import math
from typing import Any

import pytest

from tests.support.guests import ENGINES, Captured
from wasm2oci.engine.syntax.values import Val, ValueType
from wasm2oci.engine.text import assemble
from wasm2oci.engine.validate.component.types import Function
from wasm2oci.errors import UsageError
from wasm2oci.runtime import EngineChoice, EntryError, GuestSetupError, RunOutcome, RunRequest, run
from wasm2oci.runtime.wave import format_wave, parse_arguments

BYTES = ValueType("list", (), ("u8",))
POINT = ValueType("record", ("x", "y"), ("u32", ValueType("option", (), ("string",))))
SHAPE = ValueType("variant", ("dot", "circle"), (None, "f64"))
RESULT = ValueType("result", (), ("u8", "string"))

SAME: list[tuple[str, Val, Any]] = [
    ("true", "bool", True),
    ("-128", "s8", -128),
    ("18446744073709551615", "u64", (1 << 64) - 1),
    ("1.5", "f32", 1.5),
    ('"a\\"\\\\\\n\\u{7}é"', "string", 'a"\\\n\x07é'),
    ("'\\''", "char", "'"),
    ("[1, 255]", BYTES, b"\x01\xff"),
    ("[]", ValueType("list", (), ("string",)), []),
    ('(1, "b")', ValueType("tuple", (), ("u8", "string")), (1, "b")),
    ('{x: 1, y: some("z")}', POINT, {"x": 1, "y": ("some", "z")}),
    ("{read, write}", ValueType("flags", ("read", "write", "run")), frozenset({"read", "write"})),
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
    (" [ 1 , 2 , ] ", BYTES, b"\x01\x02"),
    ("{x: 1}", POINT, {"x": 1, "y": ("none", None)}),
    ("7", ValueType("option", (), ("u8",)), ("some", 7)),
    ("7", RESULT, ("ok", 7)),
    ("%dot", SHAPE, ("dot", None)),
]
WRONG: list[tuple[str, Val]] = [
    ("256", "u8"),
    ("-1", "u32"),
    ("yes", "bool"),
    ("1.5", "u32"),
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
    ("{fly}", ValueType("flags", ("read",))),
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


LIBRARY = assemble("""(component
  (core module $m (memory (export "memory") 1)
    (global $top (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $top) (global.set $top (i32.add (global.get $top) (i32.and (i32.add (local.get 3) (i32.const 15))
        (i32.const -16)))))
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "echo") (param i32 i32 i32) (result i32)
      (i32.store (i32.const 64) (local.get 0)) (i32.store (i32.const 68) (local.get 1))
      (i32.store (i32.const 72) (local.get 2)) (i32.const 64)))
  (core instance $i (instantiate $m))
  (func $add (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add")))
  (func $echo (param "text" string) (param "number" s32) (result (tuple string s32))
    (canon lift (core func $i "echo") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
  (instance $math (export "add" (func $add)))
  (export "local:lib/math@0.1.0" (instance $math))
  (export "echo" (func $echo)))""")


def invoke(name: str, *values: str, engine: EngineChoice = EngineChoice.AUTO) -> RunOutcome:
    captured = Captured()
    request = RunRequest(module=LIBRARY, args=(b"lib",), invoke=name, values=values, engine=engine, **captured.streams)
    return run(request)


def test_functions_of_a_component_are_called_with_values() -> None:
    assert invoke("add", "2", "3").results == ("5",)
    assert invoke("add(2, 0x10)").results == ("18",)
    assert invoke("local:lib/math@0.1.0#add", "1", "1").results == ("2",)
    assert invoke("echo", '"grüße"', "-7").results == ('("grüße", -7)',)
    assert invoke('echo("(", -1)').results == ('("(", -1)',)


def test_what_cannot_be_called_says_why() -> None:
    with pytest.raises(EntryError, match="no function 'sub'") as caught:
        invoke("sub", "1")
    assert caught.value.hint is not None
    assert "local:lib/math@0.1.0#add" in caught.value.hint
    with pytest.raises(UsageError, match="takes 2 values, 1 given"):
        invoke("add", "1")
    with pytest.raises(UsageError, match="and after it"):
        invoke("add(1, 2)", "3")
    with pytest.raises(GuestSetupError, match="on wasmtime"):
        invoke("add", "1", "2", engine=ENGINES[0])
