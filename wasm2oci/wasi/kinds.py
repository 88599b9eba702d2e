"""Kinds of parameters and results of preview 1's functions: how each is decoded, written and shown.

Flag and enumeration values that preview 1 does not know are INVAL; an address outside the memory is FAULT.

Spec: WASI preview 1, Types.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.wasi import abi
from wasm2oci.wasi.abi import CIOVEC, Errno, WasiError
from wasm2oci.wasi.calls.descriptors import MAX_TRANSFER
from wasm2oci.wasi.rights import ALL_RIGHTS, Rights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from enum import IntEnum, IntFlag

    from wasm2oci.wasi.memory import GuestMemory

__all__ = [
    "ADVICE",
    "BUFFER",
    "CIOVECS",
    "CLOCK",
    "FD",
    "FDFLAGS",
    "FDSTAT_RESULT",
    "FILESTAT_RESULT",
    "FSTFLAGS",
    "IOVECS",
    "LOOKUP",
    "OFLAGS",
    "PATH",
    "POINTER",
    "PRESTAT_RESULT",
    "RIFLAGS",
    "RIGHTS",
    "S64",
    "SDFLAGS",
    "SIGNAL",
    "SIZE_RESULT",
    "U16",
    "U16_RESULT",
    "U32",
    "U64",
    "U64_RESULT",
    "WHENCE",
    "ParameterKind",
    "Result",
    "enumeration",
    "show_bytes",
    "show_flags",
]

_IOV_MAX: Final = 1024
_SHOWN: Final = 32


@dataclass(frozen=True, slots=True)
class ParameterKind:
    """A kind of parameter.

    Attributes:
        core: the core value types it takes.
        decode: the value, from the memory and the raw numbers (signed or unsigned).
        show: the value as a trace shows it.
    """

    core: tuple[str, ...]
    decode: Callable[..., Any]
    show: Callable[[Any], str]


def _bits(width: int) -> Callable[[GuestMemory, int], int]:
    mask = (1 << width) - 1
    return lambda _memory, raw: raw & mask


def _signed64(_memory: GuestMemory, raw: int) -> int:
    raw &= 0xFFFF_FFFF_FFFF_FFFF
    return raw - (1 << 64) if raw >> 63 else raw


def _pair(_memory: GuestMemory, address: int, size: int) -> tuple[int, int]:
    return address & 0xFFFF_FFFF, size & 0xFFFF_FFFF


def _string(memory: GuestMemory, address: int, size: int) -> bytes:
    size &= 0xFFFF_FFFF
    if size > abi.PATH_MAX:
        raise WasiError(Errno.NAMETOOLONG)
    text = memory.read(address & 0xFFFF_FFFF, size)
    try:
        text.decode()
    except UnicodeDecodeError:
        raise WasiError(Errno.ILSEQ) from None
    return text


def _iovecs(memory: GuestMemory, address: int, count: int) -> list[tuple[int, int]]:
    """The first buffers that are not empty, at most `_IOV_MAX`: a call may move less than all of them."""
    address, count = address & 0xFFFF_FFFF, count & 0xFFFF_FFFF
    if count:
        memory.read(address + count * CIOVEC.size - 1, 1)  # all of the list must be there
    found: list[tuple[int, int]] = []
    for start in range(0, count, _IOV_MAX):
        part = memory.read(address + start * CIOVEC.size, min(_IOV_MAX, count - start) * CIOVEC.size)
        found += [(place, size) for place, size in CIOVEC.iter_unpack(part) if size]
        if len(found) >= _IOV_MAX:
            break
    return found[:_IOV_MAX]


def _gathered(memory: GuestMemory, address: int, count: int) -> bytes:
    parts = []
    left = MAX_TRANSFER
    for start, size in _iovecs(memory, address, count):
        parts.append(memory.read(start, min(size, left)))
        left -= len(parts[-1])
    return b"".join(parts)


def enumeration(known: Iterable[IntEnum], width: int) -> ParameterKind:
    """A kind whose values, counted from 0, are these members."""
    mask = (1 << width) - 1
    numbered = dict(enumerate(known))

    def decode(_memory: GuestMemory, raw: int) -> IntEnum:
        try:
            return numbered[raw & mask]
        except KeyError:
            raise WasiError(Errno.INVAL) from None

    return ParameterKind(("i32",), decode, lambda value: value.name)


def _flags(kind: type[IntFlag], width: int, core: str = "i32", *, strict: bool = True) -> ParameterKind:
    mask = (1 << width) - 1
    known = sum(member.value for member in kind)

    def decode(_memory: GuestMemory, raw: int) -> IntFlag:
        raw &= mask
        if raw & ~known and strict:
            raise WasiError(Errno.INVAL)
        return kind(raw & known)

    return ParameterKind((core,), decode, show_flags)


def show_flags(value: IntFlag) -> str:
    """`A|B`, 0 for none, and all rights by their number of them."""
    return "|".join(member.name or "" for member in value) or "0"


def _show_rights(value: Rights) -> str:
    return "ALL" if value == ALL_RIGHTS else hex(value) if value.bit_count() > 3 else show_flags(value)


def show_bytes(value: bytes) -> str:
    """As strace shows bytes: quoted, escaped, cut after 32."""
    text = "".join(_ESCAPED.get(b) or (chr(b) if 32 <= b < 127 else f"\\x{b:02x}") for b in value[:_SHOWN])
    return f'"{text}"' + ("..." if len(value) > _SHOWN else "")


_ESCAPED: Final = {0x22: '\\"', 0x5C: "\\\\", 0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t"}


def _show_path(value: bytes) -> str:
    return '"' + "".join(_ESCAPED.get(b) or (chr(b) if 32 <= b < 127 else f"\\x{b:02x}") for b in value) + '"'


FD = ParameterKind(("i32",), _bits(32), str)
U16 = ParameterKind(("i32",), _bits(16), str)
U32 = ParameterKind(("i32",), _bits(32), str)
U64 = ParameterKind(("i64",), _bits(64), str)
S64 = ParameterKind(("i64",), _signed64, str)
POINTER = ParameterKind(("i32",), _bits(32), hex)
BUFFER = ParameterKind(("i32", "i32"), _pair, lambda value: f"{value[0]:#x}, {value[1]}")
PATH = ParameterKind(("i32", "i32"), _string, _show_path)
IOVECS = ParameterKind(("i32", "i32"), _iovecs, lambda value: "[" + ", ".join(str(size) for _, size in value) + "]")
CIOVECS = ParameterKind(("i32", "i32"), _gathered, lambda value: f"[{len(value)}]{show_bytes(value)}")
CLOCK = enumeration(abi.ClockId, 32)
WHENCE = enumeration(abi.Whence, 8)
ADVICE = enumeration(abi.Advice, 8)
SIGNAL = enumeration(abi.Signal, 8)
FDFLAGS = _flags(abi.FdFlags, 16)
OFLAGS = _flags(abi.OFlags, 16)
LOOKUP = _flags(abi.LookupFlags, 32)
FSTFLAGS = _flags(abi.FstFlags, 16)
RIFLAGS = _flags(abi.RiFlags, 16)
SDFLAGS = _flags(abi.SdFlags, 8)
# Old libraries ask for "all" with bits that were never given a meaning.
RIGHTS = ParameterKind(("i64",), _flags(Rights, 64, "i64", strict=False).decode, _show_rights)


@dataclass(frozen=True, slots=True)
class Result:
    """A kind of result.

    Attributes:
        size: of its bytes in memory.
        pack: its bytes in memory.
        unpack: the value from them.
        show: the value as a trace shows it.
    """

    size: int
    pack: Callable[[Any], bytes]
    unpack: Callable[[bytes], Any]
    show: Callable[[Any], str]


def _number(code: str) -> Result:
    form = struct.Struct(code)
    return Result(form.size, form.pack, lambda data: form.unpack(data)[0], str)


SIZE_RESULT = _number("<I")
U16_RESULT = _number("<H")
U64_RESULT = _number("<Q")


def _show_fdstat(value: bytes) -> str:
    kind, flags, rights, inheriting = abi.FDSTAT.unpack(value)
    names = show_flags(abi.FdFlags(flags))
    return f"{{{abi.FileType(kind).name}, flags={names}, rights={rights:#x}, inheriting={inheriting:#x}}}"


def _show_filestat(value: bytes) -> str:
    _, ino, kind, _, size, _, mtim, _ = abi.FILESTAT.unpack(value)
    return f"{{{abi.FileType(kind).name}, ino={ino}, size={size}, mtim={mtim}}}"


FDSTAT_RESULT = Result(abi.FDSTAT.size, bytes, bytes, _show_fdstat)
FILESTAT_RESULT = Result(abi.FILESTAT.size, bytes, bytes, _show_filestat)
PRESTAT_RESULT = Result(abi.PRESTAT.size, bytes, bytes, lambda value: f"{{dir, {abi.PRESTAT.unpack(value)[1]}}}")
