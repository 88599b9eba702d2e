from __future__ import annotations

import gc
from threading import Thread

import pytest

from wasm2oci.engine.collector import Pause


@pytest.mark.parametrize("on", [True, False])
def test_two_threads_that_overlap_leave_the_collector_as_it_was(*, on: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if on else gc.disable)()
        first, second = Pause(), Pause()
        steps = [first.__enter__, second.__enter__, lambda: first.__exit__(None, None, None)]
        for step in steps:  # each on a thread of its own, one after the other: the order that left it off
            thread = Thread(target=step)
            thread.start()
            thread.join()
            assert not gc.isenabled()
        second.__exit__(None, None, None)
        assert gc.isenabled() is on
    finally:
        (gc.enable if before else gc.disable)()


def test_a_pause_inside_of_a_pause_ends_with_the_outer_one() -> None:
    before = gc.isenabled()
    with Pause():
        with Pause():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled() is before
