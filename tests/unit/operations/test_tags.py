"""Listing tags takes work that grows with their number, also where most of them belong to signatures."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.support.work import assert_linear
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.reference import Reference
from wasm2oci.oci.referrers import cosign_tag
from wasm2oci.operations.tags import TagsRequest, tags

if TYPE_CHECKING:
    from collections.abc import Iterator

HASHED = [0]


class Counted(str):
    """A tag that counts how often it is looked up in a set."""

    __slots__ = ()
    __eq__ = str.__eq__

    def __hash__(self) -> int:
        HASHED[0] += 1
        return super().__hash__()


class Repository:
    """With one signature for each artifact."""

    def __init__(self, size: int) -> None:
        self.size = size

    def tags(self) -> Iterator[str]:
        for number in range(self.size):
            yield Counted(f"v{number}")
            yield Counted(cosign_tag(Digest.of(str(number).encode()), "sig"))


class Places:
    """Where the repository is found."""

    def __init__(self, size: int) -> None:
        self.repository = Repository(size)

    @contextmanager
    def places(self) -> Iterator[Any]:
        yield self

    def read(self, _: object) -> Repository:
        return self.repository


def test_tags_among_those_of_signatures_are_listed_in_linear_time() -> None:
    """The set of hidden tags was made anew for each tag: 40,000 of them took 28 s."""
    request = TagsRequest(Reference.parse("r.example/a"))

    def work(size: int) -> int:
        HASHED[0] = 0
        found = tags(request, Places(size))  # type: ignore[arg-type]
        assert (len(found.tags), found.hidden) == (size, size)
        return HASHED[0]

    assert_linear(work, (200, 400, 800))
    assert work(200) <= 200 * 2 * 3
