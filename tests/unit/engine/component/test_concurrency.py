"""Asynchronous functions of guests: what waits, what is cancelled, and guests that break the rules."""

from collections.abc import Iterator, Sequence

import pytest

from tests.support.async_components import (
    JOIN,
    NEW,
    READ,
    RETURNS,
    WAITS,
    WAITS_ON_STACK,
    call,
    calling,
    guest,
    host_caller,
    running,
)
from wasm2oci.engine import Trap
from wasm2oci.engine.component.concurrency.activities import Activities
from wasm2oci.engine.component.handles import HandleTable, ResourceType, Scope
from wasm2oci.engine.text import assemble


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("(i32.const 0)", "failed to produce a result"),
        ("(call $task.return (i32.const 1)) (call $task.return (i32.const 2)) (i32.const 0)", "more than once"),
        ("(call $task.cancel) (i32.const 0)", "has not been cancelled"),
        ("(i32.const 3)", "unsupported callback code 3"),
        ("(i32.const 0x72)", "unknown handle index 7"),
        ("(i32.or (i32.shl (i32.wrap_i64 (call $stream.new)) (i32.const 4)) (i32.const 2))", "is no waitable set"),
        (f"(call $set.drop (i32.wrap_i64 (call $stream.new))) {RETURNS}", "is no waitable set"),
        (f"(call $subtask.drop (call $set.new)) {RETURNS}", "is no subtask"),
        (f"(drop (call $subtask.cancel (i32.const 9))) {RETURNS}", "unknown handle index 9"),
        (f"(call $join (call $set.new) (call $set.new)) {RETURNS}", "is no waitable"),
        (f"(call $stream.drop (i32.wrap_i64 (call $future.new))) {RETURNS}", "wrong type"),
        (
            f"{NEW} (call $stream.drop (i32.const 1)) (call $stream.drop (i32.const 1)) {RETURNS}",
            "unknown handle index 1",
        ),
        (f"{NEW} (call $stream.drop (i32.const 2)) {RETURNS}", "is no readable end"),
        (f"(drop (call $future.new)) (call $future.drop (i32.const 2)) {RETURNS}", "without first writing"),
        (f"(call $pressure.dec) {RETURNS}", "underflow"),
        (f"(loop (call $pressure.inc) (br 0)) {RETURNS}", "overflow"),
        (
            f"{NEW} (drop (call $stream.read (i32.const 1) (i32.const 65530) (i32.const 7))) {RETURNS}",
            "out of bounds",
        ),
        (
            f"{NEW} (drop (call $stream.read (i32.const 1) (i32.const 0) (i32.const -1))) {RETURNS}",
            "too many values",
        ),
        (f"{NEW} {READ} {READ} {RETURNS}", "concurrent operations"),
        (f"{NEW} {READ} (call $stream.drop (i32.const 1)) {RETURNS}", "busy stream"),
        (f"(drop (call $set.poll (call $set.new) (i32.const 65532))) {RETURNS}", "event pointer"),
        (f"(drop (call $set.poll (call $set.new) (i32.const 2))) {RETURNS}", "event pointer"),
        (f"{NEW} {JOIN} (call $set.drop (i32.const 3)) {RETURNS}", "waitables in it"),
        (f"(loop (drop (call $set.new)) (br 0)) {RETURNS}", "too many handles"),
        ("(i32.or (i32.const 2) (i32.shl (call $set.new) (i32.const 4)))", "deadlock"),
    ],
)
def test_a_guest_that_breaks_a_rule_traps(body: str, why: str) -> None:
    with pytest.raises(Trap, match=why):
        call(guest(body))


def test_nothing_of_an_instance_that_trapped_is_entered_again() -> None:
    with running(guest("unreachable")) as instance:
        function = instance.exports["f"][1]
        with pytest.raises(Trap, match="unreachable"):
            function.call()
        with pytest.raises(Trap, match="cannot enter component instance"):
            function.call()


@pytest.mark.parametrize("callee", [WAITS, WAITS_ON_STACK])
def test_a_subtask_that_is_not_over_is_not_dropped(callee: str) -> None:
    with pytest.raises(Trap, match="has not yet resolved"):
        call(calling(callee, "(call $subtask.drop (i32.shr_u (call $f (i32.const 0)) (i32.const 4))) (i32.const 0)"))


