"""What is said about modules that are wrong: the reason in the specification's words, and the offset."""

import pytest

from wasm2oci.engine.binary import decode_module
from wasm2oci.engine.errors import FeatureError, InvalidModuleError, MalformedError, ModuleError
from wasm2oci.engine.syntax.features import DEFAULT, WASM_1, WASM_2, WASM_3, Feature
from wasm2oci.engine.text import assemble
from wasm2oci.engine.validate import validate_module
from wasm2oci.errors import Remedy, RemedyKind


def refused(text: str, allowed: Feature = DEFAULT) -> ModuleError:
    data = assemble(text)
    with pytest.raises(ModuleError) as caught:
        validate_module(decode_module(data), allowed)
    error = caught.value
    assert 8 <= error.offset < len(data)
    return error


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("(func (result i32) f32.const 0)", "type mismatch: expected i32, found f32"),
        ("(func i32.const 0)", "type mismatch: values remain on the stack at the end of function"),
        ("(func i32.add drop)", "type mismatch: expected i32, and the stack is empty"),
        ("(func drop)", "type mismatch: a value is expected, and the stack is empty"),
        ("(func local.get 0 drop)", "unknown local 0"),
        ("(func br 2)", "unknown label 2"),
        ("(func call 7)", "unknown function 7"),
        ("(func global.get 3 drop)", "unknown global 3"),
        ("(global i32 (i32.const 0)) (func i32.const 1 global.set 0)", "immutable global"),
        ("(func i32.const 0 i32.load drop)", "unknown memory 0"),
        ("(memory 1) (func i32.const 0 i32.load align=8 drop)", "alignment must not be larger than natural"),
        ("(func i32.const 0 call_indirect)", "unknown table 0"),
        ("(func ref.func 0 drop)", "undeclared function reference 0"),
        ("(func i32.const 0 i64.const 0 i32.const 0 select drop)", "type mismatch: select between i32 and i64"),
        ("(func (local (ref func)) local.get 0 drop)", "uninitialized local 0"),
        ("(type (struct)) (func (drop (struct.get 0 0 (struct.new 0))))", "unknown field 0"),
        ("(type (array i8)) (func (param (ref 0)) (drop (array.get 0 (local.get 0) (i32.const 0))))", "packed"),
        ("(tag) (func (throw 1))", "unknown tag 1"),
        ("(tag (param i32)) (func (block (try_table (catch 0 0))))", "type mismatch: the label takes something else"),
        ("(func (drop (i8x16.extract_lane_s 16 (v128.const i64x2 0 0))))", "invalid lane index 16"),
        ("(memory 65537)", "memory size must be at most 65536 pages"),
        ("(memory 2 1)", "size minimum must not be greater than maximum"),
        ('(func) (export "a" (func 0)) (export "a" (func 0))', "duplicate export name 'a'"),
        ('(export "a" (table 0))', "unknown table 0"),
        ("(func (param i32)) (start 0)", "start function"),
        ("(global i32 (i64.const 0))", "type mismatch: expected i32, found i64"),
        ("(global i32 (global.get 0))", "unknown global 0"),
        ("(type (sub final (struct))) (type (sub 0 (struct)))", "sub type 1 does not match super type: that is final"),
        ("(type (sub (struct (field i32)))) (type (sub 0 (struct)))", "sub type 1 does not match super type"),
        ("(table 1 (ref func))", "type mismatch"),
        ("(tag (result i32))", "non-empty tag result type"),
    ],
)
def test_reasons(text: str, reason: str) -> None:
    error = refused(text)
    assert isinstance(error, InvalidModuleError)
    assert reason in error.reason


def test_the_offset_is_the_instruction_at_fault() -> None:
    data = assemble("(func (nop) (nop) (drop (i32.eqz (f64.const 1))))")
    with pytest.raises(InvalidModuleError) as caught:
        validate_module(decode_module(data))
    assert data[caught.value.offset] == 0x45  # i32.eqz
    assert str(caught.value).endswith(f"(at offset {caught.value.offset:#x})")


def test_a_body_that_does_not_decode_is_malformed() -> None:
    data = bytearray(assemble("(func nop)"))
    data[data.index(b"\x01\x0b")] = 0xFF
    with pytest.raises(MalformedError, match="illegal opcode 0xff"):
        validate_module(decode_module(bytes(data)))


# --- features -----------------------------------------------------------------------------------------------------

_USES = {
    "sign-ext": "(func (drop (i32.extend8_s (i32.const 0))))",
    "nontrapping-fptoint": "(func (drop (i32.trunc_sat_f32_s (f32.const 0))))",
    "multivalue": "(func (result i32 i32) unreachable)",
    "bulk-memory": "(memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)))",
    "reference-types": "(func (param externref))",
    "simd128": "(func (drop (v128.const i64x2 0 0)))",
    "relaxed-simd": "(func (param v128) (drop (i8x16.relaxed_swizzle (local.get 0) (local.get 0))))",
    "tail-call": "(func return_call 0)",
    "extended-const": "(global i32 (i32.add (i32.const 1) (i32.const 2)))",
    "function-references": "(type (func)) (func (param (ref 0)))",
    "gc": "(type (struct))",
    "exception-handling": "(tag)",
    "memory64": "(memory i64 1)",
    "multimemory": "(memory 1) (memory 1)",
    "atomics": "(func atomic.fence)",
    "wide-arithmetic": "(func (drop (drop (i64.mul_wide_s (i64.const 0) (i64.const 0)))))",
    "custom-page-sizes": "(memory 1 (pagesize 1))",
}
_ALSO = {"relaxed-simd": Feature.SIMD}


@pytest.mark.parametrize("name", list(_USES))
def test_each_feature_is_reported_and_can_be_refused(name: str) -> None:
    from wasm2oci.engine.syntax.features import FEATURE_NAMES

    feature = next(bit for bit, text in FEATURE_NAMES.items() if text == name)
    everything = Feature(sum(FEATURE_NAMES))
    data = assemble(_USES[name])
    valid = validate_module(decode_module(data), everything)
    assert valid.features == feature | _ALSO.get(name, Feature.MVP)
    assert valid.names[-1] == name
    error = refused(_USES[name], everything & ~feature & ~Feature.LEGACY_EXCEPTIONS)
    assert isinstance(error, FeatureError)
    assert error.feature == name
    assert error.remedy == Remedy(RemedyKind.ADD_FEATURE, name)


def test_version_one_needs_no_feature() -> None:
    text = '(memory 1) (global (mut i32) (i32.const 0)) (func (export "f") (param i32) (result i32) local.get 0)'
    assert validate_module(decode_module(assemble(text)), WASM_1).features == Feature.MVP


def test_versions_contain_each_other() -> None:
    assert WASM_2 & WASM_3 == WASM_2
    assert not WASM_1
