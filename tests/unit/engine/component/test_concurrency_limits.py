"""Asynchronous functions of guests that take as much as they can."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.async_components import WAITS, WAITS_ON_STACK, call, calling, guest, host_caller
from wasm2oci.engine import Engine, Trap
from wasm2oci.engine.component import abi
from wasm2oci.engine.component.concurrency import fibers, threads
from wasm2oci.engine.component.concurrency.buffers import GuestBuffer
from wasm2oci.engine.component.handles import HandleTable
from wasm2oci.engine.component.store import LoadedComponent
from wasm2oci.engine.component.unsupported import ComponentUnsupportedError
from wasm2oci.engine.text import assemble


def test_a_callback_that_never_ends_runs_out_of_fuel() -> None:
    with pytest.raises(Trap, match="out of fuel"):
        call(guest("(i32.const 1)", "(i32.const 1)"), fuel=10_000)


def test_no_more_functions_wait_on_their_stacks_than_there_is_room_for() -> None:
    before = set(threading.enumerate())
    with pytest.raises(Trap, match="more than 256 functions wait on their stacks"):
        call(calling(WAITS_ON_STACK, "(loop (drop (call $f (i32.const 0))) (br 0)) (i32.const 0)"))
    assert not set(threading.enumerate()) - before


def test_no_more_tasks_wait_than_there_is_room_for() -> None:
    with pytest.raises(Trap, match="more than 16,384 tasks wait at once"):
        call(calling(WAITS, "(loop (drop (call $f (i32.const 0))) (br 0)) (i32.const 0)"))


def test_no_more_is_asked_of_the_host_at_once_than_there_is_room_for() -> None:
    with pytest.raises(Trap, match="the host does more than 4,096 things at once"):
        call(host_caller("never", "(loop (drop (call $call (i32.const 1) (i32.const 16))) (br 0)) (i32.const 0)"))


def test_a_large_read_is_copied_in_parts() -> None:
    body = """
      (drop (call $stream.new)) (drop (memory.grow (i32.const 63)))
      (drop (call $stream.read (i32.const 1) (i32.const 0) (i32.const 3000000)))
      (call $task.return (call $stream.write (i32.const 2) (i32.const 1) (i32.const 2999999))) (i32.const 0)"""
    assert call(guest(body, more='(import "" "mem" (memory 1))')) == (1 << 20) << 4


def test_a_long_write_is_charged_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(abi, "MAX_ELEMENTS", 2)
    memory: Any = SimpleNamespace(data=bytearray(12))
    buffer = GuestBuffer(abi.Context(memory, None, "utf8", HandleTable()), "u32", 0, 3)
    assert [buffer.read(1) for _ in range(3)] == [[0], [0], [0]]


def test_a_function_that_gets_no_stack_traps(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread, stack: int) -> None:
        raise RuntimeError(thread, stack)

    monkeypatch.setattr(fibers, "start_with_stack", refuse)
    with pytest.raises(Trap, match="there is no stack"):
        call(calling(WAITS_ON_STACK, "(drop (call $f (i32.const 0))) (i32.const 0)"))


def test_no_more_calls_nest_on_one_stack_than_it_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_MOST_NESTED", 1)
    with pytest.raises(Trap, match="call stack exhausted"):
        call(calling(WAITS, "(drop (call $f (i32.const 0))) (i32.const 0)"))


def test_threads_of_a_guest_are_refused_before_anything_runs() -> None:
    data = assemble("(component (core func (canon thread.index)))")
    with pytest.raises(ComponentUnsupportedError, match=r"threads of its own \(thread\.index\) \(at offset 0x"):
        LoadedComponent(Engine(), data)
