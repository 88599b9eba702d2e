"""What `run` does around the guest, with options or without.

`wasm2oci run REF [ARGS...]` with nothing between `run` and REF needs no parser of options, and does not wait for one:
`run_plain` is that command line, with every option at its default.
"""

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Final

if TYPE_CHECKING:
    from wasm2oci.cli.output import Output
    from wasm2oci.cli.session import Session
    from wasm2oci.runtime import ProfileRow, RunOutcome

__all__ = ["descriptor", "report", "run_plain"]

_SHOWN_ROWS: Final = 25
_SHOWN_CHARACTERS: Final = 500


def run_plain(subject: str, arguments: Sequence[str], session: "Session") -> int:
    """`run` without options; the guest's exit code."""
    from wasm2oci.operations.run import GuestRequest, run
    from wasm2oci.operations.subject import parse_subject

    output = session.output()
    session.stdout.flush()
    session.stderr.flush()
    result = run(
        GuestRequest(
            subject=parse_subject(subject),
            args=tuple(arguments),
            stdin=descriptor(session.stdin, session.stdin.read),
            stdout=descriptor(session.stdout.buffer, session.stdout.buffer.write),
            stderr=descriptor(session.stderr.buffer, session.stderr.buffer.write),
        ),
        session.environment(output),
    )
    report(result.outcome, output, None)
    return result.outcome.exit_code


def descriptor(stream: BinaryIO, otherwise: Callable[..., Any]) -> Any:
    """The descriptor behind a stream; for one in memory, its bytes (input) or what takes them (output)."""
    try:
        return stream.fileno()
    except (io.UnsupportedOperation, AttributeError):
        return otherwise() if otherwise.__name__ == "read" else otherwise


def report(outcome: "RunOutcome", output: "Output", timeout: str | None) -> None:
    """Say on standard error how it ended, unless it ended by itself."""
    # What a guest named is shown without control characters, and not without end.
    from wasm2oci.base.text import printable

    if outcome.trap is not None:
        output.stderr.write(f"error: the guest trapped: {printable(outcome.trap.reason, _SHOWN_CHARACTERS)}\n")
        output.stderr.write("".join(f"  {printable(line, _SHOWN_CHARACTERS)}\n" for line in outcome.trap.lines))
    elif outcome.ending == "timed out":
        output.stderr.write(f"error: the guest was stopped after {timeout}\n")
    if outcome.profile:
        output.stderr.write(_profile_table(outcome.profile))


def _profile_table(rows: "tuple[ProfileRow, ...]") -> str:
    from wasm2oci.base.text import printable

    lines = ["     own s    total s      calls  function\n"]
    lines += [
        f"{row.own_s:>10.4f} {row.total_s:>10.4f} {row.calls:>10}  {printable(row.name, _SHOWN_CHARACTERS)}\n"
        for row in rows[:_SHOWN_ROWS]
    ]
    if len(rows) > _SHOWN_ROWS:
        rest = sum(row.own_s for row in rows[_SHOWN_ROWS:])
        lines.append(f"{rest:>10.4f} {'':>21}  {len(rows) - _SHOWN_ROWS} more\n")
    return "".join(lines)
