"""The endpoints of the distribution specification, as the server sees them: one table.

A path is matched whole, names are checked by their grammar afterwards, so a malformed name is answered with the
specification's own error. Spec: distribution-spec, Endpoints; rows keep its order and its names.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["ROUTES", "Action", "Match", "Route", "find"]

Action = Literal["pull", "push", "delete"]
"""What a user may be allowed to do in a repository."""


@dataclass(frozen=True, slots=True)
class Route:
    """One row.

    Attributes:
        name: the resource; together with the method it names the function that answers.
        pattern: of the path; groups `name` (repository) and `reference` (tag, digest or upload) where it has them.
        methods: method -> (endpoint of the specification, what the user needs to be allowed).
    """

    name: str
    pattern: re.Pattern[str]
    methods: dict[str, tuple[str, Action]]


@dataclass(frozen=True, slots=True)
class Match:
    """A path that is a row's: the row, the repository's name and the reference as they stand in the path."""

    route: Route
    name: str
    reference: str


def _row(name: str, pattern: str, **methods: tuple[str, Action]) -> Route:
    return Route(name, re.compile(pattern + r"\Z", re.DOTALL), methods)


_NAME: Final = r"/v2/(?P<name>.+)"
_REFERENCE: Final = r"(?P<reference>[^/]+)"

ROUTES: Final = (
    _row("base", r"/v2/?", GET=("end-1", "pull"), HEAD=("end-1", "pull")),
    _row("catalog", r"/v2/_catalog", GET=("docker", "pull"), HEAD=("docker", "pull")),
    _row("uploads", _NAME + r"/blobs/uploads/?", POST=("end-4a, end-4b, end-4c, end-11", "push")),
    _row(
        "upload",
        _NAME + r"/blobs/uploads/" + _REFERENCE,
        PATCH=("end-5", "push"),
        PUT=("end-6", "push"),
        GET=("end-13", "push"),
        HEAD=("end-13", "push"),
        DELETE=("end-14", "push"),
    ),
    _row(
        "blob",
        _NAME + r"/blobs/" + _REFERENCE,
        GET=("end-2", "pull"),
        HEAD=("end-2", "pull"),
        DELETE=("end-10", "delete"),
    ),
    _row(
        "manifest",
        _NAME + r"/manifests/" + _REFERENCE,
        GET=("end-3", "pull"),
        HEAD=("end-3", "pull"),
        PUT=("end-7a, end-7b", "push"),
        DELETE=("end-9", "delete"),
    ),
    _row("tags", _NAME + r"/tags/list", GET=("end-8a, end-8b", "pull"), HEAD=("end-8a, end-8b", "pull")),
    _row("referrers", _NAME + r"/referrers/" + _REFERENCE, GET=("end-12a, end-12b", "pull"), HEAD=("end-12a", "pull")),
)


def find(path: str) -> Match | None:
    """The row that a decoded path belongs to, or None."""
    for route in ROUTES:
        match = route.pattern.match(path)
        if match is not None:
            groups = match.groupdict()
            return Match(route, groups.get("name") or "", groups.get("reference") or "")
    return None
