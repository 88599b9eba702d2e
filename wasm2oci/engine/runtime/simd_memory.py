"""Loads and stores of v128: whole, widened, splatted, zero-filled, and of one lane.

Each function takes the memory and the effective address, then the operand and the lane immediate where there are any.
The table `SIMD_MEMORY` has an entry for each mnemonic.

Spec: core, Execution, Instructions, memory instructions on vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.runtime.simd_integer import SHAPES
from wasm2oci.engine.runtime.simd_lanes import extend
from wasm2oci.engine.runtime.trap import Trap, TrapKind

if TYPE_CHECKING:
    from wasm2oci.engine.runtime.memory import Memory

__all__ = ["SIMD_MEMORY"]

VectorOp = Callable[..., Any]


def _load(memory: Memory, address: int, size: int) -> int:
    data = memory.data
    if address + size > len(data):
        raise Trap(TrapKind.MEMORY)
    return int.from_bytes(data[address : address + size], "little")


def _store(memory: Memory, address: int, size: int, value: int) -> None:
    data = memory.data
    if address + size > len(data):
        raise Trap(TrapKind.MEMORY)
    data[address : address + size] = value.to_bytes(size, "little")


def _v128_load(memory: Memory, address: int) -> int:
    return _load(memory, address, 16)


def _v128_store(memory: Memory, address: int, value: int) -> None:
    _store(memory, address, 16, value)


def _load_extend(bits: int, *, signed: bool) -> VectorOp:
    def load(memory: Memory, address: int) -> int:
        return extend(_load(memory, address, 8), bits, signed=signed, half=0)

    return load


def _load_splat(bits: int) -> VectorOp:
    size, ones = bits // 8, SHAPES[bits].ones

    def load(memory: Memory, address: int) -> int:
        return _load(memory, address, size) * ones

    return load


def _load_zero(bits: int) -> VectorOp:
    size = bits // 8

    def load(memory: Memory, address: int) -> int:
        return _load(memory, address, size)

    return load


def _lanes(bits: int) -> dict[str, VectorOp]:
    size, lane = bits // 8, SHAPES[bits].lane

    def load(memory: Memory, address: int, value: int, index: int) -> int:
        index *= bits
        return value ^ (value >> index & lane ^ _load(memory, address, size)) << index

    def store(memory: Memory, address: int, value: int, index: int) -> None:
        _store(memory, address, size, value >> index * bits & lane)

    return {f"v128.load{bits}_lane": load, f"v128.store{bits}_lane": store}


SIMD_MEMORY: Final[dict[str, VectorOp]] = {
    "v128.load": _v128_load,
    "v128.store": _v128_store,
    **{f"v128.load{bits}x{64 // bits}_s": _load_extend(bits, signed=True) for bits in (8, 16, 32)},
    **{f"v128.load{bits}x{64 // bits}_u": _load_extend(bits, signed=False) for bits in (8, 16, 32)},
    **{f"v128.load{bits}_splat": _load_splat(bits) for bits in SHAPES},
    **{f"v128.load{bits}_zero": _load_zero(bits) for bits in (32, 64)},
    **{name: value for bits in SHAPES for name, value in _lanes(bits).items()},
}
"""Mnemonic -> function, for the memory instructions on vectors."""
