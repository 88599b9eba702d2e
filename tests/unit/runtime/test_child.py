"""A guest in a child process: outcomes and errors come back as they are, and limits hold from outside."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.guests import DIVIDE, EXIT, HELLO, SPIN
from wasm2oci.engine.errors import InvalidModuleError
from wasm2oci.engine.text import assemble
from wasm2oci.errors import ExitCode, RemedyKind, UsageError, Wasm2OciError
from wasm2oci.runtime.child import can_run_in_child, run_in_child, wait_for_threads
from wasm2oci.runtime.choose import run
from wasm2oci.runtime.request import Ending, EngineChoice, EntryError, GuestSetupError, RunLimits, RunRequest

if TYPE_CHECKING:
    from pathlib import Path

    from wasm2oci.runtime.request import RunOutcome

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux has child processes as they are needed"),
    # Of the thread of a worker of pytest-xdist, and of one that is just ending.
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),
]


def call(text: str, *, child: bool = True, **more: Any) -> RunOutcome:
    """Run a guest on the embedded engine: wasmtime has threads after a run in this process, which no fork keeps."""
    request = RunRequest(module=assemble(text), args=(b"guest",), engine=EngineChoice.EMBEDDED, **more)
    return run_in_child(request, lambda: run(request)) if child else run(request)


@pytest.mark.parametrize(
    ("text", "more"),
    [
        (HELLO, {}),
        (EXIT.format(code=7), {}),
        (DIVIDE, {}),
        ('(module (func (export "f") (param f32) (result f32 i64) (local.get 0) (i64.const -1)))', {"invoke": "f"}),
        (SPIN, {"limits": RunLimits(fuel=1000)}),
    ],
)
def test_outcome_is_what_it_is_without_a_child(text: str, more: dict[str, Any], tmp_path: Path) -> None:
    values = ("1.5",) if "invoke" in more else ()
    with (tmp_path / "out").open("wb") as file:
        alone = call(text, child=False, values=values, stdout=file.fileno(), **more)
        child = call(text, values=values, stdout=file.fileno(), **more)
    assert child == alone


def test_timings_come_back() -> None:
    outcome = call(DIVIDE, timings=True)
    assert "divide" in [row.name for row in outcome.timings]


def test_errors_come_back_as_they_are() -> None:
    def error(kind: type[Exception], text: str, **more: Any) -> Any:
        with pytest.raises(kind) as alone:
            call(text, child=False, **more)
        with pytest.raises(kind) as child:
            call(text, **more)
        assert type(child.value) is type(alone.value)
        assert (str(child.value), child.value.args) == (str(alone.value), alone.value.args)
        assert child.value.__dict__.keys() - {"__notes__"} == alone.value.__dict__.keys()
        return child.value

    assert error(EntryError, '(module (func (export "f")))', invoke="g").hint == "it exports f"
    found = error(
        GuestSetupError, '(module (memory 200) (func (export "_start")))', limits=RunLimits(max_memory=1 << 20)
    )
    assert found.remedy.kind is RemedyKind.RAISE_MEMORY
    error(UsageError, '(module (func (export "f") (param i32)))', invoke="f", values=("x",))
    error(Wasm2OciError, '(module (func (export "_start") (i32.add)))')
    found = error(InvalidModuleError, '(module (func (export "_start") (i32.add)))')
    assert isinstance(found.offset, int)


def test_error_that_is_a_bug_keeps_its_kind_and_says_where() -> None:
    def fail() -> RunOutcome:
        raise ZeroDivisionError("no")

    with pytest.raises(ZeroDivisionError, match="no") as caught:
        run_in_child(RunRequest(module=b"", args=()), fail)
    assert "in fail" in caught.value.__notes__[0]


def test_child_that_holds_python_is_killed_when_its_time_is_over() -> None:
    """A multiplication of numbers this large takes minutes, and no other thread gets a turn."""
    number = (1 << 10_000_000_000 // 64) - 1  # a power of two is multiplied within a second

    def hold() -> RunOutcome:
        raise AssertionError(number * number % 7)

    request = RunRequest(module=b"", args=(), limits=RunLimits(timeout_s=0.1))
    assert run_in_child(request, hold).ending is Ending.TIMED_OUT


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGKILL])
def test_child_that_ends_for_want_of_memory(number: signal.Signals) -> None:
    def end() -> RunOutcome:
        os.kill(os.getpid(), number)
        raise AssertionError

    outcome = run_in_child(RunRequest(module=b"", args=()), end)
    assert (outcome.ending, outcome.exit_code) == (Ending.OUT_OF_MEMORY, ExitCode.OUT_OF_MEMORY)


def test_child_that_crashes_is_an_error_that_names_the_signal() -> None:
    def crash() -> RunOutcome:
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGSEGV)
        raise AssertionError

    with pytest.raises(GuestSetupError, match="SIGSEGV"):
        run_in_child(RunRequest(module=b"", args=()), crash)


def test_memory_that_runs_out_is_an_ending() -> None:
    def take() -> RunOutcome:
        raise AssertionError(len(bytearray(1 << 30)))

    request = RunRequest(module=b"", args=(), limits=RunLimits(max_memory=1 << 20))
    assert run_in_child(request, take).ending is Ending.OUT_OF_MEMORY


def test_process_with_threads_is_not_forked_and_the_guest_is_not_run_in_it_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A registry that let a second connection wait in its handshake once decided that the guest was not isolated."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    monkeypatch.setattr("wasm2oci.runtime.child._PATIENCE_S", 0.0)
    monkeypatch.setattr("wasm2oci.runtime.child.wait_for_threads.__defaults__", (0.0,))
    request = RunRequest(module=assemble(HELLO), args=(b"guest",), isolated=True)
    try:
        with pytest.raises(GuestSetupError, match="other threads"):
            run(request)
    finally:
        done.set()
        thread.join()


def test_threads_that_end_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)

    def end(_: float) -> None:
        done.set()
        thread.join()

    monkeypatch.delitem(sys.modules, "wasmtime", raising=False)
    monkeypatch.setattr("wasm2oci.runtime.child.time.sleep", end)
    monkeypatch.setattr("threading.active_count", lambda: 1 + thread.is_alive())
    monkeypatch.setattr("wasm2oci.runtime.child._ENDING_S", 0.0)
    thread.start()
    wait_for_threads()
    assert not thread.is_alive()


def test_threads_that_are_no_part_of_this_program_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """An emulator of another processor has one from the start; a tree without /proc does not show any."""
    monkeypatch.delitem(sys.modules, "wasmtime", raising=False)
    monkeypatch.setattr("threading.active_count", lambda: 1)
    monkeypatch.setattr("wasm2oci.runtime.child.os.listdir", lambda _: range(2))
    monkeypatch.setattr("wasm2oci.runtime.child._PATIENCE_S", 0.0)
    monkeypatch.setattr("wasm2oci.runtime.child._ENDING_S", 0.0)
    wait_for_threads()


def test_threads_that_ended_for_python_alone_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of some thousand children hung: forked while OpenSSL, in a thread that ended, held a lock."""
    threads = [3, 2, 1]
    monkeypatch.delitem(sys.modules, "wasmtime", raising=False)
    monkeypatch.setattr("threading.active_count", lambda: 1)
    monkeypatch.setattr("wasm2oci.runtime.child.os.listdir", lambda _: range(threads.pop(0)))
    monkeypatch.setattr("wasm2oci.runtime.child.time.sleep", lambda _: None)
    monkeypatch.setattr("wasm2oci.runtime.child._ENDING_S", 60.0)
    wait_for_threads()
    assert not threads


