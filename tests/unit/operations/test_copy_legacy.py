"""A copy of very many manifests asks for a listing of tags, not for three tags of each manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wasm2oci.content.memory import MemoryTarget
from wasm2oci.content.verify import BytesContent
from wasm2oci.errors import UnsupportedError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.referrers import cosign_tag
from wasm2oci.operations.copy_legacy import LegacyTags

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasm2oci.oci.reference import Name

SUBJECTS = [Digest.of(str(number).encode()) for number in range(200)]
SIGNATURE = b'{"schemaVersion":2}'


class Counted(MemoryTarget):
    """Counts the tags that are asked for, and hides some from its listing."""

    def __init__(self, signed: set[int], *, hidden: bool = False, others: int = 0) -> None:
        super().__init__()
        self.asked: list[Name] = []
        self.listed = 0
        self._hidden, self._others = hidden, others
        for number in signed:
            tag = cosign_tag(SUBJECTS[number], "sig")
            self.add(Descriptor.of(mt.OCI_MANIFEST, SIGNATURE), BytesContent(SIGNATURE), tag=tag)

    def resolve(self, name: Name) -> Descriptor:
        self.asked.append(name)
        return super().resolve(name)

    def tags(self) -> Iterator[str]:  # type: ignore[override]
        for number in range(self._others):
            self.listed += 1
            yield f"v{number}"
        if not self._hidden:
            yield from super().tags()


def found(source: Counted) -> set[int]:
    tags = LegacyTags(source)
    return {number for number, subject in enumerate(SUBJECTS) if tags.of(subject, len(SUBJECTS) - number)}


def test_a_listing_takes_the_place_of_questions() -> None:
    source = Counted({1, 3, 150, 199})
    assert found(source) == {1, 3, 150, 199}
    assert len(source.asked) == 3 * 16 + 2


@pytest.mark.parametrize("signed", [{1, 150}, {150}])
def test_a_listing_that_hides_what_is_there_does_not_count(signed: set[int]) -> None:
    """Whether or not the first manifests, which are asked for one by one, are signed."""
    source = Counted(signed, hidden=True, others=3)
    assert found(source) == signed
    assert len(source.asked) == 3 * len(SUBJECTS)


def test_a_listing_that_costs_more_than_the_questions_is_given_up() -> None:
    source = Counted({1, 150}, others=1_000_000)
    assert found(source) == {1, 150}
    assert source.listed <= 100 * 3 * len(SUBJECTS) + 1


def test_a_listing_that_is_refused_leaves_the_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> Iterator[str]:
        raise UnsupportedError("no listing")

    monkeypatch.setattr(Counted, "tags", refuse)
    assert found(Counted({1, 150})) == {1, 150}
