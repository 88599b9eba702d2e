"""Tags: what a repository or layout calls its artifacts."""

import re
from itertools import compress
from operator import not_
from typing import TYPE_CHECKING, Final, NamedTuple

from wasm2oci.content.target import TagLister
from wasm2oci.errors import UnsupportedError

if TYPE_CHECKING:
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment

__all__ = ["Tags", "tags"]

_FALLBACK: Final = re.compile(r"sha(256|512)-[0-9a-f]{64}(?:[0-9a-f]{64})?(?:\.[A-Za-z0-9_.-]+)?\Z")


class Tags(NamedTuple):
    """The tags of a place, sorted, and those that only tools use."""

    shown: tuple[str, ...]
    hidden: tuple[str, ...]


def tags(location: "Location", environment: "Environment", *, everything: bool = False) -> Tags:
    """List tags.

    Args:
        location: a repository or layout; tag and digest are ignored.
        environment: the world.
        everything: show `sha256-...` tags too: referrers' fallback indexes and cosign's signatures.

    Raises:
        NotFoundError: there is no such repository.
        Wasm2OciError: the place cannot be read.
    """
    with environment.places() as places:
        target = places.read(location)
        if not isinstance(target, TagLister):
            raise UnsupportedError(f"{target} cannot list tags")
        # Registries should sort them, and distribution 2.8 does not.
        found = tuple(sorted(set(target.tags())))
    if everything:
        return Tags(found, ())
    hidden = [_FALLBACK.match(tag) is not None for tag in found]
    return Tags(tuple(compress(found, map(not_, hidden))), tuple(compress(found, hidden)))
