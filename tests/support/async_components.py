"""Components with asynchronous functions, and a host for them."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from wasm2oci.engine import Engine
from wasm2oci.engine.component.host import HostCall
from wasm2oci.engine.component.instance import ComponentInstance
from wasm2oci.engine.component.store import LoadedComponent, Store
from wasm2oci.engine.text import assemble

CANONS = {
    "task.return": ("task.return (result u32)", "(param i32)"),
    "task.cancel": ("task.cancel", ""),
    "set.new": ("waitable-set.new", "(result i32)"),
    "set.wait": ('waitable-set.wait (memory (core memory $libc "mem"))', "(param i32 i32) (result i32)"),
    "set.poll": ('waitable-set.poll (memory (core memory $libc "mem"))', "(param i32 i32) (result i32)"),
    "set.drop": ("waitable-set.drop", "(param i32)"),
    "join": ("waitable.join", "(param i32 i32)"),
    "subtask.drop": ("subtask.drop", "(param i32)"),
    "subtask.cancel": ("subtask.cancel async", "(param i32) (result i32)"),
    "stream.new": ("stream.new $stream", "(result i64)"),
    "stream.read": (
        'stream.read $stream async (memory (core memory $libc "mem"))',
        "(param i32 i32 i32) (result i32)",
    ),
    "stream.write": (
        'stream.write $stream async (memory (core memory $libc "mem"))',
        "(param i32 i32 i32) (result i32)",
    ),
    "stream.drop": ("stream.drop-readable $stream", "(param i32)"),
    "future.new": ("future.new $future", "(result i64)"),
    "future.drop": ("future.drop-writable $future", "(param i32)"),
    "pressure.inc": ("backpressure.inc", ""),
    "pressure.dec": ("backpressure.dec", ""),
    "context.get": ("context.get i32 0", "(result i32)"),
}
RETURNS = "(call $task.return (i32.const 7)) (i32.const 0)"
NEW = "(drop (call $stream.new))"
READ = "(drop (call $stream.read (i32.const 1) (i32.const 0) (i32.const 1)))"
JOIN = "(call $join (i32.const 1) (call $set.new))"


def built_ins(text: str) -> tuple[str, str, str]:
    """Those that a text calls: definitions of them, imports of a core module, and exports of an instance."""
    used = [name for name in CANONS if f"${name}" in text]
    return (
        "".join(f"(core func ${name} (canon {CANONS[name][0]}))" for name in used),
        "".join(f'(import "" "{name}" (func ${name} {CANONS[name][1]}))' for name in used),
        "".join(f'(export "{name}" (func ${name}))' for name in used),
    )


def guest(body: str, callback: str = "unreachable", *, more: str = "") -> bytes:
    """A component with an asynchronous function `f`; `body` and `callback` may call the built-ins above by name."""
    canons, imports, given = built_ins(body + callback + more)
    return assemble(f"""(component
      (type $stream (stream u8)) (type $future (future u8))
      (core module $libc (memory (export "mem") 1)) (core instance $libc (instantiate $libc))
      {canons}
      (core module $m {imports} {more}
        (func (export "f") (result i32) {body})
        (func (export "cb") (param $event i32) (param $index i32) (param $what i32) (result i32) {callback}))
      (core instance $i (instantiate $m (with "" (instance (export "mem" (memory $libc "mem")) {given}))))
      (func (export "f") async (result u32)
        (canon lift (core func $i "f") async (callback (core func $i "cb")))))""")


def calling(callee: str, body: str, core: str = "(param i32) (result i32)") -> bytes:
    """A component that calls another one's asynchronous `f`; `body` may call it by name, and built-ins."""
    canons, imports, given = built_ins(body)
    return assemble(f"""(component
      (component $callee {callee})
      (component $caller
        (import "f" (func $f async (result u32)))
        (type $stream (stream u8)) (type $future (future u8))
        (core module $libc (memory (export "mem") 1)) (core instance $libc (instantiate $libc))
        (core func $f' (canon lower (func $f) async (memory (core memory $libc "mem"))))
        {canons}
        (core module $m (import "" "f" (func $f {core})) {imports}
          (func (export "f") (result i32) {body})
          (func (export "cb") (param i32 i32 i32) (result i32) unreachable))
        (core instance $i (instantiate $m (with "" (instance (export "f" (func $f')) {given}))))
        (func (export "f") async (result u32)
          (canon lift (core func $i "f") async (callback (core func $i "cb")))))
      (instance $a (instantiate $callee))
      (instance $b (instantiate $caller (with "f" (func $a "f"))))
      (export "f" (func $b "f")))""")


