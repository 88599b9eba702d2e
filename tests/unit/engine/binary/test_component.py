"""Components in outline. Spec: component model, Binary.md."""

from contextlib import suppress

import pytest

from tests.support.data import ROOT
from wasm2oci.engine.binary import decode_component
from wasm2oci.engine.errors import MalformedError
from wasm2oci.engine.syntax.limits import MAX_COMPONENT_NESTING
from wasm2oci.engine.text import assemble

FIXTURES = ROOT / "fixtures" / "wasm"
HEADER = b"\0asm\x0d\0\x01\0"
CORE = b"\0asm\x01\0\0\0"


def leb(value: int) -> bytes:
    return bytes([value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14])


def section(id_: int, contents: bytes) -> bytes:
    return bytes([id_]) + leb(len(contents)) + contents


def name(text: str) -> bytes:
    return b"\x00" + bytes([len(text)]) + text.encode()


IMPORTS = section(
    10,
    b"\x05"
    + name("wasi:io/streams@0.2.0")
    + b"\x05\x00"
    + name("log")
    + b"\x01\x03"
    + name("t")
    + b"\x03\x00\x02"
    + name("resource")
    + b"\x03\x01"
    + name("m")
    + b"\x00\x11\x04",
)


def attributed(text: str, *attributes: tuple[int, str]) -> bytes:
    written = b"".join(bytes([kind, len(value.encode())]) + value.encode() for kind, value in attributes)
    return b"\x02" + name(text)[1:] + bytes([len(attributes)]) + written


EXPORTS = section(11, b"\x02" + name("wasi:cli/run@0.2.0") + b"\x05\x01\x00" + b"\x01\x01f" + b"\x01\x00\x01\x01\x07")


def test_imports_and_exports_are_read_whole() -> None:
    component = decode_component(HEADER + IMPORTS + EXPORTS)
    assert [(item.name, item.kind) for item in component.imports] == [
        ("wasi:io/streams@0.2.0", "instance"),
        ("log", "func"),
        ("t", "type"),
        ("resource", "type"),
        ("m", "core module"),
    ]
    assert [(item.name, item.kind) for item in component.exports] == [
        ("wasi:cli/run@0.2.0", "instance"),
        ("f", "func"),
    ]


def test_attributes_of_names_are_read_and_left_out() -> None:
    implements, suffix, external = (0, "a:b/c@1.0"), (1, ".5"), (2, "☃")
    imports = section(10, b"\x02" + attributed("a", implements, external) + b"\x05\x00" + attributed("b") + b"\x01\x00")
    exports = section(11, b"\x01" + attributed("a:b/c@1.0", suffix, external) + b"\x05\x00\x00")
    component = decode_component(HEADER + imports + exports)
    assert [(item.name, item.kind) for item in component.imports] == [("a", "instance"), ("b", "func")]
    assert [(item.name, item.kind) for item in component.exports] == [("a:b/c@1.0", "instance")]


def test_the_type_of_a_value_import_has_no_bound() -> None:
    data = HEADER + section(10, b"\x02" + name("text") + b"\x02\x73" + name("number") + b"\x02\x00")
    assert [item.kind for item in decode_component(data).imports] == ["value", "value"]


def test_nested_modules_are_found_at_any_depth() -> None:
    inner = HEADER + section(1, CORE)
    data = HEADER + section(1, CORE + b"\x00\x02\x01x") + section(7, b"anything") + section(4, inner)
    component = decode_component(data)
    spans = list(component.all_modules())
    assert [data[start:end] for start, end in spans] == [CORE + b"\x00\x02\x01x", CORE]
    assert component.modules == (spans[0],)
    assert component.components[0].modules == (spans[1],)


def test_the_outline_of_a_cut_component_is_malformed_or_ends_between_sections() -> None:
    data = HEADER + IMPORTS + EXPORTS + section(1, CORE)
    ends = {len(HEADER), len(HEADER + IMPORTS), len(HEADER + IMPORTS + EXPORTS)}
    for length in range(len(data)):
        if length in ends:
            decode_component(data[:length])
            continue
        with pytest.raises(MalformedError) as caught:
            decode_component(data[:length])
        assert caught.value.offset <= length


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (CORE, "this is a core module"),
        (HEADER + b"\x0d\x00", "malformed section id 13"),
        (HEADER + section(1, HEADER), "a component nested where a module is expected"),
        (HEADER + section(4, b"nonsense"), "magic header not detected"),
        (HEADER + section(10, b"\x01\x09\x01x\x01\x00"), "malformed import or export name"),
        (HEADER + section(10, b"\x01" + attributed("x", (3, "y")) + b"\x01\x00"), "malformed name attribute"),
        (
            HEADER + section(10, b"\x01" + attributed("x", (2, "y"), (2, "z")) + b"\x01\x00"),
            "duplicate name attribute external-id",
        ),
        (HEADER + section(10, b"\x01" + attributed("x", (2, "y"))[:-1]), "length out of bounds"),
        (HEADER + section(10, b"\x01" + name("x") + b"\x00\x00\x00"), "malformed import or export type"),
        (HEADER + section(10, b"\x01" + name("x") + b"\x01\x00\x00"), "section size mismatch"),
        (HEADER + section(11, b"\x01" + name("x") + b"\x09\x00\x00"), "malformed sort"),
        (HEADER + section(11, b"\x01" + name("x") + b"\x01\x00\x02"), "malformed export"),
    ],
)
def test_malformed(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedError, match=reason):
        decode_component(data)


def test_a_wit_package_is_known_by_full_names() -> None:
    # What `wasm-tools component wit --wasm` makes of: package a:b@1.0.0; interface types { record p { x: u32 } }
    #   interface api { use types.{p}; run: func(a: p) -> list<u8>; } world w { import types; export go: func(); }
    data = (FIXTURES / "wit-package.wasm").read_bytes()
    component = decode_component(data)
    assert [(item.name, item.kind, item.id) for item in component.exports] == [
        ("types", "type", "a:b/types@1.0.0"),
        ("api", "type", "a:b/api@1.0.0"),
        ("w", "type", "a:b/w@1.0.0"),
    ]
    for length in range(8, len(data)):
        with suppress(MalformedError):
            assert len(decode_component(data[:length]).exports) <= 3


def test_a_map_in_a_wit_package_hides_no_full_names() -> None:
    data = assemble("""(component
      (type (component (type (instance (type (map string u32)))) (export "a:b/types@1.0.0" (instance (type 0)))))
      (export "types" (type 0)))""")
    assert [item.id for item in decode_component(data).exports] == ["a:b/types@1.0.0"]


def test_components_nested_too_deep_are_refused() -> None:
    data = HEADER
    for _ in range(MAX_COMPONENT_NESTING):
        data = HEADER + section(4, data)
    assert decode_component(data).components
    with pytest.raises(MalformedError, match="nested too deep"):
        decode_component(HEADER + section(4, data))
