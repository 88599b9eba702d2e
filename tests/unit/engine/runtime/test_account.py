"""One account for everything the instances of a store take."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from wasm2oci.engine import Engine, Linker, Module, Trap
from wasm2oci.engine.runtime.limits import Account, ResourceLimitError, ResourceLimits
from wasm2oci.engine.runtime.trap import TrapKind
from wasm2oci.engine.text import assemble

if TYPE_CHECKING:
    from wasm2oci.engine.embed import Instance

PAGE = 65536


def instance(text: str, account: Account, linker: Linker | None = None) -> Instance:
    linker = linker or Linker(Engine())
    return linker.instantiate(Module(linker.engine, assemble(text)), limits=ResourceLimits(account=account))


GROW = """(module (memory $a 1) (memory $b 1) (table $t 0 funcref)
  (func (export "a") (param i32) (result i32) (memory.grow $a (local.get 0)))
  (func (export "b") (param i32) (result i32) (memory.grow $b (local.get 0)))
  (func (export "t") (param i32) (result i32) (table.grow $t (ref.null func) (local.get 0))))"""


def test_memories_and_tables_share_it() -> None:
    account = Account(10 * PAGE)
    made = instance(GROW, account)
    assert account.taken == 2 * PAGE
    assert made.call("a", 5) == 1
    assert made.call("b", 4) == -1
    assert made.call("b", 2) == 1
    assert made.call("t", 8193) == -1
    assert made.call("t", 8192) == 0
    assert account.taken == 10 * PAGE
    assert made.call("a", 1) == -1


def test_instances_share_it() -> None:
    account = Account(3 * PAGE)
    linker = Linker(Engine())
    instance("(module (memory 2))", account, linker)
    with pytest.raises(ResourceLimitError, match="more than is left"):
        instance("(module (memory 2))", account, linker)
    instance("(module (memory 1))", account, linker)
    with pytest.raises(ResourceLimitError, match="more than is left"):
        instance("(module (table 1 funcref))", account, linker)


def test_callables_of_a_table_are_charged_for_each_type() -> None:
    text = """(module (type $x (func)) (type $y (func (param i32))) (table 8192 funcref)
      (func (export "x") (call_indirect (type $x) (i32.const 0)))
      (func (export "y") (call_indirect (type $y) (i32.const 1) (i32.const 0))))"""
    account = Account(2 * PAGE)
    made = instance(text, account)
    with pytest.raises(Trap) as caught:
        made.call("x")
    assert caught.value.kind is TrapKind.UNINITIALIZED_ELEMENT
    with pytest.raises(Trap) as caught:
        made.call("y")
    assert caught.value.kind is TrapKind.OUT_OF_MEMORY


ARRAYS = """(module (type $a (array (mut i64))) (global $g (mut (ref null $a)) (ref.null $a))
  (data $d "0123456789abcdef")
  (func (export "keep") (param i32) (global.set $g (array.new $a (i64.const 1) (local.get 0))))
  (func (export "drop") (global.set $g (ref.null $a)))
  (func (export "data") (param i32) (drop (array.new_data $a $d (i32.const 0) (local.get 0)))))"""


def test_large_arrays_are_charged_until_they_are_collected() -> None:
    account = Account(3 * PAGE)
    made = instance(ARRAYS, account)
    made.call("keep", 2 * 8192)
    assert account.taken == 2 * PAGE
    with pytest.raises(Trap) as caught:
        made.call("keep", 2 * 8192)
    assert caught.value.kind is TrapKind.OUT_OF_MEMORY
    del caught
    made.call("drop")
    gc.collect()
    assert account.taken == 0
    for _ in range(10):
        made.call("keep", 8192)
    gc.collect()
    assert account.taken == PAGE


def test_array_beyond_its_segment_is_that_trap_and_not_one_of_memory() -> None:
    made = instance(ARRAYS, Account(PAGE))
    with pytest.raises(Trap) as caught:
        made.call("data", 100_000_000)
    assert caught.value.kind is TrapKind.MEMORY
