"""Modules that take as much time or memory as they can, each in a way of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.support.wasm_sections import section, uleb
from wasm2oci.engine.text import assemble

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HOSTILE"]

_PAGES: Final = 1024  # 64 MiB
_MANY: Final = 1_000_000
_GC: Final = "(type $a (array (mut i64))) (type $l (struct (field (ref null $l)) (field (ref null $a))))"


def _binary(code: bytes, *, locals_: bytes = b"\0", extra: bytes = b"", exports: bytes = b"\x01") -> bytes:
    """A module whose `_start` is the code; `extra` are sections between functions and exports."""
    body = locals_ + code + b"\x0b"
    return b"".join((
        b"\0asm\1\0\0\0",
        section(1, b"\x01\x60\0\0"),
        section(3, b"\x01\0"),
        extra,
        section(7, exports + b"\x06_start\0\0"),
        section(10, b"\x01" + uleb(len(body)) + body),
    ))  # fmt: skip


def _sized(content: bytes) -> bytes:
    return uleb(len(content)) + content


def _wasi(name: str, count: int) -> str:
    """The import of a function of WASI that takes so many `i32`, and a memory."""
    params = "i32 " * count
    function = f'(import "wasi_snapshot_preview1" "{name}" (func ${name} (param {params}) (result i32)))'
    return f'{function}(memory (export "memory") 1000)'


def _text(fields: str, body: str) -> Callable[[], bytes]:
    return lambda: assemble(f'(module {fields} (func $start (export "_start") {body}))')


def _each(count: int, pattern: str) -> str:
    return "".join(pattern.replace("#", str(index)) for index in range(count))


def _globals() -> bytes:
    names = b"".join(uleb(len(str(i))) + str(i).encode() + b"\x03" + uleb(i) for i in range(_MANY - 1))
    return _binary(b"", extra=section(6, uleb(_MANY) + b"\x7f\0\x41\0\x0b" * _MANY), exports=uleb(_MANY) + names)


_INDIRECT: Final = (
    "".join(f"(type $t{i} (func (param{' i32' * i})))" for i in range(30))
    + "(table 8000000 funcref)"
    + "".join(
        f"(func $c{i} (param i32) (br_if 0 (i32.eqz (local.get 0)))"
        f" (call_indirect (type $t{i}) {'(i32.const 0)' * i} (i32.const 1)))"
        for i in range(30)
    )
)

HOSTILE: Final[dict[str, Callable[[], bytes]]] = {
    # code that is costly to translate or to compile
    "a chain of conversions": lambda: _binary(b"\x41\x01" + b"\xb2\xfc\0" * 292_000 + b"\x1a"),
    "a longer chain of conversions": lambda: _binary(b"\x41\x01" + b"\xb2\xfc\0" * 2_500_000 + b"\x1a"),
    "a chain of reinterpretations": lambda: _binary(b"\x41\x01" + b"\xbe\xbc" * 438_000 + b"\x1a"),
    "nested blocks": lambda: _binary(b"\x02\x40" * 200_000 + b"\x0b" * 200_000),
    "a sum of many terms": lambda: _binary(b"\x20\0" + b"\x20\0\x6a" * 300_000 + b"\x1a", locals_=b"\x01\x01\x7f"),
    "many loops": lambda: _binary(b"\x03\x40\x20\0\x0d\0\x0b" * 150_000, locals_=b"\x01\x01\x7f"),
    "many functions": _text(
        _each(4000, "(func $f# (local i32) " + "(local.set 0 (i32.add (local.get 0) (i32.const 1)))" * 50 + ")"),
        _each(4000, "(call $f#)"),
    ),
    # memories and tables
    "thirty memories": _text("(memory 1024)" * 30, ""),
    "thirty memories that grow": _text(
        "(memory 0)" * 30,
        _each(30, f"(drop (memory.grow # (i32.const {_PAGES - 1})))") + "(loop $l (br $l))",
    ),
    "thirty memories that grow and are written": _text(
        "(memory 1)" * 30,
        _each(
            30,
            "(if (i32.ge_s (memory.grow # (i32.const 900)) (i32.const 0)) (then"
            " (memory.fill # (i32.const 0) (i32.const 1) (i32.const 58000000))))",
        ),
    ),
    "twenty tables": _text("(table 8000000 funcref)" * 20, ""),
    "twenty tables that grow": _text(
        "(table 0 funcref)" * 20, _each(20, "(drop (table.grow # (ref.null func) (i32.const 8000000)))")
    ),
    "indirect calls of thirty types": _text(_INDIRECT, _each(30, "(call $c# (i32.const 0))")),
    # objects
    "large arrays": _text(
        _GC,
        """(local $x (ref null $l)) (loop $n (local.set $x (struct.new $l
      (local.get $x) (array.new $a (i64.const 1) (i32.const 1000000)))) (br $n))""",
    ),
    "small arrays": _text(
        _GC,
        """(local $x (ref null $l)) (loop $n (local.set $x (struct.new $l
      (local.get $x) (array.new $a (i64.const 1) (i32.const 100)))) (br $n))""",
    ),
    "structures": _text(
        _GC,
        """(local $x (ref null $l)) (loop $n (local.set $x (struct.new $l
      (local.get $x) (ref.null $a))) (br $n))""",
    ),
    "an array of large numbers": _text(
        _GC,
        """(local $x (ref null $a)) (local $i i32)
      (local.set $x (array.new $a (i64.const 0) (i32.const 7000000)))
      (loop $n (array.set $a (local.get $x) (local.get $i)
        (i64.add (i64.const 1000000000000) (i64.extend_i32_u (local.get $i))))
        (br_if $n (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 7000000))))""",
    ),
    "exceptions that are kept": _text(
        "(tag $t (param i64)) (type $l (struct (field (ref null $l)) (field exnref)))",
        """(local $x (ref null $l)) (local $e exnref) (loop $n (block $h (result exnref)
          (try_table (catch_all_ref $h) (throw $t (i64.const 5))) (unreachable)) (local.set $e)
          (local.set $x (struct.new $l (local.get $x) (local.get $e))) (br $n))""",
    ),
    "deep calls of many locals": _text(
        "", "(local" + " i64" * 40_000 + ") (local.set 7 (i64.const 1000000000000)) (call $start)"
    ),
    # one long operation
    "copies within an array": _text(
        _GC,
        """(local $x (ref null $a))
      (local.set $x (array.new $a (i64.const 0) (i32.const 8000000)))
      (loop $n (array.copy $a $a (local.get $x) (i32.const 0) (local.get $x) (i32.const 1) (i32.const 7999999))
        (br $n))""",
    ),
    "a huge array": _text(
        _GC,
        """(local $x (ref null $a))
      (local.set $x (array.new $a (i64.const 0) (i32.const 134217728)))
      (loop $n (array.copy $a $a (local.get $x) (i32.const 0) (local.get $x) (i32.const 1) (i32.const 134217727))
        (br $n))""",
    ),
    "copies within a memory": _text(
        "(memory 1000)", "(loop $n (memory.copy (i32.const 0) (i32.const 1) (i32.const 65000000)) (br $n))"
    ),
    "a table filled again and again": _text(
        "(table 8000000 funcref) (func $g) (elem declare func $g)",
        "(loop $n (table.fill (i32.const 0) (ref.func $g) (i32.const 8000000)) (br $n))",
    ),
    "a wait for an atomic": _text(
        "(memory 1 1 shared)",
        "(loop $n (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))) (br $n))",
    ),
    "an array filled again and again": _text(
        _GC,
        """(local $x (ref null $a))
      (local.set $x (array.new_default $a (i32.const 8000000)))
      (loop $n (array.fill $a (local.get $x) (i32.const 0) (i64.const 7) (i32.const 8000000)) (br $n))""",
    ),
    # one long call of the host
    "a wait for a far clock": _text(
        _wasi("poll_oneoff", 4),
        """(i32.store (i32.const 16) (i32.const 1)) (i64.store (i32.const 24) (i64.const -1))
      (drop (call $poll_oneoff (i32.const 0) (i32.const 1024) (i32.const 1) (i32.const 512)))""",
    ),
    "a wait for a million clocks": _text(
        _wasi("poll_oneoff", 4),
        """(loop $n (drop (call $poll_oneoff (i32.const 0) (i32.const 0) (i32.const 1000000) (i32.const 60000000)))
      (br $n))""",
    ),
    "a write of buffers that overlap": _text(
        _wasi("fd_write", 4),
        """(local $i i32) (loop $f (i32.store (local.get $i) (i32.const 100000))
        (i32.store offset=4 (local.get $i) (i32.const 60000000)) (local.set $i (i32.add (local.get $i) (i32.const 8)))
        (br_if $f (i32.lt_u (local.get $i) (i32.const 8000))))
      (loop $n (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1000) (i32.const 64000016))) (br $n))""",
    ),
    "random bytes": _text(
        _wasi("random_get", 2), "(loop $n (drop (call $random_get (i32.const 0) (i32.const 65000000))) (br $n))"
    ),
    # much to decode
    "a million branches of one table": lambda: _binary(b"\x41\0\x0e" + uleb(_MANY) + b"\0" * _MANY + b"\0"),
    "a million types of one group": lambda: b"".join(
        (
            b"\0asm\1\0\0\0",
            section(1, b"\x01\x4e" + uleb(_MANY - 100_000) + b"\x60\0\0" * (_MANY - 100_000)),
            section(3, b"\x01\0"),
            section(7, b"\x01\x06_start\0\0"),
            section(10, b"\x01\x02\0\x0b"),
        )
    ),
    "a million names": lambda: (
        _binary(b"\0")
        + section(
            0, b"\x04name\x01" + _sized(uleb(_MANY) + b"".join(uleb(index) + b"\x03abc" for index in range(_MANY)))
        )
    ),
    "a million globals": _globals,
    "millions of elements": _text("(table 1 funcref) (elem func " + "$start " * 3_000_000 + ")", ""),
}
"""How each is made, by what it does."""
