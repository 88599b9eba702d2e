"""One line per call, as strace writes them: name, decoded arguments, result, time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.wasi.abi import Errno

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.wasi.binding import CallOutcome
    from wasm2oci.wasi.functions import WasiFunction

__all__ = ["LineTracer", "line"]


def line(function: WasiFunction, outcome: CallOutcome) -> str:
    """The line of one call, without its end.

    `path_open(3, SYMLINK_FOLLOW, "a.txt", CREAT, 0x40, 0, 0) = 0 opened_fd=4 <0.000031>`; an error is shown by number
    and name, and a call that never returned by `?`.
    """
    shown = [kind.show(value) for (_, kind), value in zip(function.params, outcome.args, strict=False)]
    shown += ["?"] * (len(function.params) - len(shown))
    if outcome.errno is None:
        result = "?"
    elif outcome.errno is Errno.SUCCESS:
        values = zip(function.results, outcome.results, strict=True)
        result = " ".join(["0", *(f"{name}={kind.show(value)}" for (name, kind), value in values)])
    else:
        result = f"{int(outcome.errno)} {outcome.errno.name}"
    return f"{function.name}({', '.join(shown)}) = {result} <{outcome.elapsed_ns / 1e9:.6f}>"


class LineTracer:
    """Writes a line for each call.

    Args:
        write: gets each line, its end included.
    """

    __slots__ = ("_write",)

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def __call__(self, function: WasiFunction, outcome: CallOutcome) -> None:
        """See `Tracer`."""
        self._write(line(function, outcome) + "\n")
