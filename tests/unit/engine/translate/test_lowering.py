"""The lowering table is total, and what it writes can be compiled and names only what is declared."""

import re

import pytest

from tests.support.data import data_path, missing_reason
from wasm2oci.engine.binary import decode_module
from wasm2oci.engine.syntax.opcodes import OPCODES
from wasm2oci.engine.text import assemble
from wasm2oci.engine.translate.function import translate_function
from wasm2oci.engine.translate.lowering import CONTROL, LOWERING, VALIDATED_ONLY
from wasm2oci.engine.translate.namespace import NAMES, PATTERNS
from wasm2oci.engine.translate.options import Options


def test_every_opcode_has_a_lowering() -> None:
    missing = {
        row.mnemonic
        for row in OPCODES.values()
        if row.code not in LOWERING and row.mnemonic not in CONTROL | VALIDATED_ONLY
    }
    assert missing == set()
    assert not {OPCODES[code].mnemonic for code in LOWERING} & (CONTROL | VALIDATED_ONLY)


def test_every_name_a_lowering_writes_is_there() -> None:
    """Rows that become a call of the runtime's function of their name."""
    for row in map(OPCODES.__getitem__, LOWERING):
        lower = LOWERING[row.code]
        if lower.__qualname__.startswith("_helper."):
            assert row.mnemonic.replace(".", "_") in NAMES, row.mnemonic


def source(text: str, index: int = 0) -> str:
    return translate_function(decode_module(assemble(text)), index, Options()).text


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        # a mask only where the value may be out of range
        ("(i32.add (i32.and (local.get 0) (i32.const 255)) (i32.const 1))", ["return (l0&255)+1"]),
        ("(i32.shr_u (local.get 0) (i32.const 3))", ["return l0>>3"]),
        ("(i32.and (i32.add (local.get 0) (local.get 1)) (i32.const 7))", ["return l0+l1&7"]),
        # signed comparison as a range test, numbers of one digit first; a sum's mask by comparing with one digit
        (
            "(i32.lt_s (local.get 0) (i32.const 2))",
            ["return 1 if l0<2 or l0>1073741823 and l0>2147483647 else 0"],
        ),
        ("(i32.add (local.get 0) (local.get 1))", ["return s0 if (s0:=l0+l1)<=1073741823 else s0&4294967295"]),
        # constants are folded, and so are sums of sums
        ("(i32.mul (i32.const 6) (i32.const 7))", ["return 42"]),
        # proven alignment, unproven alignment
        ("(i32.load (i32.shl (local.get 0) (i32.const 2)))", ["return I0[l0&1073741823]"]),
        ("(i32.load offset=8 (local.get 0))", ["return unpack_I(B0,l0+8)[0] if l0&3 else I0[l0+8>>2]"]),
        # a sign extension written as shifts
        (
            "(i32.shr_s (i32.shl (local.get 0) (i32.const 24)) (i32.const 24))",
            ["s0=(l0&255^128)-128", "if s0<0:s0&=4294967295", "return s0"],
        ),
    ],
)
def test_what_an_expression_becomes(body: str, lines: list[str]) -> None:
    text = source(f"(module (memory 1) (func (param i32 i32) (result i32) {body}))")
    assert [line.strip() for line in text.splitlines()[1:]] == lines


def test_a_leading_exit_test_becomes_the_loops_condition() -> None:
    text = source("""(module (func (param i32) (result i32) (local i32 i32)
      (block $out (loop $l
        (br_if $out (i32.ge_u (local.get 1) (local.get 0)))
        (br_if $out (i32.eq (local.get 2) (i32.const 9)))
        (local.set 2 (i32.add (local.get 2) (local.get 1)))
        (if (local.get 0) (then (local.set 1 (i32.and (local.get 1) (i32.const 63)))))
        (local.set 1 (i32.add (local.get 1) (i32.const 1)))
        (br $l)))
      (local.get 2)))""")
    assert text.splitlines()[2] == " while l1<l0 and l2!=9:"
    assert "l1=l1+1" in text  # the guard says that it cannot wrap
    assert "l1&=" not in text


def test_a_counter_that_hits_its_end_is_never_masked() -> None:
    text = source("""(module (memory 1) (func (result i32) (local i32 i32)
      (loop $l
        (local.set 1 (i32.add (local.get 1) (i32.load (local.get 0))))
        (br_if $l (i32.ne (local.tee 0 (i32.add (local.get 0) (i32.const 4))) (i32.const 256))))
      (local.get 1)))""")
    assert "vI0[l0>>2]" in text
    assert "unpack" not in text  # it stays a multiple of four
    assert "for l0 in range(0,256,4):" in text
    assert "l0&=" not in text


COUNTING = """(module (memory 1) (func (param i32 i32) (result i32) (local i32 i32)
  (block $out (loop $l
    (br_if $out (i32.ge_u (local.get 2) (local.get 0)))
    (local.set 3 (i32.add (local.get 3) (i32.load8_u (local.get 2))))
    {}
    (local.set 2 (i32.add (local.get 2) {}))
    (br $l)))
  {}))"""


