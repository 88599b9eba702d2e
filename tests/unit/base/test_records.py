"""A named tuple of ours is one of Python's, whose annotations stay text until they are asked for."""

from __future__ import annotations

import pickle
import typing

import pytest

from wasm2oci.base.records import NamedTuple


class Ours(NamedTuple):
    """Documentation."""

    name: str
    sizes: tuple[int, ...] = ()

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.sizes)

    @classmethod
    def of(cls, name: str) -> Ours:
        return cls(name)


class Pythons(typing.NamedTuple):
    """Documentation."""

    name: str
    sizes: tuple[int, ...] = ()


@pytest.mark.parametrize(
    "attribute", ["_fields", "_field_defaults", "__match_args__", "__doc__", "__module__", "__bases__"]
)
def test_a_class_is_as_python_makes_it(attribute: str) -> None:
    assert getattr(Ours, attribute) == getattr(Pythons, attribute)
    assert typing.get_type_hints(Ours) == typing.get_type_hints(Pythons)
    assert Ours.__qualname__ == "Ours"


def test_values_have_the_methods_of_the_class() -> None:
    value = Ours("a", (1, 2))
    assert (value.total, Ours.of("b"), value._replace(name="c").name) == (3, Ours("b", ()), "c")
    assert value == ("a", (1, 2))
    assert pickle.loads(pickle.dumps(value)) == value
    assert repr(value) == "Ours(name='a', sizes=(1, 2))"


def test_annotations_are_not_compiled_before_they_are_asked_for() -> None:
    assert Ours.__annotations__ == {"name": "str", "sizes": "tuple[int, ...]"}


def test_a_field_without_a_default_after_one_with_a_default_is_refused() -> None:
    with pytest.raises(TypeError):

        class Wrong(NamedTuple):
            first: int = 0
            second: int  # type: ignore[misc]