def test_a_task_that_is_asked_to_end_has_to_say_so() -> None:
    """The callee is cancelled while it waits, and returns a result all the same, which is its right."""
    data = calling(WAITS, f"(call $subtask.cancel (i32.shr_u (call $f (i32.const 0)) (i32.const 4))) drop {RETURNS}")
    assert call(data) == 7


def test_a_start_function_runs_in_a_task_of_its_own() -> None:
    assert call(guest(RETURNS, more="(func $start (drop (call $context.get))) (start $start)")) == 7
    with pytest.raises(Trap, match="called by a task that returns its result"):
        call(guest(RETURNS, more="(func $start (call $task.return (i32.const 1))) (start $start)"))


def test_a_start_function_calls_another_component() -> None:
    data = assemble("""(component
      (type (stream u8))
      (component $callee
        (core module $m (func (export "f") (result i32) (i32.const 5))) (core instance $i (instantiate $m))
        (func (export "f") (result u32) (canon lift (core func $i "f"))))
      (component $caller
        (import "f" (func $f (result u32)))
        (core func $f' (canon lower (func $f)))
        (core module $m
          (import "" "f" (func $f (result i32))) (global $got (mut i32) (i32.const 0))
          (func $start (global.set $got (call $f))) (start $start)
          (func (export "f") (result i32) (global.get $got)))
        (core instance $i (instantiate $m (with "" (instance (export "f" (func $f'))))))
        (func (export "f") (result u32) (canon lift (core func $i "f"))))
      (instance $a (instantiate $callee))
      (instance $b (instantiate $caller (with "f" (func $a "f"))))
      (export "f" (func $b "f")))""")
    assert call(data) == 5


CANCELLED_ON_STACK = """
  (core module $libc (memory (export "mem") 1)) (core instance $libc (instantiate $libc))
  (core func $new (canon waitable-set.new)) (core func $cancel (canon task.cancel))
  (core func $wait (canon waitable-set.wait cancellable (memory (core memory $libc "mem"))))
  (core func $yield (canon thread.yield cancellable))
  (core module $m
    (import "" "new" (func $new (result i32))) (import "" "cancel" (func $cancel))
    (import "" "wait" (func $wait (param i32 i32) (result i32))) (import "" "yield" (func $yield (result i32)))
    (func (export "f") {waits} (call $cancel)))
  (core instance $i (instantiate $m (with "" (instance (export "new" (func $new)) (export "cancel" (func $cancel))
    (export "wait" (func $wait)) (export "yield" (func $yield))))))
  (func (export "f") async (result u32) (canon lift (core func $i "f") async))"""


@pytest.mark.parametrize(
    "waits",
    [
        "(if (i32.ne (call $wait (call $new) (i32.const 0)) (i32.const 6)) (then unreachable))",
        "(loop (br_if 0 (i32.eqz (call $yield))))",
    ],
    ids=["waitable-set.wait", "thread.yield"],
)
def test_a_function_that_waits_on_its_stack_learns_that_it_is_cancelled(waits: str) -> None:
    body = "(call $task.return (call $subtask.cancel (i32.shr_u (call $f (i32.const 0)) (i32.const 4)))) (i32.const 0)"
    assert call(calling(CANCELLED_ON_STACK.format(waits=waits), body)) == 4  # cancelled before it returned


