"""Modules from text: one example for each rule that is easy to get wrong. Spec: core, text format (ch. 6)."""

import pytest

from wasm2oci.engine.binary import decode_module, decode_names
from wasm2oci.engine.text import TextError, assemble, binary, is_text

HEAD = b"\0asm\1\0\0\0"


def body(instructions: str, fields: str = "") -> bytes:
    """The instructions of the only function body, without its end."""
    module = decode_module(assemble(f"(module {fields} (func {instructions}))"))
    start, end = module.codes[0]
    assert module.data[start] == 0, "the helper takes no locals"
    return module.data[start + 1 : end - 1]


def test_the_empty_module() -> None:
    assert assemble("(module)") == assemble("") == assemble(b"(module $x)")[: len(HEAD)] == HEAD


def test_folded_and_flat_instructions_are_the_same() -> None:
    folded = "(i32.add (i32.const 1) (i32.mul (i32.const 2) (i32.const 3))) (drop)"
    flat = "i32.const 1 i32.const 2 i32.const 3 i32.mul i32.add drop"
    assert body(folded) == body(flat) == body(flat.replace(" i32.c", "\ni32.c")) == bytes.fromhex("4101410241036c6a1a")


def test_a_condition_is_written_before_its_if() -> None:
    folded = "(if (result i32) (i32.const 7) (then (i32.const 1)) (else (i32.const 2))) (drop)"
    flat = "i32.const 7 if (result i32) i32.const 1 else i32.const 2 end drop"
    assert body(folded) == body(flat) == bytes.fromhex("4107047f4101054102 0b1a".replace(" ", ""))


def test_an_empty_else_is_kept() -> None:
    assert body("(if (i32.const 0) (then) (else))") == bytes.fromhex("41000440050b")
    assert body("(if (i32.const 0) (then))") == bytes.fromhex("410004400b")


def test_labels_are_counted_from_the_inside() -> None:
    assert body("block $a loop $b br $a br $b br 1 end end") == bytes.fromhex("024003400c010c000c010b0b")
    assert body("(block $a (block $a (br $a)))") == bytes.fromhex("024002400c000b0b")
    again = body("block $a end $a block $b (if (i32.const 0) (then (br $b))) end $b")
    assert again == bytes.fromhex("02400b0240410004400c010b0b")


def test_an_instruction_may_go_on_in_the_next_line() -> None:
    memory = "(memory 1) (memory 1)"
    one_line = "i32.const 0 i32.load 1 offset=8 align=2 drop"
    several = "i32.const\n0\ni32.load\n1\noffset=8\nalign=2 drop"
    assert body(one_line, memory) == body(several, memory)
    # The first line alone is a whole instruction too, and was met before.
    repeated = (
        "(drop (i32.load (i32.const 0))) (drop (i32.load\noffset=4 (i32.const 0)))\ni32.const 0\ni32.load\n1\ndrop"
    )
    assert body(repeated, memory) == bytes.fromhex("4100280200 1a4100280204 1a4100 28420100 1a".replace(" ", ""))
    tables = "br_table 0 0 (i32.const 0) br_table 0 (i32.const 0) br_table 0\n0 0\n0"
    assert body(tables) == bytes.fromhex("0e01000041000e000041000e0300000000")


def test_a_local_name_means_what_its_own_function_says() -> None:
    module = decode_module(
        assemble(
            "(func (param $a i32) (param $b i32) (drop (local.get $b)) nop\nlocal.get $b\ndrop)"
            "(func (param $b i32) (param $a i32) (drop (local.get $b)) nop\nlocal.get $b\ndrop)"
        )
    )
    first, second = (module.data[start:end] for start, end in module.codes)
    assert first == bytes.fromhex("0020011a0120011a0b")
    assert second == bytes.fromhex("0020001a0120001a0b")


