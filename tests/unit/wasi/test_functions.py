"""The table, and how raw numbers become values and errors."""

import struct

import pytest
import wasmtime

from tests.support.wasi import Guest
from wasm2oci.wasi.abi import Errno
from wasm2oci.wasi.endings import ProcExit
from wasm2oci.wasi.functions import FUNCTIONS, MODULE, core_type
from wasm2oci.wasi.rights import ALL_RIGHTS
from wasm2oci.wasi.trace import LineTracer

GENEROUS = 0x20000


def test_table_is_the_whole_of_preview_1() -> None:
    names = [function.name for function in FUNCTIONS]
    assert len(names) == len(set(names)) == 46


def test_types_are_those_another_host_links() -> None:
    """A module that imports all 46 with our types links against wasmtime's own definitions."""
    imports = []
    for function in FUNCTIONS:
        params, results = core_type(function)
        result = f"(result {' '.join(results)})" if results else ""
        imports.append(f'(import "{MODULE}" "{function.name}" (func (param {" ".join(params)}) {result}))')
    engine = wasmtime.Engine()
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    store = wasmtime.Store(engine)
    store.set_wasi(wasmtime.WasiConfig())
    module = wasmtime.Module(engine, f"(module {''.join(imports)})")
    assert len(module.imports) == 46
    linker.instantiate(store, module)


def test_arguments_and_environment() -> None:
    with Guest(args=(b"prog", b"a b", b""), env=((b"K", b"V=W"), (b"EMPTY", b""))) as guest:
        assert guest.call("args_sizes_get") is Errno.SUCCESS
        assert (guest.u32(0), guest.u32(1)) == (3, len(b"prog\0a b\0\0"))
        assert guest.call("args_get", 0x100, 0x200) is Errno.SUCCESS
        assert guest.memory.read(0x200, 10) == b"prog\0a b\0\0"
        assert struct.unpack("<3I", guest.memory.read(0x100, 12)) == (0x200, 0x205, 0x209)
        assert guest.call("environ_sizes_get") is Errno.SUCCESS
        assert (guest.u32(0), guest.u32(1)) == (2, len(b"K=V=W\0EMPTY=\0"))
        assert guest.call("environ_get", 0x100, 0x200) is Errno.SUCCESS
        assert guest.memory.read(0x200, 13) == b"K=V=W\0EMPTY=\0"


def test_addresses_outside_are_a_fault() -> None:
    end = GENEROUS * 2
    with Guest() as guest:
        assert guest.call("random_get", end - 4, 8) is Errno.FAULT
        assert bytes(guest.memory.bytes[-4:]) == b"\0\0\0\0"
        assert guest.call("args_get", end - 2, 0) is Errno.FAULT
        assert guest.call("args_get", 0, end) is Errno.FAULT
        assert guest.call("fd_write", 1, end - 4, 1) is Errno.FAULT
        assert guest.call("fd_write", 1, 0xFFFFFFF8, 1) is Errno.FAULT
        guest.memory.write(0x7000, struct.pack("<II", 0xFFFFFFFF, 0xFFFFFFFF))
        assert guest.call("fd_write", 1, 0x7000, 1) is Errno.FAULT
        assert guest.calls["fd_tell"](guest.memory, 0, end) == Errno.SPIPE
        assert guest.calls["clock_time_get"](guest.memory, 0, 0, end - 4) == Errno.FAULT
    assert guest.stdout == b""


def test_a_call_moves_the_first_1024_buffers_that_are_not_empty() -> None:
    with Guest() as guest:
        guest.memory.write(0x1000, b"abcd")
        empty, full = struct.pack("<II", 0xFFFFFFFF, 0), struct.pack("<II", 0x1001, 2)
        guest.memory.write(0x2000, empty * 1500 + full * 1100)
        assert guest.call("fd_write", 1, 0x2000, 2600) is Errno.SUCCESS
        assert guest.call("fd_write", 1, 0x2000, 1500) is Errno.SUCCESS
        assert guest.call("fd_write", 1, 0x2000, 0) is Errno.SUCCESS
        assert guest.call("fd_write", 1, 0x2000, 0x20000000) is Errno.FAULT
        assert guest.call("fd_write", 1, 0x2000, 0xFFFFFFFF) is Errno.FAULT
    assert guest.stdout == b"bc" * 1024


