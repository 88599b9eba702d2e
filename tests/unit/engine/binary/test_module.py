"""Modules and their outline. Spec: core, modules (5.5)."""

import pickle

import pytest

from wasm2oci.engine.binary import (
    ModuleKind,
    decode_module,
    decode_names,
    decode_producers,
    decode_target_features,
    preamble,
)
from wasm2oci.engine.errors import FeatureError, InvalidModuleError, MalformedError
from wasm2oci.engine.syntax.matching import matches_heap
from wasm2oci.engine.syntax.module import SectionId
from wasm2oci.engine.syntax.types import (
    F64,
    FUNCREF,
    I32,
    I64,
    ExternKind,
    FuncType,
    GlobalType,
    Limits,
    MemoryType,
    StructType,
    TableType,
)

HEADER = b"\0asm\x01\0\0\0"


def section(id_: int, contents: bytes) -> bytes:
    assert len(contents) < 0x80
    return bytes([id_, len(contents)]) + contents


def name(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


TYPES = section(1, b"\x02" + b"\x60\x02\x7f\x7e\x01\x7c" + b"\x60\x00\x00")
IMPORTS = section(
    2,
    b"\x04"
    + name("env")
    + name("f")
    + b"\x00\x00"
    + name("env")
    + name("t")
    + b"\x01\x70\x01\x01\x02"
    + name("env")
    + name("m")
    + b"\x02\x00\x01"
    + name("env")
    + name("g")
    + b"\x03\x7f\x01",
)
FUNCTIONS = section(3, b"\x01\x01")
EXPORTS = section(7, b"\x01" + name("run") + b"\x00\x01")
CODE = section(10, b"\x01\x02\x00\x0b")
MODULE = HEADER + TYPES + IMPORTS + FUNCTIONS + EXPORTS + CODE


def test_reads_what_the_sections_say() -> None:
    module = decode_module(MODULE)
    assert [type_.composite for type_ in module.types] == [FuncType((I32, I64), (F64,)), FuncType((), ())]
    assert [(item.module, item.name, item.kind, item.index) for item in module.imports] == [
        ("env", "f", ExternKind.FUNC, 0),
        ("env", "t", ExternKind.TABLE, 0),
        ("env", "m", ExternKind.MEMORY, 0),
        ("env", "g", ExternKind.GLOBAL, 0),
    ]
    assert module.tables[0].type == TableType(FUNCREF, Limits(1, 2))
    assert module.mems == (MemoryType(Limits(1)),)
    assert module.globals[0].type == GlobalType(I32, mutable=True)
    assert module.func_types == (0, 1)
    assert module.func_type(1) == FuncType((), ())
    assert module.extern_type(ExternKind.FUNC, 0) == module.types[0]
    start, end = module.codes[0]
    assert module.data[start:end] == b"\x00\x0b"
    assert [part.id for part in module.sections] == [
        SectionId.TYPE,
        SectionId.IMPORT,
        SectionId.FUNCTION,
        SectionId.EXPORT,
        SectionId.CODE,
    ]
    export = module.exports[0]
    assert (export.name, export.kind, export.index) == ("run", ExternKind.FUNC, 1)
    assert module.data[export.offset : export.offset + 4] == b"\x03run"


def test_bodies_are_not_read() -> None:
    broken = MODULE[:-2] + b"\xff\xff"
    assert decode_module(broken).codes == decode_module(MODULE).codes


@pytest.mark.parametrize("length", range(len(MODULE)))
def test_every_shorter_module_is_malformed_or_ends_between_sections(length: int) -> None:
    # Only without the function section does the code section not have to be there.
    if length in {len(HEADER), len(HEADER + TYPES), len(HEADER + TYPES + IMPORTS)}:
        decode_module(MODULE[:length])
    else:
        with pytest.raises(MalformedError) as caught:
            decode_module(MODULE[:length])
        assert caught.value.offset <= length


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "unexpected end"),
        (b"\0as", "unexpected end"),
        (b"\x7fELF\x01\0\0\0", "magic header not detected"),
        (b"\0asm\x02\0\0\0", "unknown binary version 2"),
        (b"\0asm\x0d\0\x01\0", "this is a component"),
        (HEADER + EXPORTS + TYPES, "unexpected content after last section"),
        (HEADER + TYPES + TYPES, "unexpected content after last section"),
        (HEADER + b"\x0e\x00", "malformed section id 14"),
        (HEADER + b"\x01\x20\x00", "length out of bounds"),
        (HEADER + section(1, b"\x00\x00"), "section size mismatch"),
        (HEADER + TYPES + FUNCTIONS, "function and code section have inconsistent lengths"),
        (HEADER + section(12, b"\x01"), "data count and data section have inconsistent lengths"),
        (HEADER + section(1, b"\x01\x61\x00"), "malformed composite type"),
        (HEADER + section(6, b"\x01\x7f\x02\x41\x00\x0b"), "malformed mutability"),
        (HEADER + section(6, b"\x01\x7f\x00\xff\x0b"), "illegal opcode 0xff"),
        (HEADER + section(5, b"\x01\x10\x00"), "malformed limits flags"),
    ],
)
def test_malformed(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedError, match=reason):
        decode_module(data)


def test_an_instruction_that_is_not_constant_makes_it_invalid() -> None:
    with pytest.raises(InvalidModuleError, match=r"constant expression required: i32.ctz is not constant"):
        decode_module(HEADER + section(6, b"\x01\x7f\x00\x41\x00\x68\x0b"))


def test_preamble_tells_modules_from_components() -> None:
    assert preamble(HEADER) is ModuleKind.MODULE
    assert preamble(b"\0asm\x0d\0\x01\0") is ModuleKind.COMPONENT
    with pytest.raises(MalformedError, match="unknown component version 0xa"):
        preamble(b"\0asm\x0a\0\x01\0")


