"""Commands that are components and break the rules of the canonical ABI, or take as much as they can."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.text import assemble

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HOSTILE_COMMANDS"]

_RUN: Final = """(func $run (result (result)) (canon lift (core func $main "run")))
  (instance $run-interface (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run-interface))"""


def _component(text: str) -> Callable[[], bytes]:
    """A command; `text` defines the core instance `$main` with the function `run`."""
    return lambda: assemble(f"(component {text} {_RUN})")


def _core(body: str, *, before: str = "", given: str = "") -> str:
    """The core instance that is started.

    Args:
        body: of its function `run`, without the result 0.
        before: other fields of the module: imports first.
        given: what is imported from the module `""`, as exports of an instance.
    """
    instance = f'(with "" (instance {given}))' if given else ""
    return f"""(core module $m {before} (func (export "run") (result i32) {body} (i32.const 0)))
      (core instance $main (instantiate $m {instance}))"""


# --- realloc ----------------------------------------------------------------------------------------------------------


def _realloc(body: str, *, before: str = "", given: str = "") -> Callable[[], bytes]:
    """A command that asks for its arguments, a list of strings, which its realloc has to make room for."""
    instance = f'(with "" (instance {given}))' if given else ""
    return _component(f"""
      (import "wasi:cli/environment@0.2.0" (instance $e (export "get-arguments" (func (result (list string))))))
      (import "wasi:random/random@0.2.0" (instance $r (export "get-random-u64" (func (result u64)))))
      (core func $random (canon lower (func $r "get-random-u64")))
      (core module $libc {before} (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) {body}))
      (core instance $libc (instantiate $libc {instance}))
      (core func $get (canon lower (func $e "get-arguments")
        (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
      {
        _core(
            "(call $get (i32.const 0))",
            before='(import "" "get" (func $get (param i32)))',
            given='(export "get" (func $get))',
        )
    }""")


# --- values from component to component -----------------------------------------------------------------------------


def _beside(others: str, imports: str, given: str, text: str) -> Callable[[], bytes]:
    """A command that is a component beside others.

    Args:
        others: those, as instances.
        imports: what the command takes from them.
        given: the same as arguments of its instantiation.
        text: defines the core instance `$main` of the command with the function `run`.
    """
    return lambda: assemble(f"""(component {others}
      (component $command {imports} {text}
        (func $run (result (result)) (canon lift (core func $main "run"))) (export "run" (func $run)))
      (instance $command (instantiate $command {given}))
      (instance $run-interface (export "run" (func $command "run")))
      (export "wasi:cli/run@0.2.0" (instance $run-interface)))""")


def _passed(type_: str, core: str, values: str, *, options: str = "", data: str = "") -> Callable[[], bytes]:
    """A command that passes a value to a function of another component.

    Args:
        type_: its type.
        core: the core types that it is passed as.
        values: instructions that make those.
        options: of the lowering, such as the encoding of strings.
        data: what is in the memory.
    """
    main = _core(
        f"(call $take {values})",
        before=f'(import "" "take" (func $take (param {core})))',
        given='(export "take" (func $take))',
    )
    return _beside(
        f"""(component $taker
        (core module $libc (memory (export "memory") 1) (global $top (mut i32) (i32.const 64))
          (func (export "realloc") (param i32 i32 i32 i32) (result i32)
            (global.get $top) (global.set $top (i32.add (global.get $top)
              (i32.and (i32.add (local.get 3) (i32.const 15)) (i32.const -16)))))
          (func (export "take") (param {core})))
        (core instance $libc (instantiate $libc))
        (func (export "take") (param "value" {type_}) (canon lift (core func $libc "take")
          (memory (core memory $libc "memory")) (realloc (core func $libc "realloc")))))
      (instance $taker (instantiate $taker))""",
        f'(import "take" (func $take (param "value" {type_})))',
        '(with "take" (func $taker "take"))',
        f"""(core module $libc (memory (export "memory") 1) {data})
      (core instance $libc (instantiate $libc))
      (core func $take (canon lower (func $take) (memory (core memory $libc "memory")) {options})) {main}""",
    )


def _string(data: str, size: str, encoding: str) -> Callable[[], bytes]:
    return _passed(
        "string",
        "i32 i32",
        f"(i32.const 0) (i32.const {size})",
        options=f"string-encoding={encoding}",
        data=f'(data (i32.const 0) "{data}")',
    )


def _post_return(body: str) -> Callable[[], bytes]:
    """A command beside a component whose function has something to do after it has returned; it may call `$f`."""
    main = _core("(call $give)", before='(import "" "give" (func $give))', given='(export "give" (func $give))')
    return _beside(
        f"""(component $free (core module $m (func (export "f"))) (core instance $i (instantiate $m))
        (func (export "f") (canon lift (core func $i "f"))))
      (instance $free (instantiate $free))
      (component $giver (import "f" (func $f)) (core func $f (canon lower (func $f)))
        (core module $m (import "" "f" (func $f)) (func (export "give")) (func (export "done") {body}))
        (core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
        (func (export "give") (canon lift (core func $i "give") (post-return (core func $i "done")))))
      (instance $giver (instantiate $giver (with "f" (func $free "f"))))""",
        '(import "give" (func $give))',
        '(with "give" (func $giver "give"))',
        f"(core func $give (canon lower (func $give))) {main}",
    )


# --- resources --------------------------------------------------------------------------------------------------------

_RESOURCE: Final = """(type $r (resource (rep i32))) (core func $new (canon resource.new $r))
      (core func $drop (canon resource.drop $r)) (core func $rep (canon resource.rep $r))"""
_HANDLES: Final = """(import "" "new" (func $new (param i32) (result i32))) (import "" "drop" (func $drop (param i32)))
      (import "" "rep" (func $rep (param i32) (result i32)))"""
_GIVEN: Final = '(export "new" (func $new)) (export "drop" (func $drop)) (export "rep" (func $rep))'


def _resource(body: str) -> Callable[[], bytes]:
    """A command with a resource type of its own."""
    return _component(f"{_RESOURCE} {_core(body, before=_HANDLES, given=_GIVEN)}")


def _destructor(body: str, start: str) -> Callable[[], bytes]:
    """A command whose resource has a destructor, which calls `new` and `drop` through a table that is filled later."""
    return _component(f"""
      (core module $shim (table (export "t") 2 funcref)
        (type $new (func (param i32) (result i32))) (type $drop (func (param i32)))
        (func $new (param i32) (result i32) (call_indirect (type $new) (local.get 0) (i32.const 0)))
        (func $drop (param i32) (call_indirect (type $drop) (local.get 0) (i32.const 1)))
        (func (export "destroy") (param i32) {body}))
      (core instance $shim (instantiate $shim))
      (type $r (resource (rep i32) (dtor (func $shim "destroy"))))
      (core func $new (canon resource.new $r)) (core func $drop (canon resource.drop $r))
      {
        _core(
            start,
            before='''(import "" "new" (func $new (param i32) (result i32)))
        (import "" "drop" (func $drop (param i32))) (import "" "t" (table 2 funcref))
        (elem (i32.const 0) func $new $drop)''',
            given='(export "new" (func $new)) (export "drop" (func $drop)) (export "t" (table $shim "t"))',
        )
    }""")


def _owner(body: str, *, borrower: str = "") -> Callable[[], bytes]:
    """A command beside a component that owns a resource type and offers functions for it.

    Args:
        body: may call `$make`, `$look`, `$drop`, and `$more` where there is one.
        borrower: the function of a third component that is `$more`.
    """
    more = _BORROWER if borrower else ""
    main = _core(
        body,
        before=f"""(import "" "make" (func $make (param i32) (result i32)))
        (import "" "look" (func $look (param i32))) (import "" "drop" (func $drop (param i32)))
        {'(import "" "more" (func $more (param i32)))' if more else ""}""",
        given=f"""(export "make" (func $make)) (export "look" (func $look)) (export "drop" (func $drop))
        {'(export "more" (func $more))' if more else ""}""",
    )
    return _beside(
        f"""(component $owner {_RESOURCE}
        (core module $m {_HANDLES} (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
          (func (export "look") (param i32)))
        (core instance $i (instantiate $m (with "" (instance {_GIVEN}))))
        (export $t "t" (type $r))
        (func (export "make") (param "rep" u32) (result (own $t)) (canon lift (core func $i "make")))
        (func (export "look") (param "it" (borrow $t)) (canon lift (core func $i "look"))))
      (instance $owner (instantiate $owner)) (alias export $owner "t" (type $t)) {more}""",
        f"""(import "t" (type $t (sub resource)))
      (import "make" (func $make (param "rep" u32) (result (own $t))))
      (import "look" (func $look (param "it" (borrow $t))))
      {'(import "more" (func $more (param "it" (borrow $t))))' if more else ""}""",
        f"""(with "t" (type $t)) (with "make" (func $owner "make")) (with "look" (func $owner "look"))
      {f'(with "more" (func $borrower "{borrower}"))' if more else ""}""",
        f"""(core func $make (canon lower (func $make))) (core func $look (canon lower (func $look)))
      (core func $drop (canon resource.drop $t)) {"(core func $more (canon lower (func $more)))" if more else ""}
      {main}""",
    )


_BORROWER: Final = """(component $borrower
        (import "t" (type $t (sub resource)))
        (core func $drop (canon resource.drop $t))
        (core module $m (import "" "drop" (func $drop (param i32))) (func (export "keep") (param i32))
          (func (export "twice") (param i32) (call $drop (local.get 0)) (call $drop (local.get 0))))
        (core instance $i (instantiate $m (with "" (instance (export "drop" (func $drop))))))
        (func (export "keep") (param "it" (borrow $t)) (canon lift (core func $i "keep")))
        (func (export "twice") (param "it" (borrow $t)) (canon lift (core func $i "twice"))))
      (instance $borrower (instantiate $borrower (with "t" (type $t))))"""


# --- the host's functions ---------------------------------------------------------------------------------------------

_STREAMS: Final = """(import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
      (alias export $error "error" (type $error))
      (import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type $p (sub resource)))
        (export "poll" (func (param "in" (list (borrow $p))) (result (list u32))))))
      (alias export $poll "pollable" (type $pollable))
      (import "wasi:io/streams@0.2.0" (instance $streams
        (alias outer 1 $error (type $error')) (export "error" (type $error (eq $error')))
        (alias outer 1 $pollable (type $pollable')) (export "pollable" (type $pollable (eq $pollable')))
        (type $stream-error' (variant (case "last-operation-failed" (own $error)) (case "closed")))
        (export "stream-error" (type $stream-error (eq $stream-error')))
        (export "input-stream" (type $in (sub resource))) (export "output-stream" (type $out (sub resource)))
        (export "[method]input-stream.read" (func (param "self" (borrow $in)) (param "len" u64)
          (result (result (list u8) (error $stream-error)))))
        (export "[method]input-stream.subscribe" (func (param "self" (borrow $in)) (result (own $pollable))))
        (export "[method]output-stream.write" (func (param "self" (borrow $out)) (param "contents" (list u8))
          (result (result (error $stream-error)))))
        (export "[method]output-stream.write-zeroes" (func (param "self" (borrow $out)) (param "len" u64)
          (result (result (error $stream-error)))))))
      (alias export $streams "input-stream" (type $in)) (alias export $streams "output-stream" (type $out))
      (import "wasi:cli/stdin@0.2.0" (instance $stdin (alias outer 1 $in (type $in'))
        (export "input-stream" (type $in (eq $in'))) (export "get-stdin" (func (result (own $in))))))
      (import "wasi:cli/stdout@0.2.0" (instance $stdout (alias outer 1 $out (type $out'))
        (export "output-stream" (type $out (eq $out'))) (export "get-stdout" (func (result (own $out))))))
      (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock (alias outer 1 $pollable (type $p'))
        (export "pollable" (type $p (eq $p'))) (export "subscribe-duration"
          (func (param "when" u64) (result (own $p))))))
      (import "wasi:random/random@0.2.0" (instance $random
        (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
      (core module $libc (memory (export "memory") 8) (global $top (mut i32) (i32.const 200000))
        (func (export "realloc") (param i32 i32 i32 i32) (result i32)
          (global.get $top) (global.set $top (i32.add (global.get $top)
            (i32.and (i32.add (local.get 3) (i32.const 15)) (i32.const -16))))))
      (core instance $libc (instantiate $libc)) (alias core export $libc "memory" (core memory $memory))
      (alias core export $libc "realloc" (core func $realloc))
      (core func $get-stdin (canon lower (func $stdin "get-stdin")))
      (core func $get-stdout (canon lower (func $stdout "get-stdout")))
      (core func $read (canon lower (func $streams "[method]input-stream.read") (memory $memory) (realloc $realloc)))
      (core func $subscribe (canon lower (func $streams "[method]input-stream.subscribe")))
      (core func $write (canon lower (func $streams "[method]output-stream.write") (memory $memory)))
      (core func $zeroes (canon lower (func $streams "[method]output-stream.write-zeroes") (memory $memory)))
      (core func $later (canon lower (func $clock "subscribe-duration")))
      (core func $poll (canon lower (func $poll "poll") (memory $memory) (realloc $realloc)))
      (core func $random (canon lower (func $random "get-random-bytes") (memory $memory) (realloc $realloc)))
      (core func $drop-in (canon resource.drop $in)) (core func $drop-out (canon resource.drop $out))
      (core func $drop-poll (canon resource.drop $pollable))"""
_NAMES: Final = {
    "get-stdin": "(result i32)",
    "get-stdout": "(result i32)",
    "read": "(param i32 i64 i32)",
    "subscribe": "(param i32) (result i32)",
    "write": "(param i32 i32 i32 i32)",
    "zeroes": "(param i32 i64 i32)",
    "later": "(param i64) (result i32)",
    "poll": "(param i32 i32 i32)",
    "random": "(param i64 i32)",
    "drop-in": "(param i32)",
    "drop-out": "(param i32)",
    "drop-poll": "(param i32)",
}


def _host(body: str) -> Callable[[], bytes]:
    """A command that calls functions of WASI."""
    imports = " ".join([f'(import "" "{name}" (func ${name} {type_}))' for name, type_ in _NAMES.items()])
    given = " ".join([f'(export "{name}" (func ${name}))' for name in _NAMES]) + ' (export "memory" (memory $memory))'
    before = f'{imports} (import "" "memory" (memory 1)) (global $n (mut i32) (i32.const 0))'
    return _component(f"{_STREAMS} {_core(body, before=before, given=given)}")


def _times(count: int, body: str) -> str:
    return f"""(loop $again {body} (global.set $n (i32.add (global.get $n) (i32.const 1)))
      (br_if $again (i32.lt_u (global.get $n) (i32.const {count}))))"""


_UNBOUNDED: Final = 0xFFFF_FFFF

_ITSELF: Final = r"\00\00\00\00\40\1f\00\00"
"""The address and the length of a list: 8,000 elements at 0."""

HOSTILE_COMMANDS: Final[dict[str, tuple[Callable[[], bytes], int, str]]] = {
    # what realloc may do: a component that starts is asked for room for its arguments
    "realloc beyond memory": (_realloc("(i32.const 0x7ffffff0)"), 134, "beyond end of memory"),
    "realloc at the last byte": (_realloc("(i32.const 65535)"), 134, "not aligned"),
    "realloc of -1": (_realloc("(i32.const -1)"), 134, "realloc return: "),
    "realloc misaligned": (_realloc("(i32.const 2)"), 134, "result not aligned"),
    "realloc always the same place": (_realloc("(i32.const 256)"), 0, ""),
    "realloc grows its memory": (
        _realloc("(drop (memory.grow (i32.const 8))) (i32.const 256)"),
        0,
        "",
    ),
    "realloc traps": (_realloc("unreachable"), 134, "unreachable"),
    "realloc does not return": (_realloc("(loop (br 0)) (i32.const 0)"), 124, "stopped after"),
    "realloc calls itself": (
        _realloc("(call $again)", before="(func $again (result i32) (call $again))"),
        134,
        "call stack exhausted",
    ),
    "realloc leaves its component": (
        _realloc(
            "(drop (call $random)) (i32.const 256)",
            before='(import "" "random" (func $random (result i64)))',
            given='(export "random" (func $random))',
        ),
        134,
        "cannot leave component instance",
    ),
    # values that are none
    "a string beyond memory": (_string("a", "65537", "utf8"), 134, "out of bounds"),
    "a string of 4 GiB": (_string("a", "-1", "utf8"), 134, "out of bounds|too (long|large)"),
    "a string that is no UTF-8": (_string("\\ff", "1", "utf8"), 134, "utf-8|UTF-8"),
    "a surrogate in UTF-8": (_string("\\ed\\a0\\80", "3", "utf8"), 134, "utf-8|UTF-8"),
    "half a pair in UTF-16": (_string("\\00\\d8", "1", "utf16"), 134, "utf-16|UTF-16"),
    "a UTF-16 string of half of memory": (_string("a", "32769", "utf16"), 134, "out of bounds"),
    "a latin1+utf16 string with a size of 2 GiB": (
        _string("a", "0x7fffffff", "latin1+utf16"),
        134,
        "out of bounds|too (long|large)",
    ),
    "a latin1+utf16 string that is marked as UTF-16": (_string("\\00\\d8", "0x80000001", "latin1+utf16"), 134, "utf"),
    "a misaligned UTF-16 string": (
        _passed("string", "i32 i32", "(i32.const 1) (i32.const 1)", options="string-encoding=utf16"),
        134,
        "not aligned",
    ),
    "a list of 4 GiB": (
        _passed("(list u8)", "i32 i32", f"(i32.const 0) (i32.const {_UNBOUNDED - 2**32})"),
        134,
        "out of bounds|too (long|large)",
    ),
    "a list whose size in bytes is 2**34": (
        _passed("(list u64)", "i32 i32", "(i32.const 0) (i32.const 0x80000000)"),
        134,
        "out of bounds|too (long|large)",
    ),
    "a list that is its own element": (
        _passed(
            "(list (list (list u64)))",
            "i32 i32",
            "(i32.const 0) (i32.const 8000)",
            data=f'(data (i32.const 0) "{8000 * _ITSELF}")',
        ),
        134,
        "more elements in lists than this engine keeps",
    ),
    "a misaligned list": (_passed("(list u64)", "i32 i32", "(i32.const 4) (i32.const 1)"), 134, "not aligned"),
    "a variant with a case that it does not have": (
        _passed("(result u32 (error u32))", "i32 i32", "(i32.const 2) (i32.const 0)"),
        134,
        "invalid variant discriminant",
    ),
    "an enum of -1": (
        _passed("(option bool)", "i32 i32", "(i32.const -1) (i32.const 0)"),
        134,
        "invalid variant discriminant",
    ),
    "a surrogate for a character": (_passed("char", "i32", "(i32.const 0xd800)"), 134, "invalid `char`"),
    "a character past the last": (_passed("char", "i32", "(i32.const 0x110000)"), 134, "invalid `char`"),
    "a result that is none": (
        _component("""(core module $m (func (export "run") (result i32) (i32.const 7)))
          (core instance $main (instantiate $m))"""),
        134,
        "invalid variant discriminant",
    ),
    # handles
    "dropped twice": (
        _resource("(call $drop (call $new (i32.const 7))) (call $drop (i32.const 1))"),
        134,
        "unknown handle index 1",
    ),
    "handle 0": (_resource("(call $drop (i32.const 0))"), 134, "unknown handle index 0"),
    "handle -1": (_resource("(drop (call $rep (i32.const -1)))"), 134, "unknown handle index"),
    "handles without end": (
        _resource("(loop (drop (call $new (i32.const 0))) (br 0))"),
        134,
        "too many handles",
    ),
    "a handle of another type": (
        _component(f"""{_RESOURCE} (type $s (resource (rep i32))) (core func $other (canon resource.drop $s))
          {
            _core(
                "(drop (call $new (i32.const 7))) (call $other (i32.const 1))",
                before=_HANDLES + '(import "" "other" (func $other (param i32)))',
                given=_GIVEN + '(export "other" (func $other))',
            )
        }"""),
        134,
        "wrong type",
    ),
    "a handle that another component has": (
        _owner("(call $look (i32.const 1))"),
        134,
        "unknown handle index 1",
    ),
    "dropped, then lent": (
        _owner("(call $drop (call $make (i32.const 5))) (call $look (i32.const 1))"),
        134,
        "unknown handle index 1",
    ),
    "a borrow that is kept": (
        _owner("(call $more (call $make (i32.const 5)))", borrower="keep"),
        134,
        "borrow handles still remain",
    ),
    "a borrow that is dropped twice": (
        _owner("(call $more (call $make (i32.const 5)))", borrower="twice"),
        134,
        "unknown handle index",
    ),
    "a destructor that destroys what it makes, without end": (
        _destructor("(call $drop (call $new (i32.const 1)))", "(call $drop (call $new (i32.const 1)))"),
        134,
        "call stack exhausted",
    ),
    "a destructor that drops what is being dropped": (
        _destructor("(call $drop (i32.const 1))", "(call $drop (call $new (i32.const 1)))"),
        134,
        "unknown handle index 1",
    ),
    "a chain of 50,000 destructors": (
        _destructor(
            "(if (i32.gt_u (local.get 0) (i32.const 1)) (then (call $drop (i32.sub (local.get 0) (i32.const 1)))))",
            """(local $n i32) (loop $more (local.set $n (i32.add (local.get $n) (i32.const 1)))
              (drop (call $new (local.get $n))) (br_if $more (i32.lt_u (local.get $n) (i32.const 50000))))
              (call $drop (local.get $n))""",
        ),
        134,
        "call stack exhausted",
    ),
    # calls that may not be
    "a post-return that leaves its component": (_post_return("(call $f)"), 134, "cannot leave component instance"),
    "a post-return that traps": (_post_return("unreachable"), 134, "unreachable"),
    "a post-return that does not return": (_post_return("(loop (br 0))"), 124, "stopped after"),
    "a component that calls itself through its child": (
        _component(
            """
          (core module $shim (table (export "t") 1 funcref) (type $f (func))
            (func (export "back") (call_indirect (type $f) (i32.const 0))))
          (core instance $shim (instantiate $shim))
          (func $back (canon lift (core func $shim "back")))
          (component $child
            (import "back" (func $back))
            (core func $back (canon lower (func $back)))
            (core module $m (import "" "back" (func $back)) (func (export "go") (call $back)))
            (core instance $i (instantiate $m (with "" (instance (export "back" (func $back))))))
            (func (export "go") (canon lift (core func $i "go"))))
          (instance $child (instantiate $child (with "back" (func $back))))
          (core func $go (canon lower (func $child "go")))
          """
            + _core("(call $go)", before='(import "" "go" (func $go))', given='(export "go" (func $go))')
        ),
        134,
        "cannot enter component instance",
    ),
    "a start function that does not return": (
        _component("""(core module $m (func $spin (loop (br 0))) (start $spin)
          (func (export "run") (result i32) (i32.const 0))) (core instance $main (instantiate $m))"""),
        124,
        "stopped after",
    ),
    "a start function that traps": (
        _component("""(core module $m (func $bad unreachable) (start $bad)
          (func (export "run") (result i32) (i32.const 0))) (core instance $main (instantiate $m))"""),
        134,
        "unreachable",
    ),
    "a start function of the component": (
        _component("""(core module $m (func (export "f")) (func (export "run") (result i32) (i32.const 0)))
          (core instance $main (instantiate $m)) (func $f (canon lift (core func $main "f"))) (start $f)"""),
        8,
        "start functions",
    ),
    # WASI
    "10,000 pollables": (
        _host(
            _times(
                10_000,
                """(i32.store (i32.add (i32.const 1024) (i32.mul (global.get $n) (i32.const 4)))
                  (call $later (i64.const 0)))""",
            )
            + "(call $poll (i32.const 1024) (i32.const 10000) (i32.const 0))"
        ),
        0,
        "",
    ),
    "pollables without end": (
        _host("(loop (drop (call $later (i64.const 1000000000))) (br 0))"),
        134,
        "too many handles",
    ),
    "a poll of none": (_host("(call $poll (i32.const 0) (i32.const 0) (i32.const 0))"), 134, "poll"),
    "a poll of one that never comes": (
        _host(
            "(i32.store (i32.const 1024) (call $later (i64.const -1)))"
            " (call $poll (i32.const 1024) (i32.const 1) (i32.const 0))"
        ),
        124,
        "stopped after",
    ),
    "a poll of handles that are none": (
        _host("(call $poll (i32.const 1024) (i32.const 10) (i32.const 0))"),
        134,
        "unknown handle index 0",
    ),
    "a stream dropped before its pollable": (
        _host("(drop (call $subscribe (call $get-stdin))) (call $drop-in (i32.const 1))"),
        0,
        "",
    ),
    "more than a stream takes": (
        _host("(call $write (call $get-stdout) (i32.const 0) (i32.const 500000) (i32.const 500100))"),
        134,
        "no more than 65,536 are ever permitted",
    ),
    "2**64 - 1 zeroes": (
        _host("(call $zeroes (call $get-stdout) (i64.const -1) (i32.const 0))"),
        134,
        "are ever permitted",
    ),
    "2**64 - 1 bytes of input": (_host("(call $read (call $get-stdin) (i64.const -1) (i32.const 0))"), 0, ""),
    "2**64 - 1 random bytes": (_host("(call $random (i64.const -1) (i32.const 0))"), 137, "out of memory"),
    "2**30 random bytes": (_host("(call $random (i64.const 1073741824) (i32.const 0))"), 137, "out of memory"),
    "a result beyond memory": (_host("(call $random (i64.const 1) (i32.const -8))"), 134, "out of bounds"),
    "a result that is misaligned": (_host("(call $random (i64.const 1) (i32.const 1))"), 134, "not aligned"),
    # very much of it
    "a thousand instances of a megabyte": (
        _component("(core module $e (memory 16)) " + "(core instance (instantiate $e)) " * 1000 + _core("")),
        125,
        "memory",
    ),
}
"""By name: the component, how its run ends, and a pattern of what is said about it."""
