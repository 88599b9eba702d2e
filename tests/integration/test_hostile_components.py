"""Hostile components on the command line, each in a fresh process: a trap or a clear error, within the limits."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.hostile_components import HOSTILE_COMMANDS
from tests.support.hostile_structures import HOSTILE_STRUCTURES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limits of a child process are Linux's")

MAX_MEMORY = 64
PEAK = MAX_MEMORY + 250
"""MiB that no process may have more of at any time."""
LOOKING_PEAK = 700
"""The same where a component is only looked at, of any size and without a limit of its own."""
HUNG_S = 300
COMMANDS = ("validate", "wit", "inspect", "print", "run")
ENDINGS = {0, 3, 4, 8, 125}
"""Exit codes of what is only looked at: it is well, malformed or invalid, no command, not run here, too much."""


class Ended(NamedTuple):
    """How a process ended: exit code, standard error, and the most memory it or a child of it had, MiB."""

    code: int
    error: str
    peak: int


def ended(folder: Path, *arguments: str) -> Ended:
    """How `wasm2oci` ends; the system counts memory only for processes that this one has not forked."""
    script = f"""import os, resource, subprocess, sys
code = subprocess.run({[sys.executable, "-m", "wasm2oci", *arguments]!r}, stdout=subprocess.DEVNULL,
    stdin=subprocess.DEVNULL, timeout={HUNG_S}).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10)"""
    env = {**os.environ, "HOME": str(folder), "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=2 * HUNG_S, env=env
    )
    code, peak = done.stdout.split()
    return Ended(int(code), done.stderr, int(peak))


@pytest.mark.parametrize("name", HOSTILE_COMMANDS)
def test_a_command_ends_within_its_limits(name: str, tmp_path: Path) -> None:
    make, code, pattern = HOSTILE_COMMANDS[name]
    module = tmp_path / "hostile.wasm"
    module.write_bytes(make())
    limits = ["--timeout", "1s" if code == 124 else f"{HUNG_S}s", "--max-memory", f"{MAX_MEMORY}MiB"]
    got = ended(tmp_path, "run", "--engine", "embedded", "--no-code-cache", *limits, str(module), "an argument")
    assert got.code == code, got
    assert re.search(pattern, got.error), got
    assert "internal error" not in got.error
    assert "Traceback" not in got.error
    assert got.peak < PEAK, got


@pytest.mark.parametrize("name", HOSTILE_STRUCTURES)
def test_a_structure_is_looked_at_within_bounds(name: str, tmp_path: Path) -> None:
    make, valid = HOSTILE_STRUCTURES[name]
    module = tmp_path / "hostile.wasm"
    module.write_bytes(make())
    for command in COMMANDS:
        options = ["--engine", "embedded", "--max-memory", f"{MAX_MEMORY}MiB"] if command == "run" else []
        got = ended(tmp_path, command, *options, str(module))
        assert got.code in ENDINGS, (command, got)
        assert "internal error" not in got.error, (command, got)
        assert "Traceback" not in got.error, (command, got)
        assert got.peak < LOOKING_PEAK, (command, got)
        if command == "validate":
            assert (got.code == 0) == valid, got
