"""Linear memories.

A memory is one `bytearray` for its whole life: growing extends it in place, so a holder of `data` keeps seeing the
memory. Words are read and written through cast views of it (`u32[address >> 2]` when the address is aligned), which
have to be made anew when the memory grows; generated code keeps them as plain globals of its namespace, and
`attach` is how they get there and stay right, whichever instance grew the memory.

Addresses are unsigned. An effective address may exceed the memory by any amount: every access here is checked.

Spec: core, Execution, Runtime structure, Memory instances.
"""

from __future__ import annotations

import sys
from struct import Struct
from typing import TYPE_CHECKING, Final

from wasm2oci.engine.runtime.limits import MEMORY32_CEILING, ResourceLimitError, ResourceLimits
from wasm2oci.engine.runtime.trap import Trap, TrapKind
from wasm2oci.engine.syntax.types import Limits, MemoryType

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

__all__ = ["VIEWS", "Memory", "memory_copy", "memory_fill", "memory_grow", "memory_init", "memory_size"]

VIEWS: Final = ("i8", "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64")
"""The attributes of a memory that are casts of its bytes."""

_PIECE: Final = 1 << 20
"""Bytes that are moved at once: larger operations are done in pieces, between which other threads run and interrupt,
and none makes a copy of all that it moves."""

_U32: Final = Struct("<I")
_U64: Final = Struct("<Q")


def _pieces(start: int, count: int) -> list[tuple[int, int]]:
    """A range cut up."""
    end = start + count
    return [(at, min(at + _PIECE, end)) for at in range(start, end, _PIECE)]


