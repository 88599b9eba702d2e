"""Every command on a simulated Windows: without the modules, names and abilities that only POSIX systems have."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HELLO = ROOT / "fixtures" / "wasm" / "hello-c.wasm"
WINDOWS = [sys.executable, "-m", "tests.support.simulated_windows", "wasm2oci"]


def run(folder: Path, *arguments: str, given: str = "", code: int = 0) -> str:
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
    done = subprocess.run(
        [*WINDOWS, *arguments], cwd=folder, env=environ, input=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert "internal error" not in done.stderr
    return done.stdout


def test_an_artifact_in_a_layout(tmp_path: Path) -> None:
    run(tmp_path, "push", str(HELLO), "oci-layout:one:v1")
    run(tmp_path, "copy", "oci-layout:one:v1", "oci-layout:two:v2")
    run(tmp_path, "pull", "oci-layout:two:v2", "-o", "out.wasm")
    assert (tmp_path / "out.wasm").read_bytes() == HELLO.read_bytes()
    run(tmp_path, "verify", "oci-layout:two:v2", "out.wasm")
    assert json.loads(run(tmp_path, "inspect", "oci-layout:two:v2", "--format", "json"))
    assert run(tmp_path, "tags", "oci-layout:two").strip() == "v2"
    run(tmp_path, "validate", "out.wasm")


def test_a_registry_of_ones_own(tmp_path: Path) -> None:
    """`serve` starts a client with the same limits, with a user, so that `login` has something to check."""
    steps = f"""
import os, subprocess, sys
host = os.environ["WASM2OCI_REGISTRY"]
tool = {WINDOWS!r}
def run(*arguments, given=""):
    subprocess.run([*tool, *arguments], input=given, text=True, check=True)
run("login", host, "-u", "me", "--password-stdin", given="secret")
run("push", {str(HELLO)!r}, host + "/me/app:v1")
run("pull", host + "/me/app:v1", "-o", "back.wasm")
run("verify", host + "/me/app:v1", "back.wasm")
run("copy", host + "/me/app:v1", host + "/me/app:v2")
run("tags", host + "/me/app")
run("resolve", host + "/me/app:v2")
run("inspect", host + "/me/app:v2")
run("run", "--engine", "embedded", host + "/me/app:v1")
run("logout", host)
"""
    (tmp_path / "steps.py").write_text(steps)
    options = ["serve", "--user", "me", "--password-stdin", "--root", "data", "--listen", "127.0.0.1:0"]
    run(tmp_path, *options, "--", sys.executable, "steps.py", given="secret\n")
    assert (tmp_path / "back.wasm").read_bytes() == HELLO.read_bytes()


def test_the_demo(tmp_path: Path) -> None:
    assert "Hello" in run(tmp_path, "demo")


def test_a_program_without_directories_runs(tmp_path: Path) -> None:
    assert run(tmp_path, "run", "--engine", "embedded", str(HELLO)).startswith("hello")


def test_a_program_with_directories_is_refused_with_a_sentence_or_runs(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [*WINDOWS, "run", "--engine", "embedded", "--dir", ".", str(HELLO)]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 8}
    assert "internal error" not in done.stderr


@pytest.mark.parametrize("arguments", [("--help",), ("push", "--help"), ("--version",), ("completion", "bash")])
def test_help(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert run(tmp_path, *arguments)


WAKING = """
import socket, threading
from tests.support.simulated_windows import take_away
take_away()
from wasm2oci.base.descriptors import wait_ready
from wasm2oci.wasi.endings import Interrupted
from wasm2oci.wasi.preview2.bell import Bell
from wasm2oci.wasi.waiting import Interrupt, SystemWaiter

bell, here, there = Bell(), threading.Event(), threading.Event()
def ring():
    here.wait()
    there.set()
    bell.ring()
threading.Thread(target=ring).start()
here.set()
assert bell.wait_here(there.is_set, 3600)
assert not bell.wait_here(lambda: False, 0)

interrupt = Interrupt()
waiter = SystemWaiter(interrupt)
there.clear()
threading.Thread(target=ring).start()
bell.wait(waiter, there.is_set)

one, other = socket.socketpair()
bell.ring()
never = threading.Event()
assert wait_ready({one.fileno()}, (), bell.fileno(), never, 3600) == (set(), set())
bell.quiet()
assert wait_ready({one.fileno()}, (), bell.fileno(), never, 0) == (set(), set())
other.send(b"x")
assert wait_ready({one.fileno()}, {one.fileno()}, bell.fileno(), never, 3600) == ({one.fileno()}, {one.fileno()})

threading.Timer(0.05, interrupt.fire).start()
try:
    bell.wait(waiter, lambda: False)
except Interrupted:
    print("broken off")
"""


def test_one_thread_wakes_another(tmp_path: Path) -> None:
    """Pipes cannot be waited for there: a component waited an hour for a body that had come, or asked without end."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WAKING]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout == "broken off\n", done.stderr
