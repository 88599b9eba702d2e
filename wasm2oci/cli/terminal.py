"""The streams and the environment of one run of the tool, given by the caller."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, BinaryIO, Final, Self, TextIO

from wasm2oci.base.records import NamedTuple
from wasm2oci.cli.output import Output
from wasm2oci.errors import InvalidInputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wasm2oci.cli.options import Reporting
    from wasm2oci.client import Client, ConnectOptions

__all__ = ["STANDARD_OUTPUT", "InputTooLargeError", "Terminal"]

STANDARD_OUTPUT: Final = frozenset({"-", "/dev/stdout"})
"""Names of files that stand for standard output, in every option that names one."""

_PASSWORD_MAX = 64 * 1024


class InputTooLargeError(InvalidInputError):
    """Standard input has more bytes than can be read into memory."""


class Terminal(NamedTuple):
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
        """The terminal of the running process."""
        import os

        return cls(program, sys.stdin.buffer, sys.stdout, sys.stderr, os.environ)

    @property
    def interactive(self) -> bool:
        """Whether a person can be asked: both standard input and standard error are terminals."""
        return self.stdin.isatty() and self.stderr.isatty()

    @property
    def columns(self) -> int | None:
        """How wide standard output is: COLUMNS, else what the terminal says; None where it is not a terminal."""
        import os

        if not self.stdout.isatty():
            return None
        text = self.variables.get("COLUMNS", "")
        if text.isascii() and text.isdecimal() and len(text) < 6 and int(text):
            return int(text)
        try:
            return os.get_terminal_size(self.stdout.fileno()).columns or None
        except OSError:
            return None

    @property
    def help_columns(self) -> int:
        """How wide a help text may be."""
        return min(self.columns or 80, 100)

    @property
    def color(self) -> bool:
        """Whether colours are wanted on standard error."""
        return self.stderr.isatty() and "NO_COLOR" not in self.variables and self.variables.get("TERM") != "dumb"

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
            raise UsageError(f"no answer to {question.strip()!r}")
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
            raise UsageError(f"no answer to {question.strip()!r}") from error

    def read_subject(self, text: str) -> Path | str | bytes:
        """What a command is asked about: `-` stands for standard input, else see `find_subject`.

        Raises:
            InputTooLargeError: as `read_content`.
            NotFoundError: there is no such file.
            InvalidReferenceError: it is meant as a reference, and breaks the grammar.
        """
        from wasm2oci.client import find_subject

        return self.read_content() if text == "-" else find_subject(text)

    def read_content(self) -> bytes:
        """All of standard input: a module, or another blob.

        Raises:
            InputTooLargeError: it has more bytes than a module that is read into memory.
        """
        from wasm2oci.base.reading import read_stream
        from wasm2oci.client import MODULE_MAX

        data = read_stream(self.stdin, MODULE_MAX)
        if data is None:
            raise InputTooLargeError(f"standard input has more than {MODULE_MAX:,} bytes, which is the limit here")
        return data

    def ask_password(self, question: str) -> str:
        """The password of a key: asked for on a terminal, else all of standard input.

        Raises:
            UsageError: see `ask_secret`.
        """
        if self.interactive:
            return self.ask_secret(question)
        return self.stdin.read(_PASSWORD_MAX).decode("utf-8", "replace").removesuffix("\n").removesuffix("\r")

    def ask_new_password(self, question: str) -> str:
        """The same for a password that is new: on a terminal it is asked for twice.

        Raises:
            UsageError: the two differ, or see `ask_secret`.
        """
        given = self.ask_password(question)
        if self.interactive and self.ask_secret("The same again: ") != given:
            raise UsageError("the two passwords differ")
        return given

    def confirm_removal(self, what: str, *, yes: bool) -> None:
        """Ask for a confirmation to remove `what`, unless the command line gives it (`yes`).

        Raises:
            UsageError: neither confirms it.
        """
        if yes or (self.interactive and self.ask(f"Remove {what}? [y/N] ").strip().lower() in {"y", "yes"}):
            return
        raise UsageError("nothing was removed: this needs a confirmation", hint="add --yes where there is no terminal")

    def output(self, reporting: Reporting) -> Output:
        """Where the results and remarks of this run go."""
        return Output(
            stdout=self.stdout,
            stderr=self.stderr,
            as_json=reporting.format == "json",
            quiet=reporting.quiet,
            verbose=reporting.verbose,
            bars=not reporting.no_progress and self.variables.get("TERM") != "dumb",
            color="NO_COLOR" not in self.variables,
            columns=self.columns,
        )

    def client(self, output: Output, options: ConnectOptions) -> Client:
        """The library, with these streams and variables: warnings go to `output`.

        Raises:
            UsageError: options contradict each other.
        """
        from wasm2oci.client import Client

        return Client(
            options,
            environ=self.variables,
            warn=output.warn,
            note=output.note,
            log=output.note if output.verbose else None,
        )
