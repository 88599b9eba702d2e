"""`--timeout` and `--max-memory` hold whatever a guest does, on both engines, each in a fresh process."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.support.hostile_guests import HOSTILE
from wasm2oci.engine.text import assemble

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limits of a child process are Linux's")

MAX_MEMORY = 64
ALLOWANCE = 250
HUNG_S = 300
"""The slowest takes longer, or ends the machine, where the limits do not hold."""
ENDINGS = {
    0: "it did all",
    3: "wasmtime does not take it",
    124: "its time was over",
    125: "it asks for too much",
    134: "it trapped",
    137: "no memory",
}


class Ended(NamedTuple):
    """How a run ended: exit code, standard error, and the most memory any of its processes had, in MiB."""

    code: int
    error: str
    peak: int


def run(module: Path, *options: str) -> Ended:
    command = [sys.executable, "-m", "wasm2oci", "run", "--no-code-cache", *options, str(module)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            _, error = process.communicate(timeout=HUNG_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return Ended(process.returncode, error.decode(), 0)


def measured(module: Path, *options: str) -> Ended:
    """The same, with the peak: what the system counts for a process that has waited for its children."""
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "wasm2oci", "run", "--no-code-cache", *options, str(module)]
    script = f"""import os, resource, subprocess, sys
code = subprocess.run({command!r}, stdout=subprocess.DEVNULL, timeout={HUNG_S}).returncode
os.write({writing}, str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10).encode())
sys.exit(code)"""
    done = subprocess.run(
        [sys.executable, "-c", script], stderr=subprocess.PIPE, pass_fds=(writing,), check=False, timeout=2 * HUNG_S
    )
    os.close(writing)
    with os.fdopen(reading) as file:
        return Ended(done.returncode, done.stderr.decode(), int(file.read()))


@pytest.mark.parametrize("engine", ["embedded", "wasmtime"])
@pytest.mark.parametrize("name", HOSTILE)
def test_limits_hold(name: str, engine: str, tmp_path: Path) -> None:
    module = tmp_path / "hostile.wasm"
    module.write_bytes(HOSTILE[name]())
    ended = measured(module, "--engine", engine, "--timeout", "1s", "--max-memory", f"{MAX_MEMORY}MiB")
    assert ended.code in ENDINGS, ended
    assert ended.peak < MAX_MEMORY + ALLOWANCE, ended
    assert "internal error" not in ended.error
    assert "Traceback" not in ended.error


@pytest.mark.parametrize("name", ["a chain of reinterpretations", "an array of large numbers", "large arrays"])
def test_no_memory_is_the_guests_ending(name: str, tmp_path: Path) -> None:
    """Also when CPython itself runs out: 137, and a sentence that names the limit."""
    module = tmp_path / "hostile.wasm"
    module.write_bytes(HOSTILE[name]())
    ended = measured(module, "--engine", "embedded", "--max-memory", f"{MAX_MEMORY}MiB")
    assert ended.code == 137
    assert ended.error.startswith("error: the guest ran out of memory: it may have 64MiB (--max-memory)\n")
    assert ended.peak < MAX_MEMORY + ALLOWANCE


@pytest.mark.parametrize("name", ["large arrays", "small arrays", "structures"])
def test_heap_of_wasmtime_that_is_full_is_the_same_ending(name: str, tmp_path: Path) -> None:
    module = tmp_path / "hostile.wasm"
    module.write_bytes(HOSTILE[name]())
    ended = run(module, "--engine", "wasmtime", "--max-memory", f"{MAX_MEMORY}MiB")
    assert ended.code == 137
    assert "ran out of memory: it may have 64MiB" in ended.error


@pytest.mark.parametrize("engine", ["embedded", "wasmtime"])
def test_memories_and_tables_have_one_account(engine: str, tmp_path: Path) -> None:
    module = tmp_path / "two.wasm"
    module.write_bytes(assemble('(module (memory 600) (memory 600) (func (export "_start")))'))
    ended = run(module, "--engine", engine, "--max-memory", "64MiB")
    assert ended.code == 125
    assert "asks for 75MiB of memory; the limit is 64MiB" in ended.error
    assert run(module, "--engine", engine, "--max-memory", "80MiB").code == 0


EXHAUSTED = """(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_readdir" (func $list (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1) (data (i32.const 0) ".")
  (func (export "_start") (local $errno i32)
    (loop $more
      (local.set $errno (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 2)
        (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 8)))
      (br_if $more (i32.eqz (local.get $errno))))
    (if (i32.ne (local.get $errno) (i32.const 33)) (then (call $exit (i32.add (local.get $errno) (i32.const 100)))))
    ;; a clock, 1 ns from now, and standard output: both can be waited for without a descriptor more
    (i32.store8 (i32.const 72) (i32.const 0)) (i32.store (i32.const 80) (i32.const 1))
    (i64.store (i32.const 88) (i64.const 1))
    (i32.store8 (i32.const 120) (i32.const 2)) (i32.store (i32.const 128) (i32.const 1))
    (local.set $errno (call $poll (i32.const 64) (i32.const 1024) (i32.const 2) (i32.const 16)))
    (if (local.get $errno) (then (call $exit (local.get $errno))))
    (drop (call $list (i32.const 3) (i32.const 2048) (i32.const 512) (i64.const 0) (i32.const 16)))
    (call $exit (i32.const 42))))"""


def test_waiting_after_all_descriptors_are_taken_is_no_bug(tmp_path: Path) -> None:
    """A module of Python that was first needed then could not be opened: ImportError, an internal error."""
    import resource

    module = tmp_path / "m.wasm"
    module.write_bytes(assemble(EXHAUSTED))
    command = [sys.executable, "-m", "wasm2oci", "run", "--engine", "embedded", "--dir", f"{tmp_path}::.", str(module)]
    done = subprocess.run(
        command,
        capture_output=True,
        check=False,
        timeout=HUNG_S,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)),
    )
    assert (done.returncode, done.stderr) == (42, b"")


def test_little_address_space_leaves_the_embedded_engine(tmp_path: Path) -> None:
    """wasmtime reserves gigabytes of addresses for a memory; where they are refused, `auto` goes on without."""
    import resource

    module = tmp_path / "m.wasm"
    module.write_bytes(assemble('(module (memory 1) (func (export "f") (result i32) (i32.const 7)))'))
    limit = 3 << 30
    done = subprocess.run(
        [sys.executable, "-m", "wasm2oci", "run", "--no-code-cache", "--invoke", "f", str(module)],
        capture_output=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert (done.returncode, done.stdout) == (0, b"7\n"), done.stderr
