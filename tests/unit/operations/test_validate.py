"""The `validate` verb."""

from pathlib import Path

import pytest
import wasmtime

from wasm2oci.engine.errors import FeatureError, InvalidModuleError, MalformedError
from wasm2oci.engine.syntax.features import WASM_1
from wasm2oci.errors import ExitCode
from wasm2oci.operations.validate import ValidExtern, validate

TEXT = """
(module
  (type $pair (struct (field i32) (field i64)))
  (import "env" "log" (func (param i32 i64) (result f64)))
  (import "env" "t" (table 1 2 funcref))
  (import "env" "m" (memory 1))
  (import "env" "g" (global (mut i32)))
  (func (export "run"))
  (func (export "make") (result (ref $pair)) (struct.new_default $pair))
  (tag (export "e") (param i32)))
"""
COMPONENT = b"\0asm\x0d\0\x01\0"


def wat(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(text))


def component_of(module: bytes) -> bytes:
    size = len(module)
    return COMPONENT + b"\x00\x02\x01x" + bytes([1, size & 0x7F | 0x80, size >> 7]) + module


def test_says_what_a_module_has_and_uses() -> None:
    result = validate(wat(TEXT))
    assert result.kind == "module"
    assert result.imports == (
        ValidExtern("env.log", "func", "(param i32 i64) (result f64)"),
        ValidExtern("env.t", "table", "1 2 funcref"),
        ValidExtern("env.m", "memory", "1"),
        ValidExtern("env.g", "global", "(mut i32)"),
    )
    assert result.exports == (
        ValidExtern("run", "func", ""),
        ValidExtern("make", "func", "(result (ref 0))"),
        ValidExtern("e", "tag", "(param i32)"),
    )
    (module,) = result.modules
    assert (module.offset, module.size) == (0, result.size)
    assert module.counts["functions"] == 3
    assert module.counts["bodies"] == 2
    assert result.features == ("function-references", "gc", "exception-handling")
    assert result.to_json()["modules"][0]["features"].keys() == set(result.features)


def test_reads_files(tmp_path: Path) -> None:
    path = tmp_path / "m.wasm"
    path.write_bytes(wat(TEXT))
    assert validate(path) == validate(wat(TEXT))
    with pytest.raises(FileNotFoundError):
        validate(tmp_path / "absent.wasm")


def test_modules_in_a_component_are_validated_where_they_stand() -> None:
    result = validate(component_of(wat(TEXT)))
    assert result.kind == "component"
    assert result.modules[0].offset == 15
    assert result.modules[0].features == {name: 15 + at for name, at in validate(wat(TEXT)).modules[0].features.items()}


@pytest.mark.parametrize(
    ("text", "kind"), [("(func drop)", InvalidModuleError), ("(func (drop (v128.const i64x2 0 0)))", FeatureError)]
)
def test_errors_in_a_component_have_the_offset_in_the_file(text: str, kind: type[InvalidModuleError]) -> None:
    with pytest.raises(kind) as alone:
        validate(wat(text), WASM_1)
    with pytest.raises(kind) as nested:
        validate(component_of(wat(text)), WASM_1)
    assert nested.value.offset == alone.value.offset + 15
    assert nested.value.reason == alone.value.reason
    assert nested.value.exit_code is ExitCode.INVALID


def test_what_is_no_webassembly_is_malformed() -> None:
    with pytest.raises(MalformedError, match="magic header not detected"):
        validate(b"#!/bin/sh\n")
