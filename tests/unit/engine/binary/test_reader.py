"""Primitive values. Spec: core, values (5.2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasm2oci.engine.binary.reader import Reader
from wasm2oci.engine.errors import MalformedError


def _leb(value: int, *, signed: bool = False) -> bytes:
    out = bytearray()
    while True:
        byte, value = value & 0x7F, value >> 7
        done = value in ((0, -1) if signed else (0,)) and (not signed or (value == -1) == bool(byte & 0x40))
        out.append(byte | (0 if done else 0x80))
        if done:
            return bytes(out)


@given(st.integers(0, 2**32 - 1))
def test_u32_round_trips(value: int) -> None:
    reader = Reader(_leb(value))
    assert reader.u32() == value
    assert reader.pos == len(reader.data)


@given(st.integers(0, 2**64 - 1))
def test_u64_round_trips(value: int) -> None:
    assert Reader(_leb(value)).u64() == value


@given(st.integers(-(2**31), 2**31 - 1))
def test_s32_round_trips(value: int) -> None:
    assert Reader(_leb(value, signed=True)).s32() == value


@given(st.integers(-(2**63), 2**63 - 1))
def test_s64_round_trips(value: int) -> None:
    assert Reader(_leb(value, signed=True)).s64() == value


@pytest.mark.parametrize(
    ("data", "method", "reason"),
    [
        (b"", "u32", "unexpected end"),
        (b"\x80", "u32", "unexpected end"),
        (b"\x80\x80\x80\x80\x80\x00", "u32", "integer representation too long"),
        (b"\xff\xff\xff\xff\x1f", "u32", "integer too large"),
        (b"\x80\x80\x80\x80\x70", "u32", "integer too large"),
        (b"\xff\xff\xff\xff\x4f", "s32", "integer too large"),
        (b"\x80\x80\x80\x80\x80\x00", "s32", "integer representation too long"),
        (b"\xff" * 9 + b"\x02", "u64", "integer too large"),
        (b"\x02\xc3\x28", "name", "malformed UTF-8 encoding"),
        (b"\x03\xed\xa0\x80", "name", "malformed UTF-8 encoding"),  # a surrogate
        (b"\x05abcd", "name", "length out of bounds"),
    ],
)
def test_refuses(data: bytes, method: str, reason: str) -> None:
    with pytest.raises(MalformedError) as caught:
        getattr(Reader(data), method)()
    assert caught.value.reason == reason
    assert str(caught.value) == f"{reason} (at offset {caught.value.offset:#x})"


def test_a_padded_integer_is_the_same_integer() -> None:
    # "[trailing zeros are allowed], within the bounds of ceil(N/7) bytes" (5.2.2)
    assert Reader(b"\x83\x80\x80\x80\x00").u32() == 3
    assert Reader(b"\xff\xff\xff\xff\x7f").s32() == -1


def test_a_vector_longer_than_the_input_is_refused_before_it_is_read() -> None:
    with pytest.raises(MalformedError, match="length out of bounds"):
        Reader(b"\xff\xff\x03" + bytes(100)).count(1 << 20, "things")


@given(st.lists(st.integers(0, 2**32 - 1)))
def test_indices_are_read_like_single_integers(values: list[int]) -> None:
    reader = Reader(b"".join(map(_leb, values)))
    assert reader.indices(len(values)) == tuple(values)
    assert reader.pos == reader.end
