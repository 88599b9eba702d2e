"""Running a guest in a process of its own, so that no limit depends on the guest giving way.

A guest can make CPython do one thing for minutes (`compile`, copying a list), in which no other thread gets a turn, and
can make it take memory where nothing counts it. So the guest runs in a child: this process only waits, kills it
when its time is over, and says how it ended. The system refuses the child memory beyond what the guest may have and
an allowance for the engine; CPython then raises MemoryError, wasmtime aborts, and both are the guest's ending.

The outcome, or the error, comes back through a pipe. Standard streams and descriptors are inherited.
"""

from __future__ import annotations

import contextlib
import marshal
import math
import os
import select
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.errors import ExitCode
from wasm2oci.runtime.request import (
    Ending,
    EngineChoice,
    FunctionTime,
    GuestSetupError,
    RunOutcome,
    StackFrame,
    TrapReport,
)
from wasm2oci.runtime.supervise import HOST_STACK

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.runtime.request import RunRequest

__all__ = ["can_run_in_child", "free_memory", "run_in_child", "wait_for_threads"]

_ALLOWANCE: Final = 128 << 20
"""Bytes for the engine itself beside what the guest may have: decoding, translating, generated code."""
_GRACE_S: Final = 0.4
"""Seconds after its time limit until a child is killed that has not ended by itself."""
_INTERRUPT_GRACE_S: Final = 0.5
_PATIENCE_S: Final = 25.0
"""Seconds for other threads to end: longer than a connection and its TLS handshake may take."""
_ENDING_S: Final = 0.25
"""Seconds for the system to end a thread whose work is done; foreign threads are waited for as long, and then left."""
_LOOK_S: Final = 0.005
_CHUNK: Final = 1 << 16
_DIE_WITH_PARENT: Final = 1
"""PR_SET_PDEATHSIG of prctl."""


def can_run_in_child(request: RunRequest) -> bool:
    """Whether the system has child processes as they are needed here, and no stream is an object of this process."""
    forks = sys.platform == "linux" and hasattr(os, "fork")
    return forks and all(isinstance(stream, int) for stream in (request.stdout, request.stderr))


def wait_for_threads() -> None:
    """Wait until no other thread of this process can hold a lock: a fork would leave it locked for ever.

    A connection that was opened early, and is not needed any more, ends by itself within this time, whatever the
    registry does. So no registry decides whether a guest is isolated.

    Raises:
        GuestSetupError: other threads go on, such as wasmtime's own after a run in this process, or cannot be seen.
    """
    end = time.monotonic() + _PATIENCE_S
    while (others := _other_threads()) > 0:
        if time.monotonic() >= end:
            raise GuestSetupError(f"the guest cannot get its own process: this one has {others} other threads")
        time.sleep(_LOOK_S)
    end = time.monotonic() + _ENDING_S
    while _shows_others() and time.monotonic() < end:
        time.sleep(_LOOK_S)


def _shows_others() -> bool:
    """Whether the system shows threads that Python does not know: foreign ones, or some that end at this moment.

    A thread of Python is over before the system's thread is. In between OpenSSL takes a lock to drop what it kept for
    the thread, and a child that was forked then could not use TLS in another thread.
    """
    with contextlib.suppress(OSError):  # a tree without /proc
        return len(os.listdir("/proc/self/task")) > 1  # noqa: PTH208 - pathlib would list no faster
    return False


def _other_threads() -> int:
    """The threads of Python, and those of wasmtime once it was loaded here.

    A process may have threads from its start that are no part of this program: an emulator of another processor has one
    (`docker run --platform`), and so have some profilers.
    """
    if "wasmtime" in sys.modules:
        try:
            return len(os.listdir("/proc/self/task")) - 1  # noqa: PTH208 - pathlib would list no faster
        except OSError as error:
            raise GuestSetupError("the guest cannot get its own process: no /proc shows wasmtime's threads") from error
    threading = sys.modules.get("threading")
    return 0 if threading is None else threading.active_count() - 1


def run_in_child(request: RunRequest, work: Callable[[], RunOutcome]) -> RunOutcome:
    """What `work` returns or raises in a child process; how the child ended where it did not come so far.

    Raises:
        GuestSetupError: the child ended as no limit explains.
    """
    if sys.platform != "linux":
        raise AssertionError("see can_run_in_child")
    timeout = request.limits.timeout_s
    end = None if timeout is None else time.monotonic() + timeout + _GRACE_S
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _child(request, work, writing)
    os.close(writing)
    try:
        try:
            answer = _read(reading, end)
        except KeyboardInterrupt:  # the terminal tells both processes: what the child makes of it comes soon
            answer = _read(reading, time.monotonic() + _INTERRUPT_GRACE_S)
            if not answer:
                return _outcome(request, Ending.INTERRUPTED, ExitCode.INTERRUPTED)
        if answer is None:
            return _outcome(request, Ending.TIMED_OUT, ExitCode.TIMED_OUT)
        if answer:
            return _opened(answer)
    finally:
        os.close(reading)
        status = _kill(child)
    return _died(request, status)


# --- the child ----------------------------------------------------------------------------------------------------


def _child(request: RunRequest, work: Callable[[], RunOutcome], writing: int) -> None:
    """Do the work, write the answer and end the process, whatever happens."""
    status = 1
    try:
        _die_with_parent()
        _limit_memory(request)
        answer = marshal.dumps(_done(request, work))
        for start in range(0, len(answer), _CHUNK):
            os.write(writing, answer[start : start + _CHUNK])
        status = 0
    finally:
        os._exit(status)


