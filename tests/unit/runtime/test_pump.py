"""What carries a guest's output and its outcome works in a process that has many descriptors open."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wasm2oci.runtime.child import _read
from wasm2oci.runtime.pump import Pump

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limit of select is Unix's, and of a child Linux's")
MANY = 1100
"""More than `select` takes."""


@pytest.fixture
def crowded() -> Iterator[None]:
    """So many descriptors are open that each new one has a number above the limit of `select`."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * MANY:
        pytest.skip(f"this process may not have {2 * MANY} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * MANY, hard))
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(MANY)]
    try:
        yield
    finally:
        for descriptor in opened:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("crowded")
def test_all_output_is_taken() -> None:
    taken: list[bytes] = []
    with Pump(taken.append) as pump, Path(pump.path).open("wb", buffering=0) as guest:
        guest.writelines(b"%d\n" % number for number in range(100))
    assert b"".join(taken) == b"".join(b"%d\n" % number for number in range(100))


def test_the_end_waits_for_a_function_that_takes_its_time() -> None:
    """What was not taken within a second was lost."""
    taken: list[bytes] = []
    ending = threading.Event()

    def take(data: bytes) -> None:
        assert ending.wait(60)
        taken.append(data)

    pump = Pump(take)
    join = pump._thread.join

    def joined(timeout: float | None = None) -> None:
        assert timeout is None
        ending.set()
        join()

    pump._thread.join = joined  # type: ignore[method-assign]
    with pump, Path(pump.path).open("wb", buffering=0) as guest:
        guest.write(b"all of it")
    assert taken == [b"all of it"]


@pytest.mark.usefixtures("crowded")
def test_an_outcome_is_read_or_its_time_is_over() -> None:
    reading, writing = os.pipe()
    assert reading > 1024
    assert _read(reading, time.monotonic()) is None
    os.write(writing, b"an outcome")
    os.close(writing)
    assert _read(reading, None) == b"an outcome"
    os.close(reading)