def test_implicit_types_are_appended_in_the_order_of_the_text() -> None:
    text = "(func (param i32)) (type (func (param i64))) (func (block (param f32) (drop)) (call_indirect (param f64)))"
    module = decode_module(assemble(f"(table 0 funcref) {text} (func (result i32) unreachable)"))
    shown = [type_.func.params + type_.func.results for type_ in module.types]
    assert shown == [(0x7E,), (0x7F,), (), (0x7D,), (0x7C,), (0x7F,)]


def test_segments_keep_the_form_they_are_written_in() -> None:
    table = "(table $t 2 funcref) (func $f)"
    forms = {
        "(elem (i32.const 0) $f)": "00",
        "(elem (i32.const 0) func $f)": "00",
        "(elem (table $t) (i32.const 0) func $f)": "02",
        "(elem func $f)": "01",
        "(elem declare func $f)": "03",
        "(elem (i32.const 0) funcref (ref.func $f))": "04",
        "(elem funcref (ref.func $f))": "05",
        "(elem (table $t) (i32.const 0) externref)": "06",
        "(elem declare funcref (item ref.func $f))": "07",
    }
    for form, flags in forms.items():
        module = decode_module(assemble(f"{table} {form}"))
        assert module.data[module.elements[0].offset] == int(flags, 16), form


def test_the_data_count_section_is_written_for_instructions_only() -> None:
    sections = [int(each.id) for each in decode_module(assemble('(memory 1) (data "x")')).sections]
    assert sections == [5, 11]
    uses = '(memory 1) (data "x") (func (data.drop 0))'
    assert [int(each.id) for each in decode_module(assemble(uses)).sections] == [1, 3, 5, 12, 10, 11]
    constant = '(type $a (array i8)) (data $d "x") (global (ref $a) (array.new_data $a $d (i32.const 0) (i32.const 1)))'
    assert b"\x0c\x01\x01" not in assemble(constant)
    both = f"{constant} (func (drop (array.new_data $a $d (i32.const 0) (i32.const 1))))"
    assert b"\x0c\x01\x01" in assemble(both)


def test_the_destination_comes_first_in_the_text_and_last_in_binary() -> None:
    assert body("memory.init 1 0", '(memory 1) (memory 1) (data "")') == bytes.fromhex("fc080001")
    assert body("memory.init 0", '(memory 1) (data "")') == bytes.fromhex("fc080000")
    assert body("table.copy 1 0", "(table 0 funcref) (table 0 funcref)") == bytes.fromhex("fc0e0100")
    assert body("v128.load8_lane 1 0", "(memory 1) (memory 1)") == bytes.fromhex("fd5440010000")
    assert body("v128.load8_lane 1", "(memory 1)") == bytes.fromhex("fd54000001")
    assert body("v128.load8_lane offset=3 1", "(memory 1)") == bytes.fromhex("fd54000301")


def test_names_go_to_the_name_section() -> None:
    text = """(module $m (type $t (func (param $p i32))) (func $f (type $t) (param $x i32) (local $y i64) (block $l))
        (table $tab 0 funcref) (memory $mem 0) (global $g i32 (i32.const 0)) (tag $e)
        (func $"with space" (@name "shown")))"""
    names = decode_names(decode_module(assemble(text)))
    assert names.module == "m"
    assert names.functions == {0: "f", 1: "shown"}
    assert names.locals == {0: {0: "x", 1: "y"}}
    assert names.types == {0: "t"}
    assert (names.tables, names.memories, names.globals, names.tags) == ({0: "tab"}, {0: "mem"}, {0: "g"}, {0: "e"})


def test_identifiers_in_quotes_are_identifiers() -> None:
    assert body(r'call $"a b" call $"\61\u{20}b" call $"a\20b"', '(import "m" "f" (func $"a b"))') == bytes.fromhex(
        "100010001000"
    )
    assert assemble('(func $"f") (func call $f)') == assemble('(func $f) (func call $"f")')


