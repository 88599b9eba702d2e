"""One run of the tool as seen from inside: its streams and its environment, handed in."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Self, TextIO

from wasm2oci.cli.output import Output
from wasm2oci.errors import UsageError

if TYPE_CHECKING:
    from wasm2oci.cli.options import Connection, Reporting
    from wasm2oci.operations.environment import Environment

__all__ = ["Session"]


class Session(NamedTuple):
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
        import os

        return cls(program, sys.stdin.buffer, sys.stdout, sys.stderr, os.environ)

    @property
    def interactive(self) -> bool:
        """Whether a person can be asked: both standard input and standard error are terminals."""
        return self.stdin.isatty() and self.stderr.isatty()

    def ask(self, question: str) -> str:
        """Ask on the terminal, and return the answer.

        Raises:
            UsageError: the answer is the end of the input (Ctrl-D).
        """
        self.stderr.write(question)
        self.stderr.flush()
        line = self.stdin.readline()
        if not line:
            self.stderr.write("\n")
            raise UsageError(f"nobody answered {question.strip()!r}")
        return line.decode("utf-8", "replace").rstrip("\r\n")

    def ask_secret(self, question: str) -> str:
        """Ask on the terminal without showing the answer.

        Raises:
            UsageError: the answer is the end of the input (Ctrl-D).
        """
        import getpass

        try:
            return getpass.getpass(question, self.stderr)
        except EOFError as error:
            self.stderr.write("\n")
            raise UsageError(f"nobody answered {question.strip()!r}") from error

    def confirm(self, question: str) -> bool:
        """Whether a person says yes; False when nobody can be asked."""
        return self.interactive and self.ask(f"{question} [y/N] ").strip().lower() in {"y", "yes"}

    def output(self, reporting: "Reporting | None" = None) -> Output:
        """Where the results and remarks of this run go."""
        # Options are only there where typer is: a command line without any does not wait for it.
        return Output(
            stdout=self.stdout,
            stderr=self.stderr,
            as_json=reporting is not None and reporting.format == "json",
            quiet=reporting is not None and reporting.quiet,
            verbose=reporting is not None and reporting.verbose,
            bars=not (reporting is not None and reporting.no_progress) and self.variables.get("TERM") != "dumb",
            color="NO_COLOR" not in self.variables,
        )

    def environment(self, output: Output, connection: "Connection | None" = None) -> "Environment":
        """The wiring that operations get: warnings go to `output`, registries are reached by `connection`.

        Raises:
            UsageError: options contradict each other, or standard input holds no password.
        """
        from wasm2oci.operations.environment import Access, Environment

        return Environment(
            variables=self.variables,
            home=Path(self.variables.get("HOME") or _home_of_user()),
            access=Access() if connection is None else connection.access(self.stdin),
            warn=output.warn,
            note=output.note,
            log=output.note if output.verbose else None,
        )


def _home_of_user() -> str:
    # HOME may be unset (a service), and the user unknown (a container with a number for a user): then nothing is kept.
    import os
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return "/"
