"""The instructions that the generator `stack` chooses from, by what they take from the stack and leave on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from wasm2oci.engine.syntax.features import Feature
from wasm2oci.engine.syntax.opcodes import OPCODES
from wasm2oci.engine.syntax.types import I32, I64

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ATOMICS",
    "BEGIN",
    "CARRIED",
    "CLAUSES",
    "CONSTANTS",
    "EDGES",
    "LOCALS",
    "PLAIN",
    "RESULTS",
    "SEEN",
    "TAILS",
    "Row",
]


class Row(NamedTuple):
    """An instruction, or a few that belong together."""

    text: str
    params: tuple[str, ...]
    results: tuple[str, ...]


def _rows(signature: str, *texts: str) -> list[Row]:
    params, results = signature.split(">")
    types = [tuple(map(_LETTERS.__getitem__, letters)) for letters in (params, results)]
    return [Row(text, *types) for text in texts]


_BOX, _FUNC = "(ref null $box)", "(ref null $unary)"
_LETTERS: Final = {
    "i": "i32",
    "l": "i64",
    "d": "f64",
    "f": "f32",
    "v": "v128",
    "a": "anyref",
    "e": "eqref",
    "c": "funcref",
    "x": "exnref",
    "n": "externref",
    "b": _BOX,
    "u": _FUNC,
    "j": "i31ref",
}
LOCALS: Final = {
    "i32": ("$a", "$b", "$c", "$d"),
    "i64": ("$w", "$w2"),
    "f64": ("$z",),
    "f32": ("$y",),
    "v128": ("$v",),
    "anyref": ("$r",),
    "eqref": ("$q",),
    "funcref": ("$g",),
    "exnref": ("$x",),
    "externref": ("$n",),
    "i31ref": ("$j",),
    _BOX: ("$box",),
    _FUNC: ("$u",),
}
CONSTANTS: Final = {
    "i32": ("i32.const 0", "i32.const 1", "i32.const 5", "i32.const -1", "i32.const 1073741824", "i32.const 65528"),
    "i64": ("i64.const 0", "i64.const 3", "i64.const -2", "i64.const 4294967296", "global.get $long"),
    "f64": ("f64.const 0", "f64.const -0.5", "f64.const 1e10", "global.get $double"),
    "f32": ("f32.const 1.5", "f32.const -0"),
    "v128": ("v128.const i32x4 1 2 3 -1", "v128.const f64x2 0.5 -1"),
    "anyref": ("ref.null any", "i32.const 7 ref.i31", "i32.const 1 struct.new $box", "global.get $kept"),
    "eqref": ("ref.null eq", "i32.const 3 ref.i31"),
    "funcref": ("ref.null func", "ref.func $help", "ref.func $mark"),
    "exnref": ("ref.null exn",),
    "externref": ("ref.null extern", "i32.const 2 ref.i31 extern.convert_any"),
    "i31ref": ("ref.null i31", "i32.const -1 ref.i31"),
    _BOX: ("ref.null $box", "i32.const 4 struct.new $box", "struct.new_default $box"),
    _FUNC: ("ref.func $help", "ref.func $thrice", "ref.null $unary"),
}
BEGIN: Final = (
    "(local.set $c (i32.add (local.get $a) (local.get $b))) (local.set $d (i32.const 96)) "
    "(local.set $w (i64.extend_i32_s (local.get $b))) (local.set $w2 (i64.const 0x123456789abc)) "
    "(local.set $r (ref.i31 (local.get $a))) (local.set $u (ref.func $thrice)) (local.set $z (f64.const 0.75))"
)
"""What locals hold at the start."""
SEEN: Final = " ".join(
    f"(call $mark {text})"
    for text in (
        *(f"(local.get {name})" for name in LOCALS["i32"]),
        *(f"(i32.wrap_i64 (i64.rotl (local.get {name}) (i64.const {by})))" for name in LOCALS["i64"] for by in (0, 32)),
        "(i32.trunc_sat_f64_s (local.get $z))",
        "(ref.is_null (local.get $r))",
        "(i32x4.extract_lane 1 (local.get $v))",
    )
)
"""What is left in locals, made part of the exported hash."""
CARRIED: Final = ((), (), ("i32",), ("i32",), ("i64",), ("i32", "i64"), ("anyref",), ("exnref",), ("i32", "exnref"))
"""What labels carry."""
RESULTS: Final = (("i32",), ("i64",), ("i32", "i64"), ("i64", "i32"), ())
"""What functions return."""
CLAUSES: Final = {
    (): ("catch $empty", "catch_all"),
    ("i32",): ("catch $number",),
    ("i32", "i64"): ("catch $pair",),
    ("exnref",): ("catch_ref $empty", "catch_all_ref"),
    ("i32", "exnref"): ("catch_ref $number",),
}
"""The clauses of a `try_table` that may lead to a label, by what that carries."""
TAILS: Final = (
    "return_call $help",
    "i32.const 0 return_call_indirect $table (type $unary)",
    "local.get $b i32.const 3 i32.and return_call_indirect $table (type $unary)",
    "local.get $w i64.const 7 i64.and return_call_indirect $wide (type $unary)",
    "local.get $u return_call_ref $unary",
    "ref.null $unary return_call_ref $unary",
)
"""Tail calls of a function that takes and returns an i32, after its argument."""
_CASTS: Final = ("any", "eq", "i31", "struct", "array", "none", "$box", "$numbers")
PLAIN: Final = [
    *_rows("ii>i", *(f"i32.{n}" for n in ("add", "sub", "mul", "and", "or", "xor", "shl", "shr_u", "shr_s", "rotl"))),
    *_rows("ii>i", *(f"i32.{n}" for n in ("eq", "ne", "lt_s", "lt_u", "ge_s", "gt_u", "div_u", "rem_s"))),
    *_rows("i>i", "i32.eqz", "i32.clz", "i32.popcnt", "i32.extend8_s", "i32.const 3 i32.shl", "i32.const 255 i32.and"),
    *_rows("i>i", "i32.const 24 i32.shl i32.const 24 i32.shr_s", "i32.const 16 i32.shl i32.const 16 i32.shr_s"),
    *_rows("i>", "call $catches_all"),
    *_rows("i>i", "call $catches_number", "call $sinks"),
    *_rows("i>il", "call $catches_pair"),
    *_rows("i>x", "call $keeps_all"),
    *_rows("i>ix", "call $keeps_number"),
    # Two conditions, the second of which reads memory, or of 64 bits.
    *_rows("i>i", "i32.eqz local.get $a i32.const 1023 i32.and i32.load8_u $memory i32.eqz i32.and"),
    *_rows("i>l", "i32.eqz i64.extend_i32_u local.get $w i64.eqz i64.extend_i32_u i64.and"),
    # An address in a local that lay inside the memory, and what lies beyond it.
    *_rows("i>ii", "i32.const 508 i32.and local.tee $d i32.load local.get $d i32.const 8 i32.add i32.load offset=4"),
    *_rows("i>i", "call $help", "memory.grow $memory", "i32.const 2 i32.shl i32.load $memory", "i32.const 8 i32.add"),
    *_rows("i>i", "i32.const 1020 i32.and i32.load $memory offset=4", "i32.const 255 i32.and i32.load8_s $other"),
    *_rows("ii>i", "i32.const 255 i32.and i32.const 2 i32.shl i32.add i32.const 2044 i32.and i32.load $memory"),
    *_rows("ii>i", "i32.const 2 i32.shl i32.add i32.load $memory offset=8", "i32.const 3 i32.shl i32.xor"),
    *_rows("ii>", "i32.const 2 i32.shl i32.store $memory", "i32.store16 $memory offset=65530", "i32.store $other"),
    *_rows("i>", "global.set $counter", "call $mark", "call $throws"),
    *_rows(">i", "global.get $counter", "global.get $fixed", "memory.size $memory", "table.size $table"),
    *_rows("ll>l", *(f"i64.{n}" for n in ("add", "sub", "mul", "and", "xor", "shl", "shr_u", "rotr", "div_s"))),
    *_rows("ll>i", *(f"i64.{n}" for n in ("eq", "lt_s", "gt_u", "le_u"))),
    *_rows("l>i", "i64.eqz", "i32.wrap_i64"),
    *_rows("l>l", "i64.const 4095 i64.and i64.load $far offset=1", "i64.const 1 i64.and memory.grow $far", "i64.ctz"),
    *_rows("l>l", "i64.const 3 i64.shl i64.load $far", "i64.const 248 i64.and i64.load $far"),
    *_rows("ll>l", "i64.const 2 i64.shl i64.add i64.const 1020 i64.and i64.load32_u $far"),
    *_rows("ll>", "i64.const 4088 i64.and i64.store $far", "i64.store32 $far offset=16"),
    *_rows("i>l", "i64.extend_i32_s", "i64.extend_i32_u"),
    *_rows("dd>d", "f64.add", "f64.mul", "f64.sub"),
    *_rows("dd>i", "f64.lt", "f64.ne"),
    *_rows("d>i", "i32.trunc_sat_f64_s", "i32.trunc_f64_u"),
    *_rows("i>d", "f64.convert_i32_s"),
    *_rows("d>f", "f32.demote_f64"),
    *_rows("f>d", "f64.promote_f32"),
    *_rows("ff>f", "f32.add", "f32.min"),
    *_rows("vv>v", "i32x4.add", "v128.xor", "i8x16.swizzle", "i16x8.mul"),
    *_rows("i>v", "i32x4.splat", "i32.const 255 i32.and v128.load $memory"),
    *_rows("v>i", "i32x4.extract_lane 2", "v128.any_true"),
    *_rows("a>i", "ref.is_null", *(f"ref.test (ref {n}{t})" for t in _CASTS for n in ("", "null "))),
    *_rows("a>a", "ref.as_non_null", "ref.cast (ref any)", "ref.cast (ref null any)", "ref.cast (ref null none)"),
    *_rows("a>a", "ref.cast (ref none)", "ref.cast (ref eq)"),
    *_rows("a>b", "ref.cast (ref null $box)"),
    *_rows("a>e", "ref.cast (ref null eq)"),
    *_rows("ee>i", "ref.eq"),
    *_rows("j>i", "i31.get_s", "i31.get_u"),
    *_rows("b>i", "struct.get $box 0"),
    *_rows("bi>", "struct.set $box 0"),
    *_rows("b>a", "nop"),
    *_rows("a>n", "extern.convert_any"),
    *_rows("n>a", "any.convert_extern"),
    *_rows("n>i", "ref.test (ref extern)", "ref.test (ref null noextern)", "ref.is_null"),
    *_rows("n>n", "ref.cast (ref null noextern)", "ref.cast (ref extern)"),
    *_rows("c>i", "ref.test (ref $unary)", "ref.test (ref func)", "ref.test (ref null nofunc)", "ref.is_null"),
    *_rows("c>u", "ref.cast (ref null $unary)"),
    *_rows("c>c", "ref.cast (ref func)", "ref.cast (ref null nofunc)"),
    *_rows("iu>i", "call_ref $unary"),
    *_rows("ii>i", "i32.const 3 i32.and call_indirect $table (type $unary)", "call_indirect $table (type $unary)"),
    *_rows("il>i", "i64.const 1 i64.and call_indirect $wide (type $unary)"),
    *_rows("il>li", "call $swap"),
    *_rows("x>i", "ref.is_null"),
    *_rows("i>i", "i32.const 9 i32.and array.new_default $numbers array.len"),
    *_rows("ii>i", "i32.const 7 i32.and array.new $numbers i32.const 3 array.get $numbers"),
    *_rows("iii>i", "select"),
    *_rows("lli>l", "select"),
    *_rows("aai>a", "select (result anyref)"),
    *_rows(">", "nop", "atomic.fence", "data.drop $bytes", "elem.drop $some"),
    # Deeper, and longer, than an expression is kept.
    *_rows("i>i", "local.get $b i32.xor i32.const 1 i32.shl " * 15, "local.get $b i32.sub " * 400),
]


def _sums() -> Iterator[Row]:
    """Accesses at sums whose terms are known to be aligned, which need not be as large as they look."""
    for shape, letter, memory in (("i32", "i", "$memory"), ("i64", "l", "$far")):
        first, second = LOCALS[shape][:2]
        shift, align = f"{shape}.const 3 {shape}.shl", f"{shape}.const -8 {shape}.and"
        terms = (
            f"local.get {first} {shape}.const 4 {shape}.shl",
            f"local.get {second} {align}",
            f"{shape}.const 16",
            f"{shape}.const -8",
            f"local.get {second} {shift} local.get {first} {shift} {shape}.add",
        )
        for own in (shift, align):
            for term in terms:
                for name, result in (("i32.load", "i"), ("i64.load", "l"), ("f64.load", "d"), ("f32.load", "f")):
                    text = f"{own} {term} {shape}.add {name} {memory} offset={8 if own == shift else 0}"
                    yield from _rows(f"{letter}>{result}", text)
            yield from _rows(f"{letter}>", f"{own} {terms[0]} {shape}.add i64.const 5 i64.store {memory} offset=16")


EDGES: Final = [
    # Addresses at the edges of the memory, of 32 and of 64 bits, and sums and shifts that go over them.
    *_rows("i>i", *(f"i32.load{n} $memory offset={o}" for n in ("", "8_s", "16_u") for o in (65532, 4294967292))),
    *_rows("i>i", "i32.const -8 i32.add i32.load $memory offset=8", "i32.const 1 i32.shl i32.load16_s $other offset=2"),
    *_rows("i>l", "i32.const -4 i32.and i64.load $memory offset=4", "i64.load $other offset=65528", "i64.load16_s"),
    *_rows("i>f", "f32.load $memory", "i32.const 4092 i32.and f32.load $other offset=4"),
    *_rows("i>d", "i32.const 4088 i32.and f64.load $memory", "i32.const 3 i32.shl f64.load $other offset=16"),
    *_rows("if>", "f32.store $memory", "f32.store $other offset=65532"),
    *_rows("id>", "f64.store $memory offset=4", "f64.store $other"),
    *_rows("il>", "i64.store $memory offset=65529", "i64.store32 $other", "i64.store8 $memory offset=4294967295"),
    *_rows("iv>", "v128.store $memory offset=4", "v128.store16_lane $other offset=3 5"),
    *_rows(
        "l>l", "i64.load32_s $far offset=4294967296", "i64.load $far offset=18446744073709551608", "i64.load8_s $far"
    ),
    *_rows(
        "ll>l", "i64.const 3 i64.shl i64.add i64.const 2040 i64.and i64.load $far offset=8", "i64.add i64.load $far"
    ),
    *_sums(),
    *_rows("l>f", "i64.const 1023 i64.and f32.load $far"),
    *_rows("ld>", "f64.store $far"),
    *_rows("lv>", "v128.store $far"),
    # Memories and tables of both kinds in one instruction.
    *_rows("il>", "i32.const 7 memory.copy $memory $far", "i64.const 255 i64.and i32.const 7 memory.copy $memory $far"),
    *_rows("li>", "i32.const 9 memory.copy $far $other", "i32.const 255 i32.and i32.const 9 memory.copy $far $other"),
    *_rows("ll>", "i64.const 11 memory.copy $far $far", "i32.wrap_i64 i64.const 5 memory.fill $far"),
    *_rows("lii>", "memory.init $far $bytes"),
    *_rows(
        "i>", "i32.const 2 i32.const 4 memory.init $other $bytes", "i32.const 1 i32.const 2 table.init $table $some"
    ),
    *_rows("l>", "i32.const 1 i32.const 1 table.init $wide $some", "i64.const 1 i64.const 2 table.copy $wide $wide"),
    *_rows("li>", "i32.const 1 table.copy $wide $table"),
    *_rows("lc>", "table.set $wide", "i64.const 2 table.fill $wide"),
    *_rows("cl>l", "i64.const 1 i64.and table.grow $wide"),
    *_rows("l>c", "table.get $wide", "i64.const 3 i64.and table.get $wide"),
    *_rows("i>c", "i32.const 1 i32.and table.get $table"),
    *_rows(">l", "memory.size $far", "table.size $wide"),
    # What is known of a local: that it is a byte.
    *_rows("i>i", "i32.const 1023 i32.and i32.load8_u $memory local.tee $c i32.extend8_s"),
]
"""Left out of `PLAIN`, for most of them trap."""


def _atomics() -> Iterator[Row]:
    """The atomic accesses, each with an address from the stack, and with one that is a multiple of 8."""
    letters = {I32: "i", I64: "l"}
    kept = {"i": "local.set $d", "l": "local.set $w2"}
    for row in OPCODES.values():
        if row.feature != Feature.THREADS or not row.width:
            continue
        operands = "".join(letters[type_] for type_ in (row.params or ())[1:])
        results = "".join(letters[type_] for type_ in row.results or ())
        for address, memory in (("i", "$memory"), ("i", "$shared offset=8"), ("l", "$far offset=16")):
            # What waits does so for as long as the last operand says.
            text = f"{'i64.const 255 i64.and ' if '.wait' in row.mnemonic else ''}{row.mnemonic} {memory}"
            yield from _rows(f"{address}{operands}>{results}", text)
            shape, local = ("i32", "$a") if address == "i" else ("i64", "$w")
            place = f"local.get {local} {shape}.const 248 {shape}.and"
            # The last operand is the same again where there are two.
            again = [f"local.get {kept[letter].split()[1]}" for letter in operands]
            taken = " ".join(kept[letter] for letter in reversed(operands))
            yield from _rows(f"{operands}>{results}", f"{taken} {place} {' '.join(again)} {text}")


ATOMICS: Final = list(_atomics())
