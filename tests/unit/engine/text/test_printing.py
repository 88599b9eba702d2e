"""Modules as text: what is printed, and that it says the same when it is read. Spec: core, text format (ch. 6)."""

import random

import pytest

from tests.support.data import ROOT
from wasm2oci.engine.errors import MalformedError, ModuleError
from wasm2oci.engine.text import TextError, assemble, print_text
from wasm2oci.engine.text.encode import name, section, sized, uleb, vector
from wasm2oci.engine.text.printing.printer import NoSuchFunctionError

FIXTURES = sorted((ROOT / "fixtures" / "wasm").glob("*.wasm"))

EVERYTHING = """(module $m
  (type $s (struct (field $x i32) (field (mut i8)))) (rec (type $a (array (mut f32))) (type (sub (func))))
  (type $sub (sub $s (struct (field $x i32) (field (mut i8)) (field (ref null $s)))))
  (import "a" "f" (func $imp (param $p i32))) (import "a" "t" (table $t i64 1 2 funcref))
  (import "a" "g" (global $g (mut i32))) (import "a" "e" (tag $e (param i32)))
  (memory $m i64 1 2 (pagesize 1)) (memory 1 2 shared) (table 3 funcref (ref.func $imp))
  (global i32 (i32.add (i32.const 1) (i32.const 2))) (start $s0)
  (elem (i64.const 0) func $imp) (elem $el funcref (ref.func $imp) (ref.null func)) (elem declare func $imp)
  (elem (table 1) (offset (i32.add (i32.const 1) (i32.const 1))) (ref null $s))
  (data $d "a\\00\\ff\\"\\\\") (data (memory 1) (i32.const 5) "x")
  (func $s0 (local $k f64) (local i32 i32) (local i64)
    block $l (block $l (br $l) (br 1)) (br $l) end
    (if (i32.const 0) (then nop) (else unreachable))
    (block $o (try_table (catch $e $o) (catch_all 0))) try $w nop catch $e catch_all rethrow 0 end
    try nop delegate 0
    (drop (i32.load 1 offset=4 align=1 (i32.const 0)))
    (drop (v128.load8_lane $m offset=3 2 (i64.const 0) (v128.const i64x2 1 2)))
    atomic.fence memory.copy 0 1 memory.init $m $d table.init 1 $el table.copy $t 1 memory.size memory.grow 1
    select (result i32) select call_indirect 1 (param i32) call_ref 2 return_call $imp
    f32.const -nan:0x123 f64.const 1e300 f32.const 0x1p-149 i64.const 0x8000000000000000
    struct.get_u $s $x struct.set $sub 1 array.new_fixed $a 3 array.new_data $a $d array.copy $a $a
    ref.test (ref $s) ref.cast anyref br_on_cast 0 anyref (ref $s) br_on_cast_fail 0 (ref any) (ref null 1)
    i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 br_table 0 1 0 local.get $k local.set 1)
  (func $"with space" (export "e\\n") (param $a i32) (param i64) (param $b f32) (@metadata.code.branch_hint "\\00")
    (br_if 0 (i32.const 0)))
  (@custom "c" (after type) "\\00\\01") (@producers (language "C" "11") (language "Zig" "") (sdk "x" "y")))"""