def test_a_tree_without_proc_shows_no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: str) -> list[str]:
        raise FileNotFoundError(path)

    monkeypatch.delitem(sys.modules, "wasmtime", raising=False)
    monkeypatch.setattr("threading.active_count", lambda: 1)
    monkeypatch.setattr("wasm2oci.runtime.child.os.listdir", missing)
    wait_for_threads()


def test_threads_of_wasmtime_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = [3, 2, 1, 1]
    monkeypatch.setitem(sys.modules, "wasmtime", ModuleType("wasmtime"))
    monkeypatch.setattr("wasm2oci.runtime.child.os.listdir", lambda _: range(threads.pop(0)))
    monkeypatch.setattr("wasm2oci.runtime.child.time.sleep", lambda _: None)
    wait_for_threads()
    assert not threads


def test_threads_of_wasmtime_that_cannot_be_seen_are_taken_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: str) -> list[str]:
        raise FileNotFoundError(path)

    monkeypatch.setitem(sys.modules, "wasmtime", ModuleType("wasmtime"))
    monkeypatch.setattr("wasm2oci.runtime.child.os.listdir", missing)
    with pytest.raises(GuestSetupError, match="no /proc"):
        wait_for_threads()


def test_memory_is_limited_without_a_file_system_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: str) -> str:
        raise FileNotFoundError(path)

    def take() -> RunOutcome:
        raise AssertionError(len(bytearray(1 << 30)))

    monkeypatch.setattr("wasm2oci.runtime.child._read_file", missing)
    request = RunRequest(module=b"", args=(), limits=RunLimits(max_memory=1 << 20))
    assert run_in_child(request, take).ending is Ending.OUT_OF_MEMORY


def test_streams_that_are_objects_keep_the_guest_in_this_process() -> None:
    assert not can_run_in_child(RunRequest(module=b"", args=(), stdout=len))


def test_no_child_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    children, fork = list[int](), os.fork

    def forked() -> int:
        children.append(fork())
        return children[-1]

    monkeypatch.setattr(os, "fork", forked)
    call(HELLO, stdout=os.open(os.devnull, os.O_WRONLY))
    (child,) = children
    with pytest.raises(ChildProcessError):
        os.waitpid(child, os.WNOHANG)
