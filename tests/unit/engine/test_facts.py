"""What a module declares, as outline and validated."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.programs import fixture
from wasm2oci.engine import facts as facts_module
from wasm2oci.engine.errors import FeatureError, InvalidModuleError, MalformedError
from wasm2oci.engine.facts import (
    TYPE_MAX,
    TYPES_MAX,
    Extern,
    Member,
    ModuleFacts,
    described,
    outline,
    validated,
)
from wasm2oci.engine.syntax.features import WASM_1
from wasm2oci.engine.syntax.module import Module
from wasm2oci.engine.syntax.types import extern_text
from wasm2oci.engine.text import assemble
from wasm2oci.errors import ExitCode

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
    return assemble(text)


def component_of(module: bytes) -> bytes:
    size = len(module)
    return COMPONENT + b"\x00\x02\x01x" + bytes([1, size & 0x7F | 0x80, size >> 7]) + module


def test_a_valid_module_says_what_it_has_and_uses() -> None:
    facts, (core,) = validated(wat(TEXT))
    assert facts.kind == "module"
    assert facts.imports == (
        Extern("log", "func", "(param i32 i64) (result f64)", "env"),
        Extern("t", "table", "1 2 funcref", "env"),
        Extern("m", "memory", "1", "env"),
        Extern("g", "global", "(mut i32)", "env"),
    )
    assert facts.exports == (
        Extern("run", "func", ""),
        Extern("make", "func", "(result (ref 0))"),
        Extern("e", "tag", "(param i32)"),
    )
    assert facts.imports[0].full_name == "env.log"
    assert (core.offset, core.size) == (0, facts.size)
    assert core.counts["functions"] == 3
    assert core.counts["bodies"] == facts.functions == 2
    assert facts.features == ("function-references", "gc", "exception-handling")
    assert core.features.keys() == set(facts.features)


def test_an_outline_writes_the_same_externs_as_a_validated_module() -> None:
    seen, valid = outline(wat(TEXT)), validated(wat(TEXT)).facts
    assert seen._replace(features=()) == valid._replace(features=())


def test_modules_in_a_component_are_validated_where_they_are() -> None:
    facts, modules = validated(component_of(wat(TEXT)))
    assert facts.kind == "component"
    assert modules[0].offset == 15
    alone = validated(wat(TEXT)).modules[0].features
    assert modules[0].features == {name: 15 + at for name, at in alone.items()}
    assert facts.features == tuple(alone)


@pytest.mark.parametrize(
    ("text", "kind"), [("(func drop)", InvalidModuleError), ("(func (drop (v128.const i64x2 0 0)))", FeatureError)]
)
def test_errors_in_a_component_have_the_offset_in_the_file(text: str, kind: type[InvalidModuleError]) -> None:
    with pytest.raises(kind) as alone:
        validated(wat(text), WASM_1)
    with pytest.raises(kind) as nested:
        validated(component_of(wat(text)), WASM_1)
    assert nested.value.offset == alone.value.offset + 15
    assert nested.value.reason == alone.value.reason
    assert nested.value.exit_code is ExitCode.INVALID


@pytest.mark.parametrize("look", [outline, validated])
def test_what_is_not_webassembly_is_malformed(look: Callable[[bytes], object]) -> None:
    with pytest.raises(MalformedError, match="magic header not detected"):
        look(b"#!/bin/sh\n")


def leb(value: int) -> bytes:
    low = bytes([value & 0x7F])
    return low if value < 128 else bytes([low[0] | 0x80]) + leb(value >> 7)


def section(kind: int, *items: bytes) -> bytes:
    body = leb(len(items)) + b"".join(items)
    return bytes([kind]) + leb(len(body)) + body


def exporting(count: int, type_: bytes) -> bytes:
    """A module that exports one imported function of this type `count` times."""
    exports = [leb(len(name := str(number).encode())) + name + b"\0\0" for number in range(count)]
    return b"\0asm\1\0\0\0" + section(1, type_) + section(2, b"\x01m\x01f\0\0") + section(7, *exports)


def function_type(params: int) -> bytes:
    return b"\x60" + leb(params) + b"\x7f" * params + b"\0"


def text_of(facts: ModuleFacts) -> int:
    return sum(len(item.type or "") for item in (*facts.imports, *facts.exports))


def test_a_long_type_is_cut() -> None:
    (extern,) = outline(exporting(1, function_type(1000))).exports
    assert extern.type is not None
    assert len(extern.type) == TYPE_MAX
    assert extern.type.endswith("...")


def test_the_types_of_a_module_take_bounded_text() -> None:
    facts = outline(exporting(20_000, function_type(1000)))
    assert TYPES_MAX - TYPE_MAX < text_of(facts) <= TYPES_MAX
    assert facts.exports[-1] == Extern("19999", "func", None)


def test_each_type_is_written_once_however_many_exports_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def counted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            calls.append(name)
            return real(*arguments)

        return call

    monkeypatch.setattr(Module, "type_indices", counted("indices", Module.type_indices))
    monkeypatch.setattr("wasm2oci.engine.facts.extern_text", counted("text", extern_text))
    outline(exporting(5_000, function_type(3)))
    assert sorted(calls) == ["indices", "text"]


def test_a_function_section_that_names_a_structure_is_refused_before_its_type_is_written() -> None:
    data = b"\0asm\1\0\0\0" + section(1, b"\x5f\x01\x7f\0") + section(3, b"\0") + section(7, b"\x01f\0\0")
    with pytest.raises(InvalidModuleError, match="not a function type"):
        outline(data)


INTERFACES = """(component
  (import "a:b/store@1.0.0" (instance $store
    (export "bucket" (type $bucket (sub resource)))
    (type $error' (enum "gone"))
    (export "error" (type $error (eq $error')))
    (export "[method]bucket.get" (func (param "self" (borrow $bucket)) (result (result string (error $error)))))))
  (alias export $store "bucket" (type $bucket))
  (import "log" (func $log (param "text" string)))
  (import "late" (func (param "b" (own $bucket))))
  (type $point' (record (field "x" u8)))
  (export $point "point" (type $point'))
  (core module $m (func (export "f") (param i32) (result i32) unreachable))
  (core instance $i (instantiate $m))
  (func $f (param "p" $point) (result $point) (canon lift (core func $i "f")))
  (export "move" (func $f)))"""


def test_a_component_shows_the_functions_of_its_interfaces() -> None:
    facts = described(wat(INTERFACES))
    method = Member("[method]bucket.get", "func", "(self: borrow<bucket>) -> result<string, error>")
    assert facts.imports[0] == Extern("a:b/store@1.0.0", "instance", None, None, (method,))
    assert Extern("log", "func", "(text: string)") in facts.imports
    assert facts.exports == (Extern("point", "type", "record"), Extern("move", "func", "(p: point) -> point"))


def test_a_wit_package_shows_its_interfaces_and_worlds() -> None:
    assert described(fixture("wit-package.wasm")).exports == (
        Extern("types", "type", "interface a:b/types@1.0.0"),
        Extern("api", "type", "interface a:b/api@1.0.0", None, (Member("run", "func", "(a: p) -> list<u8>"),)),
        Extern(
            "w",
            "type",
            "world a:b/w@1.0.0",
            None,
            (Member("a:b/types@1.0.0", "import", None), Member("go", "export", "()")),
        ),
    )


def test_a_component_whose_types_are_invalid_or_too_large_shows_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    data = wat(INTERFACES)
    invalid = data.replace(b"a:b/store", b"a:B/store")
    assert next(extern.name for extern in described(invalid).imports) == "a:B/store@1.0.0"
    assert described(invalid) == outline(invalid)
    monkeypatch.setattr(facts_module, "TYPES_MAX", 50)
    assert described(data) == outline(data)
    assert [extern.name for extern in outline(data).imports] == ["a:b/store@1.0.0", "log", "late"]
