"""Edges of values, memories and tables: each program beside wasmtime, with every way there is to write its operands."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from tests.support.generators.cases import Call, Case, trace_linker, trace_wasmtime, translating
from wasm2oci.engine.text import assemble

if TYPE_CHECKING:
    from collections.abc import Iterable

_Call = tuple[str, tuple[int, ...]]

NAN_PATHS = """(module
  (memory 1) (memory $other 1) (tag $t (param f32 f64))
  (global $single (mut f32) (f32.const nan:0x200001)) (global $double (mut f64) (f64.const nan:0x4000000000001))
  (type $unary (func (param f32) (result f32))) (table funcref (elem $same))
  (type $pair (struct (field (mut f32)) (field (mut f64)))) (type $singles (array (mut f32)))
  (elem declare func $same)
  (func $same (type $unary) local.get 0)
  (func $tail (param f32) (result f32) (return_call $same (local.get 0)))
  (func $swap (param f32 f64) (result f64 f32) local.get 1 local.get 0)
  (func (export "constants") (param i32 i64) (result i32 i64)
    (i32.reinterpret_f32 (f32.const nan:0x123)) (i64.reinterpret_f64 (f64.const -nan:0x123)))
  (func (export "globals") (param i32 i64) (result i32 i64)
    (global.set $single (f32.reinterpret_i32 (local.get 0))) (global.set $double (f64.reinterpret_i64 (local.get 1)))
    (i32.reinterpret_f32 (global.get $single)) (i64.reinterpret_f64 (global.get $double)))
  (func (export "memories") (param i32 i64) (result i32 i64)
    (i32.store (i32.const 3) (local.get 0)) (i64.store (i32.const 11) (local.get 1))
    (f32.store (i32.const 40) (f32.load (i32.const 3))) (f64.store $other (i32.const 41) (f64.load (i32.const 11)))
    (i32.load (i32.const 40)) (i64.load $other (i32.const 41)))
  (func (export "select") (param i32 i64) (result i32 i64)
    (i32.reinterpret_f32 (select (f32.reinterpret_i32 (local.get 0)) (f32.const nan:0x7) (local.get 0)))
    (i64.reinterpret_f64 (select (result f64) (f64.const nan:0x7) (f64.reinterpret_i64 (local.get 1)) (local.get 0))))
  (func (export "calls") (param i32 i64) (result i32 i32 i32 i32)
    (i32.reinterpret_f32 (call $same (f32.reinterpret_i32 (local.get 0))))
    (i32.reinterpret_f32 (call_indirect (type $unary) (f32.reinterpret_i32 (local.get 0)) (i32.const 0)))
    (i32.reinterpret_f32 (call_ref $unary (f32.reinterpret_i32 (local.get 0)) (ref.func $same)))
    (i32.reinterpret_f32 (call $tail (f32.reinterpret_i32 (local.get 0)))))
  (func (export "results") (param i32 i64) (result i64 i32) (local f32)
    (call $swap (f32.reinterpret_i32 (local.get 0)) (f64.reinterpret_i64 (local.get 1))) (local.set 2)
    (i64.reinterpret_f64) (i32.reinterpret_f32 (local.get 2)))
  (func (export "aggregates") (param i32 i64) (result i32 i64 i32) (local (ref null $pair))
    (local.set 2 (struct.new $pair (f32.reinterpret_i32 (local.get 0)) (f64.reinterpret_i64 (local.get 1))))
    (i32.reinterpret_f32 (struct.get $pair 0 (local.get 2))) (i64.reinterpret_f64 (struct.get $pair 1 (local.get 2)))
    (i32.reinterpret_f32
      (array.get $singles (array.new $singles (f32.reinterpret_i32 (local.get 0)) (i32.const 3)) (i32.const 2))))
  (func (export "exceptions") (param i32 i64) (result i32 i64) (local f32 f64)
    (block $caught (result f32 f64)
      (try_table (catch $t $caught)
        (throw $t (f32.reinterpret_i32 (local.get 0)) (f64.reinterpret_i64 (local.get 1))))
      unreachable)
    (local.set 3) (local.set 2) (i32.reinterpret_f32 (local.get 2)) (i64.reinterpret_f64 (local.get 3)))
  (func (export "vectors") (param i32 i64) (result i32 i64)
    (i32.reinterpret_f32 (f32x4.extract_lane 2 (f32x4.splat (f32.reinterpret_i32 (local.get 0)))))
    (i64.reinterpret_f64
      (f64x2.extract_lane 1 (f64x2.replace_lane 1 (v128.const i64x2 0 0) (f64.reinterpret_i64 (local.get 1))))))
  (func (export "signs") (param i32 i64) (result i32 i32 i32 i64 i64 i64)
    (i32.reinterpret_f32 (f32.neg (f32.reinterpret_i32 (local.get 0))))
    (i32.reinterpret_f32 (f32.abs (f32.reinterpret_i32 (local.get 0))))
    (i32.reinterpret_f32 (f32.copysign (f32.reinterpret_i32 (local.get 0)) (f32.const -1)))
    (i64.reinterpret_f64 (f64.neg (f64.reinterpret_i64 (local.get 1))))
    (i64.reinterpret_f64 (f64.abs (f64.reinterpret_i64 (local.get 1))))
    (i64.reinterpret_f64 (f64.copysign (f64.reinterpret_i64 (local.get 1)) (f64.const -1))))
  (func (export "blocks") (param i32 i64) (result i32 i64)
    (i32.reinterpret_f32 (block $x (result f32)
      (f32.reinterpret_i32 (local.get 0)) (br_if $x (i64.eqz (local.get 1))) drop (f32.reinterpret_i32 (local.get 0))))
    (i64.reinterpret_f64 (if (result f64) (local.get 0)
      (then (f64.reinterpret_i64 (local.get 1))) (else (f64.const nan:0x99)))))
  (func (export "loops") (param i32 i64) (result i32 i64) (local f32 f64 i32)
    (local.set 2 (f32.reinterpret_i32 (local.get 0))) (local.set 3 (f64.reinterpret_i64 (local.get 1)))
    (loop $again
      (f32.store (i32.mul (local.get 4) (i32.const 4)) (local.get 2))
      (f64.store offset=1000 (i32.mul (local.get 4) (i32.const 8)) (local.get 3))
      (local.set 2 (f32.load (i32.mul (local.get 4) (i32.const 4))))
      (local.set 3 (f64.load offset=1000 (i32.mul (local.get 4) (i32.const 8))))
      (br_if $again (i32.lt_u (local.tee 4 (i32.add (local.get 4) (i32.const 1))) (i32.const 40))))
    (i32.reinterpret_f32 (local.get 2)) (i64.reinterpret_f64 (local.get 3))))"""

NANS = (
    (0x7FA00001, 0x7FF4000000000001),
    (0xFFA00001, 0xFFF4000000000001),
    (0x7F800001, 0x7FF0000000000001),
    (0x7FC00000, 0x7FF8000000000000),
    (0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF),
    (0x80000000, 0),
)

LOADS = {
    "i32": ("load", "load8_s", "load8_u", "load16_s", "load16_u"),
    "i64": ("load", "load8_s", "load8_u", "load16_s", "load16_u", "load32_s", "load32_u"),
    "f32": ("load",),
    "f64": ("load",),
}
STORES = {
    "i32": ("store", "store8", "store16"),
    "i64": ("store", "store8", "store16", "store32"),
    "f32": ("store",),
    "f64": ("store",),
}
INTEGER = {"i32": "i32", "i64": "i64", "f32": "i32", "f64": "i64"}
ADDRESSES = (0, 1, 7, 65520, 65528, 65529, 65532, 65533, 65535, 65536, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF8, 0xFFFFFFFF)
WALKS = ((0, 30), (65500, 20), (65500, 40), (0xFFFFFFFF, 3), (0xFFFFFFF0, 40))


def agree(text: str, calls: Iterable[_Call]) -> None:
    """Translated, plainly and with fuel, a module does in all calls what it does on wasmtime."""
    case = Case(assemble(text), tuple(Call(*call) for call in calls))
    expected = trace_wasmtime(case)
    assert len(expected) == len(case.calls)
    for option in (0, 2):
        for that, this in zip(expected, trace_linker(case, translating(option)), strict=True):
            assert this == that


def test_the_bits_of_a_nan_stay_on_every_path() -> None:
    scalars = ("constants", "globals", "memories", "select", "calls", "results", "signs", "blocks", "loops")
    agree(NAN_PATHS, itertools.product((*scalars, "aggregates", "exceptions", "vectors"), NANS))


@pytest.mark.parametrize("offset", [0, 3, 65528, 65536, 0xFFFFFFFF])
def test_loads_at_the_edges_of_memory(offset: int) -> None:
    text, calls = "", list[_Call]()
    for type_, names in LOADS.items():
        for name in names:
            result = INTEGER[type_]
            load = f"({type_}.{name} offset={offset} (local.get 0))"
            value = load if result == type_ else f"({result}.reinterpret_{type_} {load})"
            text += f"""
              (func (export "{type_}.{name}") (param i32) (result {result}) {value})
              (func (export "{type_}.{name} on") (param i32 i32) (result {result}) (local {result})
                (loop $again
                  (local.set 2 ({result}.add (local.get 2) {value}))
                  (local.set 0 (i32.add (local.get 0) (i32.const 1)))
                  (br_if $again (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
                (local.get 2))"""
            calls += [(f"{type_}.{name}", (address,)) for address in ADDRESSES]
            calls += [(f"{type_}.{name} on", walk) for walk in WALKS]
    bytes_ = "".join(f"\\{(place * 37 + 129) & 255:02x}" for place in range(256))
    agree(f'(module (memory 1) (data (i32.const 0) "{bytes_}") (data (i32.const 65280) "{bytes_}") {text})', calls)


@pytest.mark.parametrize("offset", [0, 2, 65529, 65536, 0xFFFFFFFF])
def test_stores_at_the_edges_of_memory(offset: int) -> None:
    text, calls = "", list[_Call]()
    for type_, names in STORES.items():
        for name in names:
            shape = INTEGER[type_]
            value = "(local.get 1)" if shape == type_ else f"({type_}.reinterpret_{shape} (local.get 1))"
            store = f"({type_}.{name} offset={offset} (local.get 0) {value})"
            text += f"""
              (func (export "{type_}.{name}") (param i32 {shape}) {store})
              (func (export "{type_}.{name} on") (param i32 {shape} i32)
                (loop $again {store}
                  (local.set 0 (i32.add (local.get 0) (i32.const 3)))
                  (br_if $again (local.tee 2 (i32.sub (local.get 2) (i32.const 1))))))"""
            bits = 0xF1F2F3F4 if shape == "i32" else 0xF1F2F3F4F5F6F7F8
            calls += [(f"{type_}.{name}", (address, bits)) for address in ADDRESSES]
            calls += [(f"{type_}.{name} on", (start, bits - 1, turns)) for start, turns in WALKS]
    agree(f'(module (memory (export "memory") 1) {text})', calls)


def test_memories_are_copied_and_filled_up_to_their_ends() -> None:
    text = """(module (memory (export "m") 1) (memory $n (export "n") 1 1) (memory $none 0) (memory $far i64 1)
      (data $d "hello world") (data (i32.const 5) "0123456789abcdefghijklmnopqrstuvwxyz")
      (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
      (func (export "across") (param i32 i32 i32) (memory.copy $n 0 (local.get 0) (local.get 1) (local.get 2)))
      (func (export "from far") (param i32 i32 i32)
        (memory.copy 0 $far (local.get 0) (i64.extend_i32_u (local.get 1)) (local.get 2)))
      (func (export "to none") (param i32 i32 i32) (memory.copy $none 0 (local.get 0) (local.get 1) (local.get 2)))
      (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
      (func (export "init") (param i32 i32 i32) (memory.init $d (local.get 0) (local.get 1) (local.get 2)))
      (func (export "drop") (param i32 i32 i32) (data.drop $d)))"""
    places = (0, 1, 10, 65535, 65536, 65537, 0xFFFFFFFF)
    ranges = list(itertools.product(places, (0, 1, 4, 65536, 65537), (0, 1, 11, 65536, 0xFFFFFFFF)))
    names = ("copy", "across", "from far", "to none", "fill", "init", "drop", "init")
    agree(text, itertools.product(names, ranges[::2]))


def test_tables_are_copied_and_filled_up_to_their_ends() -> None:
    text = """(module (type $number (func (result i32)))
      (table $t 10 funcref) (table $s funcref (elem $a $b $a $b $b $a $a $b $a $a)) (elem $e func $a $b $a)
      (table $g 2 5 funcref)
      (func $a (result i32) (i32.const 1)) (func $b (result i32) (i32.const 2))
      (global $hash (export "hash") (mut i32) (i32.const 0))
      (func $seen (local i32)
        (loop $again
          (global.set $hash (i32.add (i32.mul (global.get $hash) (i32.const 31))
            (if (result i32) (ref.is_null (table.get $t (local.get 0)))
              (then (i32.const 9)) (else (call_indirect $t (type $number) (local.get 0))))))
          (br_if $again (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 10)))))
      (func (export "copy") (param i32 i32 i32)
        (table.copy $t $s (local.get 0) (local.get 1) (local.get 2)) (call $seen))
      (func (export "within") (param i32 i32 i32)
        (table.copy $t $t (local.get 0) (local.get 1) (local.get 2)) (call $seen))
      (func (export "init") (param i32 i32 i32)
        (table.init $t $e (local.get 0) (local.get 1) (local.get 2)) (call $seen))
      (func (export "fill") (param i32 i32 i32)
        (table.fill $t (local.get 0) (ref.func $b) (local.get 2)) (call $seen))
      (func (export "grow") (param i32 i32 i32)
        (global.set $hash (table.grow $g (ref.func $b) (local.get 1)))
        (drop (call_indirect $g (type $number) (local.get 0))))
      (func (export "call") (param i32 i32 i32) (drop (call_indirect $t (type $number) (local.get 0))))
      (func (export "drop") (param i32 i32 i32) (elem.drop $e)))"""
    places = (0, 1, 5, 9, 10, 11, 0xFFFFFFFF)
    ranges = list(itertools.product(places, (0, 1, 3, 9, 10, 11), (0, 1, 2, 10, 0xFFFFFFFF)))
    names = ("copy", "within", "init", "fill", "call", "grow", "drop", "init")
    agree(text, itertools.product(names, ranges[::2]))


def test_operands_are_evaluated_in_order() -> None:
    text = """(module (memory (export "m") 1) (global $h (export "h") (mut i32) (i32.const 0))
      (type $box (struct (field (mut i32)))) (type $list (array (mut i32)))
      (type $unary (func (param i32) (result i32)))
      (table $t 4 funcref) (elem (i32.const 1) func $same)
      (func $mark (param i32) (result i32)
        (global.set $h (i32.add (i32.mul (global.get $h) (i32.const 7)) (local.get 0))) (local.get 0))
      (func $same (param i32) (result i32) local.get 0)
      (func $box (param i32) (result (ref null $box))
        (if (result (ref null $box)) (call $mark (local.get 0))
          (then (struct.new $box (i32.const 1))) (else (ref.null $box))))
      (func $list (param i32) (result (ref null $list))
        (if (result (ref null $list)) (call $mark (local.get 0))
          (then (array.new $list (i32.const 1) (i32.const 4))) (else (ref.null $list))))
      (func (export "store") (param i32 i32) (i32.store (call $mark (local.get 0)) (call $mark (local.get 1))))
      (func (export "store quotient") (param i32 i32) (i32.store (local.get 0) (i32.div_u (i32.const 8) (local.get 1))))
      (func (export "store growth") (param i32 i32) (i32.store (local.get 0) (memory.grow (local.get 1))))
      (func (export "structure") (param i32 i32)
        (struct.set $box 0 (call $box (local.get 0)) (i32.div_u (i32.const 9) (local.get 1))))
      (func (export "array") (param i32 i32)
        (array.set $list (call $list (local.get 0)) (i32.load (local.get 1))
          (i32.div_s (i32.const -2147483648) (local.get 1))))
      (func (export "element") (param i32 i32) (result i32)
        (call_indirect $t (type $unary) (i32.div_u (i32.const 4) (local.get 1)) (call $mark (local.get 0))))
      (func (export "reference") (param i32 i32) (result i32)
        (call_ref $unary (i32.div_u (i32.const 4) (local.get 1))
          (ref.cast (ref null $unary) (table.get $t (local.get 0)))))
      (func (export "select") (param i32 i32) (result i32)
        (select (call $mark (local.get 0)) (call $mark (i32.const 3)) (call $mark (local.get 1))))
      (func (export "tee") (param i32 i32) (result i32)
        (i32.sub (local.tee 0 (i32.add (local.get 0) (i32.const 1)))
          (i32.mul (local.get 0) (local.tee 0 (i32.const 3)))))
      (func (export "global") (param i32 i32) (result i32) (i32.sub (global.get $h) (call $mark (local.get 0))))
      (func (export "load") (param i32 i32) (result i32)
        (i32.add (i32.load (i32.const 0)) (block (result i32) (i32.store (i32.const 0) (local.get 0)) (i32.const 1))))
      (func (export "dropped") (param i32 i32) (result i32)
        (drop (i32.div_u (i32.const 1) (local.get 0))) (drop (i32.load (local.get 1))) (i32.const 1)))"""
    names = ("store", "store quotient", "store growth", "structure", "array", "element", "reference", "select", "tee")
    pairs = (
        (0, 0),
        (1, 1),
        (0, 1),
        (1, 0),
        (65533, 1),
        (65533, 0),
        (0xFFFFFFFF, 0),
        (3, 2),
        (70000, 1),
        (2, 0xFFFFFFFF),
    )
    agree(text, itertools.product((*names, "global", "load", "dropped"), pairs))
