"""Scopes: what a token allows.

    scope = type ":" name ":" action { "," action }

The name may hold colons, so the type ends at the first and the actions start after the last. `*` means every
action.
Spec: distribution-spec's token authentication, Token Scope.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from wasm2oci.base.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Scope", "covers", "merge", "parse_scopes"]


class Scope(NamedTuple):
    """Actions on one resource, usually a repository."""

    type: str
    name: str
    actions: frozenset[str]

    @classmethod
    def repository(cls, name: str, *actions: str) -> Self:
        """A scope on a repository."""
        return cls("repository", name, frozenset(actions))

    def __str__(self) -> str:
        actions = ["*"] if "*" in self.actions else sorted(self.actions)
        return f"{self.type}:{self.name}:{','.join(actions)}"


def parse_scopes(text: str) -> tuple[Scope, ...]:
    """The scopes of a challenge's `scope` parameter, joined by spaces. What has no three parts is passed over."""
    found: list[Scope] = []
    for word in text.split():
        kind, colon, rest = word.partition(":")
        name, second, actions = rest.rpartition(":")
        if colon and second:  # zot names no repository where `/v2/` is asked for
            found.append(Scope(kind, name, frozenset(action for action in actions.split(",") if action)))
    return tuple(found)


def merge(scopes: Iterable[Scope]) -> tuple[Scope, ...]:
    """One scope for each resource, with all its actions.

    Those that push come first (some token servers look at the first only), the rest in order of name.
    """
    actions: dict[tuple[str, str], frozenset[str]] = {}
    for scope in scopes:
        if scope.actions:
            key = (scope.type, scope.name)
            actions[key] = actions.get(key, frozenset()) | scope.actions
    merged = [Scope(kind, name, allowed) for (kind, name), allowed in actions.items()]
    return tuple(sorted(merged, key=lambda scope: (not scope.actions & {"push", "*"}, scope.type, scope.name)))


def covers(held: Iterable[Scope], wanted: Iterable[Scope]) -> bool:
    """Whether a token for the scopes `held` also serves for those `wanted`."""
    allowed = {(scope.type, scope.name): scope.actions for scope in held}
    for scope in wanted:
        actions = allowed.get((scope.type, scope.name), frozenset())
        if "*" not in actions and not scope.actions <= actions:
            return False
    return True
