"""What a host reads, writes and raises, and how it is told of its mistakes."""

import gc
import linecache
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from wasm2oci.engine import (
    Engine,
    ExportNotFoundError,
    Global,
    Instance,
    Linker,
    Module,
    Tag,
    Trap,
    ValueTypeError,
    WasmException,
    new_global,
    new_memory,
    new_table,
    new_tag,
)
from wasm2oci.engine.text import assemble
from wasm2oci.engine.translate.loader import FILE_PREFIX
from wasm2oci.errors import UsageError

ITEMS = """(module
  (import "h" "f" (func $host)) (import "h" "g" (global $g (mut i32))) (import "h" "tag" (tag $tag (param i32 f32)))
  (global (export "fixed") i64 (i64.const -2)) (memory (export "memory") 1) (table (export "t") 3 funcref)
  (export "g" (global $g)) (export "tag" (tag $tag))
  (func $f (export "inc") (result i32) (global.set $g (i32.add (global.get $g) (i32.const 1))) (global.get $g))
  (func (export "throw") (param i32) (throw $tag (local.get 0) (f32.const 0.5)))
  (func (export "through") (param i32) (result i32)
    (call_indirect (result i32) (local.get 0)))
  (func (export "caught") (result i32)
    (block $h (result i32 f32) (try_table (catch $tag $h) (call $host)) (return (i32.const 7))) drop)
  (elem declare func $f))"""


def _items(call: Any = print) -> tuple[Global, Tag, Instance]:
    number, tag, linker = new_global("i32", -5, mutable=True), new_tag(["i32", "f32"]), Linker(Engine())
    linker.define("h", "g", number)
    linker.define("h", "tag", tag)
    linker.define_function("h", "f", [], [], call)
    return number, tag, linker.instantiate(Module(Engine(), assemble(ITEMS)))


def test_a_global_is_read_and_written_with_a_hosts_values() -> None:
    number, _, instance = _items()
    assert instance.call("inc") == number.read() == -4
    number.write(-1)
    assert instance.call("inc") == 0
    instance.global_("g").write(0xFFFFFFFE)
    assert number.read() == -2
    assert instance.global_("fixed").read() == -2
    with pytest.raises(ValueTypeError, match=r"1\.5 is not a value of type i32"):
        number.write(1.5)
    with pytest.raises(UsageError, match="immutable"):
        instance.global_("fixed").write(1)


def test_a_table_is_read_and_written_by_a_host() -> None:
    _, _, instance = _items()
    table = instance.table("t")
    function = instance.function("inc")
    assert table.read(2) is None
    table.write(2, function)
    assert table.read(2) is function
    assert instance.call("through", 2) == -4
    table.write(2, None)
    for index, reference, error in ((-1, None, Trap), (3, None, Trap), (0, print, ValueTypeError)):
        with pytest.raises(error):
            table.write(index, reference)
    with pytest.raises(Trap):
        table.read(-1)


def test_exceptions_carry_a_hosts_values_both_ways() -> None:
    _, tag, instance = _items()
    with pytest.raises(WasmException) as caught:
        instance.call("throw", -9)
    assert tag.arguments(caught.value) == instance.tag("tag").arguments(caught.value) == (-9, 0.5)
    assert new_tag(["i32", "f32"]).arguments(caught.value) is None

    def throws() -> None:
        raise tag.exception(-3, 1)

    _, tag, instance = _items(throws)
    assert instance.call("caught") == -3
    with pytest.raises(ValueTypeError):
        tag.exception(1)


def test_what_is_asked_for_and_offered_reads_as_text() -> None:
    _, _, instance = _items()
    assert [f"{item.module}.{item.name}: {item}" for item in instance.module.imports] == [
        "h.f: func",
        "h.g: global (mut i32)",
        "h.tag: tag (param i32 f32)",
    ]
    assert {item.name: str(item) for item in instance.module.exports}.items() >= {
        "memory": "memory 1",
        "t": "table 3 funcref",
        "fixed": "global i64",
        "through": "func (param i32) (result i32)",
    }.items()


def test_exports_of_each_kind_are_had_by_name() -> None:
    _, _, instance = _items()
    for get, word, name in (
        (instance.table, "table", "t"),
        (instance.memory, "memory", "memory"),
        (instance.global_, "global", "g"),
        (instance.tag, "tag", "tag"),
    ):
        assert get(name) is instance.exports[name]
        with pytest.raises(ExportNotFoundError, match=f"no {word} 'inc'") as caught:
            get("inc")
        assert name in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: new_memory(-1), "size from -1"),
        (lambda: new_memory(3, 1), "size from 3 to 1"),
        (lambda: new_table("funcref", 2, 1), "size from 2 to 1"),
        (lambda: new_table("i32", 1), "i32 is none"),
        (lambda: Linker(Engine()).define("m", "n", 5), "5 cannot be imported"),  # type: ignore[arg-type]
        (lambda: Linker(Engine()).define("m", "n", print), "cannot be imported"),  # type: ignore[arg-type]
    ],
)
def test_a_hosts_mistakes_are_reported_where_they_are_made(make: Callable[[], object], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        make()
    assert (caught.value.hint or "").startswith("wrap it") == ("print" in str(caught.value))


def test_nothing_is_left_of_an_instance_that_is_gone() -> None:
    """An embedder may load modules for years: no registry of types, code or sources keeps any of them."""
    module = Module(Engine(), assemble('(module (memory 1) (func (export "f") (result i32) i32.const 1))'))
    instance = Linker(Engine()).instantiate(module)
    assert instance.call("f") == 1
    left: list[weakref.ref[Any]] = [weakref.ref(instance.runtime), weakref.ref(instance.function("f").call)]
    del module, instance
    gc.collect()
    assert [ref() for ref in left] == [None, None]
    assert not [name for name in linecache.cache if name.startswith(FILE_PREFIX)]
