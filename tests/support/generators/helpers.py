"""The module around random functions with two i32 parameters: memory, helpers to call, and the ticks that end loops."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from tests.support.generators.cases import Call, Case
from wasm2oci.engine.text import assemble

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["batch_case"]

_TICKS: Final = 40

_HELPERS: Final = f"""
  (type $box (struct (field (mut i32))))
  (tag $empty) (tag $number (param i32)) (tag $pair (param i32 i64))
  (type $unary (func (param i32) (result i32)))
  (type $numbers (array (mut i32)))
  (memory $memory (export "memory") 1 3) (memory $other (export "other") 1)
  (memory $far (export "far") i64 1 2) (memory $shared 1 1 shared)
  (table $table funcref (elem $help $thrice $mark))
  (table $wide i64 8 12 funcref) (elem (table $wide) (i64.const 0) func $help $thrice)
  (data $bytes "0123456789abcdef") (elem $some func $thrice $help $mark)
  (global $fixed i32 (i32.const 77)) (global $long i64 (i64.const -9)) (global $double f64 (f64.const 2.5))
  (global $kept anyref (ref.i31 (i32.const 12)))
  (global $counter (mut i32) (i32.const 3))
  (global $fuel (mut i32) (i32.const 0))
  (global $hash (export "hash") (mut i32) (i32.const 0))
  (func (export "reset")
    (global.set $fuel (i32.const {_TICKS})) (global.set $hash (i32.const 0))
    (global.set $counter (i32.const 3)) (memory.fill $far (i64.const 0) (i32.const 3) (i64.const 1024))
    (memory.fill (i32.const 0) (i32.const 0) (i32.const 1024))
    (memory.fill $shared (i32.const 0) (i32.const 1) (i32.const 64))
    (table.fill $wide (i64.const 1) (ref.func $thrice) (i64.const 4)))
  (func $tick
    (if (i32.eqz (global.get $fuel)) (then unreachable))
    (global.set $fuel (i32.sub (global.get $fuel) (i32.const 1))))
  (func $spent (result i32)
    (if (i32.eqz (global.get $fuel)) (then (return (i32.const 1))))
    (global.set $fuel (i32.sub (global.get $fuel) (i32.const 1)))
    (i32.const 0))
  (func $mark (param i32)
    (global.set $hash (i32.add (i32.mul (global.get $hash) (i32.const 31)) (local.get 0))))
  (func $help (param i32) (result i32)
    (i32.add (i32.load8_u (i32.and (local.get 0) (i32.const 255))) (i32.rotl (local.get 0) (i32.const 3))))
  (func $swap (param i32 i64) (result i64 i32) (local.get 1) (local.get 0))
  (func $thrice (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3)))
  (func $throws (param i32)
    (if (i32.eqz (i32.and (local.get 0) (i32.const 3))) (then (throw $empty)))
    (if (i32.eq (i32.and (local.get 0) (i32.const 3)) (i32.const 1)) (then (throw $number (local.get 0))))
    (if (i32.eq (i32.and (local.get 0) (i32.const 7)) (i32.const 2))
      (then (throw $pair (local.get 0) (i64.const 0x100000003)))))
  (func $catches_number (param i32) (result i32)
    (try_table (result i32) (catch $number 0) (call $throws (local.get 0)) (i32.const 5)))
  (func $catches_pair (param i32) (result i32 i64)
    (try_table (result i32 i64) (catch $pair 0) (call $throws (local.get 0)) (i32.const 5) (i64.const 6)))
  (func $catches_all (param i32) (try_table (catch $empty 0) (catch_all 0) (call $throws (local.get 0))))
  (func $keeps_all (param i32) (result exnref)
    (try_table (catch_ref $empty 0) (catch_all_ref 0) (call $throws (local.get 0))) (ref.null exn))
  (func $keeps_number (param i32) (result i32 exnref)
    (try_table (catch_ref $number 0) (call $throws (local.get 0))) (i32.const 9) (ref.null exn))
  (func $sinks (param i32) (result i32)
    (if (i32.ne (i32.and (local.get 0) (i32.const 15)) (i32.const 9)) (then (return (local.get 0))))
    (i32.add (call $sinks (i32.add (local.get 0) (i32.const 16))) (i32.const 1)))
"""
"""What programs call; "reset" grants the ticks, `$tick` takes one and traps without, `$spent` says so instead; `$sinks`
calls itself until the stack is full, for one argument in 16."""


def _arguments(seed: int) -> list[tuple[int, int]]:
    """Two i32 each for the calls of a program: small ones for its switches, and any."""
    draw = random.Random(seed ^ 0xF10)
    pairs = [(first, draw.choice((0, 1, 2, 3, 7, draw.getrandbits(32)))) for first in (0, 1, 2, draw.randint(3, 9))]
    return [*pairs, (draw.getrandbits(32), draw.getrandbits(32))]


def batch_case(function: Callable[[int, str], str], seeds: Sequence[int]) -> Case:
    """One module with a function for each seed.

    Args:
        function: the text of a function from its seed and its name; it exports itself by that.
        seeds: of the functions.
    """
    text = "".join(function(seed, f"p{seed}") for seed in seeds)
    calls = [Call(f"p{seed}", pair) for seed in seeds for pair in _arguments(seed)]
    return Case(assemble(f"(module {_HELPERS}\n{text})"), tuple(calls), reset="reset")
