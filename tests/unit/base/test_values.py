"""A value is what a frozen data class is: checked when it is made, never changed, equal by its fields."""

from __future__ import annotations

import copy
import pickle

import pytest

from wasm2oci.base.values import Value
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest, InvalidDigestError
from wasm2oci.oci.manifest import Index
from wasm2oci.oci.reference import InvalidReferenceError, Reference


class Point(Value):
    __slots__ = ("x", "y")
    x: int
    y: int

    def __init__(self, x: int, y: int = 0) -> None:
        self._set(x=x, y=y)


class Other(Value):
    __slots__ = ("x", "y")
    x: int
    y: int

    def __init__(self, x: int, y: int = 0) -> None:
        self._set(x=x, y=y)


def test_values_of_one_class_with_equal_fields_are_equal() -> None:
    assert Point(1) == Point(1, 0)
    assert hash(Point(1)) == hash(Point(1, 0))
    assert Point(1) != Point(2)
    assert Point(1) != Other(1)
    assert Point(1) != (1, 0)
    assert repr(Point(1, 2)) == "Point(x=1, y=2)"


def test_the_fields_are_in_the_order_in_which_they_are_given() -> None:
    """They were in that of the slots, which is alphabetical."""
    assert Reference._fields == ("host", "repository", "tag", "digest")
    assert repr(Reference("a.b", "c", "d")).startswith("Reference(host='a.b', repository='c', tag='d', digest=")


@pytest.mark.parametrize("value", [Point(1), Digest.of(b"x"), Reference("a.b", "c", "d"), Descriptor.of("a/b", b"")])
def test_a_value_is_not_changed(value: Value) -> None:
    for name in (*value._fields, "more"):
        with pytest.raises(AttributeError):
            setattr(value, name, None)
    with pytest.raises(AttributeError):
        delattr(value, value._fields[0])
    assert not hasattr(value, "__dict__")


@pytest.mark.parametrize("value", [Point(1), Digest.of(b"x"), Reference("a.b", "c", "d"), Descriptor.of("a/b", b"")])
def test_a_value_can_be_copied_and_sent_to_another_process(value: Value) -> None:
    assert copy.copy(value) == value
    if not isinstance(value, Descriptor):  # whose annotations are a view, which cannot be sent
        assert copy.deepcopy(value) == value
        assert pickle.loads(pickle.dumps(value)) == value


def test_what_takes_the_place_of_a_field_is_checked() -> None:
    assert Point(1)._replace(y=2) == Point(1, 2)
    with pytest.raises(InvalidDigestError):
        Digest.of(b"x")._replace(encoded="x")
    with pytest.raises(InvalidReferenceError):
        Reference("a.b", "c")._replace(tag="-")


def test_digests_have_an_order() -> None:
    digests = [Digest.of(data) for data in (b"a", b"b", b"c")]
    assert sorted(digests, reverse=True) == sorted(digests, key=str, reverse=True)


def test_the_bytes_of_a_document_are_not_shown() -> None:
    raw = b"{}"
    index = Index(raw=raw, media_type="a/b", manifests=(), artifact_type=None, subject=None, annotations={})
    assert "raw" not in repr(index)
    assert {index: 1}[index] == 1