def test_strings_have_escapes() -> None:
    data = assemble(r'(data "\t\n\r\"\'\\\00\fF\u{2603}\u{1_F600}é")')
    assert data.endswith(b"\t\n\r\"'\\\0\xff" + "☃😀é".encode())


def test_comments_nest_and_annotations_are_left_out() -> None:
    text = '(; a (; b ;) ";) (module ;; (unclosed\n (@unknown ( "x)" , ; [ ] { }) x"y"z (; ( ;)) (func(nop)(;;)))'
    assert assemble(text) == assemble("(module (func nop))")


def test_custom_sections_stand_where_they_are_placed() -> None:
    text = """(@custom "a" (before type) "1") (@custom "b" "2" "3") (@custom "c" (after code)) (func $f)
        (@producers (language "Wat" "1") (processed-by "us" "2"))"""
    module = decode_module(assemble(text))
    assert [each.name for each in module.customs] == ["a", "c", "b", "producers", "name"]
    assert module.sections[0].id == 0


def test_branch_hints_say_where_their_instruction_is() -> None:
    hint = '(@metadata.code.branch_hint "\\01")'
    flat = assemble(f"(func (local i32) i32.const 0 {hint} if end)")
    folded = assemble(f"(func (local i32) {hint} (if (i32.const 0) (then)))")
    assert flat == folded
    module = decode_module(flat)
    custom = next(each for each in module.customs if each.name == "metadata.code.branch_hint")
    assert module.data[custom.start : custom.end] == bytes.fromhex("01000105 0101".replace(" ", ""))


@pytest.mark.parametrize("value", ["", "\\02", "\\00\\00"])
def test_branch_hints_are_zero_or_one(value: str) -> None:
    with pytest.raises(TextError, match="branch_hint annotation: invalid value"):
        assemble(f'(func (@metadata.code.branch_hint "{value}") (if (i32.const 0) (then)))')


def test_legacy_exceptions() -> None:
    tag = "(tag $e)"
    flat = "try $t nop catch $e rethrow $t catch_all end try nop delegate 0"
    folded = "(try $t (do nop) (catch $e (rethrow $t)) (catch_all)) (try (do nop) (delegate 0))"
    assert (
        body(flat, tag) == body(folded, tag) == bytes.fromhex("0640 01 0700 0900 19 0b 0640 01 1800".replace(" ", ""))
    )


