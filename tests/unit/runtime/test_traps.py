"""A trap has the same words, place and exit code on both engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.guests import ENGINES, call
from wasm2oci.errors import ExitCode
from wasm2oci.runtime.request import Ending

if TYPE_CHECKING:
    from wasm2oci.runtime.request import EngineChoice, RunOutcome

each_engine = pytest.mark.parametrize("engine", ENGINES)

MODULE = """(module
  (type $a (array (mut i32))) (type $s (struct (field (mut i32)))) (type $f (func))
  (memory 1) (table 1 funcref) (tag $e) (func $none) (elem (i32.const 0) $none)
  (func $inner (param i32) {body})
  (func (export "_start") (call $inner (i32.const 1))))"""

NULL_ARRAY, NULL_STRUCTURE = "null array reference", "null structure reference"
TRAPS = {
    "unreachable": "unreachable",
    "(call_indirect (i32.const 5))": "undefined element",
    "(return_call_indirect (i32.const 5))": "undefined element",
    "(drop (table.get (i32.const 5)))": "out of bounds table access",
    "(table.fill (i32.const 0) (ref.null func) (i32.const 2))": "out of bounds table access",
    "(table.set (i32.const 0) (ref.null func)) (call_indirect (i32.const 0))": "uninitialized element",
    "(call_indirect (param i32) (i32.const 1) (i32.const 0))": "indirect call type mismatch",
    "(call_ref $f (ref.null $f))": "null function reference",
    "(return_call_ref $f (ref.null $f))": "null function reference",
    "(drop (ref.as_non_null (ref.null func)))": "null reference",
    "(throw_ref (ref.null exn))": "null exception reference",
    "(drop (struct.get $s 0 (ref.null $s)))": NULL_STRUCTURE,
    "(struct.set $s 0 (ref.null $s) (i32.const 1))": NULL_STRUCTURE,
    "(drop (array.get $a (ref.null $a) (i32.const 0)))": NULL_ARRAY,
    "(array.set $a (ref.null $a) (i32.const 0) (i32.const 0))": NULL_ARRAY,
    "(drop (array.len (ref.null $a)))": NULL_ARRAY,
    "(array.fill $a (ref.null $a) (i32.const 0) (i32.const 0) (i32.const 0))": NULL_ARRAY,
    "(array.copy $a $a (ref.null $a) (i32.const 0) (ref.null $a) (i32.const 0) (i32.const 0))": NULL_ARRAY,
    "(drop (i31.get_u (ref.null i31)))": "null i31 reference",
    "(drop (ref.cast (ref i31) (array.new_default $a (i32.const 1))))": "cast failure",
    "(drop (array.get $a (array.new_default $a (i32.const 1)) (i32.const 1)))": "out of bounds array access",
    "(drop (i32.atomic.load (i32.const 1)))": "unaligned atomic",
    "(drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 1)))": "expected shared memory",
    "(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))": "integer overflow",
    "(drop (i64.rem_u (i64.const 1) (i64.const 0)))": "integer divide by zero",
    "(drop (i32.trunc_f64_s (f64.const 1e10)))": "integer overflow",
    "(drop (i64.trunc_f32_u (f32.const nan)))": "invalid conversion to integer",
    "(memory.copy (i32.const 65530) (i32.const 0) (i32.const 10))": "out of bounds memory access",
    "(throw $e)": "uncaught exception",
    "(block $h (result exnref) (try_table (catch_all_ref $h) (throw $e)) unreachable) throw_ref": "uncaught exception",
    "(call $inner (local.get 0))": "call stack exhausted",
}


def run_body(body: str, engine: EngineChoice) -> RunOutcome:
    return call(MODULE.replace("{body}", body), engine)


@pytest.mark.parametrize("body", TRAPS)
def test_engines_name_a_trap_alike(body: str) -> None:
    outcomes = [run_body(body, engine) for engine in ENGINES]
    for outcome in outcomes:
        assert (outcome.ending, outcome.exit_code) == (Ending.TRAPPED, ExitCode.TRAP)
        assert outcome.trap is not None
        assert outcome.trap.reason == TRAPS[body]
    first, second = (outcome.trap.frames for outcome in outcomes if outcome.trap is not None)
    if body not in {"(call $inner (local.get 0))", "unreachable"}:  # wasmtime: where the body begins
        assert [frame.offset for frame in first][:2] == [frame.offset for frame in second][:2]


@each_engine
@pytest.mark.parametrize("count", ["-1", "0x7fffffff"])
def test_array_that_no_memory_holds_is_out_of_memory(engine: EngineChoice, count: str) -> None:
    outcome = run_body(f"(drop (array.new_default $a (i32.const {count})))", engine)
    assert (outcome.ending, outcome.exit_code) == (Ending.OUT_OF_MEMORY, ExitCode.OUT_OF_MEMORY)


def test_engines_report_a_call_of_a_missing_import_alike() -> None:
    text = '(module (import "env" "x" (func $x)) (func $h (call $x)) (func (export "_start") (call $h)))'
    wasmtime, embedded = (call(text, engine, missing_as_traps=True) for engine in ENGINES)
    assert wasmtime.trap == embedded.trap
    assert wasmtime.trap is not None
    assert wasmtime.trap.reason == "unreachable: the guest called env.x, which is not provided"
    assert [frame.name for frame in wasmtime.trap.frames] == ["h", "_start"]
