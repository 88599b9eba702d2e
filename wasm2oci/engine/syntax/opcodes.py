"""Every instruction, one row each. Spec: core, index of instructions (A.7), and the proposals' overviews.

The decoder reads `immediates`, the validator `params` and `results`, `--features` and the docs `feature`; the
translator has a lowering for each row, and a test fails where one is missing. To add an instruction, add its name to a
run below.

Rules of the table:

- `code` is the opcode byte; with a prefix byte it is `prefix << 16 | number`.
- `params` and `results` are value types, the first one deepest on the stack. `ADDRESS` means the index type of the
  memory or table named by the immediate. Both are None where typing depends on more than that: "by hand" in
  `validate`. In the rows below a signature is written with one letter for each type, `*` for by hand.
- `width` is the number of bytes a memory access touches; its alignment may not exceed it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from wasm2oci.engine.syntax.features import Feature
from wasm2oci.engine.syntax.types import ANY, EQREF, EXTERN, F32, F64, I31, I31REF, I32, I64, REF, V128

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ADDRESS", "BY_MNEMONIC", "OPCODES", "Immediate", "Opcode"]

ADDRESS = 2
"""Stands in a signature for the index type (I32 or I64) of the memory or table the immediate names."""


class Immediate(Enum):
    """What follows an opcode in the binary format; the value is how the docs write it."""

    BLOCKTYPE = "blocktype"  # s33: empty, a value type, or a type index
    LABEL = "label"  # u32
    LABELS = "label* label"  # a vector of u32 and one more (br_table)
    FUNC = "func"  # u32
    TYPE = "type"  # u32
    TABLE = "table"  # u32
    LOCAL = "local"  # u32
    GLOBAL = "global"  # u32
    MEMORY = "memory"  # u32 (the reserved zero byte of old)
    TAG = "tag"  # u32
    DATA = "data"  # u32
    ELEM = "elem"  # u32
    FIELD = "field"  # u32
    COUNT = "count"  # u32 (array.new_fixed)
    VALTYPES = "valtype*"  # a vector of value types
    HEAPTYPE = "heaptype"  # s33
    CASTFLAGS = "castflags"  # one byte: bit 0 source is nullable, bit 1 target is
    CATCHES = "catch*"  # a vector of catch clauses
    MEMARG = "memarg"  # alignment and memory flag u32, memory u32?, offset u64
    LANE = "lane"  # one byte
    LANES16 = "lane^16"  # sixteen bytes
    FENCE = "zero"  # one byte, zero
    I32 = "i32"  # s32
    I64 = "i64"  # s64
    F32 = "f32"  # four bytes
    F64 = "f64"  # eight bytes
    V128 = "v128"  # sixteen bytes


@dataclass(frozen=True, slots=True)
class Opcode:
    """One instruction.

    Attributes:
        code: the opcode byte, or `prefix << 16 | number`.
        mnemonic: its name in the text format.
        immediates: what follows it, in order.
        params: value types it pops, the last one first; None when typed by hand.
        results: value types it pushes; None when typed by hand.
        feature: what a module needs to use it.
        width: bytes touched in memory, 0 where it is no access.
    """

    code: int
    mnemonic: str
    immediates: tuple[Immediate, ...]
    params: tuple[int, ...] | None
    results: tuple[int, ...] | None
    feature: Feature
    width: int = 0


_LETTERS = {
    "i": I32,
    "l": I64,
    "f": F32,
    "d": F64,
    "v": V128,
    "a": ADDRESS,
    "q": EQREF,
    "t": I31REF,
    "T": I31 << 8 | REF,
    "n": ANY << 8 | REF,
    "e": EXTERN << 8 | REF,
}
_I = Immediate
_F = Feature


def _run(
    first: int,
    signature: str,
    mnemonics: str,
    feature: Feature = Feature.MVP,
    *immediates: Immediate,
    width: int = 0,
) -> Iterator[Opcode]:
    """Rows with consecutive codes that differ in nothing but their names. `-` skips a code."""
    params: tuple[int, ...] | None = None
    results: tuple[int, ...] | None = None
    if signature != "*":
        before, after = signature.split(">")
        params, results = tuple(_LETTERS[c] for c in before), tuple(_LETTERS[c] for c in after)
    for code, mnemonic in enumerate(mnemonics.split(), first):
        if mnemonic != "-":
            yield Opcode(code, mnemonic, immediates, params, results, feature, width)


def _each(prefix: str, names: str) -> str:
    """`names` with `prefix` before each: the runs that numeric types share."""
    return " ".join(prefix + name for name in names.split())


def _control() -> Iterator[Opcode]:
    yield from _run(0x00, "*", "unreachable")
    yield from _run(0x01, ">", "nop")
    yield from _run(0x02, "*", "block loop if", _F.MVP, _I.BLOCKTYPE)
    yield from _run(0x05, "*", "else")
    yield from _run(0x06, "*", "try", _F.LEGACY_EXCEPTIONS, _I.BLOCKTYPE)
    yield from _run(0x07, "*", "catch", _F.LEGACY_EXCEPTIONS, _I.TAG)
    yield from _run(0x08, "*", "throw", _F.MVP, _I.TAG)  # needs a tag, and tags say which exceptions are meant
    yield from _run(0x09, "*", "rethrow", _F.LEGACY_EXCEPTIONS, _I.LABEL)
    yield from _run(0x0A, "*", "throw_ref", _F.EXCEPTIONS)
    yield from _run(0x0B, "*", "end")
    yield from _run(0x0C, "*", "br br_if", _F.MVP, _I.LABEL)
    yield from _run(0x0E, "*", "br_table", _F.MVP, _I.LABELS)
    yield from _run(0x0F, "*", "return")
    yield from _run(0x10, "*", "call", _F.MVP, _I.FUNC)
    yield from _run(0x11, "*", "call_indirect", _F.MVP, _I.TYPE, _I.TABLE)
    yield from _run(0x12, "*", "return_call", _F.TAIL_CALL, _I.FUNC)
    yield from _run(0x13, "*", "return_call_indirect", _F.TAIL_CALL, _I.TYPE, _I.TABLE)
    yield from _run(0x14, "*", "call_ref", _F.FUNCTION_REFERENCES, _I.TYPE)
    yield from _run(0x15, "*", "return_call_ref", _F.FUNCTION_REFERENCES | _F.TAIL_CALL, _I.TYPE)
    yield from _run(0x18, "*", "delegate", _F.LEGACY_EXCEPTIONS, _I.LABEL)
    yield from _run(0x19, "*", "catch_all", _F.LEGACY_EXCEPTIONS)
    yield from _run(0x1A, "*", "drop select")
    yield from _run(0x1C, "*", "select_t", _F.REFERENCE_TYPES, _I.VALTYPES)
    yield from _run(0x1F, "*", "try_table", _F.EXCEPTIONS, _I.BLOCKTYPE, _I.CATCHES)
    yield from _run(0x20, "*", "local.get local.set local.tee", _F.MVP, _I.LOCAL)
    yield from _run(0x23, "*", "global.get global.set", _F.MVP, _I.GLOBAL)
    yield from _run(0x25, "*", "table.get table.set", _F.REFERENCE_TYPES, _I.TABLE)


def _memory() -> Iterator[Opcode]:
    for first, signature, names, width in (
        (0x28, "a>i", "i32.load", 4),
        (0x29, "a>l", "i64.load", 8),
        (0x2A, "a>f", "f32.load", 4),
        (0x2B, "a>d", "f64.load", 8),
        (0x2C, "a>i", "i32.load8_s i32.load8_u", 1),
        (0x2E, "a>i", "i32.load16_s i32.load16_u", 2),
        (0x30, "a>l", "i64.load8_s i64.load8_u", 1),
        (0x32, "a>l", "i64.load16_s i64.load16_u", 2),
        (0x34, "a>l", "i64.load32_s i64.load32_u", 4),
        (0x36, "ai>", "i32.store", 4),
        (0x37, "al>", "i64.store", 8),
        (0x38, "af>", "f32.store", 4),
        (0x39, "ad>", "f64.store", 8),
        (0x3A, "ai>", "i32.store8", 1),
        (0x3B, "ai>", "i32.store16", 2),
        (0x3C, "al>", "i64.store8", 1),
        (0x3D, "al>", "i64.store16", 2),
        (0x3E, "al>", "i64.store32", 4),
    ):
        yield from _run(first, signature, names, _F.MVP, _I.MEMARG, width=width)
    yield from _run(0x3F, ">a", "memory.size", _F.MVP, _I.MEMORY)
    yield from _run(0x40, "a>a", "memory.grow", _F.MVP, _I.MEMORY)


def _numeric() -> Iterator[Opcode]:
    yield from _run(0x41, ">i", "i32.const", _F.MVP, _I.I32)
    yield from _run(0x42, ">l", "i64.const", _F.MVP, _I.I64)
    yield from _run(0x43, ">f", "f32.const", _F.MVP, _I.F32)
    yield from _run(0x44, ">d", "f64.const", _F.MVP, _I.F64)
    int_compare = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u"
    float_compare = "eq ne lt gt le ge"
    int_unary = "clz ctz popcnt"
    int_binary = "add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr"
    float_unary = "abs neg ceil floor trunc nearest sqrt"
    float_binary = "add sub mul div min max copysign"
    yield from _run(0x45, "i>i", "i32.eqz")
    yield from _run(0x46, "ii>i", _each("i32.", int_compare))
    yield from _run(0x50, "l>i", "i64.eqz")
    yield from _run(0x51, "ll>i", _each("i64.", int_compare))
    yield from _run(0x5B, "ff>i", _each("f32.", float_compare))
    yield from _run(0x61, "dd>i", _each("f64.", float_compare))
    yield from _run(0x67, "i>i", _each("i32.", int_unary))
    yield from _run(0x6A, "ii>i", _each("i32.", int_binary))
    yield from _run(0x79, "l>l", _each("i64.", int_unary))
    yield from _run(0x7C, "ll>l", _each("i64.", int_binary))
    yield from _run(0x8B, "f>f", _each("f32.", float_unary))
    yield from _run(0x92, "ff>f", _each("f32.", float_binary))
    yield from _run(0x99, "d>d", _each("f64.", float_unary))
    yield from _run(0xA0, "dd>d", _each("f64.", float_binary))
    for first, signature, names in (
        (0xA7, "l>i", "i32.wrap_i64"),
        (0xA8, "f>i", "i32.trunc_f32_s i32.trunc_f32_u"),
        (0xAA, "d>i", "i32.trunc_f64_s i32.trunc_f64_u"),
        (0xAC, "i>l", "i64.extend_i32_s i64.extend_i32_u"),
        (0xAE, "f>l", "i64.trunc_f32_s i64.trunc_f32_u"),
        (0xB0, "d>l", "i64.trunc_f64_s i64.trunc_f64_u"),
        (0xB2, "i>f", "f32.convert_i32_s f32.convert_i32_u"),
        (0xB4, "l>f", "f32.convert_i64_s f32.convert_i64_u"),
        (0xB6, "d>f", "f32.demote_f64"),
        (0xB7, "i>d", "f64.convert_i32_s f64.convert_i32_u"),
        (0xB9, "l>d", "f64.convert_i64_s f64.convert_i64_u"),
        (0xBB, "f>d", "f64.promote_f32"),
        (0xBC, "f>i", "i32.reinterpret_f32"),
        (0xBD, "d>l", "i64.reinterpret_f64"),
        (0xBE, "i>f", "f32.reinterpret_i32"),
        (0xBF, "l>d", "f64.reinterpret_i64"),
    ):
        yield from _run(first, signature, names)
    yield from _run(0xC0, "i>i", "i32.extend8_s i32.extend16_s", _F.SIGN_EXT)
    yield from _run(0xC2, "l>l", "i64.extend8_s i64.extend16_s i64.extend32_s", _F.SIGN_EXT)
    for first, signature, names in (
        (0xFC0000, "f>i", "i32.trunc_sat_f32_s i32.trunc_sat_f32_u"),
        (0xFC0002, "d>i", "i32.trunc_sat_f64_s i32.trunc_sat_f64_u"),
        (0xFC0004, "f>l", "i64.trunc_sat_f32_s i64.trunc_sat_f32_u"),
        (0xFC0006, "d>l", "i64.trunc_sat_f64_s i64.trunc_sat_f64_u"),
    ):
        yield from _run(first, signature, names, _F.NONTRAPPING_FPTOINT)
    yield from _run(0xFC0013, "llll>ll", "i64.add128 i64.sub128", _F.WIDE_ARITHMETIC)
    yield from _run(0xFC0015, "ll>ll", "i64.mul_wide_s i64.mul_wide_u", _F.WIDE_ARITHMETIC)


def _bulk() -> Iterator[Opcode]:
    yield from _run(0xFC0008, "aii>", "memory.init", _F.BULK_MEMORY, _I.DATA, _I.MEMORY)
    yield from _run(0xFC0009, ">", "data.drop", _F.BULK_MEMORY, _I.DATA)
    yield from _run(0xFC000A, "*", "memory.copy", _F.BULK_MEMORY, _I.MEMORY, _I.MEMORY)
    yield from _run(0xFC000B, "aia>", "memory.fill", _F.BULK_MEMORY, _I.MEMORY)
    yield from _run(0xFC000C, "*", "table.init", _F.BULK_MEMORY, _I.ELEM, _I.TABLE)
    yield from _run(0xFC000D, ">", "elem.drop", _F.BULK_MEMORY, _I.ELEM)
    yield from _run(0xFC000E, "*", "table.copy", _F.BULK_MEMORY, _I.TABLE, _I.TABLE)
    yield from _run(0xFC000F, "*", "table.grow table.size table.fill", _F.REFERENCE_TYPES, _I.TABLE)


def _references() -> Iterator[Opcode]:
    yield from _run(0xD0, "*", "ref.null", _F.REFERENCE_TYPES, _I.HEAPTYPE)
    yield from _run(0xD1, "*", "ref.is_null", _F.REFERENCE_TYPES)
    yield from _run(0xD2, "*", "ref.func", _F.REFERENCE_TYPES, _I.FUNC)
    yield from _run(0xD3, "qq>i", "ref.eq", _F.GC)
    yield from _run(0xD4, "*", "ref.as_non_null", _F.FUNCTION_REFERENCES)
    yield from _run(0xD5, "*", "br_on_null br_on_non_null", _F.FUNCTION_REFERENCES, _I.LABEL)
    yield from _run(0xFB0000, "*", "struct.new struct.new_default", _F.GC, _I.TYPE)
    yield from _run(0xFB0002, "*", "struct.get struct.get_s struct.get_u struct.set", _F.GC, _I.TYPE, _I.FIELD)
    yield from _run(0xFB0006, "*", "array.new array.new_default", _F.GC, _I.TYPE)
    yield from _run(0xFB0008, "*", "array.new_fixed", _F.GC, _I.TYPE, _I.COUNT)
    yield from _run(0xFB0009, "*", "array.new_data", _F.GC, _I.TYPE, _I.DATA)
    yield from _run(0xFB000A, "*", "array.new_elem", _F.GC, _I.TYPE, _I.ELEM)
    yield from _run(0xFB000B, "*", "array.get array.get_s array.get_u array.set", _F.GC, _I.TYPE)
    yield from _run(0xFB000F, "*", "array.len", _F.GC)
    yield from _run(0xFB0010, "*", "array.fill", _F.GC, _I.TYPE)
    yield from _run(0xFB0011, "*", "array.copy", _F.GC, _I.TYPE, _I.TYPE)
    yield from _run(0xFB0012, "*", "array.init_data", _F.GC, _I.TYPE, _I.DATA)
    yield from _run(0xFB0013, "*", "array.init_elem", _F.GC, _I.TYPE, _I.ELEM)
    yield from _run(0xFB0014, "*", "ref.test ref.test_null ref.cast ref.cast_null", _F.GC, _I.HEAPTYPE)
    immediates = (_I.CASTFLAGS, _I.LABEL, _I.HEAPTYPE, _I.HEAPTYPE)
    yield from _run(0xFB0018, "*", "br_on_cast br_on_cast_fail", _F.GC, *immediates)
    yield from _run(0xFB001A, "*", "any.convert_extern extern.convert_any", _F.GC)
    yield from _run(0xFB001C, "i>T", "ref.i31", _F.GC)
    yield from _run(0xFB001D, "t>i", "i31.get_s i31.get_u", _F.GC)


def _simd_memory() -> Iterator[Opcode]:
    for first, signature, names, width in (
        (0, "a>v", "v128.load", 16),
        (1, "a>v", _each("v128.load", "8x8_s 8x8_u 16x4_s 16x4_u 32x2_s 32x2_u"), 8),
        (7, "a>v", "v128.load8_splat", 1),
        (8, "a>v", "v128.load16_splat", 2),
        (9, "a>v", "v128.load32_splat", 4),
        (10, "a>v", "v128.load64_splat", 8),
        (11, "av>", "v128.store", 16),
        (92, "a>v", "v128.load32_zero", 4),
        (93, "a>v", "v128.load64_zero", 8),
    ):
        yield from _run(0xFD0000 + first, signature, names, _F.SIMD, _I.MEMARG, width=width)
    for power, bits in enumerate((8, 16, 32, 64)):
        lane = (_I.MEMARG, _I.LANE)
        yield from _run(0xFD0054 + power, "av>v", f"v128.load{bits}_lane", _F.SIMD, *lane, width=bits // 8)
        yield from _run(0xFD0058 + power, "av>", f"v128.store{bits}_lane", _F.SIMD, *lane, width=bits // 8)


def _simd_lanes() -> Iterator[Opcode]:
    yield from _run(0xFD000C, ">v", "v128.const", _F.SIMD, _I.V128)
    yield from _run(0xFD000D, "vv>v", "i8x16.shuffle", _F.SIMD, _I.LANES16)
    yield from _run(0xFD000E, "vv>v", "i8x16.swizzle", _F.SIMD)
    yield from _run(0xFD000F, "i>v", "i8x16.splat i16x8.splat i32x4.splat", _F.SIMD)
    yield from _run(0xFD0012, "l>v", "i64x2.splat", _F.SIMD)
    yield from _run(0xFD0013, "f>v", "f32x4.splat", _F.SIMD)
    yield from _run(0xFD0014, "d>v", "f64x2.splat", _F.SIMD)
    for first, letter, shape, extracts in (
        (21, "i", "i8x16", "extract_lane_s extract_lane_u"),
        (24, "i", "i16x8", "extract_lane_s extract_lane_u"),
        (27, "i", "i32x4", "extract_lane"),
        (29, "l", "i64x2", "extract_lane"),
        (31, "f", "f32x4", "extract_lane"),
        (33, "d", "f64x2", "extract_lane"),
    ):
        yield from _run(0xFD0000 + first, f"v>{letter}", _each(f"{shape}.", extracts), _F.SIMD, _I.LANE)
        replace = 0xFD0000 + first + len(extracts.split())
        yield from _run(replace, f"v{letter}>v", f"{shape}.replace_lane", _F.SIMD, _I.LANE)


def _simd_numeric() -> Iterator[Opcode]:
    compare = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u"
    for first, signature, names in (
        (35, "vv>v", _each("i8x16.", compare)),
        (45, "vv>v", _each("i16x8.", compare)),
        (55, "vv>v", _each("i32x4.", compare)),
        (65, "vv>v", _each("f32x4.", "eq ne lt gt le ge")),
        (71, "vv>v", _each("f64x2.", "eq ne lt gt le ge")),
        (77, "v>v", "v128.not"),
        (78, "vv>v", "v128.and v128.andnot v128.or v128.xor"),
        (82, "vvv>v", "v128.bitselect"),
        (83, "v>i", "v128.any_true"),
        (94, "v>v", "f32x4.demote_f64x2_zero f64x2.promote_low_f32x4"),
        (96, "v>v", _each("i8x16.", "abs neg popcnt")),
        (99, "v>i", "i8x16.all_true i8x16.bitmask"),
        (101, "vv>v", "i8x16.narrow_i16x8_s i8x16.narrow_i16x8_u"),
        (103, "v>v", _each("f32x4.", "ceil floor trunc nearest")),
        (107, "vi>v", "i8x16.shl i8x16.shr_s i8x16.shr_u"),
        (110, "vv>v", _each("i8x16.", "add add_sat_s add_sat_u sub sub_sat_s sub_sat_u")),
        (116, "v>v", "f64x2.ceil f64x2.floor"),
        (118, "vv>v", _each("i8x16.", "min_s min_u max_s max_u")),
        (122, "v>v", "f64x2.trunc"),
        (123, "vv>v", "i8x16.avgr_u"),
        (124, "v>v", "i16x8.extadd_pairwise_i8x16_s i16x8.extadd_pairwise_i8x16_u"),
        (126, "v>v", "i32x4.extadd_pairwise_i16x8_s i32x4.extadd_pairwise_i16x8_u"),
        (128, "v>v", "i16x8.abs i16x8.neg"),
        (130, "vv>v", "i16x8.q15mulr_sat_s"),
        (131, "v>i", "i16x8.all_true i16x8.bitmask"),
        (133, "vv>v", "i16x8.narrow_i32x4_s i16x8.narrow_i32x4_u"),
        (135, "v>v", _each("i16x8.extend_", "low_i8x16_s high_i8x16_s low_i8x16_u high_i8x16_u")),
        (139, "vi>v", "i16x8.shl i16x8.shr_s i16x8.shr_u"),
        (142, "vv>v", _each("i16x8.", "add add_sat_s add_sat_u sub sub_sat_s sub_sat_u")),
        (148, "v>v", "f64x2.nearest"),
        (149, "vv>v", _each("i16x8.", "mul min_s min_u max_s max_u")),
        (155, "vv>v", "i16x8.avgr_u"),
        (156, "vv>v", _each("i16x8.extmul_", "low_i8x16_s high_i8x16_s low_i8x16_u high_i8x16_u")),
        (160, "v>v", "i32x4.abs i32x4.neg"),
        (163, "v>i", "i32x4.all_true i32x4.bitmask"),
        (167, "v>v", _each("i32x4.extend_", "low_i16x8_s high_i16x8_s low_i16x8_u high_i16x8_u")),
        (171, "vi>v", "i32x4.shl i32x4.shr_s i32x4.shr_u"),
        (174, "vv>v", "i32x4.add - - i32x4.sub - - - i32x4.mul"),
        (182, "vv>v", _each("i32x4.", "min_s min_u max_s max_u dot_i16x8_s")),
        (188, "vv>v", _each("i32x4.extmul_", "low_i16x8_s high_i16x8_s low_i16x8_u high_i16x8_u")),
        (192, "v>v", "i64x2.abs i64x2.neg"),
        (195, "v>i", "i64x2.all_true i64x2.bitmask"),
        (199, "v>v", _each("i64x2.extend_", "low_i32x4_s high_i32x4_s low_i32x4_u high_i32x4_u")),
        (203, "vi>v", "i64x2.shl i64x2.shr_s i64x2.shr_u"),
        (206, "vv>v", "i64x2.add - - i64x2.sub - - - i64x2.mul"),
        (214, "vv>v", _each("i64x2.", "eq ne lt_s gt_s le_s ge_s")),
        (220, "vv>v", _each("i64x2.extmul_", "low_i32x4_s high_i32x4_s low_i32x4_u high_i32x4_u")),
        (224, "v>v", "f32x4.abs f32x4.neg - f32x4.sqrt"),
        (228, "vv>v", _each("f32x4.", "add sub mul div min max pmin pmax")),
        (236, "v>v", "f64x2.abs f64x2.neg - f64x2.sqrt"),
        (240, "vv>v", _each("f64x2.", "add sub mul div min max pmin pmax")),
        (248, "v>v", "i32x4.trunc_sat_f32x4_s i32x4.trunc_sat_f32x4_u"),
        (250, "v>v", "f32x4.convert_i32x4_s f32x4.convert_i32x4_u"),
        (252, "v>v", "i32x4.trunc_sat_f64x2_s_zero i32x4.trunc_sat_f64x2_u_zero"),
        (254, "v>v", "f64x2.convert_low_i32x4_s f64x2.convert_low_i32x4_u"),
    ):
        yield from _run(0xFD0000 + first, signature, names, _F.SIMD)
    for first, signature, names in (
        (0x100, "vv>v", "i8x16.relaxed_swizzle"),
        (0x101, "v>v", _each("i32x4.relaxed_trunc_", "f32x4_s f32x4_u f64x2_s_zero f64x2_u_zero")),
        (0x105, "vvv>v", "f32x4.relaxed_madd f32x4.relaxed_nmadd f64x2.relaxed_madd f64x2.relaxed_nmadd"),
        (0x109, "vvv>v", " ".join(f"{shape}.relaxed_laneselect" for shape in ("i8x16", "i16x8", "i32x4", "i64x2"))),
        (0x10D, "vv>v", "f32x4.relaxed_min f32x4.relaxed_max f64x2.relaxed_min f64x2.relaxed_max"),
        (0x111, "vv>v", "i16x8.relaxed_q15mulr_s i16x8.relaxed_dot_i8x16_i7x16_s"),
        (0x113, "vvv>v", "i32x4.relaxed_dot_i8x16_i7x16_add_s"),
    ):
        yield from _run(0xFD0000 + first, signature, names, _F.RELAXED_SIMD)


def _atomics() -> Iterator[Opcode]:
    shapes = (  # the seven accesses each atomic operation comes in
        ("i", "i32.atomic.{}", 4),
        ("l", "i64.atomic.{}", 8),
        ("i", "i32.atomic.{}8_u", 1),
        ("i", "i32.atomic.{}16_u", 2),
        ("l", "i64.atomic.{}8_u", 1),
        ("l", "i64.atomic.{}16_u", 2),
        ("l", "i64.atomic.{}32_u", 4),
    )
    memarg = _I.MEMARG
    yield from _run(0xFE0000, "ai>i", "memory.atomic.notify", _F.THREADS, memarg, width=4)
    yield from _run(0xFE0001, "ail>i", "memory.atomic.wait32", _F.THREADS, memarg, width=4)
    yield from _run(0xFE0002, "all>i", "memory.atomic.wait64", _F.THREADS, memarg, width=8)
    yield from _run(0xFE0003, ">", "atomic.fence", _F.THREADS, _I.FENCE)
    for place, (letter, pattern, width) in enumerate(shapes):
        load = pattern.format("load")
        store = pattern.format("store").removesuffix("_u")
        yield from _run(0xFE0010 + place, f"a>{letter}", load, _F.THREADS, memarg, width=width)
        yield from _run(0xFE0017 + place, f"a{letter}>", store, _F.THREADS, memarg, width=width)
        for index, operation in enumerate(("add", "sub", "and", "or", "xor", "xchg", "cmpxchg")):
            signature = f"a{letter}{letter if operation == 'cmpxchg' else ''}>{letter}"
            name = f"{pattern.format('rmw').removesuffix('_u')}.{operation}{'_u' if pattern.endswith('_u') else ''}"
            yield from _run(0xFE001E + 7 * index + place, signature, name, _F.THREADS, memarg, width=width)


OPCODES: dict[int, Opcode] = {
    row.code: row
    for group in (
        _control,
        _memory,
        _numeric,
        _references,
        _bulk,
        _simd_memory,
        _simd_lanes,
        _simd_numeric,
        _atomics,
    )
    for row in group()
}
"""Every instruction by its code."""

BY_MNEMONIC: dict[str, Opcode] = {row.mnemonic: row for row in OPCODES.values()}
"""Every instruction by its name."""
