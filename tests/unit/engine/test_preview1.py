"""WASI preview 1 as the engine's linker offers it to embedders."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tests.support.data import ROOT
from tests.support.process_state import descriptors
from wasm2oci.engine import (
    Engine,
    ExportNotFoundError,
    GuestDirectoryError,
    Linker,
    Module,
    Preopen,
    ProcExit,
    Trap,
    TrapKind,
)
from wasm2oci.engine.text import assemble
from wasm2oci.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

HELLO = (ROOT / "fixtures" / "wasm" / "hello-c.wasm").read_bytes()
WASI = '(import "wasi_snapshot_preview1" "{}" (func ${} (param {})))'
EXIT = WASI.format("proc_exit", "exit", "i32")
READ = '(import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))'


def made(text: str, engine: Engine | None = None) -> tuple[Linker, Module]:
    engine = engine or Engine()
    return Linker(engine), Module(engine, assemble(text))


def test_a_command_gets_what_it_is_given_and_its_exit_code_comes_back() -> None:
    engine = Engine()
    linker = Linker(engine)
    written: list[bytes] = []
    with linker.define_wasi(args=["hello", "one"], stdout=written.append, stderr=written.append) as wasi:
        assert wasi.start(linker.instantiate(Module(engine, HELLO))) == 0
    assert b"ello" in b"".join(written)


@pytest.mark.parametrize("code", [0, 1, 7, 2**32 - 1])
def test_the_code_of_proc_exit_is_returned_as_it_is(code: int) -> None:
    linker, module = made(
        f'(module {EXIT} (memory (export "memory") 1) (func (export "_start") (call $exit (i32.const {code}))))'
    )
    with linker.define_wasi() as wasi:
        assert wasi.start(linker.instantiate(module)) == code


def test_a_reactor_is_made_ready_and_may_end_itself_later() -> None:
    linker, module = made(
        f"""(module {EXIT} (memory (export "memory") 1) (global $ready (mut i32) (i32.const 0))
        (func (export "_initialize") (global.set $ready (i32.const 42)))
        (func (export "answer") (result i32) (global.get $ready))
        (func (export "leave") (call $exit (i32.const 3))))"""
    )
    with linker.define_wasi() as wasi:
        instance = linker.instantiate(module)
        wasi.initialize(instance)
        assert instance.call("answer") == 42
        with pytest.raises(ProcExit) as caught:
            instance.call("leave")
        assert caught.value.code == 3
        with pytest.raises(ExportNotFoundError):
            wasi.start(instance)


def test_an_interrupt_ends_a_call_that_waits_for_input() -> None:
    linker, module = made(
        f"""(module {READ} (memory (export "memory") 1)
        (func (export "_start") (i32.store (i32.const 4) (i32.const 8))
        (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))))"""
    )
    reading, writing = os.pipe()
    called = threading.Event()
    try:
        with linker.define_wasi(stdin=reading) as wasi:
            instance = linker.instantiate(module, before_start=lambda _: called.set())

            def interrupt() -> None:
                called.wait()
                linker.interrupt()

            ender = threading.Thread(target=interrupt)
            ender.start()
            with pytest.raises(Trap) as caught:
                wasi.start(instance)
            ender.join()
        assert caught.value.kind is TrapKind.INTERRUPT
    finally:
        os.close(reading)
        os.close(writing)


def test_a_closed_host_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = descriptors()
    for _ in range(3):
        with Linker(Engine()).define_wasi(directories=[Preopen(tmp_path, "/d")]):
            assert descriptors() - before
    with pytest.raises(GuestDirectoryError):
        Linker(Engine()).define_wasi(directories=[Preopen(tmp_path / "none", "/d")])
    with pytest.raises(UsageError):
        Linker(Engine()).define_wasi(args=["a\0b"])
    assert not descriptors() - before


def test_the_engine_loads_no_wasi_before_it_is_wanted() -> None:
    code = (
        "import sys; from wasm2oci.engine import Engine, Linker; linker = Linker(Engine())\n"
        "assert not [name for name in sys.modules if name.startswith('wasm2oci.wasi')]\n"
        "linker.define_wasi().close()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
