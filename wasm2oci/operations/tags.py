"""Tags: what a repository or layout calls its artifacts."""

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from wasm2oci.content.target import TagLister
from wasm2oci.errors import UnsupportedError

if TYPE_CHECKING:
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment

__all__ = ["Tags", "TagsRequest", "tags"]

_FALLBACK: Final = re.compile(r"sha(256|512)-[0-9a-f]{64}(?:[0-9a-f]{64})?(?:\.[A-Za-z0-9_.-]+)?\Z")


class TagsRequest(NamedTuple):
    """Whose tags are listed.

    Args:
        location: a repository or layout; tag and digest are ignored.
        everything: list `sha256-...` tags too: referrers' fallback indexes and cosign's signatures.
    """

    location: "Location"
    everything: bool = False


class Tags(NamedTuple):
    """The tags of a repository or layout, sorted.

    Attributes:
        repository: as it was given.
        tags: those that people gave; with `everything` all.
        hidden: how many tags of signatures and referrers were left out.
    """

    repository: str
    tags: tuple[str, ...]
    hidden: int


def tags(request: TagsRequest, environment: "Environment") -> Tags:
    """List tags.

    Raises:
        NotFoundError: there is no such repository.
        Wasm2OciError: the place cannot be read.
    """
    with environment.places() as places:
        target = places.read(request.location)
        if not isinstance(target, TagLister):
            raise UnsupportedError(f"{target} cannot list tags")
        # Registries should sort them, and distribution 2.8 does not.
        found = tuple(sorted(set(target.tags())))
    shown = found if request.everything else tuple(tag for tag in found if _FALLBACK.match(tag) is None)
    return Tags(str(request.location), shown, len(found) - len(shown))