@pytest.mark.parametrize(
    ("inside", "step", "after", "header", "last"),
    [
        ("", "(i32.const 1)", "(local.get 3)", "for l2 in range(l0):", ""),
        ("", "(i32.const 1)", "(local.get 2)", "for l2 in range(l0):", "if l2<l0:l2=l2+1"),
        ("", "(i32.const 4)", "(local.get 3)", "for l2 in range(0,l0,4):", ""),  # below 2**31, or it would have trapped
        ("(local.set 2 (i32.mul (local.get 2) (local.get 1)))", "(i32.const 1)", "(local.get 3)", "while l2<l0:", ""),
        ("(local.set 0 (i32.load8_u (local.get 2)))", "(i32.const 1)", "(local.get 3)", "while l2<l0:", ""),
        ("", "(local.get 1)", "(local.get 3)", "while l2<l0:", ""),  # the step may be 0
    ],
)
def test_what_counts_as_a_loop_that_counts(inside: str, step: str, after: str, header: str, last: str) -> None:
    lines = [line.strip() for line in source(COUNTING.format(inside, step, after)).splitlines()]
    assert header in lines
    assert not last or last in lines
    assert bool(last) == ("else:" in lines)


def test_what_is_the_same_in_every_turn_moves_before_the_loop_unless_it_could_fail() -> None:
    text = source("""(module (memory 1) (func (param i32 i32) (local i32)
      (loop $l
        (i32.store8 (i32.const 4) (i32.add (local.get 2) (i32.mul (local.get 0) (local.get 1))))
        (i32.store8 (i32.const 5) (i32.add (local.get 2) (i32.div_u (local.get 0) (local.get 1))))
        (br_if $l (i32.lt_u (local.tee 2 (i32.add (local.get 2) (i32.const 1))) (local.get 0))))))""")
    before, inside = text.split("for l2 in range(l0 or 1):")
    assert "w0=l0*l1" in before
    assert "l2+w0" in inside
    assert "l0//l1" in inside  # it traps where it stands
    assert "vB0=B0" in before
    assert "vB0[5]=" in inside


def test_arithmetic_that_occurs_twice_is_done_once() -> None:
    text = source("""(module (func (param f64 f64) (result f64)
      (block $out (br_if $out (f64.gt (f64.mul (local.get 0) (local.get 1)) (f64.const 4)))
        (return (f64.add (f64.mul (local.get 0) (local.get 1)) (f64.const 1))))
      (local.set 0 (f64.const 2))
      (f64.mul (local.get 0) (local.get 1))))""")
    assert "(c0:=l0*l1)>4.0" in text
    assert "return c0+1.0" in text
    assert "return l0*l1" in text  # another value by then


def test_constants_lose_bits_that_no_result_depends_on() -> None:
    text = source("""(module (func (param i32) (result i32) (local i32)
      (local.set 1 (i32.xor (local.get 0) (i32.const 0xffffa001)))
      (i32.add (i32.and (local.get 1) (i32.const 0xfff))
        (i32.and (i32.shr_u (local.get 1) (i32.const 4)) (i32.const 15)))))""")
    assert "l0^1\n" in text
    text = source("""(module (func (param i32) (result i32) (local i32)
      (local.set 1 (i32.xor (local.get 0) (i32.const 0xffffa001)))
      (block $out (br_if $out (local.get 0)) (return (local.get 1)))
      (i32.and (local.get 1) (i32.const 0xfff))))""")
    assert "l0^4294942721" in text


def test_bits_of_two_numbers_are_merged_by_one_mask() -> None:
    text = source("""(module (func (param i32 i32 i32) (result i32)
      (i32.xor (i32.and (local.get 0) (local.get 1))
        (i32.and (i32.xor (local.get 0) (i32.const -1)) (local.get 2)))))""")
    assert "return l2^l0&(l1^l2)" in text


def test_a_loop_that_calls_looks_its_memory_up_each_time() -> None:
    text = source(
        """(module (memory 1) (func $grow (drop (memory.grow (i32.const 1)))) (func (param i32)
      (loop $l (call $grow) (i32.store8 (local.get 0) (i32.const 1)) (br_if $l (i32.load8_u (i32.const 3))))))""",
        1,
    )
    assert "vB0" not in text
    assert "B0[l0]=1" in text


@pytest.mark.skipif(not data_path("kernels").exists(), reason=missing_reason("kernels"))
@pytest.mark.parametrize("name", ["core", "sha256", "mix", "matmul", "mandel", "sieve", "fib", "i64loop"])
def test_generated_code_names_only_what_is_declared(name: str) -> None:
    module = decode_module(data_path("kernels", f"{name}.wasm").read_bytes())
    declared = re.compile("|".join(f"(?:{pattern})" for pattern in PATTERNS))
    for index in range(module.imported_funcs, len(module.func_types)):
        text = translate_function(module, index, Options(fuel=True, poll=True)).text
        code = compile(text, name, "exec").co_consts[0]
        attributes = set(re.findall(r"\.([a-z]\w*)", text))
        for used in code.co_names:
            assert used in NAMES or used in attributes or declared.fullmatch(used), used