@pytest.mark.parametrize(
    ("text", "reason", "place"),
    [
        ("(module\n  (func\n    local.get $x))", "unknown local $x", (3, 15)),
        ("(func $f) (func $f)", "duplicate identifier: func $f", (1, 17)),
        ("(func (i32.const 1 i32.const 2))", "expected ')' or an operand", (1, 20)),
        ("(func (i32.add i32.const 2))", "expected ')' or an operand", (1, 16)),
        ("(func block)", "expected end", (1, 12)),
        ("(func (block end))", "unexpected token end", (1, 14)),
        ("(func end)", "unexpected token end", (1, 7)),
        ("(func else)", "unexpected token else", (1, 7)),
        ("(func (then))", "unexpected token then", (1, 8)),
        ("(func (if (i32.const 0)))", "expected then", (1, 24)),
        ("(func (if (then) nop))", "unexpected token", (1, 18)),
        ("(func (try (catch_all)))", "unexpected token catch_all", (1, 13)),
        ("(func (try (do) (catch_all) (catch_all)))", "unexpected token catch_all", (1, 30)),
        ("(func block $a end $b)", "mismatching label $b", (1, 20)),
        ("(func\n\tselect_t)", "unknown operator select_t", (2, 2)),
        ("(func i32.nonsense)", "unknown operator i32.nonsense", (1, 7)),
        ("(func (br_table))", "expected a label", (1, 16)),
        ("(func i32.const)", "expected an integer", (1, 16)),
        ("(func i32.const 0x100000000)", "i32 constant out of range", (1, 17)),
        ("(func v128.const i32x4 1 2 3)", "wrong number of lane literals", (1, 29)),
        ("(memory 1) (func (i32.load align=3 (i32.const 0)))", "malformed alignment", (1, 28)),
        ('(func) (import "a" "b" (func))', "import after function", (1, 9)),
        ("(func (param i32) (type 0))", "", (1, 20)),
        ("(type (func)) (func (type 0) (param i32))", "inline function type", (1, 27)),
        ("(start 0) (start 0)", "multiple start sections", (1, 12)),
        ("(func) extra", "unexpected token", (1, 8)),
        ("(module (func)", "unexpected end-of-file", (1, 15)),
        ('(func (@name "x") $f)', "unexpected token", (1, 19)),
        ("(module quote)", "", (1, 9)),
        ('"text"', "", (1, 1)),
        ("é", "illegal character 'é'", (1, 1)),
        ("(func $)", "empty identifier", (1, 7)),
        ('(data "a"b)', "a string must stand apart", (1, 7)),
        ('(func $"\\ff")', "malformed UTF-8 encoding", (1, 7)),
        ('(export "\\ff" (func 0))', "malformed UTF-8 encoding", (1, 9)),
    ],
)  # fmt: skip
def test_errors_say_what_is_wrong_and_where(text: str, reason: str, place: tuple[int, int]) -> None:
    with pytest.raises(TextError) as caught:
        assemble(text)
    assert reason in caught.value.reason
    assert (caught.value.line, caught.value.column) == place
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(("before", "cells"), [('"é"', 3), ('"😀日"', 6), ('"e\u0301"', 3), ("\t\t", 2)])
def test_a_caret_is_under_its_place_on_a_terminal(before: str, cells: int) -> None:
    with pytest.raises(TextError) as caught:
        assemble(f"(module (export {before} nope))")
    shown, caret = caught.value.detail.split("\n")
    assert shown.endswith(" nope))")
    assert caret == " " * (16 + cells + 1) + "^"


def test_an_error_shows_its_line_and_a_caret() -> None:
    with pytest.raises(TextError) as caught:
        assemble("(module\r\n  (func (call $nothing)))\r\n")
    assert caught.value.message == "unknown func $nothing (line 2, column 15)"
    assert caught.value.detail == "  (func (call $nothing)))\n              ^"
    with pytest.raises(TextError) as caught:
        assemble("(func " + "nop " * 10_000 + "nope)")
    shown, caret = caught.value.detail.split("\n")
    assert len(shown) < 200
    assert shown[caret.index("^") :] == "nope)"


def test_bytes_that_are_no_text_are_refused_where_they_stand() -> None:
    with pytest.raises(TextError, match=r"malformed UTF-8 encoding \(line 2, column 3\)"):
        assemble(b"(module\n  \xff)")


def test_text_that_runs_backwards_is_refused_unless_asked_for() -> None:
    text = '(module (export "\u202e" (func 0)) (func))'
    with pytest.raises(TextError, match="likely-confusing"):
        assemble(text)
    assert decode_module(assemble(text, confusing=True)).exports[0].name == "\u202e"


@pytest.mark.parametrize(
    ("head", "text"),
    [(b"(module", True), (b" \n;; c", True), (b"\0asm", False), (b"", False), (b"\x28\xb5\x2f\xfd", False)],
)
def test_text_is_distinguished_from_binary(head: bytes, *, text: bool) -> None:
    assert is_text(head) is text


def test_a_script_with_one_module_is_that_module() -> None:
    module = '(module definition $m (func (export "f")))'
    script = f'{module} (assert_return (invoke "f")) (register "m") (assert_invalid (module (func drop)) "stack")'
    assert assemble(script) == assemble(module.replace(" definition", ""))
    with pytest.raises(TextError, match=r"several modules.* \(line 1, column 10\)"):
        assemble("(module) (module)")


def test_a_binary_file_stays_as_it_is() -> None:
    data = HEAD + b"\0"
    assert binary(data) is data
    assert binary(b" (module)") == HEAD
    assert binary(b"no module") == b"no module"
