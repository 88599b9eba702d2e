"""The plain interpreter allows as many nested calls as translated code, whatever else the process runs."""

from __future__ import annotations

import pytest

from tests.support.generators.cases import Call, Case, interpreting, trace_linker, trace_wasmtime, translating
from wasm2oci.engine.runtime.limits import CALLS
from wasm2oci.engine.text import assemble

DEEP = """(module
  (global (export "calls") (mut i32) (i32.const 0))
  (tag $up)
  (func $down (export "down") (param i32) (result i32)
    (global.set 0 (i32.add (global.get 0) (i32.const 1)))
    (if (result i32) (i32.eqz (local.get 0))
      (then (i32.const 7))
      (else (i32.add (call $down (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))))
  (func $thrown (param i32)
    (if (i32.eqz (local.get 0)) (then (throw $up)))
    (call $thrown (i32.sub (local.get 0) (i32.const 1))))
  (func (export "catches") (param i32) (result i32)
    (block $caught (try_table (catch $up $caught) (call $thrown (local.get 0))) (return (i32.const 0)))
    (i32.const 1))
  (func $turn (export "turn") (param i32 i32) (result i32)
    (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
    (return_call $turn (i32.sub (local.get 0) (i32.const 1)) (i32.xor (local.get 1) (local.get 0))))
  (func $endless (export "endless") (call $endless)))"""


@pytest.mark.parametrize(
    "call",
    [Call("down", (300,)), Call("down", (7_000,)), Call("catches", (2_000,)), Call("turn", (60_000, 5))],
    ids=lambda call: f"{call.export}-{call.arguments[0]}",
)
def test_deep_calls_do_the_same_on_every_engine(call: Call) -> None:
    case = Case(assemble(DEEP), (call,))
    expected = trace_wasmtime(case)
    assert isinstance(expected[0].outcome, tuple)
    assert trace_linker(case, interpreting()) == expected
    assert trace_linker(case, translating()) == expected


def test_calls_without_end_use_the_stack_up() -> None:
    case = Case(assemble(DEEP), (Call("endless", ()), Call("down", (CALLS - 1,)), Call("down", (CALLS,))))
    endless, deepest, deeper = trace_linker(case, interpreting())
    assert endless.outcome == "STACK_OVERFLOW"
    assert deepest.outcome == (CALLS + 6,)
    assert deeper.outcome == "STACK_OVERFLOW"
