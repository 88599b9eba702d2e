"""Progress: lines where nobody watches, bars where somebody waits."""

import io
import sys
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from wasm2oci.cli.output import Output
from wasm2oci.cli.progress import transfer
from wasm2oci.content.progress import Outcome
from wasm2oci.oci.descriptor import TITLE, Descriptor
from wasm2oci.oci.digest import Digest

SMALL = Descriptor.of("application/wasm", b"small", {TITLE: "dir/small.wasm"})
LARGE = Descriptor("application/wasm", Digest.of(b"large"), 100 << 20, {TITLE: "large\x1b[31m.wasm"})


class Terminal(io.StringIO):
    """Standard error of somebody who watches."""

    def isatty(self) -> bool:
        return True


def output(stderr: io.StringIO, **settings: Any) -> Output:
    return Output(io.StringIO(), stderr, **settings)


def ticking(seconds: float) -> Iterator[float]:
    return (number * seconds for number in count())


def test_in_a_pipe_each_part_is_a_line_when_it_is_done() -> None:
    stderr = io.StringIO()
    with transfer(output(stderr), "Uploaded", "Uploading") as progress:
        progress.planned(SMALL)
        progress.advanced(SMALL, 5)
        progress.finished(SMALL, Outcome.COPIED)
        progress.finished(SMALL, Outcome.EXISTED)
        progress.finished(SMALL, Outcome.MOUNTED)
    short = SMALL.digest.short
    assert stderr.getvalue().splitlines() == [
        f"Uploaded {short} small.wasm (5 bytes)",
        f"Exists   {short} small.wasm (5 bytes)",
        f"Mounted  {short} small.wasm (5 bytes)",
    ]


def test_a_long_transfer_is_announced_once_when_it_begins() -> None:
    stderr = io.StringIO()
    with transfer(output(stderr), "Uploaded", "Uploading") as progress:
        for _ in range(10):
            progress.advanced(LARGE, 10 << 20)
        progress.restarted(LARGE)
        progress.advanced(LARGE, 1)
    assert stderr.getvalue().count("Uploading ") == 1
    assert "\x1b" not in stderr.getvalue()
    assert "104,857,600 bytes" in stderr.getvalue()


def test_quiet_says_nothing() -> None:
    stderr = io.StringIO()
    with transfer(output(stderr, quiet=True), "Uploaded", "Uploading") as progress:
        progress.advanced(LARGE, 10 << 20)
        progress.finished(LARGE, Outcome.COPIED)
    assert stderr.getvalue() == ""


def test_a_quick_transfer_on_a_terminal_draws_nothing() -> None:
    stderr, clock = Terminal(), ticking(0.01)
    with transfer(output(stderr), "Uploaded", "Uploading", clock=lambda: next(clock)) as progress:
        progress.advanced(LARGE, 100 << 20)
        progress.finished(LARGE, Outcome.COPIED)
    assert stderr.getvalue().startswith("Uploaded ")
    assert stderr.getvalue().count("\n") == 1


def test_who_waits_on_a_terminal_sees_bars_that_go_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    stderr, clock = Terminal(), ticking(0.4)
    with transfer(output(stderr, color=False), "Uploaded", "Uploading", clock=lambda: next(clock)) as progress:
        progress.planned(LARGE)
        for _ in range(4):
            progress.advanced(LARGE, 20 << 20)
        progress.restarted(LARGE)
        progress.advanced(LARGE, 100 << 20)
        progress.finished(LARGE, Outcome.COPIED)
    shown = stderr.getvalue()
    assert "rich.live" in sys.modules
    assert "104.9 MB" in shown
    assert "Uploaded " in shown
    assert "\x1b[31m" not in shown  # neither colours nor what the title brought
    assert shown.endswith("\x1b[2K\x1b[?25h\r")


@pytest.mark.parametrize("settings", [{"bars": False}, {"quiet": True}])
def test_bars_may_be_declined(settings: dict[str, bool]) -> None:
    assert not output(Terminal(), **settings).interactive


def test_a_pipe_is_not_a_terminal() -> None:
    assert not output(io.StringIO()).interactive
    assert output(Terminal()).interactive
