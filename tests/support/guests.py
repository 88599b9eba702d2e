"""Small guests in text form, for tests of what surrounds a guest."""

from typing import Any

from wasm2oci.engine.text import assemble
from wasm2oci.runtime.choose import run
from wasm2oci.runtime.request import EngineChoice, RunOutcome, RunRequest

__all__ = [
    "DEEP",
    "DIVIDE",
    "ENGINES",
    "EXIT",
    "GROW",
    "HELLO",
    "POLL",
    "READ",
    "SLEEP",
    "SLEEP_AN_HOUR",
    "SPIN",
    "TALK",
    "Captured",
    "call",
]

ENGINES = (EngineChoice.WASMTIME, EngineChoice.EMBEDDED)

SPIN = '(module (memory (export "memory") 1) (func (export "_start") (loop (br 0))))'

DEEP = '(module (func $deeper (export "_start") (call $deeper) (call $deeper)))'

DIVIDE = """(module
  (func $divide (param i32 i32) (result i32) (i32.div_u (local.get 0) (local.get 1)))
  (func $middle (result i32) (call $divide (i32.const 1) (i32.const 0)))
  (func (export "_start") (drop (call $middle))))"""

EXIT = """(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (call $exit (i32.const {code}))))"""

HELLO = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\10\\00\\00\\00\\06\\00\\00\\00")
  (data (i32.const 16) "hello\\n")
  (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"""

POLL = '(import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))'

SLEEP_AN_HOUR = """
    (i32.store (i32.const 80) (i32.const 1))
    (i64.store (i32.const 88) (i64.const 3600000000000))
    (drop (call $poll (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 192)))"""

SLEEP = f"""(module {POLL}
  (memory (export "memory") 1)
  (func (export "_start") {SLEEP_AN_HOUR}))"""

# Reads standard input.
READ = """(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\10\\00\\00\\00\\06\\00\\00\\00")
  (func (export "_start") (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))))"""

# Writes for ever.
TALK = HELLO.replace("(drop (call $write", "(loop (br_if 0 (i32.eqz (call $write").replace("8)))))", "8)))))))")

# Grows its memory by the pages told, as often as that works, and exits with how often it did.
GROW = """(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (local $n i32)
    (block (loop
      (br_if 1 (i32.eq (memory.grow (i32.const {pages})) (i32.const -1)))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br 0)))
    (call $exit (local.get $n))))"""


class Captured:
    """What a guest wrote."""

    def __init__(self) -> None:
        self.out = bytearray()
        self.err = bytearray()

    @property
    def streams(self) -> dict[str, Any]:
        """The arguments of a request."""
        return {"stdout": self.out.extend, "stderr": self.err.extend}


def call(text: str, engine: EngineChoice, **more: Any) -> RunOutcome:
    """Run a guest given as text."""
    return run(RunRequest(module=assemble(text), args=(b"guest",), engine=engine, **more))