WAITS = """
  (core func $new (canon waitable-set.new))
  (core func $return (canon task.return (result u32)))
  (core module $m
    (import "" "new" (func $new (result i32))) (import "" "return" (func $return (param i32)))
    (func (export "f") (result i32) (i32.or (i32.const 2) (i32.shl (call $new) (i32.const 4))))
    (func (export "cb") (param i32 i32 i32) (result i32) (call $return (i32.const 1)) (i32.const 0)))
  (core instance $i (instantiate $m (with "" (instance (export "new" (func $new)) (export "return" (func $return))))))
  (func (export "f") async (result u32) (canon lift (core func $i "f") async (callback (core func $i "cb"))))"""
"""Waits in a callback for what never comes."""

WAITS_ON_STACK = """
  (core module $libc (memory (export "mem") 1)) (core instance $libc (instantiate $libc))
  (core func $new (canon waitable-set.new))
  (core func $wait (canon waitable-set.wait (memory (core memory $libc "mem"))))
  (core module $m
    (import "" "new" (func $new (result i32))) (import "" "wait" (func $wait (param i32 i32) (result i32)))
    (func (export "f") (call $wait (call $new) (i32.const 0)) (unreachable)))
  (core instance $i (instantiate $m (with "" (instance (export "new" (func $new)) (export "wait" (func $wait))))))
  (func (export "f") async (result u32) (canon lift (core func $i "f") async))"""
"""Waits on its stack for what never comes."""


class Host:
    """Offers `host`: `later`, which is over when the guest has waited, and `never`."""

    def __init__(self) -> None:
        self.waits = 0

    def interface(self, name: str) -> dict[str, HostCall] | None:
        calls = {
            "later": HostCall("async (value: u32) -> u32", self._later),
            "never": HostCall("async (value: u32) -> u32", self._never),
        }
        return calls if name == "host" else None

    @staticmethod
    def _later(value: int) -> Generator[str, None, int]:
        yield "outside"
        return value + 1

    @staticmethod
    def _never(value: int) -> Iterator[str]:
        yield f"never {value}"
        raise AssertionError

    def wait(self, waits: Sequence[Any], *, block: bool) -> Sequence[int]:
        self.waits += block
        return [place for place, each in enumerate(waits) if each == "outside"] if block else []


@contextmanager
def running(data: bytes, *, fuel: int | None = None) -> Iterator[ComponentInstance]:
    store = Store(LoadedComponent(Engine(fuel=fuel is not None), data), Host(), fuel=fuel)
    try:
        yield store.instantiate()
    finally:
        store.close()


def call(data: bytes, *, fuel: int | None = None) -> Any:
    with running(data, fuel=fuel) as instance:
        return instance.exports["f"][1].call()


def host_caller(function: str, body: str, *, is_async: bool = True, callback: str = "unreachable") -> bytes:
    """A component that calls an asynchronous function of the host."""
    core = "(param i32 i32) (result i32)" if is_async else "(param i32) (result i32)"
    option = 'async (memory (core memory $libc "mem"))' if is_async else ""
    canons, imports, given = built_ins(body + callback)
    return assemble(f"""(component
      (import "host" (instance $host (export "{function}" (func async (param "value" u32) (result u32)))))
      (core module $libc (memory (export "mem") 1)) (core instance $libc (instantiate $libc))
      (core func $call (canon lower (func $host "{function}") {option}))
      {canons}
      (core module $m (import "" "mem" (memory 1)) (import "" "call" (func $call {core})) {imports}
        (func (export "f") (result i32) {body})
        (func (export "cb") (param $event i32) (param $index i32) (param $what i32) (result i32) {callback}))
      (core instance $i (instantiate $m (with "" (instance
        (export "mem" (memory $libc "mem")) (export "call" (func $call)) {given}))))
      (func (export "f") async (result u32)
        (canon lift (core func $i "f") async (callback (core func $i "cb")))))""")
