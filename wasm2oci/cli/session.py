"""One run of the tool as seen from inside: its streams and its environment, handed in."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self, TextIO

from wasm2oci.cli.options import Connection, Reporting
from wasm2oci.cli.output import Output

if TYPE_CHECKING:
    from wasm2oci.operations.environment import Environment

__all__ = ["Session"]


@dataclass(frozen=True, slots=True)
class Session:
    """The streams and environment variables of this process (or of a test), and what is made from them.

    `stdout` and `stderr` are text streams; their `.buffer` takes bytes. `stdin` is binary.
    """

    program: str
    stdin: BinaryIO
    stdout: TextIO
    stderr: TextIO
    variables: Mapping[str, str]

    @classmethod
    def of_process(cls, program: str) -> Self:
        """The session of the running process."""
        import os  # noqa: PLC0415 - the one place that looks at the process

        return cls(program, sys.stdin.buffer, sys.stdout, sys.stderr, os.environ)

    def output(self, reporting: Reporting | None = None) -> Output:
        """Where the results and remarks of this run go."""
        reporting = reporting or Reporting()
        return Output(
            stdout=self.stdout,
            stderr=self.stderr,
            as_json=reporting.format == "json",
            quiet=reporting.quiet,
            verbose=reporting.verbose,
            bars=not reporting.no_progress and self.variables.get("TERM") != "dumb",
            color="NO_COLOR" not in self.variables,
        )

    def environment(self, output: Output, connection: Connection | None = None) -> "Environment":
        """The wiring that operations get: warnings go to `output`, registries are reached by `connection`.

        Raises:
            UsageError: options contradict each other, or standard input holds no password.
        """
        from wasm2oci.operations.environment import Environment  # noqa: PLC0415 - heavy, and not for --help

        home = self.variables.get("HOME") or "/"
        return Environment(
            variables=self.variables,
            home=Path(home),
            access=(connection or Connection()).access(self.stdin),
            warn=output.warn,
            note=output.note,
        )
