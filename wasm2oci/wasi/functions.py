"""The table of preview 1: all 46 functions, their parameters and results, and what does the work.

One row says what the specification says of a function. From it follow the core type (`core_type`), how raw numbers
become the values the work is done on and back (`bind`), what a trace line shows, and the documentation.

A parameter's kind gives the core values it takes, how they are decoded, and how they are shown. A function's results
are written through pointers that come after its parameters; it returns the error code. Flag and enumeration values
that preview 1 does not know are INVAL; an address outside the memory is FAULT.

Spec: WASI preview 1, wasi_snapshot_preview1.
"""

import contextlib
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any, Final, Protocol

from wasm2oci.wasi import abi
from wasm2oci.wasi.abi import CIOVEC, Errno, WasiError, errno_of
from wasm2oci.wasi.calls import descriptors, paths, polling, process, sockets
from wasm2oci.wasi.memory import GuestMemory, MemoryFaultError
from wasm2oci.wasi.state import Wasi

__all__ = [
    "FUNCTIONS",
    "MODULE",
    "Call",
    "CallOutcome",
    "ParameterKind",
    "Result",
    "Tracer",
    "WasiFunction",
    "bind",
    "core_type",
]

MODULE: Final = "wasi_snapshot_preview1"
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
    left = descriptors.MAX_TRANSFER
    for start, size in _iovecs(memory, address, count):
        parts.append(memory.read(start, min(size, left)))
        left -= len(parts[-1])
    return b"".join(parts)


def _enumeration(kind: type[IntEnum], width: int) -> ParameterKind:
    mask = (1 << width) - 1
    known = {member.value: member for member in kind}

    def decode(_memory: GuestMemory, raw: int) -> IntEnum:
        try:
            return known[raw & mask]
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


def _show_rights(value: abi.Rights) -> str:
    return "ALL" if value == abi.ALL_RIGHTS else hex(value) if value.bit_count() > 3 else show_flags(value)


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
CLOCK = _enumeration(abi.ClockId, 32)
WHENCE = _enumeration(abi.Whence, 8)
ADVICE = _enumeration(abi.Advice, 8)
SIGNAL = _enumeration(abi.Signal, 8)
FDFLAGS = _flags(abi.FdFlags, 16)
OFLAGS = _flags(abi.OFlags, 16)
LOOKUP = _flags(abi.LookupFlags, 32)
FSTFLAGS = _flags(abi.FstFlags, 16)
RIFLAGS = _flags(abi.RiFlags, 16)
SDFLAGS = _flags(abi.SdFlags, 8)
# Old libraries ask for "all" with bits that were never given a meaning.
RIGHTS = ParameterKind(("i64",), _flags(abi.Rights, 64, "i64", strict=False).decode, _show_rights)


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


@dataclass(frozen=True, slots=True)
class WasiFunction:
    """One row: a function of preview 1.

    Attributes:
        name: its import name.
        params: names and kinds.
        results: names and kinds of what is written through the trailing pointers.
        work: does it.
        returns: whether it returns an error code (all but `proc_exit` do).
    """

    name: str
    params: tuple[tuple[str, ParameterKind], ...]
    results: tuple[tuple[str, Result], ...]
    work: Callable[..., Any]
    returns: bool = True

    def arguments(self, memory: GuestMemory, raw: Sequence[int]) -> tuple[Any, ...]:
        """The decoded arguments of a call that another host carries out; fewer where one cannot be decoded."""
        found: list[Any] = []
        at = 0
        with contextlib.suppress(WasiError, MemoryFaultError):
            for _, kind in self.params:
                found.append(kind.decode(memory, *raw[at : at + len(kind.core)]))
                at += len(kind.core)
        return tuple(found)

    def written(self, memory: GuestMemory, raw: Sequence[int]) -> tuple[Any, ...]:
        """The results another host wrote through the trailing pointers."""
        pointers = raw[len(raw) - len(self.results) :]
        return tuple(
            kind.unpack(memory.read(pointer & 0xFFFF_FFFF, kind.size))
            for (_, kind), pointer in zip(self.results, pointers, strict=True)
        )


