"""On no input does decoding or validation raise anything but its own errors, hang, or take memory out of proportion."""

import tracemalloc
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.mutations import leb128
from tests.support.work import loops_taken
from wasm2oci.engine.binary import decode_component, decode_module, decode_names
from wasm2oci.engine.errors import InvalidModuleError, ModuleError
from wasm2oci.engine.syntax.features import FEATURE_NAMES, Feature
from wasm2oci.engine.validate import validate_module

_ALL = Feature(sum(FEATURE_NAMES))
_HEADER = b"\0asm\x01\0\0\0"


def _feed(data: bytes) -> None:
    with suppress(ModuleError):
        module = decode_module(data)
        decode_names(module)
        validate_module(module, _ALL)
    with suppress(ModuleError):
        decode_component(data)


def _section(id_: int, contents: bytes) -> bytes:
    return bytes([id_]) + leb128(len(contents)) + contents


def _module(*bodies: bytes, types: bytes = b"\x01\x60\x00\x00") -> bytes:
    code = b"".join(leb128(len(body)) + body for body in bodies)
    return (
        _HEADER
        + _section(1, types)
        + _section(3, leb128(len(bodies)) + b"\x00" * len(bodies))
        + _section(10, leb128(len(bodies)) + code)
    )


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    _feed(data)
    _feed(_HEADER + data)
    _feed(b"\0asm\x0d\0\x01\0" + data)


@given(st.lists(st.tuples(st.integers(0, 14), st.binary(max_size=60)), max_size=8))
def test_any_sections(sections: list[tuple[int, bytes]]) -> None:
    _feed(_HEADER + b"".join(_section(id_, contents) for id_, contents in sections))


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=4))
def test_any_bodies(bodies: list[bytes]) -> None:
    _feed(_module(*(b"\x00" + body + b"\x0b" for body in bodies)))


_DEEP = {
    "blocks": _module(b"\x00" + b"\x02\x40" * 400_000 + b"\x0b" * 400_001),
    "blocks left open": _module(b"\x00" + b"\x02\x40" * 400_000),
    "legacy tries": _module(b"\x00" + b"\x06\x40" * 200_000 + b"\x0b" * 200_001),
    "ifs in unreachable code": _module(b"\x00\x00" + b"\x04\x40" * 200_000 + b"\x0b" * 200_001),
}


@pytest.mark.parametrize("name", list(_DEEP))
def test_deep_nesting_is_no_recursion(name: str) -> None:
    with suppress(ModuleError):
        validate_module(decode_module(_DEEP[name]), _ALL)


_WIDE = b"\x60" + leb128(1000) + b"\x7f" * 1000 + leb128(1000) + b"\x7f" * 1000  # a thousand i32 to a thousand i32
_STRUCTS = b"\x50\x00\x5f\x00" + b"".join(b"\x50\x01\x00\x5f\x01\x7f\x00" for _ in range(40))  # one, and 40 below it


def _carrying_subtypes(labels: int, rounds: int) -> bytes:
    """Branches to labels that carry a thousand structures, given a thousand that are each of a subtype."""
    wide = [b"\x63" + leb128(index) for index in (0, 1)]
    types = leb128(41 + labels + 1) + _STRUCTS
    types += b"".join(
        b"\x60\x00" + leb128(1000) + wide[0] * place + wide[1] + wide[0] * (999 - place) for place in range(labels)
    )
    body = b"\x01\x01\x63\x01" + b"".join(
        b"\x02" + bytes([41 + place & 0x7F | 0x80, 41 + place >> 7]) for place in range(labels)
    )
    table = b"\x41\x00\x0e" + leb128(labels) + b"".join(map(leb128, range(labels))) + b"\x00"
    body += (b"\x20\x00" * 1000 + table) * rounds + b"\x0b"
    body += b"".join(b"\x1a" * 1000 + b"\x00\x0b" for _ in range(labels - 1)) + b"\x1a" * 1000 + b"\x0b"
    index = leb128(41 + labels)
    return (
        _HEADER
        + _section(1, types + b"\x60\x00\x00")
        + _section(3, b"\x01" + index)
        + _section(10, b"\x01" + leb128(len(body)) + body)
    )


