"""A guest without an engine: the preview 1 functions over a bytearray, called with Python values."""

import struct
from pathlib import Path
from types import TracebackType
from typing import Self

from wasm2oci.wasi.abi import DIRENT, Errno
from wasm2oci.wasi.binding import Tracer, bind
from wasm2oci.wasi.context import Clock, Preopen, SystemClock, WasiContext
from wasm2oci.wasi.functions import FUNCTIONS, WasiFunction
from wasm2oci.wasi.memory import MemoryFaultError
from wasm2oci.wasi.rights import ALL_RIGHTS, Rights
from wasm2oci.wasi.state import Wasi
from wasm2oci.wasi.streams import BytesSource, FunctionSink, Sink, Source
from wasm2oci.wasi.waiting import Interrupt, SystemWaiter, Waiter

__all__ = ["ByteMemory", "Guest", "open_descriptors"]

SCRATCH = 1024
RESULTS = 65536


def open_descriptors() -> int:
    """How many descriptors this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


class ByteMemory:
    """A linear memory of a fixed size."""

    def __init__(self, size: int = 4 * 65536) -> None:
        self.bytes = bytearray(size)

    def read(self, address: int, size: int) -> bytes:
        if address + size > len(self.bytes):
            raise MemoryFaultError
        return bytes(self.bytes[address : address + size])

    def write(self, address: int, data: bytes) -> None:
        if address + len(data) > len(self.bytes):
            raise MemoryFaultError
        self.bytes[address : address + len(data)] = data


class Guest:
    """Calls preview 1 functions as a guest would; use as a context manager.

    `call` takes bytes for (pointer, length) pairs and ints for the rest, and gives (errno, results as they lie in
    memory). `stdout` and `stderr` hold what was written.
    """

    def __init__(
        self,
        *preopens: Path | Preopen,
        args: tuple[bytes, ...] = (b"guest",),
        env: tuple[tuple[bytes, bytes], ...] = (),
        stdin: Source | None = None,
        stdout: Sink | None = None,
        clock: Clock | None = None,
        waiter: Waiter | None = None,
        listeners: tuple[int, ...] = (),
        tracer: Tracer | None = None,
        functions: tuple[WasiFunction, ...] = FUNCTIONS,
    ) -> None:
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.interrupt = Interrupt()
        self.memory = ByteMemory()
        self.wasi = Wasi(
            WasiContext(
                args=args,
                environment=env,
                preopens=tuple(p if isinstance(p, Preopen) else Preopen(p, "/") for p in preopens),
                stdin=stdin or BytesSource(),
                stdout=stdout or FunctionSink(self.stdout.extend),
                stderr=FunctionSink(self.stderr.extend),
                clock=clock or SystemClock(),
                waiter=waiter or SystemWaiter(self.interrupt),
                listeners=listeners,
                random=lambda size: b"\x5a" * size,
            )
        )
        self.calls = bind(self.wasi, tracer, functions)
        self.results = {function.name: len(function.results) for function in functions}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wasi.close()
        self.interrupt.__exit__(kind, value, trace)

    def call(self, name: str, *values: int | bytes) -> Errno:
        """Call by name; results are put at RESULTS, RESULTS + 64, ..."""
        raw: list[int] = []
        at = SCRATCH
        for value in values:
            if isinstance(value, bytes):
                self.memory.write(at, value)
                raw += [at, len(value)]
                at += len(value) + 16
            else:
                raw.append(value)
        raw += [RESULTS + 64 * index for index in range(self.results[name])]
        return Errno(self.calls[name](self.memory, *raw) or 0)

    def u32(self, index: int = 0) -> int:
        """The result of the last call at one place."""
        return int(struct.unpack_from("<I", self.memory.bytes, RESULTS + 64 * index)[0])

    def u64(self, index: int = 0) -> int:
        """The same, 64 bits."""
        return int(struct.unpack_from("<Q", self.memory.bytes, RESULTS + 64 * index)[0])

    def result(self, size: int) -> bytes:
        """The raw bytes of the first result."""
        return bytes(self.memory.bytes[RESULTS : RESULTS + size])

    def iovecs(self, *parts: bytes | int) -> tuple[int, int]:
        """Buffers, filled with bytes or so many zeros, and their list: (pointer, count)."""
        at, table = 0x8000, 0x7000
        for index, part in enumerate(parts):
            data = part if isinstance(part, bytes) else bytes(part)
            self.memory.write(at, data)
            self.memory.write(table + 8 * index, struct.pack("<II", at, len(data)))
            at += len(data)
        return table, len(parts)

    def buffers(self, size: int) -> bytes:
        """The content of the buffers `iovecs` laid out."""
        return self.memory.read(0x8000, size)

    def open(
        self,
        path: bytes,
        *,
        fd: int = 3,
        follow: bool = True,
        oflags: int = 0,
        rights: int = Rights.FD_READ | Rights.FD_SEEK | Rights.FD_TELL | Rights.FD_FILESTAT_GET,
        flags: int = 0,
    ) -> tuple[Errno, int]:
        """`path_open`: (errno, descriptor)."""
        errno = self.call("path_open", fd, int(follow), path, oflags, int(rights), int(ALL_RIGHTS), flags)
        return errno, self.u32()

    def open_directory(self, path: bytes, *, fd: int = 3) -> int:
        """A directory opened, which must succeed."""
        errno, opened = self.open(path, fd=fd, oflags=2, rights=int(ALL_RIGHTS & ~Rights.FD_WRITE))
        assert errno is Errno.SUCCESS, errno
        return opened

    def write(self, fd: int, data: bytes) -> Errno:
        """`fd_write` of one buffer."""
        return self.call("fd_write", fd, *self.iovecs(data))

    def read(self, fd: int, size: int = 4096) -> tuple[Errno, bytes]:
        """`fd_read` into one buffer."""
        errno = self.call("fd_read", fd, *self.iovecs(size))
        return errno, self.buffers(self.u32()) if errno is Errno.SUCCESS else b""

    def names(self, fd: int = 3, cookie: int = 0, size: int = 4096) -> list[tuple[int, bytes]]:
        """`fd_readdir`: (next cookie, name) of every whole entry."""
        assert self.call("fd_readdir", fd, 0x8000, size, cookie) is Errno.SUCCESS
        data = self.memory.read(0x8000, self.u32())
        found, at = [], 0
        while at + DIRENT.size <= len(data):
            following, _, length, _ = DIRENT.unpack_from(data, at)
            at += DIRENT.size + length
            if at <= len(data):
                found.append((following, data[at - length : at]))
        return found
