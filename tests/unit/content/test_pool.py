"""Work on several threads: it ends when one piece fails or the user interrupts, whatever the others wait for."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from wasm2oci.content.pool import run_all, run_jobs

if TYPE_CHECKING:
    from collections.abc import Callable


def test_all_of_it_is_done_once() -> None:
    done: list[int] = []

    def work(item: int, check: Callable[[], None]) -> None:
        check()
        done.append(item)

    run_all(work, range(100), 4)
    assert sorted(done) == list(range(100))


@pytest.mark.parametrize("where", ["caller", "worker"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_work_that_never_ends_holds_nobody_when_other_work_fails(where: str, error: type[BaseException]) -> None:
    """Ctrl-C was not obeyed until a silent registry had been waited for, five times `--timeout`."""
    caller, silent, begun = threading.get_ident(), threading.Event(), threading.Barrier(3)
    fails = deque(["this one"])

    def work(_: int, check: Callable[[], None]) -> None:
        begun.wait()
        own = threading.get_ident() == caller
        if own == (where == "caller"):
            with suppress(IndexError):
                fails.pop()
                raise error
        while own:
            check()
        silent.wait()

    try:
        with pytest.raises(error):
            run_all(work, range(3), 3)
    finally:
        silent.set()


def test_an_interrupt_counts_for_more_than_what_failed_before() -> None:
    caller, begun, failed = threading.get_ident(), threading.Barrier(2), threading.Event()

    def job() -> None:
        begun.wait()
        if threading.get_ident() == caller:
            failed.wait()
            raise KeyboardInterrupt
        failed.set()
        raise OSError

    with pytest.raises(KeyboardInterrupt):
        run_jobs([job, job], 2)
