"""WASI preview 1, and 0, for the instances of a linker: the one module of the engine that knows `wasi`.

`host_functions` makes items for a linker from bound calls; `WasiHost` is all of it for one guest, as
`Linker.define_wasi` offers it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from wasm2oci.engine.host import HostFunction
from wasm2oci.engine.runtime.trap import Trap, TrapKind
from wasm2oci.errors import LocalIOError, UsageError
from wasm2oci.wasi.binding import bind
from wasm2oci.wasi.context import Preopen, SystemClock, WasiContext
from wasm2oci.wasi.endings import Interrupted, ProcExit
from wasm2oci.wasi.functions import FUNCTIONS, MODULE, PREVIEW0_MODULE, core_type, functions_of
from wasm2oci.wasi.memory import MemoryFaultError
from wasm2oci.wasi.state import PreopenError, Wasi
from wasm2oci.wasi.streams import sink_of, source_of
from wasm2oci.wasi.trace import LineTracer
from wasm2oci.wasi.waiting import Interrupt, SystemWaiter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    from wasm2oci.engine.embed import Instance
    from wasm2oci.engine.host import Caller
    from wasm2oci.engine.runtime.memory import Memory
    from wasm2oci.wasi.binding import Call
    from wasm2oci.wasi.functions import WasiFunction

__all__ = ["GuestDirectoryError", "Preopen", "ProcExit", "WasiHost", "host_functions"]

_START: Final = "_start"
_INITIALIZE: Final = "_initialize"


class GuestDirectoryError(LocalIOError):
    """A directory for a guest cannot be opened."""


class WasiHost:
    """The functions of WASI preview 1, and the open files of one guest. A context manager: it holds descriptors.

    Args:
        args: the guest's command line.
        environment: its variables.
        directories: what it may use of the file system.
        stdin: bytes, or a descriptor of this process.
        stdout: what takes its bytes, or a descriptor of this process.
        stderr: the same.
        trace: takes a line for each call, or None.

    Raises:
        UsageError: a text has a NUL in it.
        GuestDirectoryError: a directory cannot be opened.
    """

    def __init__(
        self,
        *,
        args: Sequence[str],
        environment: Mapping[str, str],
        directories: Sequence[Preopen],
        stdin: int | bytes,
        stdout: int | Callable[[bytes], object],
        stderr: int | Callable[[bytes], object],
        trace: Callable[[str], object] | None,
    ) -> None:
        self._interrupt = Interrupt()
        try:
            context = WasiContext(
                args=tuple(map(_encoded, args)),
                environment=tuple((_encoded(name), _encoded(value)) for name, value in environment.items()),
                preopens=tuple(directories),
                stdin=source_of(stdin),
                stdout=sink_of(stdout),
                stderr=sink_of(stderr),
                clock=SystemClock(),
                waiter=SystemWaiter(self._interrupt),
            )
            self._wasi = Wasi(context)
        except BaseException as error:
            self._interrupt.__exit__(None, None, None)
            if isinstance(error, PreopenError):
                raise GuestDirectoryError(str(error)) from error
            raise
        self._tracer = None if trace is None else LineTracer(trace)

    def functions(self) -> Iterator[tuple[str, str, HostFunction]]:
        """Every function of both previews: the module that guests import it from, its name, and the function."""
        for module in (MODULE, PREVIEW0_MODULE):
            rows = functions_of(module)
            for name, function in host_functions(bind(self._wasi, self._tracer, rows), rows).items():
                yield module, name, _ended_by_traps(function)

    def start(self, instance: Instance) -> int:
        """Run a command: call its `_start`.

        Returns:
            Its exit code: what it gave to `proc_exit`, else 0.

        Raises:
            ExportNotFoundError: it is not a command.
            Trap: it trapped, or was interrupted.
            WasmException: it threw.
        """
        try:
            instance.call(_START)
        except ProcExit as ended:
            return ended.code
        return 0

    def initialize(self, instance: Instance) -> None:
        """Make a reactor ready: call its `_initialize`, if it exports one. Raises as `start`.

        Raises:
            ProcExit: it ended itself; so may every function of it that is called later.
        """
        if _INITIALIZE in instance.exports:
            instance.call(_INITIALIZE)

    def interrupt(self) -> None:
        """End a call that waits; from any thread. No later call can wait."""
        self._interrupt.fire()

    def close(self) -> None:
        """Close every descriptor that the guest left open. No function may be called afterwards."""
        self._wasi.close()
        self._interrupt.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def host_functions(calls: Mapping[str, Call], functions: Iterable[WasiFunction] = FUNCTIONS) -> dict[str, HostFunction]:
    """Items for a linker, one for each row, that make these calls with the memory of the instance that imports them."""
    return {
        function.name: HostFunction(*core_type(function), _host(calls[function.name]), raw=True, caller=True)
        for function in functions
    }


def _host(call: Call) -> Callable[..., int | None]:
    def host(caller: Caller, *raw: int) -> int | None:
        memory = caller.memory
        return call(_NoMemory() if memory is None else _EngineMemory(memory), *raw)

    return host


def _ended_by_traps(function: HostFunction) -> HostFunction:
    call = function.call

    def host(caller: Caller, *raw: int) -> Any:
        try:
            return call(caller, *raw)
        except Interrupted as error:
            raise Trap(TrapKind.INTERRUPT) from error

    return HostFunction(function.params, function.results, host, raw=True, caller=True)


class _EngineMemory:
    """The engine's memory as WASI sees it."""

    __slots__ = ("_memory",)

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def read(self, address: int, size: int) -> bytes:
        """See `wasi.GuestMemory`."""
        data = self._memory.data
        if address + size > len(data):
            raise MemoryFaultError
        return bytes(memoryview(data)[address : address + size])

    def write(self, address: int, data: bytes) -> None:
        """See `wasi.GuestMemory`."""
        into = self._memory.data
        if address + len(data) > len(into):
            raise MemoryFaultError
        into[address : address + len(data)] = data


class _NoMemory:
    """What a module without a memory has."""

    def read(self, address: int, size: int) -> bytes:
        """Nothing can be read."""
        raise MemoryFaultError(address, size)

    def write(self, address: int, data: bytes) -> None:
        """Nothing can be written."""
        raise MemoryFaultError(address, data)


def _encoded(text: str) -> bytes:
    encoded = text.encode("utf-8", "surrogateescape")
    if 0 in encoded:
        raise UsageError(f"{text!r} has a NUL in it")
    return encoded
