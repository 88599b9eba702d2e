"""Control flow whose ends coincide: each program beside wasmtime, written with Python's loops and as states."""

from __future__ import annotations

import pytest
import wasmtime

from wasm2oci.engine.embed import Engine, Linker, Module
from wasm2oci.engine.runtime.trap import Trap
from wasm2oci.engine.text import assemble

TICK = """(global $turns (mut i32) (i32.const 500))
  (func $tick (if (i32.eqz (global.get $turns)) (then (unreachable)))
    (global.set $turns (i32.sub (global.get $turns) (i32.const 1))))"""
"""Called in each loop, so that a loop that never ends traps."""

CHAIN_THEN_LOOP = """(func (export "f") (param i32) (result i32) (local i32)
  (block $out
    (block $b (block $a (br_table $a $b $out (local.get 0))) (local.set 1 (i32.add (local.get 1) (i32.const 100))))
    (loop $l (call $tick)
      (br_if $out (i32.eqz (i32.and (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (i32.const 7))))
      (br $l))
    (unreachable))
  (local.get 1))"""

NESTED_LOOPS = """(func (export "f") (param i32) (result i32) (local i32 i32)
  (block $out
    (loop $outer (call $tick)
      (local.set 1 (i32.add (local.get 1) (i32.const 1)))
      (loop $inner (call $tick)
        (local.set 2 (i32.add (local.get 2) (i32.const 3)))
        (br_if $out (i32.gt_u (local.get 2) (i32.mul (local.get 0) (i32.const 9))))
        (br_if $outer (i32.and (local.get 2) (i32.const 1)))
        (br $inner))))
  (i32.add (local.get 1) (i32.mul (i32.const 1000) (local.get 2))))"""

LOOP_IN_FIRST_ARM = """(func (export "f") (param $n i32) (result i32) (local $i i32) (local $r i32)
  (block $out (if (i32.gt_u (local.get $n) (i32.const 5))
    (then (loop $l (call $tick)
      (br_if $out (i32.gt_u (local.get $i) (local.get $n)))
      (local.set $i (i32.add (local.get $i) (i32.const 3)))
      (br $l)))
    (else (local.set $r (i32.const 1000)))))
  (i32.add (local.get $i) (local.get $r)))"""


def chain(segments: int, place: int) -> str:
    """A chain of blocks, one of whose segments ends with a loop that leaves the chain from inside."""
    labels = " ".join(map(str, range(segments)))
    text = f"(block $out {'(block ' * segments} (br_table {labels} (i32.and (local.get 0) (i32.const 15))))"
    for segment in range(segments):
        text += f"(local.set 1 (i32.add (i32.mul (local.get 1) (i32.const 3)) (i32.const {segment + 1})))"
        if segment == place:
            text += """(loop $l (call $tick)
              (local.set 2 (i32.add (local.get 2) (i32.const 1)))
              (br_if 1 (i32.gt_u (local.get 2) (local.get 0)))
              (br_if $out (i32.eq (local.get 2) (i32.const 4)))
              (br $l))"""
        if segment < segments - 1:
            text += ")"
    return f"""(func (export "f") (param i32) (result i32) (local i32 i32) {text})
      (i32.add (local.get 1) (i32.mul (local.get 2) (i32.const 1000000))))"""


VALUES_ACROSS_LOOPS = """(func (export "f") (param i32) (result i32) (local i32)
  (block $out (result i32)
    (loop $outer (result i32) (call $tick)
      (loop $inner (result i32) (call $tick)
        (br_if $out (i32.const 7) (i32.gt_u (local.tee 1 (i32.add (local.get 1) (i32.const 2))) (local.get 0)))
        (drop)
        (br_if $outer (i32.eqz (i32.and (local.get 1) (i32.const 3))))
        (br_if $inner (i32.lt_u (local.get 1) (i32.const 3)))
        (i32.mul (local.get 1) (i32.const 5))))))"""

FUNCTIONS = {
    "chain, then a loop": CHAIN_THEN_LOOP,
    "nested loops": NESTED_LOOPS,
    "a loop in the first arm": LOOP_IN_FIRST_ARM,
    "values across loops": VALUES_ACROSS_LOOPS,
    **{f"chain of {n}, loop in {at}": chain(n, at) for n in (2, 5, 6, 11) for at in sorted({0, 4, 5, n - 1}) if at < n},
}


@pytest.fixture(params=["structured", "states"], autouse=True)
def control(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "states":
        monkeypatch.setattr("wasm2oci.engine.translate.structuring.MAX_ATTEMPTS", 0)


@pytest.mark.parametrize("fuel", [False, True], ids=["", "fuel"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_branches_whose_ends_coincide_do_what_wasmtime_does(name: str, *, fuel: bool) -> None:
    data = assemble(f"(module {TICK} {FUNCTIONS[name]})")
    engine = Engine(fuel=fuel)
    module = Module(engine, data)
    for argument in range(20):
        linker = Linker(engine)
        if fuel:
            linker.fuel = 10**6
        try:
            ours: object = linker.instantiate(module).function("f").invoke(argument)
        except Trap as trap:
            ours = trap.kind.name
        assert ours == _wasmtime(data, argument), argument


def _wasmtime(data: bytes, argument: int) -> object:
    store = wasmtime.Store()
    instance = wasmtime.Instance(store, wasmtime.Module(store.engine, data), [])
    function = instance.exports(store)["f"]
    assert isinstance(function, wasmtime.Func)
    try:
        return function(store, argument) & 0xFFFFFFFF
    except wasmtime.Trap:
        return "UNREACHABLE"
