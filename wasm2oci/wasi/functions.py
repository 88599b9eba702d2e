"""The table of preview 1: all 46 functions, their parameters and results, and what does the work.

One row says what the specification says of a function. From it follow the core type (`core_type`), how raw numbers
become the values the work is done on and back (`kinds`, `binding`), what a trace line shows, and the documentation.

A parameter's kind gives the core values it takes, how they are decoded, and how they are shown. A function's results
are written through pointers that come after its parameters; it returns the error code.

Spec: WASI preview 1, wasi_snapshot_preview1.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.wasi.abi import WasiError
from wasm2oci.wasi.calls import descriptors, paths, polling, process, sockets
from wasm2oci.wasi.kinds import (
    ADVICE,
    BUFFER,
    CIOVECS,
    CLOCK,
    FD,
    FDFLAGS,
    FDSTAT_RESULT,
    FILESTAT_RESULT,
    FSTFLAGS,
    IOVECS,
    LOOKUP,
    OFLAGS,
    PATH,
    POINTER,
    PRESTAT_RESULT,
    RIFLAGS,
    RIGHTS,
    S64,
    SDFLAGS,
    SIGNAL,
    SIZE_RESULT,
    U16,
    U16_RESULT,
    U32,
    U64,
    U64_RESULT,
    WHENCE,
)
from wasm2oci.wasi.memory import MemoryFaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wasm2oci.wasi.kinds import ParameterKind, Result
    from wasm2oci.wasi.memory import GuestMemory

__all__ = ["FUNCTIONS", "MODULE", "PREVIEW0_MODULE", "WasiFunction", "core_type", "functions_of"]

MODULE: Final = "wasi_snapshot_preview1"
PREVIEW0_MODULE: Final = "wasi_unstable"


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


def functions_of(module: str) -> tuple[WasiFunction, ...]:
    """The functions that are offered to core modules under a module's name; none for a name that is not WASI's."""
    if module == PREVIEW0_MODULE:
        from wasm2oci.wasi import preview0  # noqa: PLC0415 - it makes its rows from these; hardly a module has it

        return preview0.FUNCTIONS
    return FUNCTIONS if module == MODULE else ()
