"""Atomic accesses on one thread give what wasmtime gives."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
import wasmtime

from wasm2oci.engine import Engine, Linker, Module, Trap
from wasm2oci.engine.syntax.features import Feature
from wasm2oci.engine.syntax.opcodes import OPCODES
from wasm2oci.engine.syntax.types import I64
from wasm2oci.engine.text import assemble
from wasm2oci.runtime.choose import run
from wasm2oci.runtime.request import EngineChoice, RunLimits, RunRequest

if TYPE_CHECKING:
    from wasm2oci.engine.syntax.opcodes import Opcode

_ACCESSES = [row for row in OPCODES.values() if row.feature == Feature.THREADS and row.width]
_OFFSETS = (0, 8, 65528, 4294967288)
_ADDRESSES = (0, 1, 2, 4, 8, 24, 65528, 65535, 65536, 4294967288, 4294967295)


def _module(memory: str) -> bytes:
    functions = []
    for index, row in enumerate(_ACCESSES):
        params = ["i64" if type_ == I64 else "i32" for type_ in (row.params or ())]
        result = "".join("(result i64)" if type_ == I64 else "(result i32)" for type_ in row.results or ())
        values = " ".join(f"(local.get {place})" for place in range(len(params)))
        functions += [
            f'(func (export "{row.mnemonic} {offset}") (param {" ".join(params)}) {result}'
            f" ({row.mnemonic} offset={offset} {values}))"
            for offset in _OFFSETS[index % 2 :: 2]
        ]
    return assemble(f'(module (memory (export "m") {memory}) {" ".join(functions)})')


def _outcome(call: Any, values: list[int]) -> object:
    try:
        return call(*values)
    except Trap as trap:
        return trap.kind.value
    except wasmtime.Trap as trap:
        return str(trap).partition("wasm trap: ")[2].splitlines()[0]


def _value(random_: random.Random, row: Opcode, place: int) -> int:
    bits = 64 if (row.params or ())[place] == I64 else 32
    value = random_.choice((0, 1, 5, 0xFF, 0x8000, random_.getrandbits(bits))) & (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def test_every_access_gives_what_wasmtime_gives() -> None:
    """Results, memory and traps, at addresses aligned and not, within and beyond; waits only where they end."""
    data = _module("1 1")
    ours = Linker(engine := Engine()).instantiate(Module(engine, data))
    store = wasmtime.Store()
    theirs = wasmtime.Instance(store, wasmtime.Module(store.engine, data), []).exports(store)
    their_memory = theirs["m"]
    assert isinstance(their_memory, wasmtime.Memory)
    random_ = random.Random(7)
    traps = set()
    for turn in range(6000):
        row = random_.choice(_ACCESSES)
        offset = random_.choice(_OFFSETS)
        name = f"{row.mnemonic} {offset}"
        address = random_.choice(_ADDRESSES)
        beyond, unaligned = address + offset + row.width > 65536, (address + offset) % row.width
        if name not in ours.exports or (beyond and unaligned):  # which of the two is said differs
            continue
        values = [address - (1 << 32) if address >> 31 else address]
        values += [_value(random_, row, place) for place in range(1, len(row.params or ()))]
        function = theirs[name]
        assert isinstance(function, wasmtime.Func)
        expected = _outcome(lambda *args, f=function: f(store, *args), values)
        actual = _outcome(ours.function(name), values)
        traps.add(expected if isinstance(expected, str) else "")
        alike = {"atomic wait on non-shared memory": "expected shared memory"}
        assert actual == alike.get(str(expected), expected), (turn, name, values)
    assert bytes(ours.memory("m").data) == bytes(their_memory.read(store))
    assert {"unaligned atomic", "out of bounds memory access", ""} <= traps


@pytest.mark.parametrize(
    ("expected", "timeout", "result"), [(1, -1, "1"), (0, 0, "2"), (0, 1_000_000, "2")], ids=["other", "now", "later"]
)
def test_wait_ends_when_its_time_is_over_or_the_value_is_another(expected: int, timeout: int, result: str) -> None:
    text = f"""(module (memory 1 1 shared) (func (export "w") (result i32)
      (memory.atomic.wait32 (i32.const 8) (i32.const {expected}) (i64.const {timeout}))))"""
    for engine in (EngineChoice.EMBEDDED, EngineChoice.WASMTIME):
        outcome = run(RunRequest(module=assemble(text), args=(b"x",), invoke="w", engine=engine))
        assert outcome.results == (result,)


def test_wait_without_end_can_be_stopped() -> None:
    text = """(module (memory 1 1 shared) (func (export "_start")
      (drop (memory.atomic.wait64 (i32.const 8) (i64.const 0) (i64.const -1)))))"""
    request = RunRequest(
        module=assemble(text), args=(b"x",), engine=EngineChoice.EMBEDDED, limits=RunLimits(timeout_s=0.2)
    )
    assert run(request).exit_code == 124


def test_shared_memory_is_matched_and_grows() -> None:
    """Threaded programs import their memory; on one thread they run like others."""
    owner = '(module (memory (export "memory") 1 3 shared))'
    user = """(module (import "env" "memory" (memory 1 4 shared))
      (func (export "f") (result i32) (drop (memory.grow (i32.const 1)))
        (i32.atomic.store (i32.const 65536) (i32.const 7)) (atomic.fence)
        (i32.add (memory.size) (i32.atomic.rmw.add (i32.const 65536) (i32.const 1)))))"""
    engine = Engine()
    linker = Linker(engine)
    linker.define_instance("env", linker.instantiate(Module(engine, assemble(owner))))
    assert linker.instantiate(Module(engine, assemble(user))).call("f") == 9