FUNCTIONS: Final[tuple[WasiFunction, ...]] = (
    WasiFunction("args_get", (("argv", POINTER), ("argv_buf", POINTER)), (), process.args_get),
    WasiFunction("args_sizes_get", (), (("argc", SIZE_RESULT), ("argv_buf_size", SIZE_RESULT)), process.args_sizes_get),
    WasiFunction("environ_get", (("environ", POINTER), ("environ_buf", POINTER)), (), process.environ_get),
    WasiFunction(
        "environ_sizes_get", (), (("count", SIZE_RESULT), ("environ_buf_size", SIZE_RESULT)), process.environ_sizes_get
    ),
    WasiFunction("clock_res_get", (("id", CLOCK),), (("resolution", U64_RESULT),), process.clock_res_get),
    WasiFunction(
        "clock_time_get", (("id", CLOCK), ("precision", U64)), (("timestamp", U64_RESULT),), process.clock_time_get
    ),
    WasiFunction(
        "fd_advise",
        (("fd", FD), ("offset", U64), ("len", U64), ("advice", ADVICE)),
        (),
        descriptors.fd_advise,
    ),
    WasiFunction("fd_allocate", (("fd", FD), ("offset", U64), ("len", U64)), (), descriptors.fd_allocate),
    WasiFunction("fd_close", (("fd", FD),), (), descriptors.fd_close),
    WasiFunction("fd_datasync", (("fd", FD),), (), descriptors.fd_datasync),
    WasiFunction("fd_fdstat_get", (("fd", FD),), (("stat", FDSTAT_RESULT),), descriptors.fd_fdstat_get),
    WasiFunction("fd_fdstat_set_flags", (("fd", FD), ("flags", FDFLAGS)), (), descriptors.fd_fdstat_set_flags),
    WasiFunction(
        "fd_fdstat_set_rights",
        (("fd", FD), ("fs_rights_base", RIGHTS), ("fs_rights_inheriting", RIGHTS)),
        (),
        descriptors.fd_fdstat_set_rights,
    ),
    WasiFunction("fd_filestat_get", (("fd", FD),), (("stat", FILESTAT_RESULT),), descriptors.fd_filestat_get),
    WasiFunction("fd_filestat_set_size", (("fd", FD), ("size", U64)), (), descriptors.fd_filestat_set_size),
    WasiFunction(
        "fd_filestat_set_times",
        (("fd", FD), ("atim", U64), ("mtim", U64), ("fst_flags", FSTFLAGS)),
        (),
        descriptors.fd_filestat_set_times,
    ),
    WasiFunction(
        "fd_pread", (("fd", FD), ("iovs", IOVECS), ("offset", U64)), (("nread", SIZE_RESULT),), descriptors.fd_pread
    ),
    WasiFunction("fd_prestat_get", (("fd", FD),), (("prestat", PRESTAT_RESULT),), descriptors.fd_prestat_get),
    WasiFunction("fd_prestat_dir_name", (("fd", FD), ("path", BUFFER)), (), descriptors.fd_prestat_dir_name),
    WasiFunction(
        "fd_pwrite",
        (("fd", FD), ("iovs", CIOVECS), ("offset", U64)),
        (("nwritten", SIZE_RESULT),),
        descriptors.fd_pwrite,
    ),
    WasiFunction("fd_read", (("fd", FD), ("iovs", IOVECS)), (("nread", SIZE_RESULT),), descriptors.fd_read),
    WasiFunction(
        "fd_readdir",
        (("fd", FD), ("buf", BUFFER), ("cookie", U64)),
        (("bufused", SIZE_RESULT),),
        descriptors.fd_readdir,
    ),
    WasiFunction("fd_renumber", (("fd", FD), ("to", FD)), (), descriptors.fd_renumber),
    WasiFunction(
        "fd_seek",
        (("fd", FD), ("offset", S64), ("whence", WHENCE)),
        (("newoffset", U64_RESULT),),
        descriptors.fd_seek,
    ),
    WasiFunction("fd_sync", (("fd", FD),), (), descriptors.fd_sync),
    WasiFunction("fd_tell", (("fd", FD),), (("offset", U64_RESULT),), descriptors.fd_tell),
    WasiFunction("fd_write", (("fd", FD), ("iovs", CIOVECS)), (("nwritten", SIZE_RESULT),), descriptors.fd_write),
    WasiFunction("path_create_directory", (("fd", FD), ("path", PATH)), (), paths.path_create_directory),
    WasiFunction(
        "path_filestat_get",
        (("fd", FD), ("flags", LOOKUP), ("path", PATH)),
        (("stat", FILESTAT_RESULT),),
        paths.path_filestat_get,
    ),
    WasiFunction(
        "path_filestat_set_times",
        (("fd", FD), ("flags", LOOKUP), ("path", PATH), ("atim", U64), ("mtim", U64), ("fst_flags", FSTFLAGS)),
        (),
        paths.path_filestat_set_times,
    ),
    WasiFunction(
        "path_link",
        (("old_fd", FD), ("old_flags", LOOKUP), ("old_path", PATH), ("new_fd", FD), ("new_path", PATH)),
        (),
        paths.path_link,
    ),
    WasiFunction(
        "path_open",
        (
            ("fd", FD),
            ("dirflags", LOOKUP),
            ("path", PATH),
            ("oflags", OFLAGS),
            ("fs_rights_base", RIGHTS),
            ("fs_rights_inheriting", RIGHTS),
            ("fdflags", FDFLAGS),
        ),
        (("opened_fd", SIZE_RESULT),),
        paths.path_open,
    ),
    WasiFunction(
        "path_readlink",
        (("fd", FD), ("path", PATH), ("buf", BUFFER)),
        (("bufused", SIZE_RESULT),),
        paths.path_readlink,
    ),
    WasiFunction("path_remove_directory", (("fd", FD), ("path", PATH)), (), paths.path_remove_directory),
    WasiFunction(
        "path_rename",
        (("fd", FD), ("old_path", PATH), ("new_fd", FD), ("new_path", PATH)),
        (),
        paths.path_rename,
    ),
    WasiFunction("path_symlink", (("old_path", PATH), ("fd", FD), ("new_path", PATH)), (), paths.path_symlink),
    WasiFunction("path_unlink_file", (("fd", FD), ("path", PATH)), (), paths.path_unlink_file),
    WasiFunction(
        "poll_oneoff",
        (("in", POINTER), ("out", POINTER), ("nsubscriptions", U32)),
        (("nevents", SIZE_RESULT),),
        polling.poll_oneoff,
    ),
    WasiFunction("proc_exit", (("rval", U32),), (), process.proc_exit, returns=False),
    WasiFunction("proc_raise", (("sig", SIGNAL),), (), process.proc_raise),
    WasiFunction("sched_yield", (), (), process.sched_yield),
    WasiFunction("random_get", (("buf", BUFFER),), (), process.random_get),
    WasiFunction("sock_accept", (("fd", FD), ("flags", FDFLAGS)), (("connection", SIZE_RESULT),), sockets.sock_accept),
    WasiFunction(
        "sock_recv",
        (("fd", FD), ("ri_data", IOVECS), ("ri_flags", RIFLAGS)),
        (("ro_datalen", SIZE_RESULT), ("ro_flags", U16_RESULT)),
        sockets.sock_recv,
    ),
    WasiFunction(
        "sock_send",
        (("fd", FD), ("si_data", CIOVECS), ("si_flags", U16)),
        (("so_datalen", SIZE_RESULT),),
        sockets.sock_send,
    ),
    WasiFunction("sock_shutdown", (("fd", FD), ("how", SDFLAGS)), (), sockets.sock_shutdown),
)


