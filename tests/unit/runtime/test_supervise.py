"""A guest in a thread of its own is broken off, also when the first attempt is lost."""

import importlib
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from wasm2oci.runtime import supervise as supervise_module
from wasm2oci.runtime.supervise import TimedOut, supervise
from wasm2oci.wasi.endings import Interrupted
from wasm2oci.wasi.waiting import Interrupt


@pytest.fixture(autouse=True)
def hook_of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guest that another test left behind may keep the hook of finalizers for as long as the process lives."""
    monkeypatch.setattr(sys, "unraisablehook", partial(sys.unraisablehook))
    monkeypatch.setattr(supervise_module, "_quiet", supervise_module._Quiet())


def test_what_the_work_returns_or_raises_comes_back() -> None:
    assert supervise(lambda: 7, Interrupt(), lambda _: None, None) == 7

    def fail() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        supervise(fail, Interrupt(), lambda _: None, None)


def test_a_lost_kick_is_repeated() -> None:
    kicked: list[int] = []
    ended = threading.Event()

    def kick(identity: int) -> None:
        kicked.append(identity)
        if len(kicked) >= 2:  # the first one is swallowed by a finalizer
            ended.set()

    def work() -> None:
        assert ended.wait(20)

    with pytest.raises(TimedOut):
        supervise(work, Interrupt(), kick, 0.01)
    assert len(kicked) >= 2
    assert ended.is_set()


def test_a_guest_that_was_left_behind_is_kicked_until_it_ends() -> None:
    """It used to run for ever when it had survived two."""
    before, others = sys.unraisablehook, set(threading.enumerate())
    kicked: list[int] = []
    ended = threading.Event()

    def kick(identity: int) -> None:
        kicked.append(identity)
        if len(kicked) >= 5:
            ended.set()

    with pytest.raises(TimedOut):
        supervise(lambda: ended.wait(60), Interrupt(), kick, 0.01)
    assert ended.wait(60)
    for thread in set(threading.enumerate()) - others:
        thread.join(60)
    assert len(kicked) >= 5
    assert sys.unraisablehook is before


def test_a_guest_that_ended_without_saying_so_is_not_kicked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kick may arrive just when the thread notes its end."""
    others = set(threading.enumerate())

    def broken_off(_: object) -> None:
        raise Interrupted

    monkeypatch.setattr(supervise_module._Box, "finish", broken_off)
    with pytest.raises(TimedOut):
        supervise(lambda: None, Interrupt(), lambda _: None, 0.01)
    for thread in set(threading.enumerate()) - others:
        thread.join(20)
        assert not thread.is_alive()


def test_a_thread_that_cannot_be_started_is_not_kicked(monkeypatch: pytest.MonkeyPatch) -> None:
    others, start = set(threading.enumerate()), threading.Thread.start

    def refused_for_guests(thread: threading.Thread) -> None:
        if thread.name == "guest":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refused_for_guests)
    with pytest.raises(RuntimeError, match="new thread"):
        supervise(lambda: None, Interrupt(), lambda _: None, None)
    assert not set(threading.enumerate()) - others


@pytest.mark.parametrize("imports", [True, False])
def test_a_guest_for_which_a_module_is_loaded_is_kicked_when_that_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, imports: bool
) -> None:
    """The module's file stayed open."""
    began, over = threading.Event(), threading.Event()
    monkeypatch.setattr(supervise_module, "began_and_over", (began, over), raising=False)
    (tmp_path / "loaded_for_a_guest.py").write_text(
        "from wasm2oci.runtime.supervise import began_and_over\n"
        "began_and_over[0].set()\n"
        "assert began_and_over[1].wait(60)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def work() -> None:
        if imports:
            importlib.import_module("loaded_for_a_guest")
        else:
            began.set()
            assert over.wait(60)

    thread = threading.Thread(target=work)
    kicked: list[int] = []
    thread.start()
    assert began.wait(60)
    assert not supervise_module._kicked(supervise_module._Box(), kicked.append, thread, 0)
    assert kicked == ([] if imports else [thread.ident])
    over.set()
    thread.join(60)


class Finalized:
    """Whose finalizer raises what arrives there."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __del__(self) -> None:
        raise self.error


@pytest.mark.parametrize(("error", "shown"), [(Interrupted(), 0), (ValueError("a bug"), 1)])
def test_a_kick_that_is_lost_in_a_finalizer_is_not_printed(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, shown: int
) -> None:
    printed: list[object] = []
    monkeypatch.setattr("sys.unraisablehook", lambda lost: printed.append(lost.exc_type))
    kicked, ended = threading.Event(), threading.Event()

    def work() -> None:
        assert kicked.wait(60)
        Finalized(error)
        ended.set()

    def kick(_: int) -> None:
        kicked.set()
        assert ended.wait(60)

    with pytest.raises(TimedOut):
        supervise(work, Interrupt(), kick, 0.01)
    assert printed == [ValueError] * shown


def test_guests_that_are_broken_off_together_leave_the_hook_of_finalizers_as_it_was() -> None:
    before, others = sys.unraisablehook, set(threading.enumerate())
    began, both, first_over, over = (threading.Event() for _ in range(4))

    def first_kick(_: int) -> None:
        began.set()
        assert both.wait(60)
        first_over.set()

    def second_kick(_: int) -> None:
        both.set()
        assert over.wait(60)

    def second() -> None:
        assert began.wait(60)
        with pytest.raises(TimedOut):
            supervise(lambda: over.wait(60), Interrupt(), second_kick, 0.01)

    thread = threading.Thread(target=second)
    thread.start()
    try:
        with pytest.raises(TimedOut):
            supervise(lambda: first_over.wait(60), Interrupt(), first_kick, 0.01)
        assert sys.unraisablehook is not before
    finally:
        over.set()
    for left in set(threading.enumerate()) - others:  # on a busy machine a guest is left behind, and kicked elsewhere
        left.join(60)
    assert sys.unraisablehook is before


def test_a_guest_that_nothing_ends_is_left_behind() -> None:
    released = threading.Event()
    with pytest.raises(TimedOut):
        supervise(lambda: released.wait(20), Interrupt(), lambda _: None, 0.01)
    released.set()
