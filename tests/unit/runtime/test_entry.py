"""What is called in a module, and what a program that has no `_start` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.guests import ENGINES, Captured, call
from wasm2oci.engine.text import assemble
from wasm2oci.errors import ExitCode, Remedy, RemedyKind
from wasm2oci.runtime.choose import run
from wasm2oci.runtime.request import Ending, EngineChoice, EntryError, GuestSetupError, RunRequest
from wasm2oci.wasi.context import Preopen

if TYPE_CHECKING:
    from pathlib import Path

each_engine = pytest.mark.parametrize("engine", ENGINES)

# Functions that write one letter, and one that traps.
LETTERS = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1) (data (i32.const 0) "\\10\\00\\00\\00\\01\\00\\00\\00")
  (func $put (param i32) (i32.store8 (i32.const 16) (local.get 0))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func $a (call $put (i32.const 97)))
  (func $b (call $put (i32.const 98)))
  (func $c (call $put (i32.const 99)))
  (func $t unreachable)
  {rest})"""


def written(rest: str, engine: EngineChoice, **more: str) -> str:
    captured = Captured()
    outcome = call(LETTERS.replace("{rest}", rest), engine, **captured.streams, **more)
    assert (outcome.ending, outcome.exit_code) == (Ending.EXITED, 0)
    return captured.out.decode()


@each_engine
@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("(start $a)", "a"),
        ('(export "_initialize" (func $b))', "b"),
        ('(export "" (func $c))', "c"),
        ('(start $a) (export "_initialize" (func $b)) (export "" (func $c))', "abc"),
        ('(start $a) (export "_start" (func $c))', "ac"),
        ('(export "_start" (func $t)) (export "" (func $a))', "a"),
        ('(export "_start" (func $a)) (export "_initialize" (func $b))', "ba"),
        ('(export "_start" (func $a)) (export "_initialize" (memory 0)) (memory (export "") 1)', "a"),
        ('(start $a) (export "other" (func $t))', "a"),
    ],
)
def test_start_section_initialize_and_default_export_run(engine: EngineChoice, rest: str, expected: str) -> None:
    assert written(rest, engine) == expected


@each_engine
def test_default_export_can_be_invoked_by_its_name(engine: EngineChoice) -> None:
    assert written('(export "_initialize" (func $b)) (export "" (func $c)) (export "_start" (func $t))', engine,
                   invoke="") == "bc"  # fmt: skip


@each_engine
def test_trap_of_initialize_is_a_trap(engine: EngineChoice) -> None:
    outcome = call('(module (func $t (export "_initialize") unreachable))', engine)
    assert (outcome.ending, outcome.exit_code) == (Ending.TRAPPED, ExitCode.TRAP)
    assert outcome.trap is not None
    assert outcome.trap.frames[0].name == "t"


@each_engine
def test_module_with_nothing_to_run_is_an_error(engine: EngineChoice) -> None:
    with pytest.raises(EntryError, match="not a program"):
        call('(module (func (export "f")))', engine)
    with pytest.raises(GuestSetupError, match="takes or returns values"):
        call('(module (func (export "") (result i32) (i32.const 1)))', engine)
    with pytest.raises(GuestSetupError, match="takes or returns values"):
        call('(module (func (export "_initialize") (result i32) (i32.const 1)))', engine)


def test_reactor_runs_from_the_code_that_wasmtime_kept(tmp_path: object) -> None:
    from pathlib import Path

    module = assemble(LETTERS.replace("{rest}", '(export "_initialize" (func $b)) (export "" (func $c))'))
    for _ in range(2):
        captured = Captured()
        request = RunRequest(
            module=module, args=(b"x",), engine=EngineChoice.WASMTIME, cache=Path(str(tmp_path)), **captured.streams
        )
        assert run(request).exit_code == 0
        assert captured.out == b"bc"


# Writes a word by preview 0, seeks two back from the end (whence 1 there), and overwrites by preview 1.
BOTH_PREVIEWS = """(module
  (import "wasi_unstable" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_unstable" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_unstable" "fd_seek" (func $seek (param i32 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $again (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\10\\00\\00\\00\\04\\00\\00\\00")
  (data (i32.const 16) "word")
  (func (export "_start") (local $fd i32)
    (drop (call $open (i32.const 3) (i32.const 0) (i32.const 16) (i32.const 4) (i32.const 1)
      (i64.const 0x44) (i64.const 0) (i32.const 0) (i32.const 32)))
    (local.set $fd (i32.load (i32.const 32)))
    (drop (call $write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 40)))
    (drop (call $seek (local.get $fd) (i64.const -2) (i32.const 1) (i32.const 48)))
    (drop (call $again (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 40)))))"""


@each_engine
@pytest.mark.parametrize("traced", [False, True])
def test_module_of_preview_0_runs_and_shares_its_files_with_preview_1(
    engine: EngineChoice, tmp_path: Path, *, traced: bool
) -> None:
    lines: list[str] = []
    outcome = call(BOTH_PREVIEWS, engine, preopens=(Preopen(tmp_path, "/"),), trace=lines.append if traced else None)
    assert (outcome.ending, outcome.exit_code) == (Ending.EXITED, 0)
    assert (tmp_path / "word").read_bytes() == b"woword"
    names = [line.partition("(")[0] for line in lines]
    assert names == (["path_open", "fd_write", "fd_seek", "fd_write"] if traced else [])


@each_engine
def test_function_that_preview_0_does_not_have_is_not_offered(engine: EngineChoice) -> None:
    accept = '(import "wasi_unstable" "sock_accept" (func (param i32 i32 i32) (result i32)))'
    with pytest.raises(GuestSetupError, match=r"wasi_unstable\.sock_accept, which is not provided") as caught:
        call(f'(module {accept} (func (export "_start")))', engine)
    assert caught.value.remedy == Remedy(RemedyKind.TRAP_MISSING, "wasi_snapshot_preview1 and wasi_unstable")