def _changing_subtypes(rounds: int) -> bytes:
    """A branch that carries a thousand structures, the last three of other types each time."""
    types = b"\x2b" + _STRUCTS + b"\x60\x00" + leb128(1000) + b"\x63\x00" * 1000 + b"\x60\x00\x00"
    body = b"\x28" + b"".join(b"\x01\x63" + leb128(index) for index in range(1, 41)) + b"\x02\x29" + b"\xd0\x00" * 1000
    for number in range(rounds):
        last = (number % 40, number // 40 % 40, number // 1600 % 40)
        body += b"\x1a" * 3 + b"".join(b"\x20" + leb128(local) for local in last) + b"\x41\x00\x0d\x00"
    body += b"\x00\x0b" + b"\x1a" * 1000 + b"\x0b"
    return _HEADER + _section(1, types) + _section(3, b"\x01\x2a") + _section(10, b"\x01" + leb128(len(body)) + body)


_GREEDY: dict[str, Callable[[], bytes]] = {
    "locals without a default in many bodies": lambda: _module(*[b"\x01\xd0\x86\x03\x64\x00\x00\x0b"] * 20_000),
    "subtypes behind many sections": lambda: (
        _HEADER
        + _section(0, b"\x00") * 40_000
        + _section(1, leb128(40_001) + b"\x50\x00\x5f\x00" + b"\x50\x01\x00\x5f\x00" * 40_000)
    ),
    "branches that carry a thousand subtypes": lambda: _changing_subtypes(10_000),
    "a vector as long as its length says": lambda: _HEADER + _section(1, b"\xff\xff\xff\x0f" + b"\x60\x00\x00"),
    "locals by the billion": lambda: _module(b"\x01\xff\xff\xff\xff\x0f\x7f\x0b"),
    "many locals in many bodies": lambda: _module(*[b"\x01\xd0\x86\x03\x7f\x0b"] * 20_000),
    "results from nothing": lambda: _module(
        b"\x00\x00" + b"\x10\x00" * 50_000 + b"\x0b", types=b"\x02" + _WIDE + b"\x60\x00\x00"
    ),
    "branches that carry a thousand values": lambda: _module(
        b"\x00\x00" + b"\x02\x00" * 2_000 + b"\x0b" * 2_001, types=b"\x01" + _WIDE
    ),
    "a long chain of subtypes": lambda: (
        _HEADER
        + _section(
            1, leb128(64) + b"\x50\x00\x5f\x00" + b"".join(b"\x50\x01" + leb128(i) + b"\x5f\x00" for i in range(63))
        )
    ),
    "subtypes by the thousand": lambda: (
        _HEADER + _section(1, leb128(20_000) + b"\x50\x00\x5f\x00" + b"\x50\x01\x00\x5f\x00" * 19_999)
    ),
    "an array from the stack of unreachable code": lambda: _module(
        b"\x00\x00" + b"\xfb\x08\x01\x90\x4e\x1a" * 30_000 + b"\x0b", types=b"\x02\x60\x00\x00\x5e\x7f\x01"
    ),
    "wide branch tables": lambda: _module(b"\x00\x41\x00\x0e" + leb128(200_000) + b"\x00" * 200_001 + b"\x0b"),
}


@pytest.mark.parametrize("name", list(_GREEDY))
def test_memory_and_time_in_proportion(name: str) -> None:
    data = _GREEDY[name]()
    assert loops_taken(lambda: _feed(data)) < 50_000_000 + len(data) * 2_500
    tracemalloc.start()
    try:
        _feed(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000 + 400 * len(data)


def test_labels_that_carry_a_thousand_subtypes_each_are_refused_in_time() -> None:
    validate_module(decode_module(_carrying_subtypes(3, 3)), _ALL)
    with pytest.raises(InvalidModuleError, match="too many values to match"):
        validate_module(decode_module(_carrying_subtypes(100, 30)), _ALL)
