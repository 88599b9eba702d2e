"""Running the tool inside the test process, with its own streams and variables."""

import contextlib
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wasm2oci.cli.app import invoke as run_command_line
from wasm2oci.cli.terminal import Terminal

__all__ = ["Ran", "invoke"]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command line did."""

    code: int
    stdout_bytes: bytes
    stderr: str

    @property
    def stdout(self) -> str:
        """Standard output as text."""
        return self.stdout_bytes.decode()


def invoke(
    *arguments: str | Path,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    program: str = "wasm2oci",
) -> Ran:
    """Run one command line as `main` would, in this process.

    Args:
        arguments: what follows the program's name.
        stdin: the bytes of standard input.
        env: the environment variables, all of them; only PATH and a HOME that does not exist by default.
        cwd: the folder to run in.
        program: `wasm2oci` or `wasm-to-oci`.
    """
    out, err = io.BytesIO(), io.BytesIO()
    stdout = io.TextIOWrapper(out, encoding="utf-8", write_through=True)
    stderr = io.TextIOWrapper(err, encoding="utf-8", write_through=True)
    base = {"PATH": os.environ.get("PATH", ""), "HOME": "/nonexistent", "COLUMNS": "80"}
    terminal = Terminal(program, io.BytesIO(stdin), stdout, stderr, {**base, **(env or {})})
    with contextlib.ExitStack() as stack:
        if cwd is not None:
            stack.enter_context(contextlib.chdir(cwd))
        code = run_command_line([str(argument) for argument in arguments], terminal)
    stdout.flush()
    stderr.flush()
    return Ran(code, out.getvalue(), err.getvalue().decode())
