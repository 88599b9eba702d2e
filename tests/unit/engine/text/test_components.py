"""Components from text: what is written in short, and where it goes. Spec: component model, Explainer.md."""

import random

import pytest

from wasm2oci.engine.binary import decode_component
from wasm2oci.engine.errors import ModuleError
from wasm2oci.engine.text import TextError, assemble, print_text

HEAD = b"\0asm\x0d\0\1\0"


def sections(text: str) -> list[tuple[int, str]]:
    """Number and contents of each section of a component, short ones only; the names of things are left out."""
    data, out, pos = assemble(text), [], len(HEAD)
    while pos < len(data):
        size = data[pos + 1]
        contents = data[pos + 2 : pos + 2 + size]
        if data[pos]:
            out.append((data[pos], contents.hex()))
        pos += 2 + size
    return out


def test_the_empty_component() -> None:
    assert assemble("(component)") == HEAD


def test_an_inline_type_is_defined_before_its_use() -> None:
    assert sections('(component (import "f" (func (param "a" (list u8)) (result string))))') == [
        (7, "02707d40010161000073"),
        (10, "010001660101"),
    ]


def test_an_outer_type_is_aliased_each_time_it_is_used() -> None:
    text = '(component (type $t u8) (component (import "a" (type (eq $t))) (import "b" (type (eq $t)))))'
    inner = sections(text)[1][1]
    assert inner.count("03020100") == 2


def test_an_export_of_an_instance_is_aliased_where_it_is_used() -> None:
    text = """(component (core module $m (func (export "f")))
        (core instance $i (instantiate $m)) (func (export "g") (canon lift (core func $i "f"))))"""
    assert sections(text)[2:] == [
        (7, "0140000100"),
        (6, "01000001000166"),
        (8, "010000000000"),
        (11, "01000167010000"),
    ]


def test_exports_within_definitions_come_last() -> None:
    text = '(component (type (export "t") u8) (type u16))'
    assert sections(text) == [(7, "027d7b"), (11, "01000174030000")]


def test_arguments_that_are_bundles_become_instances() -> None:
    text = """(component (import "f" (func $f)) (component $c)
        (instance (instantiate $c (with "a" (instance (export "x" (func $f)))))))"""
    assert sections(text)[3:] == [(5, "020101000178010000000101610500")]


def test_names_have_attributes() -> None:
    component = decode_component(assemble('(component (import "a" (implements "x:y/z") (external-id "i") (instance)))'))
    assert [(item.name, item.kind) for item in component.imports] == [("a", "instance")]


def test_a_command_component_has_its_imports_and_exports() -> None:
    text = """(component
      (import "wasi:io/error@0.2.0" (instance (export "error" (type (sub resource)))))
      (core module $m (memory (export "memory") 1) (func (export "run") (result i32) (i32.const 0)))
      (core instance $m (instantiate $m))
      (func $run (result (result)) (canon lift (core func $m "run")))
      (instance $i (export "run" (func $run)))
      (export "wasi:cli/run@0.2.0" (instance $i)))"""
    component = decode_component(assemble(text))
    assert [item.name for item in component.imports] == ["wasi:io/error@0.2.0"]
    assert [item.name for item in component.exports] == ["wasi:cli/run@0.2.0"]


@pytest.mark.parametrize(
    ("text", "reason", "place"),
    [
        ('(component (export "a" (func $f)))', "unknown func: failed to find name $f", (1, 30)),
        ("(component (type $t u8) (type $t u8))", "duplicate identifier: type $t", None),
        ('(component (import "f" (func $f)) (component (export "f" (func $f))))', "outer func $f", None),
        ("(component (type (nonsense)))", "expected one of record", (1, 18)),
        ("(component (canon nonsense))", "expected a canonical function", (1, 19)),
        ("(component (core func (canon resource.drop $r)))", "unknown type", None),
        ("(component (alias outer $nowhere 0 (type)))", "outer component $nowhere not found", None),
        ("(component (nonsense))", "expected a component field", (1, 12)),
        ('(component (type (variant (case $x "x") (case $x "y"))))', "duplicate variant case", None),
        ("(component (core module (nonsense)))", "unexpected token nonsense", (1, 26)),
        ("(component", "unexpected end-of-file", (1, 11)),
        ("(component " * 1_000, "components nested too deep", None),
        ("(component (type " + "(list " * 100_000, "types nested too deep", None),
        ("(component (type " + "(component (type " * 100_000, "types nested too deep", None),
    ],
)  # fmt: skip
def test_errors_say_what_is_wrong_and_where(text: str, reason: str, place: tuple[int, int] | None) -> None:
    with pytest.raises(TextError) as caught:
        assemble(text)
    assert reason in caught.value.reason
    assert place is None or (caught.value.line, caught.value.column) == place


