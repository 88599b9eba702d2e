"""Components: what is refused, with what reason; and components that are made to be slow or deep."""

import re

import pytest

from wasm2oci.engine.errors import ModuleError
from wasm2oci.engine.facts import validated
from wasm2oci.engine.text import assemble

MANY = 2_000

VALID = {
    "an empty component": "(component)",
    "a resource and its methods": """(component
        (import "file" (type $file (sub resource)))
        (import "[constructor]file" (func (param "path" string) (result (own $file))))
        (import "[method]file.read" (func (param "self" (borrow $file)) (result (list u8))))
        (import "[static]file.open" (func (result (own $file)))))""",
    "an instance that exports more than is wanted": """(component
        (import "i" (instance $i (export "f" (func)) (export "g" (func))))
        (component $c (import "i" (instance (export "f" (func)))))
        (instance (instantiate $c (with "i" (instance $i)))))""",
    "a record under the name it is imported with": """(component
        (type $r (record (field "x" u32)))
        (import "r" (type $named (eq $r)))
        (import "f" (func (param "r" $named))))""",
    "names of interfaces with versions": '(component (import "a:b/c@1.0.0" (func)) (import "a:b/c@1.0.1-rc.1" (func)))',
}

REFUSED = {
    "no such type": ('(component (import "f" (func (type 0))))', "type index out of bounds"),
    "a type that is none of a function": (
        '(component (type u32) (import "f" (func (type 0))))',
        "type index 0 is not a function type",
    ),
    "labels that differ in case only": (
        '(component (type (record (field "a" u8) (field "A" u8))))',
        "record field name `A` conflicts with previous field name `a`",
    ),
    "a label given twice": ('(component (type (enum "x" "x")))', "conflicts with previous tag name `x`"),
    "no kebab case": ('(component (import "aB" (func)))', "`aB` is not in kebab case"),
    "an interface name with a version that is none": ('(component (import "a:b/c@1.0" (func)))', "valid semver"),
    "an import given twice": (
        '(component (import "a" (func)) (import "a" (func)))',
        "conflicts with previous name `a`",
    ),
    "a method of no resource": ('(component (import "[method]a.b" (func)))', "at least one argument"),
    "a borrow that is returned": (
        '(component (import "r" (type $r (sub resource))) (import "f" (func (result (borrow $r)))))',
        "cannot contain a `borrow` type",
    ),
    "a resource of another component": (
        """(component
            (import "a" (type $a (sub resource))) (import "b" (type $b (sub resource)))
            (component $c (import "x" (type $x (sub resource))) (import "f" (func (param "h" (own $x)))))
            (import "f" (func $f (param "h" (own $b))))
            (instance (instantiate $c (with "x" (type $a)) (with "f" (func $f)))))""",
        "type mismatch for import `f`: type mismatch in function parameter `h`: resource types are not the same",
    ),
    "a type that the outside has no name for": (
        '(component (type $r (record (field "x" u8))) (import "f" (func (param "r" $r))))',
        "func not valid to be used as import",
    ),
    "a missing argument": (
        '(component (component $c (import "f" (func))) (instance (instantiate $c)))',
        "missing import named `f`",
    ),
    "no memory for a string": (
        """(component
            (core module $m (func (export "f") (param i32 i32)))
            (core instance $i (instantiate $m))
            (func (param "s" string) (canon lift (core func $i "f"))))""",
        "canonical option `memory` is required",
    ),
    "a core function of another type": (
        """(component
            (core module $m (func (export "f") (param i64)))
            (core instance $i (instantiate $m))
            (func (param "x" u32) (canon lift (core func $i "f"))))""",
        re.escape("lowered parameter types `[i32]` do not match parameter types `[i64]`"),
    ),
    "resource.new of what is imported": (
        '(component (import "r" (type $r (sub resource))) (core func (canon resource.new $r)))',
        "is not a local resource",
    ),
    "an alias past the outermost component": (
        "(component (alias outer 7 0 (type)))",
        "invalid outer alias count of 7",
    ),
    "a value larger than memory": ("(component (type (list u64 33554432)))", "exceeds maximum byte size"),
}


