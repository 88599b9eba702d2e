"""Settings of registries in containers' `registries.conf`: mirrors, other locations, blocked and insecure registries.

The file is the one that `WASM2OCI_REGISTRIES_CONF` names (empty or `off`: none, and no drop-in either), else
`CONTAINERS_REGISTRIES_CONF`, else `containers/registries.conf` in the user's configuration folder, else in `/etc`.
Drop-ins (`registries.conf.d/*.conf`, of the system and then of the user, by name) replace tables of the same prefix.

Of the tables whose prefix a reference begins with, the one with the longest counts. Mirrors and other locations are for
reading only, and get only credentials that are kept for them. Aliases and lists of registries to search are not read:
a reference always names its registry here.

Format: containers-registries.conf(5), version 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.base.reading import read_found, read_named
from wasm2oci.base.records import NamedTuple
from wasm2oci.errors import AccessError, InvalidInputError
from wasm2oci.oci.host import without_user
from wasm2oci.oci.reference import InvalidReferenceError, Reference
from wasm2oci.registry.flavours import find_flavour
from wasm2oci.registry.rule_files import OWN_CONF, HostSettings, conf_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from wasm2oci.errors import Wasm2OciError
    from wasm2oci.registry.rule_files import ConfFiles

__all__ = [
    "BlockedRegistryError",
    "Mirror",
    "PullSource",
    "RegistriesConfError",
    "RegistryRule",
    "find_rule",
    "read_rules",
    "sources",
]

_MAX: Final = 1 << 20
_PULLS: Final = frozenset({"all", "digest-only", "tag-only"})


class RegistriesConfError(InvalidInputError):
    """A `registries.conf` is malformed."""


class BlockedRegistryError(AccessError):
    """A `registries.conf` blocks this registry or repository."""


class Mirror(NamedTuple):
    """A mirror of a `RegistryRule`; `pulls` is `all`, `digest-only` or `tag-only`."""

    location: str
    pulls: str
    settings: HostSettings = HostSettings()


class RegistryRule(NamedTuple):
    """A `[[registry]]` table.

    Args:
        file: that it is in.
        prefix: of the references that it is for.
        location: what takes the place of the prefix.
        blocked: whether nothing may be read or written there.
        mirrors: tried before the location, in order.
        settings: of the location.
    """

    file: Path
    prefix: str
    location: str
    blocked: bool
    mirrors: tuple[Mirror, ...]
    settings: HostSettings = HostSettings()


class PullSource(NamedTuple):
    """A place where something may be read.

    Args:
        reference: its host and repository; tag and digest are those that were asked for.
        settings: of that host.
        tags: whether it is asked for what a tag names.
        digests: whether it is asked for what a digest names.
    """

    reference: Reference
    settings: HostSettings
    tags: bool = True
    digests: bool = True


def read_rules(files: ConfFiles) -> tuple[RegistryRule, ...]:
    """The tables of all files that count.

    Raises:
        RegistriesConfError: a file is malformed.
        LocalIOError: a file cannot be read, or the one that a variable names is not there.
    """
    tables = [] if files.named is None else _read(files.named, read_named)
    for path in files.found:
        tables += _read(path, read_found)
    return tuple({rule.prefix: rule for rule in tables}.values())


def find_rule(rules: Iterable[RegistryRule], place: Reference | str) -> RegistryRule | None:
    """The rule for a reference, or for `HOST` or `HOST/PATH`: the one with the longest prefix."""
    fitting = [(length, rule) for rule in rules if (length := _matched(rule.prefix, place)) > 0]
    return max(fitting, key=lambda pair: (pair[0], len(pair[1].prefix)))[1] if fitting else None


def sources(rule: RegistryRule, reference: Reference, warn: Callable[[str], None]) -> tuple[PullSource, ...]:
    """Where a reference is read, in order: the mirrors, then the location itself.

    Args:
        rule: for the reference.
        reference: what is read.
        warn: takes a sentence about a mirror whose location makes no reference of it.

    Raises:
        RegistriesConfError: the location itself makes no reference of it.
    """
    found = []
    for mirror in rule.mirrors:
        try:
            moved = _moved(rule, mirror.location, reference)
        except RegistriesConfError as error:
            warn(f"a mirror is passed over: {error.message}")
            continue
        tags, digests = mirror.pulls != "digest-only", mirror.pulls != "tag-only"
        found.append(PullSource(moved, mirror.settings, tags, digests))
    return (*found, PullSource(_moved(rule, rule.location, reference), rule.settings))


def _full(reference: Reference) -> str:
    namespace = find_flavour(reference.host).namespace
    if namespace is None or "/" in reference.repository:
        return str(reference)
    return str(Reference(reference.host, f"{namespace}/{reference.repository}", reference.tag, reference.digest))


def _matched(prefix: str, place: Reference | str) -> int:
    """Characters of a place that a prefix covers; 0: it does not fit."""
    host, text = (place.partition("/")[0], place) if isinstance(place, str) else (place.host, _full(place))
    if prefix.startswith("*."):
        name, _, port = host.partition(":")
        return len(name) if name.endswith(prefix[1:]) and not port else 0
    after = text[len(prefix) : len(prefix) + 1]
    ends = {"/"} if "/" not in prefix else {"/", ":", "@"}
    return len(prefix) if prefix and text.startswith(prefix) and (not after or after in ends) else 0


def _moved(rule: RegistryRule, location: str, reference: Reference) -> Reference:
    if not location:
        return reference
    text = location + _full(reference)[_matched(rule.prefix, reference) :]
    try:
        return Reference.parse(text)
    except InvalidReferenceError as error:
        message = f"{rule.file}: {location!r} makes {text!r} of {reference}: {error.message}"
        raise RegistriesConfError(message) from error


def _read(path: Path, read: Callable[[Path, int, Callable[[str], Wasm2OciError]], bytes]) -> list[RegistryRule]:
    with conf_errors():
        raw = read(path, _MAX, _error)
    if not any(line.lstrip(b" \t[").startswith(b"registry") for line in raw.splitlines()):
        return []  # mostly: no table, and no need of a parser
    from wasm2oci.base.toml import load_toml

    try:
        value = load_toml(raw)
    except ValueError as error:
        raise _malformed(path, str(error)) from error
    tables = value.get("registry", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise _malformed(path, "`registry` is not a list of tables")
    return [_rule(path, table) for table in tables]


def _rule(path: Path, table: dict[str, Any]) -> RegistryRule:
    location = _text(path, table, "location")
    prefix = _text(path, table, "prefix") or location
    if not prefix or (not location and not prefix.startswith("*.")):
        raise _malformed(path, "a [[registry]] has no location")
    digests_only = _flag(path, table, "mirror-by-digest-only")
    mirrors = table.get("mirror", [])
    if not isinstance(mirrors, list) or not all(isinstance(mirror, dict) for mirror in mirrors):
        raise _malformed(path, "`mirror` is not a list of tables")
    return RegistryRule(
        path,
        prefix.rstrip("/"),
        location.rstrip("/"),
        _flag(path, table, "blocked"),
        tuple(_mirror(path, mirror, digests_only=digests_only) for mirror in mirrors),
        HostSettings(_flag(path, table, "insecure")),
    )


def _mirror(path: Path, table: dict[str, Any], *, digests_only: bool) -> Mirror:
    location = _text(path, table, "location").rstrip("/")
    pulls = _text(path, table, "pull-from-mirror")
    if not location:
        raise _malformed(path, "a [[registry.mirror]] has no location")
    if pulls and (digests_only or pulls not in _PULLS):
        raise _malformed(path, f"pull-from-mirror of {location} is {pulls!r}, or mirror-by-digest-only is set too")
    settings = HostSettings(_flag(path, table, "insecure"))
    return Mirror(location, "digest-only" if digests_only else pulls or "all", settings)


def _text(path: Path, table: dict[str, Any], key: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str) or "://" in value or without_user(value) != value:
        raise _malformed(path, f"{key} is not HOST or HOST/NAME")
    return value


def _flag(path: Path, table: dict[str, Any], key: str) -> bool:
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise _malformed(path, f"{key} is neither true nor false")
    return value


def _error(message: str) -> RegistriesConfError:
    return RegistriesConfError(message, hint=f"fix it, or set {OWN_CONF}=off to ignore it")


def _malformed(path: Path, reason: str) -> RegistriesConfError:
    return _error(f"{path}: {reason}")