EVERYTHING = """(component $c
  (type $t (record (field "a" u8) (field "b" (list string)))) (type (variant (case "x") (case "y" $t)))
  (type (flags "p" "q")) (type (enum "p")) (type (tuple u8 s64)) (type (option char)) (type (result u8 (error string)))
  (type (list u8 4)) (type (map string u8)) (type (stream u8)) (type (future)) (type $r (resource (rep i32)))
  (type (own $r)) (type (borrow $r)) (type (func async (param "a" $t) (result bool)))
  (core type $ft (func (param i32))) (core type (sub (struct))) (core rec (type (array i8)) (type (func)))
  (core type $mt (module (type (func)) (import "a" "b" (func (type 0))) (alias outer 1 0 (type))
    (export "m" (memory 1 2)) (export "t" (table 1 funcref)) (export "g" (global (mut i32))) (export "e" (tag))))
  (type $it (instance (export "r" (type $x (sub resource))) (export "f" (func (param "s" (borrow $x))))
    (alias outer $c $t (type $tt)) (export "t" (type (eq $tt))) (core type (func))))
  (type $ct (component (import "a" (func)) (export "b" (instance (type $it)))))
  (import "f" (func $f (param "a" string))) (import "i" (implements "a:b/c") (external-id "e") (instance $i (type $it)))
  (import "m" (core module $m (type $mt))) (import "c" (component $k (type $ct))) (import "v" (value $v string))
  (core module $inner (memory (export "mem") 1) (func $g (export "g") (param i32 i32) nop)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.add (local.get 0) (i32.const 1))))
  (core instance $ci (instantiate $inner)) (core instance (export "x" (func $ci "g")) (export "m" (memory $ci "mem")))
  (core func $lowered (canon lower (func $f) (memory $ci "mem") string-encoding=utf16))
  (core func (canon resource.drop $r)) (core func (canon task.return (result string) (memory $ci "mem")))
  (core func (canon stream.read 11 async (memory $ci "mem"))) (core func (canon stream.cancel-read 11 async))
  (core func (canon waitable-set.wait cancellable (memory $ci "mem"))) (core func (canon context.get i32 0))
  (core func (canon thread.spawn-ref $ft)) (core func (canon subtask.drop)) (core func (canon error-context.drop))
  (func $lifted (param "s" string) (canon lift (core func $ci "g") (memory $ci "mem") (realloc (func $ci "realloc"))))
  (component $nested (import "x" (type (eq $t))) (component))
  (instance $n (instantiate $nested (with "x" (type $t)))) (instance $b (export "l" (func $lifted)))
  (alias export $i "r" (type $ir)) (export $e "lifted" (func $lifted) (func (type 14))) (export "b" (instance $b))
  (@custom "note" "\\00\\ff") (@producers (language "C" "11")))"""


@pytest.mark.parametrize("folded", [False, True])
def test_what_is_printed_is_the_same_component(*, folded: bool) -> None:
    data = assemble(EVERYTHING)
    text = "".join(print_text(data, folded=folded))
    assert assemble(text) == data
    assert "".join(print_text(data, folded=folded, offsets=True)).count("\n") == text.count("\n")


def test_a_component_is_printed_with_its_names() -> None:
    text = """(component $c
  (type $t (;0;) (func))
  (import "f" (func $f (;0;) (type $t)))
  (core module $m (;0;)
    (memory $mem (;0;) 1)
  )
  (core instance $i (;0;) (instantiate $m))
  (export (;1;) "g" (func $f))
)
"""
    assert "".join(print_text(assemble(text))) == text


def test_a_function_of_a_core_module_is_printed_by_name() -> None:
    text = "".join(print_text(assemble(EVERYTHING), function="realloc", folded=True))
    assert text.startswith("(func (;1;)")
    assert "(i32.add" in text


@pytest.mark.parametrize("seed", range(300))
def test_a_damaged_component_is_refused_or_printed_so_that_it_reads_the_same(seed: int) -> None:
    source = random.Random(seed)
    data = bytearray(assemble(EVERYTHING))
    for _ in range(source.choice((1, 1, 3))):
        data[source.randrange(8, len(data))] ^= 1 << source.randrange(8)
    try:
        text = "".join(print_text(bytes(data)))
    except ModuleError:
        return
    try:
        again = assemble(text)
    except TextError as error:
        # What decodes and is not valid may have no text: types that do not exist, numbers out of range.
        words = ("type", "out of range", "import after", "start function", "page size")
        assert any(word in error.reason for word in words), error  # noqa: PT017 - one of several
        return
    assert "".join(print_text(again)) == text


def test_many_things_take_one_look_each() -> None:
    many = 5_000
    fields = "".join(f'(import "a{number}" (func $f{number}))' for number in range(many))
    exports = "".join(f'(export "b{number}" (func $f{number}))' for number in range(many))
    component = decode_component(assemble(f"(component {fields} {exports})"))
    assert (len(component.imports), len(component.exports)) == (many, many)