@pytest.mark.parametrize("name", VALID)
def test_a_component_is_valid(name: str) -> None:
    assert validated(assemble(VALID[name])).facts.kind == "component"


@pytest.mark.parametrize("name", REFUSED)
def test_an_invalid_component_is_refused(name: str) -> None:
    text, reason = REFUSED[name]
    with pytest.raises(ModuleError, match=reason):
        validated(assemble(text))


def nested(depth: int) -> bytes:
    """Components in components, so many of them."""
    component = b"\0asm\x0d\0\1\0"
    for _ in range(depth):
        component = b"\0asm\x0d\0\1\0\4" + uleb(len(component)) + component
    return component


def uleb(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def sleb(number: int) -> bytes:
    """A number that is not negative, as a signed one."""
    out = bytearray()
    while number >= 0x40:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def section(id_: int, items: list[bytes]) -> bytes:
    content = uleb(len(items)) + b"".join(items)
    return bytes([id_]) + uleb(len(content)) + content


def component_of(*sections: bytes) -> bytes:
    return b"\0asm\x0d\0\1\0" + b"".join(sections)


def named(number: int) -> bytes:
    return uleb(len(f"r{number}")) + f"r{number}".encode()


DOUBLING = [b"\x42\0", *[b"\x42\3\2\3\2\1" + uleb(i) + b"\4\0\1a\5\0\4\0\1b\5\0" for i in range(60)]]
HOSTILE = {
    "components in components": (nested(MANY), "nested too deep"),
    "lists of lists": (
        component_of(section(7, [b"\x73", *[b"\x70" + sleb(i) for i in range(MANY)]])),
        "type nesting is too deep",
    ),
    "tuples that double": (
        component_of(section(7, [b"\x73", *[b"\x6f\2" + sleb(i) * 2 for i in range(60)]])),
        "effective type size exceeds the limit",
    ),
    "instance types that double": (component_of(section(7, DOUBLING)), "effective type size exceeds the limit"),
    "instance types in instance types": (
        component_of(section(7, [b"\x42\1\1" * MANY + b"\x42\0"])),
        "nested too deep",
    ),
    "a name of four gigabytes": (component_of(b"\x0a\x08\1\0\xff\xff\xff\xff\x0f\1"), "length out of bounds"),
    "more items than bytes": (component_of(b"\x07\5\xff\xff\xff\xff\x0f"), "too many|length out of bounds"),
    "a section past the end": (component_of(b"\x07\xff\xff\xff\xff\x0f"), "length out of bounds"),
    "an alias of what it makes": (component_of(section(6, [b"\3\2\0\0"])), "type index out of bounds"),
    "an instance of the component around it": (component_of(section(5, [b"\0\0\0"])), "component index out of bounds"),
    "many resources in many instances": (
        component_of(
            section(7, [b"\x42" + uleb(MANY) + b"".join(b"\4\0" + named(i) + b"\3\1" for i in range(MANY))]),
            section(10, [b"\0" + named(i) + b"\5\0" for i in range(MANY)]),
        ),
        "effective type size exceeds the limit|types are too large",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_component_is_refused(name: str) -> None:
    data, reason = HOSTILE[name]
    with pytest.raises(ModuleError, match=reason) as caught:
        validated(data)
    assert len(caught.value.message) < 300


def test_addresses_of_streams_are_those_of_their_memory() -> None:
    text = """(component
      (core module $l (memory (export "m") i64 1))
      (core instance $l (instantiate $l))
      (type $s (stream u8)) (type $f (future u8))
      (core func $read (canon stream.read $s async (memory (core memory $l "m"))))
      (core func $write (canon future.write $f async (memory (core memory $l "m"))))
      (core module $m
        (import "" "read" (func (param i32 i64 i64) (result i64)))
        (import "" "write" (func (param i32 i64) (result i32))))
      (core instance (instantiate $m (with "" (instance
        (export "read" (func $read)) (export "write" (func $write)))))))"""
    validated(assemble(text))
    with pytest.raises(ModuleError, match="type mismatch"):
        validated(assemble(text.replace("i32 i64 i64", "i32 i32 i32")))
