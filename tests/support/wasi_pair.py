"""The same preview 1 calls on two hosts, ours and wasmtime's own, each over a folder of its own."""

from __future__ import annotations

import contextlib
import struct
from typing import TYPE_CHECKING, Self

import wasmtime

from wasm2oci.engine.text import assemble
from wasm2oci.runtime.wasmtime_wasi import offer_wasi
from wasm2oci.wasi.abi import DIRENT, FDSTAT, FILESTAT, PRESTAT, Errno
from wasm2oci.wasi.binding import bind
from wasm2oci.wasi.context import Preopen, SystemClock, WasiContext
from wasm2oci.wasi.functions import FUNCTIONS, MODULE, core_type
from wasm2oci.wasi.state import Wasi
from wasm2oci.wasi.streams import BytesSource, FunctionSink
from wasm2oci.wasi.waiting import Interrupt, SystemWaiter

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

__all__ = ["Host", "Value"]

Value = int | bytes | list[int | bytes]
"""An argument: a number, a string, or buffers (bytes to write, or how many to read)."""

_STRINGS, _VECTORS, _BUFFERS, _OUT, _RESULTS = 1024, 16384, 20480, 40960, 65536
_OUT_SIZE = 8192


def _module() -> bytes:
    imports, exports = [], []
    for function in FUNCTIONS:
        params, results = core_type(function)
        signature = f"(param {' '.join(params)}) (result {' '.join(results)})"
        imports.append(f'(import "{MODULE}" "{function.name}" (func ${function.name} {signature}))')
        values = " ".join(f"(local.get {index})" for index in range(len(params)))
        exports.append(f'(func (export "{function.name}") {signature} (call ${function.name} {values}))')
    return assemble("\n".join(["(module", *imports, '(memory (export "memory") 4)', *exports, ")"]))


_ENGINE = wasmtime.Engine()
_CALLER = wasmtime.Module(_ENGINE, _module())
_BY_NAME = {function.name: function for function in FUNCTIONS}


class Host:
    """One host; use as a context manager.

    Args:
        folder: preopened as `/`, descriptor 3.
        read_only: preopened as `/ro` for reading only, descriptor 4.
        ours: our WASI, or else wasmtime's.
    """

    def __init__(self, folder: Path, read_only: Path, *, ours: bool) -> None:
        self.folder = folder
        self._held = contextlib.ExitStack()
        self._store = wasmtime.Store(_ENGINE)
        linker = wasmtime.Linker(_ENGINE)
        if ours:
            interrupt = self._held.enter_context(Interrupt())
            context = WasiContext(
                args=(b"a",),
                environment=(),
                preopens=(Preopen(folder, "/"), Preopen(read_only, "/ro", read_only=True)),
                stdin=BytesSource(b""),
                stdout=FunctionSink(len),
                stderr=FunctionSink(len),
                clock=SystemClock(),
                waiter=SystemWaiter(interrupt),
            )
            offer_wasi(linker, bind(self._held.enter_context(Wasi(context))))
        else:
            config = wasmtime.WasiConfig()
            config.argv = ["a"]
            config.preopen_dir(str(folder), "/")
            config.preopen_dir(str(read_only), "/ro", False)
            self._store.set_wasi(config)
            linker.define_wasi()
        self._exports = linker.instantiate(self._store, _CALLER).exports(self._store)
        memory = self._exports["memory"]
        assert isinstance(memory, wasmtime.Memory)
        self._memory = memory

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def _put(self, at: int, data: bytes) -> None:
        self._memory.write(self._store, bytearray(data), at)

    def _get(self, at: int, size: int) -> bytes:
        return bytes(self._memory.read(self._store, at, at + size))

    def call(self, name: str, *values: Value) -> tuple[str, object]:
        """The error's name and what the guest sees: numbers decoded, times and numbers of files left out."""
        raw: list[int] = []
        at, vector, buffer = _STRINGS, _VECTORS, _BUFFERS
        for value in values:
            if isinstance(value, bytes):
                self._put(at, value or b"\0")
                raw += [at, len(value)]
                at += len(value) + 16
            elif isinstance(value, list):
                raw += [vector, len(value)]
                for part in value:
                    data = part if isinstance(part, bytes) else bytes(part)
                    self._put(buffer, data or b"\0")
                    self._put(vector, struct.pack("<II", buffer, len(data)))
                    buffer, vector = buffer + len(data), vector + 8
            else:
                raw.append(value)
        self._put(_OUT, bytes(_OUT_SIZE))
        function = self._exports[name]
        assert isinstance(function, wasmtime.Func)
        results = [_RESULTS + 64 * index for index in range(len(_BY_NAME[name].results))]
        try:
            error = Errno(function(self._store, *raw, *results))
        except wasmtime.WasmtimeError as trap:
            if "Invalid" not in str(trap):
                raise
            return Errno.INVAL.name, None  # a value preview 1 does not know: an error code here, a trap there
        if error is not Errno.SUCCESS:
            return error.name, None
        return error.name, self._seen(name, [self._get(place, 64) for place in results], self._get(_BUFFERS, 256))

    def _seen(self, name: str, results: list[bytes], buffers: bytes) -> object:
        if name == "fd_fdstat_get":
            return FDSTAT.unpack(results[0][: FDSTAT.size])
        if name == "fd_prestat_get":
            return PRESTAT.unpack(results[0][: PRESTAT.size])
        if name.endswith("filestat_get"):
            _, _, kind, links, size, *_ = FILESTAT.unpack(results[0][: FILESTAT.size])
            return kind, links, size if kind != 3 else None
        if name == "fd_readdir":
            return self._entries(int.from_bytes(results[0][:4], "little"))
        if name == "path_readlink":
            return self._get(_OUT, 256), results[0][:4]
        width = 8 if name in {"fd_seek", "fd_tell"} else 4
        return [result[:width] for result in results], buffers if name in {"fd_read", "fd_pread"} else None

    def _entries(self, size: int) -> object:
        data, at, found = self._get(_OUT, size), 0, set()
        while at + DIRENT.size <= size:
            _, inode, length, kind = DIRENT.unpack_from(data, at)
            name = data[at + DIRENT.size : at + DIRENT.size + length]
            found.add((name, kind, bool(inode)))
            at += DIRENT.size + length
        return found

    @property
    def out(self) -> tuple[int, int]:
        """A buffer for a call to fill: pointer and size."""
        return _OUT, _OUT_SIZE