# --- defined types ------------------------------------------------------------------------------------------------


def test_equal_types_have_equal_ids_in_any_module() -> None:
    # "two recursive types are equivalent if they are structurally so after rolling up" (3.1.4)
    first = decode_module(HEADER + section(1, b"\x02\x60\x00\x00\x5f\x01\x64\x01\x00")).types
    second = decode_module(HEADER + section(1, b"\x03\x60\x01\x7f\x00\x5f\x01\x64\x01\x00\x60\x00\x00")).types
    assert first[0] == second[2]
    assert first[1] == second[1]  # a structure of references to itself
    assert first[1] != first[0]
    struct = first[1].composite
    assert isinstance(struct, StructType)
    assert struct.fields[0].storage >> 8 == first[1].id


def test_members_of_a_group_differ_by_place() -> None:
    group = decode_module(HEADER + section(1, b"\x01\x4e\x02\x60\x00\x00\x60\x00\x00"))
    alone = decode_module(HEADER + section(1, b"\x01\x60\x00\x00"))
    assert len({group.types[0].id, group.types[1].id, alone.types[0].id}) == 3
    assert group.rec_groups == ((0, 2),)


def test_subtypes_know_what_is_above_them() -> None:
    open_struct = b"\x50\x00\x5f\x00"
    child = b"\x50\x01\x00\x5f\x01\x7f\x00"
    module = decode_module(HEADER + section(1, b"\x02" + open_struct + child))
    parent, sub = module.types
    assert sub.supers == (parent.id, sub.id)
    assert {parent.id, sub.id} < sub.above
    assert matches_heap(sub.id, parent.id, module.defs)
    assert not matches_heap(parent.id, sub.id, module.defs)
    assert not parent.final


def test_a_type_may_not_refer_to_a_later_group() -> None:
    with pytest.raises(InvalidModuleError, match="unknown type 1"):
        decode_module(HEADER + section(1, b"\x02\x5f\x01\x64\x01\x00\x60\x00\x00"))


# --- custom sections ----------------------------------------------------------------------------------------------


def test_names_as_far_as_they_are_readable() -> None:
    names = b"\x00\x04\x03mod" + b"\x01\x06\x01\x00\x03fun" + b"\x02\x07\x01\x00\x01\x00\x02xy" + b"\x07\x05\x01\x00"
    module = decode_module(HEADER + section(0, name("name") + names))
    found = decode_names(module)
    assert found.module == "mod"
    assert found.functions == {0: "fun"}
    assert found.locals == {0: {0: "xy"}}
    assert found.globals == {}


def test_tools_sections() -> None:
    producers = b"\x01" + name("language") + b"\x01" + name("C11") + name("")
    features = b"\x02+" + name("sign-ext") + b"-" + name("atomics")
    module = decode_module(
        HEADER + section(0, name("producers") + producers) + section(0, name("target_features") + features)
    )
    assert decode_producers(module) == {"language": {"C11": ""}}
    assert decode_target_features(module) == {"sign-ext": "+", "atomics": "-"}
    assert module.custom("target_features") == features
    assert module.custom("name") is None


# --- errors -------------------------------------------------------------------------------------------------------


def test_errors_survive_pickling_and_moving() -> None:
    for error in (MalformedError("bad", 7), InvalidModuleError("bad", 7, hint="do"), FeatureError("gc", 7)):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), copy.hint) == (type(error), str(error), error.hint)
        moved = error.moved(3)
        assert (type(moved), moved.reason, moved.offset) == (type(error), error.reason, 10)


# --- segments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, 1, 63, 64, 8191, 8192, -1, -64, -65, 2**20, -(2**20), 2**31 - 1, -(2**31)])
def test_data_segments_are_read_alike_however_long_their_offset_is(value: int) -> None:
    signed, left = bytearray(), value
    while not -64 <= left < 64:
        signed.append(left & 0x7F | 0x80)
        left >>= 7
    signed.append(left & 0x7F)
    one = b"\x00\x41" + bytes(signed) + b"\x0b\x02hi"
    module = decode_module(HEADER + section(5, b"\x01\x00\x01") + section(11, b"\x03" + one * 3))
    for place, data in enumerate(module.datas):
        assert data.start is not None
        assert data.start.ops == ((0x41, value & 0xFFFFFFFF),)
        assert module.data[data.start.start : data.start.end] == b"\x41" + bytes(signed) + b"\x0b"
        assert module.data[slice(*data.content)] == b"hi"
        assert data.offset == module.datas[0].offset + place * len(one)


def test_segments_can_be_left_out() -> None:
    data = HEADER + TYPES + IMPORTS + section(9, b"\xff") + section(12, b"\x05") + section(11, b"\xff")
    module = decode_module(data, segments=False)
    assert (module.elements, tuple(module.datas), module.data_count) == ((), (), 5)
    assert len(module.imports) == 4
    with pytest.raises(MalformedError):
        decode_module(data)


def test_plain_and_other_data_segments_stand_in_their_order() -> None:
    plain, passive, wide = b"\x00\x41\x08\x0b\x02hi", b"\x01\x03abc", b"\x02\x00\x41\x01\x0b\x01x"
    module = decode_module(HEADER + section(5, b"\x01\x00\x01") + section(11, b"\x04" + plain + passive + wide + plain))
    datas = module.datas
    assert len(datas) == 4
    assert [module.data[slice(*data.content)] for data in datas] == [b"hi", b"abc", b"x", b"hi"]
    assert [data.start is None for data in datas] == [False, True, False, False]
    assert datas[-1] == datas[3] == datas[3:][0]
    assert datas[0] != datas[3]
    assert datas == decode_module(module.data).datas
    with pytest.raises(IndexError):
        datas[4]