def core_type(function: WasiFunction) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The core WebAssembly type: parameters and results by name (`i32`, `i64`)."""
    params = tuple(core for _, kind in function.params for core in kind.core) + ("i32",) * len(function.results)
    return params, ("i32",) if function.returns else ()


Call = Callable[..., int | None]
"""A bound function: takes the memory and the raw numbers, returns the error code."""


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """How one call went, for a trace.

    Attributes:
        args: the decoded values, fewer than parameters where decoding itself failed.
        errno: what the guest got; None when the call did not return.
        results: what was written back.
        elapsed_ns: how long it took.
    """

    args: tuple[Any, ...]
    errno: Errno | None
    results: tuple[Any, ...]
    elapsed_ns: int


class Tracer(Protocol):
    """Called after every call of a guest."""

    def __call__(self, function: WasiFunction, outcome: CallOutcome) -> None:
        """Take note."""


def bind(wasi: Wasi, tracer: Tracer | None = None) -> Mapping[str, Call]:
    """Every function by name, working on one run's state.

    Each takes the memory and the core values, and returns the error code (None for `proc_exit`, which raises).
    `ProcExit`, `Interrupted` and `KeyboardInterrupt` pass through.
    """
    return {function.name: _bound(function, wasi, tracer) for function in FUNCTIONS}


def _bound(function: WasiFunction, wasi: Wasi, tracer: Tracer | None) -> Call:
    plan = []
    at = 0
    for _, kind in function.params:
        plan.append((kind.decode, at, at + len(kind.core)))
        at += len(kind.core)
    results = [(at + index, result.pack) for index, (_, result) in enumerate(function.results)]
    work = function.work
    single = len(results) == 1

    def run(memory: GuestMemory, raw: tuple[int, ...], args: list[Any]) -> tuple[Any, ...]:
        for decode, start, end in plan:
            args.append(decode(memory, *raw[start:end]))
        made = work(wasi, memory, *args)
        values = (made,) if single else made or ()
        for (place, pack), value in zip(results, values, strict=True):
            memory.write(raw[place] & 0xFFFF_FFFF, pack(value))
        return values

    def call(memory: GuestMemory, *raw: int) -> int:
        try:
            run(memory, raw, [])
        except (WasiError, OSError, MemoryFaultError) as error:
            return _errno(error)
        return 0

    def traced(memory: GuestMemory, *raw: int) -> int:
        args: list[Any] = []
        errno: Errno | None = None
        values: tuple[Any, ...] = ()
        start = time.perf_counter_ns()
        try:
            values = run(memory, raw, args)
            errno = Errno.SUCCESS
        except (WasiError, OSError, MemoryFaultError) as error:
            errno = _errno(error)
        finally:
            if tracer is not None:
                tracer(function, CallOutcome(tuple(args), errno, values, time.perf_counter_ns() - start))
        return errno or 0

    return call if tracer is None else traced


def _errno(error: WasiError | OSError | MemoryFaultError) -> Errno:
    match error:
        case WasiError():
            return error.errno
        case OSError():
            return errno_of(error)
        case _:
            return Errno.FAULT
