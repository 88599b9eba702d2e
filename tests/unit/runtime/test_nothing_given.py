"""A program that is given nothing has nothing: no file, no variable, no socket, no descriptor of the process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from wasm2oci.engine.text import assemble

if TYPE_CHECKING:
    from pathlib import Path

DEADLINE_S = 60
BADF: Final = 8

LOOK: Final = f"""(module
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $variables (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get" (func $folder (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $descriptor (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_accept" (func $accept (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func $found (param $errno i32) (result i32) (i32.ne (local.get $errno) (i32.const {BADF})))
  (func (export "_start") (local $fd i32) (local $had i32)
    (drop (call $variables (i32.const 0) (i32.const 4)))
    (local.set $had (i32.load (i32.const 0)))
    (local.set $fd (i32.const 3))
    (loop $next
      (local.set $had (i32.add (local.get $had) (call $found (call $folder (local.get $fd) (i32.const 64)))))
      (local.set $had (i32.add (local.get $had) (call $found (call $descriptor (local.get $fd) (i32.const 64)))))
      (local.set $had (i32.add (local.get $had)
        (call $found (call $accept (local.get $fd) (i32.const 0) (i32.const 64)))))
      (br_if $next (i32.lt_u (local.tee $fd (i32.add (local.get $fd) (i32.const 1))) (i32.const 1024))))
    (call $exit (local.get $had))))"""
"""Ends with how many variables, folders, descriptors beside the standard streams, and sockets it has."""


def had(module: Path, engine: str, *options: str) -> int:
    """How many the program found, in a fresh process that has variables, a file and a listening socket open."""
    command = [sys.executable, "-m", "wasm2oci", "run", "--engine", engine, *options, str(module)]
    with socket.create_server(("127.0.0.1", 0)) as listening, (module.parent / "open").open("w") as file:
        done = subprocess.run(
            command,
            env={**os.environ, "SECRET": "x"},
            pass_fds=(listening.fileno(), file.fileno()),
            capture_output=True,
            check=False,
            timeout=DEADLINE_S,
        )
    assert done.stderr == b""
    return done.returncode


@pytest.mark.parametrize("engine", ["embedded", "wasmtime"])
def test_a_program_has_only_what_it_is_given(engine: str, tmp_path: Path) -> None:
    module = tmp_path / "look.wasm"
    module.write_bytes(assemble(LOOK))
    assert had(module, engine) == 0
    assert had(module, engine, "--env", "A=b") == 1
    assert had(module, engine, "--dir", str(tmp_path)) > 1