def test_unknown_flags_and_values_are_invalid() -> None:
    with Guest() as guest:
        assert guest.call("clock_time_get", 4, 0) is Errno.INVAL
        assert guest.call("clock_time_get", -1, 0) is Errno.INVAL
        assert guest.call("fd_fdstat_set_flags", 1, 0x20) is Errno.INVAL
        assert guest.call("fd_seek", 0, 0, 3) is Errno.INVAL
        assert guest.call("proc_raise", 31) is Errno.INVAL


def test_signed_and_unsigned_numbers_are_the_same() -> None:
    """One engine hands in signed numbers, the other unsigned ones."""
    with Guest() as guest:
        assert guest.call("fd_close", -1) is Errno.BADF
        assert guest.call("fd_close", 0xFFFFFFFF) is Errno.BADF
        assert guest.call("fd_fdstat_set_rights", 1, -1, 0) is Errno.BADF


def test_random_bytes_fill_the_whole_buffer() -> None:
    with Guest() as guest:
        assert guest.call("random_get", 0x1000, 70000) is Errno.SUCCESS
        assert guest.memory.read(0x0FFF, 70002) == b"\0" + b"\x5a" * 70000 + b"\0"


def test_exit_passes_through_with_its_code() -> None:
    with Guest() as guest, pytest.raises(ProcExit) as caught:
        guest.call("proc_exit", 0xFFFFFFFF)
    assert caught.value.code == 0xFFFFFFFF


def test_signals_do_what_they_do_by_default() -> None:
    with Guest() as guest:
        assert guest.call("proc_raise", 0) is Errno.SUCCESS
        assert guest.call("proc_raise", 27) is Errno.SUCCESS
        assert guest.call("proc_raise", 18) is Errno.NOTSUP
        with pytest.raises(ProcExit) as caught:
            guest.call("proc_raise", 15)
        assert caught.value.code == 143


def test_writing_gathers_and_reading_scatters() -> None:
    with Guest() as guest:
        assert guest.call("fd_write", 1, *guest.iovecs(b"ab", b"", b"cd\n\0\xff")) is Errno.SUCCESS
        assert guest.u32() == 7
        assert guest.write(2, b"oops") is Errno.SUCCESS
        assert guest.write(0, b"x") is Errno.BADF
        assert guest.read(1)[0] is Errno.BADF
    assert (bytes(guest.stdout), bytes(guest.stderr)) == (b"abcd\n\0\xff", b"oops")


def test_trace_lines() -> None:
    lines: list[str] = []
    with Guest(tracer=LineTracer(lines.append)) as guest:
        guest.write(1, b'say "hi"\n')
        guest.open(b"a/\x01b", fd=1, oflags=5, rights=int(ALL_RIGHTS))
        guest.call("fd_close", 9)
        guest.call("fd_fdstat_get", 1)
        guest.call("clock_time_get", 7, 0)
        guest.call("path_unlink_file", 3, b"x" * 5000)
        with pytest.raises(ProcExit):
            guest.call("proc_exit", 3)
    texts = [line.rpartition(" <")[0] for line in lines]
    assert texts == [
        'fd_write(1, [9]"say \\"hi\\"\\n") = 0 nwritten=9',
        'path_open(1, SYMLINK_FOLLOW, "a/\\x01b", CREAT|EXCL, ALL, ALL, 0) = 8 BADF',
        "fd_close(9) = 8 BADF",
        "fd_fdstat_get(1) = 0 stat={UNKNOWN, flags=0, rights=0x40, inheriting=0x40}",
        "clock_time_get(?, ?) = 28 INVAL",
        "path_unlink_file(3, ?) = 37 NAMETOOLONG",
        "proc_exit(3) = ?",
    ]
    assert all(line.endswith(">\n") for line in lines)
