"""What stops a guest, on both engines: time, Ctrl-C, fuel, memory, stack. None of it harms the host."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from tests.support.guests import DEEP, ENGINES, GROW, HELLO, POLL, READ, SLEEP, SLEEP_AN_HOUR, SPIN, TALK, call
from wasm2oci.errors import ExitCode
from wasm2oci.runtime.request import Ending, EngineChoice, GuestSetupError, RunLimits

HUNG_S = 60.0
"""After so long a guest counts as one that nothing ends, on any machine."""
MIB = 1 << 20

pytestmark = [
    pytest.mark.parametrize("engine", ENGINES),
]


@pytest.fixture
def silent_pipe() -> Iterator[int]:
    """The reading end of a pipe into which nothing comes."""
    ends = os.pipe()
    yield ends[0]
    for end in ends:
        os.close(end)


@pytest.fixture
def full_pipe() -> Iterator[int]:
    """The writing end of a pipe from which nobody reads."""
    ends = os.pipe()
    yield ends[1]
    for end in ends:
        os.close(end)


@pytest.fixture
def no_guest_left(engine: EngineChoice) -> Iterator[None]:
    """The guest's thread ends too. Where wasmtime sleeps or reads for a guest, that thread is left behind."""
    before = set(threading.enumerate())
    yield
    if engine is EngineChoice.EMBEDDED:
        for thread in set(threading.enumerate()) - before:
            thread.join(HUNG_S)
            assert not thread.is_alive()


@pytest.mark.usefixtures("no_guest_left")
@pytest.mark.parametrize("text", [SPIN, SLEEP, DEEP.replace("(call $deeper) (call $deeper)", "(loop (br 0))")])
def test_time_limit_ends_code_and_sleep(engine: EngineChoice, text: str) -> None:
    outcome = call(text, engine, limits=RunLimits(timeout_s=0.1))
    assert (outcome.ending, outcome.exit_code) == (Ending.TIMED_OUT, ExitCode.TIMED_OUT)


@pytest.mark.usefixtures("no_guest_left")
def test_time_limit_ends_reading(engine: EngineChoice, silent_pipe: int) -> None:
    outcome = call(READ, engine, stdin=silent_pipe, limits=RunLimits(timeout_s=0.1))
    assert outcome.ending is Ending.TIMED_OUT


@pytest.mark.usefixtures("no_guest_left")
def test_time_limit_ends_writing(engine: EngineChoice, full_pipe: int) -> None:
    outcome = call(TALK, engine, stdout=full_pipe, limits=RunLimits(timeout_s=0.1))
    assert outcome.ending is Ending.TIMED_OUT


@pytest.mark.usefixtures("no_guest_left")
@pytest.mark.parametrize("then", ["(loop (br 0))", SLEEP_AN_HOUR])
def test_ctrl_c_ends_code_and_sleep(engine: EngineChoice, then: str) -> None:
    def press(_: bytes) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    text = HELLO.replace("(memory", f"{POLL} (memory", 1).replace("(i32.const 8)))))", f"(i32.const 8))) {then}))")
    outcome = call(text, engine, stdout=press, limits=RunLimits(timeout_s=HUNG_S))
    assert (outcome.ending, outcome.exit_code) == (Ending.INTERRUPTED, ExitCode.INTERRUPTED)


def test_fuel_runs_out(engine: EngineChoice) -> None:
    outcome = call(SPIN, engine, limits=RunLimits(fuel=100_000))
    assert (outcome.ending, outcome.exit_code) == (Ending.TRAPPED, ExitCode.TRAP)
    assert outcome.trap is not None
    assert outcome.trap.reason == "out of fuel"


def test_fuel_that_lasts(engine: EngineChoice) -> None:
    assert call(GROW.format(pages=99999), engine, limits=RunLimits(fuel=100_000)).exit_code == 0


def test_endless_recursion_traps(engine: EngineChoice) -> None:
    outcome = call(DEEP, engine)
    assert (outcome.ending, outcome.exit_code) == (Ending.TRAPPED, ExitCode.TRAP)
    assert outcome.trap is not None
    assert outcome.trap.reason == "call stack exhausted"


def test_memory_grows_up_to_what_is_allowed(engine: EngineChoice) -> None:
    assert call(GROW.format(pages=16), engine, limits=RunLimits(max_memory=8 * MIB)).exit_code == 7


def test_memory_is_bounded_unless_more_is_allowed(engine: EngineChoice) -> None:
    assert call(GROW.format(pages=65535), engine).exit_code == 0


@pytest.mark.parametrize(
    "memory", ["(memory i64 1048576)", "(memory i64 0x1000000000000)", "(memory 65536)", "(memory 1) (memory 40000)"]
)
def test_asking_for_too_much_from_the_start_is_refused(engine: EngineChoice, memory: str) -> None:
    with pytest.raises(GuestSetupError, match=r"asks for .* of memory; the limit is 1GiB") as caught:
        call(f'(module {memory} (func (export "_start")))', engine)
    assert caught.value.exit_code is ExitCode.TOOL_FAILED


def test_growing_a_64_bit_memory_to_64_gib_is_refused(engine: EngineChoice) -> None:
    text = (
        GROW.format(pages=1048576)
        .replace("(memory (export", "(memory (export")
        .replace('"memory") 1', '"memory") i64 1')
    )
    text = text.replace("(i32.const 1048576)", "(i64.const 1048576)").replace("(i32.const -1)", "(i64.const -1)")
    text = text.replace("i32.eq (memory", "i64.eq (memory")
    assert call(text, engine).exit_code == 0


def test_tables_are_bounded(engine: EngineChoice) -> None:
    text = """(module
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (memory (export "memory") 1) (table $t 0 funcref)
      (func (export "_start")
        (call $exit (i32.eq (table.grow $t (ref.null func) (i32.const 0x7fffffff)) (i32.const -1)))))"""
    assert call(text, engine).exit_code == 1
