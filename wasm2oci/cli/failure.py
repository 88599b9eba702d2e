"""How an error looks on the terminal: one line, the lines that show what it means, one hint."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, TextIO

from wasm2oci.base.text import printable
from wasm2oci.cli.remedies import hint_for

if TYPE_CHECKING:
    from wasm2oci.errors import Wasm2OciError

__all__ = ["print_bug", "print_error", "print_failure"]

_LONGEST: Final = 2000
"""Characters of a line of an error: it may quote what a peer sent."""


def print_error(error: Wasm2OciError, stderr: TextIO, *, color: bool) -> None:
    """Write `error: ...`, the detail indented, and `hint: ...`."""
    lines = [f"{_paint('error:', '1;31', on=color)} {printable(error.message, _LONGEST)}"]
    if error.detail is not None:
        lines.extend(f"  {printable(line, _LONGEST)}" for line in error.detail.splitlines())
    hint = hint_for(error)
    if hint is not None:
        lines.append(f"{_paint('hint:', '1;36', on=color)} {printable(hint, _LONGEST)}")
    with suppress(OSError):  # the exit code tells it even when nothing can be written
        stderr.write("\n".join(lines) + "\n")


def print_failure(error: Wasm2OciError, stdout: TextIO) -> None:
    """Write an error as a JSON document."""
    import json

    from wasm2oci.client import document, failure

    with suppress(OSError):
        stdout.write(json.dumps(document(failure(error, hint_for(error))), indent=2) + "\n")
        stdout.flush()


def print_bug(error: BaseException, stderr: TextIO) -> None:
    """Write the traceback of a bug of ours and ask for a report."""
    import traceback

    kind = type(error).__name__
    with suppress(OSError):
        traceback.print_exception(error, file=stderr)
        stderr.write(
            f"error: internal error ({kind}); this is a bug of wasm2oci\n"
            "hint: please report it, with the lines above and the command line\n"
        )


def _paint(text: str, code: str, *, on: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if on else text
