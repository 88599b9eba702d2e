"""What is called in a module, and what a program that has no `_start` does."""

from __future__ import annotations

import pytest

from tests.support.guests import ENGINES, Captured, call
from wasm2oci.engine.text import assemble
from wasm2oci.errors import ExitCode
from wasm2oci.runtime import Ending, EngineChoice, EntryError, GuestSetupError, RunRequest, run

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
