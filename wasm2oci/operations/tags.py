"""Tags: what a repository or layout calls its artifacts."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from wasm2oci.base.records import NamedTuple
from wasm2oci.content.target import TagLister
from wasm2oci.errors import UnsupportedError
from wasm2oci.oci.reference import parse_name
from wasm2oci.oci.referrers import names_a_subject

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment

__all__ = ["TagOrder", "Tags", "TagsRequest", "tags"]


class TagOrder(StrEnum):
    """How tags are sorted."""

    NAME = "name"
    VERSION = "version"


class TagsRequest(NamedTuple):
    """Whose tags are listed, with the arguments of `Client.tags`; tag and digest of the location are ignored."""

    location: Location
    everything: bool = False
    order: TagOrder = TagOrder.NAME
    reverse: bool = False
    limit: int | None = None
    of: str | None = None


class Tags(NamedTuple):
    """The tags of a repository or layout, sorted.

    Attributes:
        repository: as it was given.
        tags: those that people gave; with `everything` all.
        hidden: how many tags of signatures and referrers were left out.
        more: how many were left out because of the limit.
    """

    repository: str
    tags: tuple[str, ...]
    hidden: int
    more: int = 0


def tags(request: TagsRequest, environment: Environment) -> Tags:
    """List tags."""
    with environment.places() as places:
        target = places.read(request.location)
        if not isinstance(target, TagLister):
            raise UnsupportedError(f"{target} cannot list tags")
        # Registries should sort them, and distribution 2.8 does not.
        found = sorted(set(target.tags()), key=_order(request.order))
        shown = found if request.everything else [tag for tag in found if not names_a_subject(tag)]
        hidden = len(found) - len(shown)
        if request.of is not None:
            from wasm2oci.operations.tags_of import tags_among

            same = set(tags_among(target, target.resolve(parse_name(request.of)).digest, shown))
            shown = [tag for tag in shown if tag in same]
    if request.reverse:
        shown.reverse()
    kept = shown if request.limit is None else shown[: request.limit]
    return Tags(str(request.location), tuple(kept), hidden, len(shown) - len(kept))


def _order(order: TagOrder) -> Callable[[str], tuple[object, ...]] | None:
    if order is TagOrder.NAME:
        return None
    from wasm2oci.oci.tag_order import version_key

    return version_key