class Memory:
    """One memory instance.

    Args:
        type_: its type; the minimum is what it starts with.
        limits: ceilings over what the type allows.

    Attributes:
        data: the bytes; always the same object. Keep no memoryview of it over a call into the guest: growing fails
            while one exists.
        i8, u16, i16, u32, i32, u64, i64, f32, f64: casts of `data`, valid until the memory grows.

    Raises:
        ResourceLimitError: the minimum is above the ceiling, or more than this machine has.
    """

    __slots__ = (
        "_attached",
        "_ceiling",
        "_limits",
        "_whole",
        "data",
        "f32",
        "f64",
        "i8",
        "i16",
        "i32",
        "i64",
        "page_size",
        "type_",
        "u16",
        "u32",
        "u64",
    )

    def __init__(self, type_: MemoryType, limits: ResourceLimits | None = None) -> None:
        self._limits = limits = limits or ResourceLimits()
        self.type_ = type_
        self.page_size = 1 << type_.page_bits
        self._ceiling = (
            min(limits.memory_bytes, sys.maxsize if type_.limits.is64 else MEMORY32_CEILING) >> type_.page_bits
        )
        if type_.limits.maximum is not None:
            self._ceiling = min(self._ceiling, type_.limits.maximum)
        size = type_.limits.minimum << type_.page_bits
        if not type_.limits.is64 and MEMORY32_CEILING < size <= limits.memory_bytes:
            raise ResourceLimitError(
                f"the module's memory starts with {size} bytes, and this engine's memories have at most 2 GiB where "
                "addresses have 32 bits",
                hint="wasmtime allows 4 GiB",
            )
        if type_.limits.minimum > self._ceiling:
            raise ResourceLimitError(
                f"the module's memory starts with {size} bytes, {self._ceiling << type_.page_bits} are allowed",
                hint="raise the memory limit",
            )
        if not limits.take(size):
            raise ResourceLimitError(
                f"the module's memory starts with {size} bytes, more than is left for all its memories and tables",
                hint="raise the memory limit",
            )
        self.data = bytearray()
        try:
            self._extend(size)
        except MemoryError as error:
            raise ResourceLimitError(f"this machine has no {size} bytes left for the module's memory") from error
        self._attached: list[tuple[MutableMapping[str, object], Mapping[str, str]]] = []
        self._cast()

    @property
    def type(self) -> MemoryType:
        """The type with the present size as its minimum: what an import is matched against."""
        declared = self.type_.limits
        return MemoryType(
            Limits(self.pages, declared.maximum, declared.is64), self.type_.shared, page_bits=self.type_.page_bits
        )

    @property
    def pages(self) -> int:
        """The present size in pages."""
        return len(self.data) >> self.type_.page_bits

    def attach(self, namespace: MutableMapping[str, object], names: Mapping[str, str]) -> None:
        """Keeps names of a namespace equal to attributes of this memory.

        Args:
            namespace: the globals of generated code.
            names: name in the namespace -> attribute here, such as `{"m0": "data", "m0_u32": "u32"}`.
        """
        self._attached.append((namespace, names))
        for name, attribute in names.items():
            namespace[name] = getattr(self, attribute)

    def _cast(self) -> None:
        # Casting needs whole items, which only pages smaller than eight bytes can lack.
        whole = self._whole = memoryview(self.data)
        if len(whole) & 7:
            whole = whole[: len(whole) & ~7]
        self.i8 = whole.cast("b")
        self.u16 = whole.cast("H")
        self.i16 = whole.cast("h")
        self.u32 = whole.cast("I")
        self.i32 = whole.cast("i")
        self.u64 = whole.cast("Q")
        self.i64 = whole.cast("q")
        self.f32 = whole.cast("f")
        self.f64 = whole.cast("d")

    def _release(self) -> None:
        for attribute in VIEWS:
            getattr(self, attribute).release()
        self._whole.release()

    def _extend(self, count: int) -> None:
        """Adds zeros, or nothing at all."""
        data, before = self.data, len(self.data)
        zeros = bytes(min(count, _PIECE))
        try:
            for _ in range(count // _PIECE):
                data += zeros
            data += zeros[: before + count - len(data)]
        except BaseException:
            if len(data) > before:
                del data[before:]
            raise

    def grow(self, delta: int) -> int:
        """Adds pages of zeros.

        Returns:
            The size before, in pages, or -1 where it cannot grow by so much.

        Spec: core, Execution, Instructions, memory.grow.
        """
        before = self.pages
        if not delta:
            return before
        if before + delta > self._ceiling or not self._limits.take(delta * self.page_size):
            return -1
        self._release()
        try:
            self._extend(delta * self.page_size)
        except (MemoryError, OverflowError, BufferError):
            self._limits.give(delta * self.page_size)
            return -1
        finally:
            self._cast()
            for namespace, names in self._attached:
                for name, attribute in names.items():
                    namespace[name] = getattr(self, attribute)
        return before

    # --- instructions ------------------------------------------------------------------------
    def fill(self, start: int, value: int, count: int) -> None:
        """Sets `count` bytes to the low byte of `value`. Spec: memory.fill."""
        if start + count > len(self.data):
            raise Trap(TrapKind.MEMORY)
        if count <= _PIECE:
            self.data[start : start + count] = bytes((value & 0xFF,)) * count
            return
        piece = bytes((value & 0xFF,)) * _PIECE
        with memoryview(self.data) as view:
            for at, end in _pieces(start, count):
                view[at:end] = piece[: end - at]

    def copy(self, to: int, source: Memory, start: int, count: int) -> None:
        """Copies `count` bytes from a memory, perhaps this one; the ranges may overlap. Spec: memory.copy."""
        if start + count > len(source.data) or to + count > len(self.data):
            raise Trap(TrapKind.MEMORY)
        if count <= _PIECE:
            self.data[to : to + count] = source.data[start : start + count]
            return
        pieces = _pieces(to, count)
        with memoryview(self.data) as target, memoryview(source.data) as origin:
            # Within one memory what is still to be read must not be overwritten.
            for at, end in reversed(pieces) if start < to else pieces:
                target[at:end] = origin[at - to + start : end - to + start]

    def init(self, to: int, segment: bytes | memoryview, start: int, count: int) -> None:
        """Copies `count` bytes from a data segment. Spec: memory.init."""
        if start + count > len(segment) or to + count > len(self.data):
            raise Trap(TrapKind.MEMORY)
        if count <= _PIECE:
            self.data[to : to + count] = segment[start : start + count]
            return
        with memoryview(self.data) as view, memoryview(segment) as origin:
            for at, end in _pieces(to, count):
                view[at:end] = origin[at - to + start : end - to + start]

    # --- for host functions ------------------------------------------------------------------
    def read(self, address: int, count: int) -> bytes:
        """A copy of `count` bytes.

        Raises:
            Trap: they do not all lie inside the memory.
        """
        if address < 0 or count < 0 or address + count > len(self.data):
            raise Trap(TrapKind.MEMORY)
        with memoryview(self.data) as view:
            return bytes(view[address : address + count])

    def write(self, address: int, content: bytes | bytearray | memoryview) -> None:
        """Puts bytes into the memory.

        Raises:
            Trap: they do not all fit; nothing was written.
        """
        if address < 0 or address + len(content) > len(self.data):
            raise Trap(TrapKind.MEMORY)
        self.data[address : address + len(content)] = content

    def read_u32(self, address: int) -> int:
        """The little-endian 32-bit word at any address. Raises `Trap` outside the memory."""
        return int.from_bytes(self.read(address, 4), "little")

    def read_u64(self, address: int) -> int:
        """The little-endian 64-bit word at any address. Raises `Trap` outside the memory."""
        return int.from_bytes(self.read(address, 8), "little")

    def write_u32(self, address: int, value: int) -> None:
        """Puts a 32-bit word at any address. Raises `Trap` outside the memory."""
        self.write(address, _U32.pack(value))

    def write_u64(self, address: int, value: int) -> None:
        """Puts a 64-bit word at any address. Raises `Trap` outside the memory."""
        self.write(address, _U64.pack(value))

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        return f"<Memory of {self.pages} pages>"


def memory_size(memory: Memory) -> int:
    """The size in pages. Spec: memory.size."""
    return memory.pages


def memory_grow(memory: Memory, delta: int) -> int:
    """The size before growing, or all ones in the memory's address type. Spec: memory.grow."""
    before = memory.grow(delta)
    if before < 0:
        return 0xFFFFFFFFFFFFFFFF if memory.type_.limits.is64 else 0xFFFFFFFF
    return before


def memory_fill(memory: Memory, start: int, value: int, count: int) -> None:
    """Fills a range. Spec: memory.fill."""
    memory.fill(start, value, count)


def memory_copy(memory: Memory, source: Memory, to: int, start: int, count: int) -> None:
    """Copies a range. Spec: memory.copy."""
    memory.copy(to, source, start, count)


def memory_init(memory: Memory, segment: bytes, to: int, start: int, count: int) -> None:
    """Copies a range of a data segment. Spec: memory.init."""
    memory.init(to, segment, start, count)
