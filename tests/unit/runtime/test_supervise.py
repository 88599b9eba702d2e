"""A guest in a thread of its own is broken off, also when the first attempt is lost."""

import threading

import pytest

from wasm2oci.runtime.supervise import TimedOut, supervise
from wasm2oci.wasi import Interrupt


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
        if len(kicked) == 2:  # the first one is swallowed by a finalizer
            ended.set()

    def work() -> None:
        assert ended.wait(20)

    with pytest.raises(TimedOut):
        supervise(work, Interrupt(), kick, 0.01)
    assert len(kicked) == 2
    assert ended.is_set()


def test_a_guest_that_nothing_ends_is_left_behind() -> None:
    released = threading.Event()
    with pytest.raises(TimedOut):
        supervise(lambda: released.wait(20), Interrupt(), lambda _: None, 0.01)
    released.set()