def printed(data: bytes, **options: bool) -> str:
    return "".join(print_text(data, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("offsets", [False, True])
def test_what_is_printed_is_the_same_module(*, folded: bool, offsets: bool) -> None:
    data = assemble(EVERYTHING)
    text = printed(data, folded=folded, offsets=offsets)
    assert assemble(text) == data
    assert printed(assemble(text), folded=folded, offsets=offsets) == text


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
@pytest.mark.parametrize("folded", [False, True])
def test_programs_of_compilers_are_printed_and_read(path: object, *, folded: bool) -> None:
    data = path.read_bytes()  # type: ignore[attr-defined]
    if data[4:8] != b"\1\0\0\0":
        pytest.skip("optional: not a core module")
    text = printed(data, folded=folded)
    assert printed(assemble(text), folded=folded) == text


def test_flat_text() -> None:
    text = """(module
  (type (;0;) (func (param i32) (result i32)))
  (export "f" (func $f))
  (func $f (;0;) (type 0) (param $n i32) (result i32)
    (local i64)
    block (result i32) ;; label = @1
      local.get $n
      i32.const 1
      local.get $n
      br_if 0 (;@1;)
      drop
    end
    f32.const 0x1.8p+0 (;=1.5;)
    drop
  )
)
"""
    assert printed(assemble(text)) == text.replace('(export "f" (func $f))', '(export "f" (func $f))')


def test_folded_text() -> None:
    text = """(module
  (type (;0;) (func (param i32) (result i32)))
  (func $f (;0;) (type 0) (param i32) (result i32)
    (if (result i32) (;@1;)
      (i32.eqz
        (local.get 0))
      (then
        (i32.const 1))
      (else
        (i32.mul
          (local.get 0)
          (call $f
            (i32.sub
              (local.get 0)
              (i32.const 1))))))
  )
)
"""
    assert printed(assemble(text), folded=True) == text


def test_offsets_are_those_of_the_binary() -> None:
    data = assemble('(module (func (export "f") nop unreachable))')
    lines = printed(data, offsets=True).splitlines()
    place = next(line for line in lines if "unreachable" in line)
    assert data[int(place[3:9], 16)] == 0
    assert place.startswith("(;@")


@pytest.mark.parametrize(
    ("wanted", "head"), [("g", "(func $g"), ("1", "(func $g"), ("out", "(func $g"), ("f", "(func $f")]
)
def test_one_function_is_printed_by_name_export_or_index(wanted: str, head: str) -> None:
    data = assemble('(func $f nop) (func $g (export "out") (call $f))')
    text = "".join(print_text(data, function=wanted))
    assert text.startswith(head)
    assert text.endswith("\n)\n")


@pytest.mark.parametrize("wanted", ["h", "2", "-1", "imported", "0"])
def test_an_absent_function_and_one_without_a_body_are_reported(wanted: str) -> None:
    data = assemble('(import "m" "imported" (func $imported)) (func $f)')
    with pytest.raises(NoSuchFunctionError) as caught:
        "".join(print_text(data, function=wanted))
    assert caught.value.exit_code == 4


def named(*names: str) -> bytes:
    """A module with functions of these names."""
    functions = vector([b"\0"] * len(names))
    body = sized(b"\0\x0b")
    entries = vector([uleb(index) + name(each) for index, each in enumerate(names)])
    return (
        b"\0asm\1\0\0\0"
        + section(1, b"\1\x60\0\0")
        + section(3, functions)
        + section(10, vector([body] * len(names)))
        + section(0, name("name") + b"\1" + sized(entries))
    )


@pytest.mark.parametrize(
    "names",
    [("f", "f", "f"), ("", ""), ("a b", 'q"uote', "back\\slash"), ("\x1b[31m", "\u202e", "é"), ("#func1 f", "f", "f")],
)
def test_names_that_are_no_identifiers_or_not_unique_are_kept(names: tuple[str, ...]) -> None:
    data = named(*names)
    text = printed(data)
    assert assemble(text) == data
    assert all(char == "\n" or char.isprintable() for char in text)


def test_a_long_name_is_not_repeated_where_it_is_used() -> None:
    data = named("x" * 50_000, "y")
    assert printed(data).count("x" * 50_000) == 1
    assert len(printed(data)) < 60_000
    assert assemble(printed(data)) == data


def test_a_name_of_nothing_is_left_out() -> None:
    data = bytearray(named("f"))
    data[-len(name("f")) - 1] = 9
    assert "$f" not in printed(bytes(data))


def test_deep_nesting_is_printed_in_proportion_to_the_binary() -> None:
    text = (
        "(func "
        + "block\n" * 20_000
        + "end\n" * 20_000
        + "(drop "
        + "(i32.eqz " * 20_000
        + "(i32.const 0)"
        + ")" * 20_001
        + ")"
    )
    data = assemble(text)
    for folded in (False, True):
        again = printed(data, folded=folded)
        assert len(again) < len(data) * 150
        assert assemble(again) == data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\0asm\1\0\0\0\x0e\0", "malformed section id"),
        (b"\0asm\1\0\0\0\1\2\1", "length out of bounds"),
        (b"\0asm\1\0\0\0\3\1\0\1\1\0", "unexpected content after last section"),
        (b"\0asm\1\0\0\0\1\4\1\x60\0\0\3\2\1\0", "inconsistent lengths"),
        (b"\0asm\1\0\0\0\1\4\1\x60\0\0\3\2\1\0\x0a\5\1\3\0\5\x0b", "unexpected else"),
        (b"\0asm\1\0\0\0\1\4\1\x60\0\0\3\2\1\0\x0a\5\1\3\0\x27\x0b", "illegal opcode"),
        (b"\0asm\1\0\0\0\1\4\1\x60\0\0\3\2\1\0\x0a\5\1\3\0\x01\x01", "unexpected end"),
        (b"\0asm\1\0\0\0\1\4\1\x60\0\0\3\2\1\0\x0a\5\1\3\0\x0b\x01", "after the end"),
        (b"\0asm\1\0\0\0\4\4\1\x7f\0\0", "malformed reference type"),
    ],
)  # fmt: skip
def test_what_is_malformed_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedError, match=reason):
        printed(data)


@pytest.mark.parametrize("seed", range(400))
def test_a_damaged_module_is_refused_or_printed_so_that_it_reads_the_same(seed: int) -> None:
    source = random.Random(seed)
    data = bytearray(assemble(EVERYTHING))
    for _ in range(source.choice((1, 1, 3))):
        data[source.randrange(8, len(data))] ^= 1 << source.randrange(8)
    folded = bool(seed % 2)
    try:
        text = printed(bytes(data), folded=folded)
    except ModuleError:
        return
    try:
        again = assemble(text)
    except TextError as error:
        # What decodes and is not valid may have no text: types that do not exist, numbers out of range.
        assert any(word in error.reason for word in ("type", "out of range", "import after"))  # noqa: PT017 - some of many
        return
    assert printed(again, folded=folded) == text


def test_branch_hints_without_a_meaning_are_not_printed() -> None:
    hinted = assemble('(func (@metadata.code.branch_hint "\\01") (if (i32.const 0) (then)))')
    odd = hinted.replace(b"\x03\x01\x01", b"\x03\x01\x02")
    assert odd != hinted
    assert "branch_hint" in "".join(print_text(hinted))
    again = assemble("".join(print_text(odd)))
    assert b"branch_hint" not in again
