"""Data segments at instantiation: in order, dropped once copied, kept where the copying stopped."""

import pytest

from wasm2oci.engine.binary import decode_module
from wasm2oci.engine.runtime.instantiate import allocate, initialise
from wasm2oci.engine.runtime.trap import Trap
from wasm2oci.engine.validate import validate_module

MEMORY = b"\x05\x03\x01\x00\x01"


def _module(*segments: bytes) -> bytes:
    body = bytes((len(segments),)) + b"".join(segments)
    return b"\0asm\x01\0\0\0" + MEMORY + b"\x0b" + bytes((len(body),)) + body


PLAIN = b"\x00\x41\x08\x0b\x0212"
LATER = b"\x00\x41\x09\x0b\x02ab"
OUTSIDE = b"\x00\x41\x7f\x0b\x02xy"
PASSIVE = b"\x01\x03pqr"


def test_later_segments_overwrite_earlier_ones_and_only_passive_ones_stay() -> None:
    module = decode_module(_module(PLAIN, PASSIVE, LATER))
    validate_module(module)
    instance = allocate(module, [], lambda _: None)
    initialise(instance)
    assert instance.mems[0].read(8, 3) == b"1ab"
    assert instance.datas == [b"", b"pqr", b""]


def test_what_comes_after_a_segment_that_does_not_fit_is_neither_copied_nor_dropped() -> None:
    module = decode_module(_module(PLAIN, OUTSIDE, LATER, PASSIVE))
    instance = allocate(module, [], lambda _: None)
    with pytest.raises(Trap):
        initialise(instance)
    assert instance.mems[0].read(8, 3) == b"12\0"
    assert instance.datas == [b"", b"xy", b"ab", b"pqr"]