def test_code_that_makes_room_for_another_component_calls_no_built_in() -> None:
    """Otherwise the reader's `realloc` would end the task of the writer, which runs."""
    data = assemble("""(component
      (type $stream (stream string))
      (component $reader
        (type $stream (stream string))
        (core func $return (canon task.return (result u32)))
        (core module $libc
          (import "" "return" (func $return (param i32))) (memory (export "mem") 1)
          (func (export "realloc") (param i32 i32 i32 i32) (result i32) (call $return (i32.const 66)) (i32.const 64)))
        (core instance $libc (instantiate $libc (with "" (instance (export "return" (func $return))))))
        (core func $read (canon stream.read $stream async
          (memory (core memory $libc "mem")) (realloc (core func $libc "realloc"))))
        (core module $m
          (import "" "read" (func $read (param i32 i32 i32) (result i32)))
          (func (export "f") (param i32) (drop (call $read (local.get 0) (i32.const 0) (i32.const 1)))))
        (core instance $i (instantiate $m (with "" (instance (export "read" (func $read))))))
        (func (export "f") (param "values" $stream) (canon lift (core func $i "f"))))
      (component $writer
        (type $stream (stream string))
        (import "f" (func $f (param "values" $stream)))
        (core module $libc (memory (export "mem") 1)) (core instance $libc (instantiate $libc))
        (core func $f' (canon lower (func $f))) (core func $new (canon stream.new $stream))
        (core func $write (canon stream.write $stream async (memory (core memory $libc "mem"))))
        (core module $m
          (import "" "new" (func $new (result i64))) (import "" "f" (func $f (param i32)))
          (import "" "write" (func $write (param i32 i32 i32) (result i32)))
          (func (export "f") (result i32) (local $ends i64)
            (local.set $ends (call $new)) (call $f (i32.wrap_i64 (local.get $ends)))
            (drop (call $write
              (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))) (i32.const 0) (i32.const 1)))
            unreachable)
          (func (export "cb") (param i32 i32 i32) (result i32) unreachable))
        (core instance $i (instantiate $m (with "" (instance
          (export "new" (func $new)) (export "f" (func $f')) (export "write" (func $write))))))
        (func (export "f") async (result u32) (canon lift (core func $i "f") async (callback (core func $i "cb")))))
      (instance $a (instantiate $reader))
      (instance $b (instantiate $writer (with "f" (func $a "f"))))
      (export "f" (func $b "f")))""")
    with pytest.raises(Trap, match="cannot leave component instance"):
        call(data)


@pytest.mark.parametrize("uses", ["", "(type (stream u8))"], ids=["synchronous", "asynchronous"])
def test_another_component_catches_no_exception(uses: str) -> None:
    data = assemble(f"""(component {uses}
      (component $callee
        (core module $m (tag $e) (func (export "f") (result i32) (throw $e))) (core instance $i (instantiate $m))
        (func (export "f") (result u32) (canon lift (core func $i "f"))))
      (component $caller
        (import "f" (func $f (result u32)))
        (core func $f' (canon lower (func $f)))
        (core module $m
          (import "" "f" (func $f (result i32)))
          (func (export "f") (result i32)
            (block $caught (try_table (catch_all $caught) (drop (call $f)))) (i32.const 77)))
        (core instance $i (instantiate $m (with "" (instance (export "f" (func $f'))))))
        (func (export "f") (result u32) (canon lift (core func $i "f"))))
      (instance $a (instantiate $callee))
      (instance $b (instantiate $caller (with "f" (func $a "f"))))
      (export "f" (func $b "f")))""")
    with pytest.raises(Trap, match="an exception left the component"):
        call(data)


def test_a_handle_that_was_lent_is_kept_while_it_is_lent_on() -> None:
    """A task that drops it would give its own result while its subtask still uses the resource."""
    handles, resource = HandleTable(), ResourceType("resource", None, None)
    index = handles.lower_borrow("what", resource, Scope())
    assert handles.lift_borrow(index, resource, []) == "what"
    with pytest.raises(Trap, match="while borrowed"):
        handles.remove(index, resource)


def test_what_the_host_gave_up_is_waited_for_no_more() -> None:
    asked: list[str] = []

    def outside(waits: Sequence[str], *, block: bool) -> list[int]:
        asked.extend(waits if block else [])
        return []

    def never() -> Iterator[str]:
        yield "never"

    activities = Activities(outside)
    activities.start(never(), lambda _: None).request_cancellation()  # type: ignore[arg-type]
    assert not activities.proceed(block=True)
    assert not asked


def test_a_guest_waits_on_its_stack_for_the_host() -> None:
    data = host_caller("later", "(call $task.return (call $call (i32.const 41))) (i32.const 0)", is_async=False)
    assert call(data) == 42


def test_a_guest_is_called_back_when_the_host_is_through() -> None:
    body = """
      (call $join (i32.shr_u (call $call (i32.const 41) (i32.const 16)) (i32.const 4)) (call $set.new))
      (i32.const 0x22)"""
    callback = "(call $subtask.drop (local.get $index)) (call $task.return (i32.load (i32.const 16))) (i32.const 0)"
    assert call(host_caller("later", body, callback=callback)) == 42


def test_a_guest_may_give_up_what_the_host_does() -> None:
    body = """
      (call $task.return (call $subtask.cancel (i32.shr_u (call $call (i32.const 1) (i32.const 16)) (i32.const 4))))
      (i32.const 0)"""
    assert call(host_caller("never", body)) == 4  # cancelled before it returned
