"""Repositories: what a registry says that it holds."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from wasm2oci.operations.names import split_host

if TYPE_CHECKING:
    from wasm2oci.operations.environment import Environment

__all__ = ["Repositories", "repositories"]


class Repositories(NamedTuple):
    """The repositories of a registry, in its own order.

    Attributes:
        registry: as it was given.
        repositories: their names, without the host.
        more: whether there are others, which the limit leaves out.
    """

    registry: str
    repositories: tuple[str, ...]
    more: bool


def repositories(registry: str, limit: int | None, environment: Environment) -> Repositories:
    """List the repositories of a registry, or (`HOST/PREFIX`) those below a prefix."""
    from wasm2oci.registry.catalog import list_repositories

    host, prefix = split_host(registry)
    with environment.places() as places:
        every = list_repositories(places.connector.session(host))
        fitting = (name for name in every if not prefix or name == prefix or name.startswith(f"{prefix}/"))
        found = list(islice(fitting, None if limit is None else limit + 1))
    kept = found if limit is None else found[:limit]
    return Repositories(registry, tuple(kept), len(found) > len(kept))