def _done(request: RunRequest, work: Callable[[], RunOutcome]) -> tuple[Any, ...]:
    """The outcome of `work`, or the error it raised in one pickle, as `marshal` takes it."""
    try:
        return _packed(work())
    except MemoryError:
        free_memory()
        return _packed(_outcome(request, Ending.OUT_OF_MEMORY, ExitCode.OUT_OF_MEMORY))
    except BaseException as error:  # noqa: BLE001 - raised again in the parent
        free_memory()
        import pickle  # noqa: PLC0415 - only for an error
        from traceback import format_exc  # noqa: PLC0415 - the same

        attributes = {name: _sendable(value) for name, value in error.__dict__.items()}
        return (pickle.dumps((type(error), tuple(map(_sendable, error.args)), attributes, format_exc())),)


def _packed(outcome: RunOutcome) -> tuple[Any, ...]:
    trap = outcome.trap
    frames = () if trap is None else tuple((frame.function, frame.name, frame.offset) for frame in trap.frames)
    rows = tuple((row.name, row.calls, row.own_s, row.total_s) for row in outcome.timings)
    return (
        outcome.ending.value,
        int(outcome.exit_code),
        outcome.engine.value,
        outcome.why,
        outcome.results,
        None if trap is None else (trap.reason, frames),
        rows,
    )


def _sendable(value: object) -> object:
    """A part of an error, or its text where it cannot be sent."""
    import pickle  # noqa: PLC0415 - only for an error

    try:
        pickle.dumps(value)
    except Exception:  # noqa: BLE001 - whatever its class raises
        return str(value)
    return value


def _die_with_parent() -> None:
    if sys.platform != "linux":
        raise AssertionError("see can_run_in_child")
    import ctypes  # noqa: PLC0415 - slow to import, and only the child needs it

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, int(signal.SIGKILL))


def _limit_memory(request: RunRequest) -> None:
    """Have the system refuse memory beyond what this process has, the guest may have, and the engine needs."""
    if sys.platform != "linux":
        raise AssertionError("see can_run_in_child")
    import resource  # noqa: PLC0415 - only the child needs it

    try:
        present = int(_read_file("/proc/self/statm").split()[5]) * resource.getpagesize()
    except OSError:  # a tree without /proc
        present = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    limits = request.limits
    allowed = present + HOST_STACK + limits.max_stack + limits.max_memory + _ALLOWANCE
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        allowed = min(allowed, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, hard))


def _read_file(path: str) -> str:
    with open(path, encoding="ascii") as file:  # noqa: PTH123 - pathlib is not loaded here otherwise
        return file.read()


def free_memory() -> None:
    """Let this process have what it needs to say that the guest ran out of memory."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415 - as above

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


# --- the parent ---------------------------------------------------------------------------------------------------


def _read(reading: int, end: float | None) -> bytes | None:
    """All that the child writes; None when its time is over first."""
    if sys.platform != "linux":
        raise AssertionError("see can_run_in_child")
    parts: list[bytes] = []
    poller = select.poll()  # which takes descriptors of any number
    poller.register(reading, select.POLLIN)
    while True:
        left = None if end is None else max(0.0, end - time.monotonic())
        if not poller.poll(None if left is None else math.ceil(left * 1000)):
            return None
        part = os.read(reading, _CHUNK)
        if not part:
            return b"".join(parts)
        parts.append(part)


def _kill(child: int) -> int:
    """End the child, which has nothing more to do; how it ended, if it did by itself before."""
    if sys.platform != "linux":
        raise AssertionError("see can_run_in_child")
    pid, status = os.waitpid(child, os.WNOHANG)
    if pid:
        return status
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def _opened(answer: bytes) -> RunOutcome:
    """The outcome in an answer; the error in it is raised."""
    found = marshal.loads(answer)  # noqa: S302 - written by our own child, into a pipe that no guest can name
    if len(found) == 1:
        raise _error(found[0])
    ending, code, engine, why, results, trap, rows = found
    return RunOutcome(
        ending=Ending(ending),
        exit_code=code,
        engine=EngineChoice(engine),
        why=why,
        results=results,
        trap=None if trap is None else TrapReport(trap[0], tuple(StackFrame(*frame) for frame in trap[1])),
        timings=tuple(FunctionTime(*row) for row in rows),
    )


def _error(content: bytes) -> BaseException:
    import pickle  # noqa: PLC0415 - only for an error

    kind, args, attributes, trace = pickle.loads(content)  # noqa: S301 - as above
    error: BaseException = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(attributes)
    error.add_note(trace)
    return error


def _died(request: RunRequest, status: int) -> RunOutcome:
    if sys.platform != "linux":
        raise AssertionError("see can_run_in_child")
    number = os.waitstatus_to_exitcode(status)
    if number in {-signal.SIGABRT, -signal.SIGKILL}:
        return _outcome(request, Ending.OUT_OF_MEMORY, ExitCode.OUT_OF_MEMORY)
    how = f"by {signal.Signals(-number).name}" if number < 0 else f"with {number}"
    raise GuestSetupError(f"the engine's process ended {how} without a message", hint="another engine may run it")


def _outcome(request: RunRequest, ending: Ending, code: ExitCode) -> RunOutcome:
    return RunOutcome(ending=ending, exit_code=code, engine=request.engine, why="stopped from outside")
