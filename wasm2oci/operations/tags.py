"""Tags: what a repository or layout calls its artifacts."""

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from wasm2oci.content.target import TagLister
from wasm2oci.errors import UnsupportedError

if TYPE_CHECKING:
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment

__all__ = ["Tags", "TagsRequest", "is_attached_tag", "tags"]

_ATTACHED: Final = re.compile(r"sha(256|512)-[0-9a-f]{64}(?:[0-9a-f]{64})?(?:\.[A-Za-z0-9_.-]+)?\Z")


def is_attached_tag(tag: str) -> bool:
    """Whether this is a tag of signatures or referrers (`sha256-...`), which belongs to what they are about."""
    return _ATTACHED.match(tag) is not None


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
    shown = found if request.everything else tuple(tag for tag in found if not is_attached_tag(tag))
    return Tags(str(request.location), shown, len(found) - len(shown))
