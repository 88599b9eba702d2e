"""A trap names the instruction it came from, as wasmtime does, though a line of Python stands for several."""

import pytest
import wasmtime

from wasm2oci.engine import Engine, Linker, Module, Trap
from wasm2oci.engine.runtime.trap import TrapKind
from wasm2oci.engine.text import assemble
from wasm2oci.engine.translate.places import _CAN

HEAD = """(module (global $zero (mut i32) (i32.const 0)) (global $outside (mut i32) (i32.const -8)) (memory 1)
  (table 1 funcref)
  (type $s (struct (field (mut i32)))) (type $a (array (mut i32))) (type $f (func))
  (func $null (result (ref null $s)) (ref.null $s)) """
BODIES = {
    "after a nop": "nop unreachable",
    "a division that is dropped": "(drop (i32.div_u (i32.const 1) (global.get $zero)))",
    "a remainder in a sum": """(local i32)
      (local.set 0 (i32.add (i32.const 7) (i32.rem_s (i32.const 3) (global.get $zero))))""",
    "a load in a sum": "(drop (i32.add (i32.load (global.get $outside)) (i32.const 5)))",
    "the second of two loads": "(drop (i32.add (i32.load (i32.const 0)) (i32.load (global.get $outside))))",
    "a load in a loop": """(local i32) (loop $l
      (local.set 0 (i32.add (local.get 0) (i32.load (global.get $outside)))) (br_if $l (local.get 0)))""",
    "a load that is stored": "(i32.store (i32.const 0) (i32.load (global.get $outside)))",
    "a store of what was loaded": "(i32.store (global.get $outside) (i32.load (i32.const 0)))",
    "a store": "(i32.store (global.get $outside) (i32.const 0))",
    "an indirect call": "(call_indirect (i32.const 0))",
    "an indirect call beyond the table": "(call_indirect (global.get $outside))",
    "a conversion": "(drop (i32.trunc_f64_s (f64.mul (f64.const 1e300) (f64.const 2))))",
    "a fill": "(memory.fill (global.get $outside) (i32.const 0) (i32.const 10))",
    "a call by reference": "(call_ref $f (ref.null $f))",
    "a field of nothing": "(drop (i32.add (i32.const 1) (struct.get $s 0 (call $null))))",
    "a field set in nothing": "(struct.set $s 0 (call $null) (i32.const 1))",
    "an element": "(drop (array.get $a (array.new_default $a (i32.const 2)) (i32.const 2)))",
    "a cast": "(drop (ref.cast (ref i31) (call $null)))",
    "in a condition": "(if (i32.load (global.get $outside)) (then (nop)))",
    "after an if": """(if (global.get $zero) (then (drop (i32.load (i32.const 0)))))
      (drop (i32.load (global.get $outside)))""",
    "in a call": "(drop (i32.mul (i32.const 3) (call $inner)))",
}
INNER = "(func $inner (result i32) (i32.add (i32.const 1) (i32.div_u (i32.const 1) (global.get $zero))))"


@pytest.fixture(scope="module")
def engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.wasm_gc = True
    config.wasm_function_references = True
    return wasmtime.Engine(config)


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("name", BODIES)
def test_a_trap_is_where_wasmtime_says_it_is(engine: wasmtime.Engine, name: str, *, counted: bool) -> None:
    data = assemble(f'{HEAD} {INNER} (func (export "f") {BODIES[name]}))')
    store = wasmtime.Store(engine)
    theirs = wasmtime.Instance(store, wasmtime.Module(engine, data), []).exports(store)["f"]
    assert isinstance(theirs, wasmtime.Func)
    with pytest.raises(wasmtime.Trap) as expected:
        theirs(store)
    ours = Engine(fuel=counted, interruptible=counted)
    linker = Linker(ours)
    linker.fuel = 10_000
    with pytest.raises(Trap) as caught:
        linker.instantiate(Module(ours, data)).call("f")
    assert [(frame.function, frame.offset) for frame in caught.value.frames] == [
        (frame.func_index, frame.module_offset) for frame in expected.value.frames
    ]


def test_every_trap_of_an_instruction_is_looked_for() -> None:
    assert set(TrapKind) - set(_CAN) == {TrapKind.OUT_OF_FUEL, TrapKind.INTERRUPT}


def test_what_a_host_function_raises_was_at_the_call() -> None:
    def refuse() -> None:
        raise Trap(TrapKind.UNREACHABLE, "no")

    data = assemble('(module (func $h (import "h" "f")) (func (export "f") nop (call $h) nop nop))')
    engine = Engine()
    linker = Linker(engine)
    linker.define_function("h", "f", [], [], refuse)
    with pytest.raises(Trap) as caught:
        linker.instantiate(Module(engine, data)).call("f")
    assert data[caught.value.frames[0].offset or 0] == 0x10
