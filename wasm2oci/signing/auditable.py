"""The dependencies that cargo-auditable writes into a module: the custom section `.dep-v0`, zlib around JSON.

    {"packages": [{"name", "version", "source", "kind"?: "build" | "runtime", "dependencies"?: [index], "root"?: true}]}

Spec: rust-secure-code/cargo-auditable, PARSING.md and cargo-auditable.schema.json.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wasm2oci.errors import InvalidInputError
from wasm2oci.oci.wire import load_object

if TYPE_CHECKING:
    from wasm2oci.base.budget import Budget

__all__ = ["INFLATED_MAX", "SECTION", "Dependencies", "InvalidDependenciesError", "Package", "read_dependencies"]

SECTION: Final = ".dep-v0"
INFLATED_MAX: Final = 8 * 1024 * 1024
"""Bytes of the JSON, as PARSING.md suggests; here also of all lists in one file."""
_PACKAGES_MAX: Final = 50_000


class InvalidDependenciesError(InvalidInputError):
    """The list of dependencies in a module is damaged, too large, or circular."""


class Package(NamedTuple):
    """A crate.

    Args:
        name: as published.
        version: as published.
        source: `CratesIo`, `Git`, `Local`, `Registry`, or another name.
        build: whether it was only used while building.
        dependencies: indices of the packages that it uses.
        root: whether it is what was built.
    """

    name: str
    version: str
    source: str
    build: bool
    dependencies: tuple[int, ...]
    root: bool


class Dependencies(NamedTuple):
    """All packages, and the index of the one that was built."""

    packages: tuple[Package, ...]
    root: int


def read_dependencies(section: bytes, budget: Budget | None = None) -> Dependencies:
    """Reads the section's contents.

    Args:
        section: its bytes.
        budget: is charged with the bytes of the JSON; for several lists in one file.

    Raises:
        InvalidDependenciesError: damaged, more than `INFLATED_MAX` bytes, not exactly one root, or circular.
    """
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(section, INFLATED_MAX)
    except zlib.error as error:
        raise InvalidDependenciesError("the list of dependencies in the module cannot be unpacked") from error
    if not inflater.eof:
        reason = f"is larger than {INFLATED_MAX:,} bytes" if inflater.unconsumed_tail else "ends too early"
        raise InvalidDependenciesError(f"the list of dependencies in the module {reason}")
    if budget is not None:
        budget.charge(size=len(raw))
    try:
        entries = load_object(raw, "list of dependencies").get("packages")
    except InvalidInputError as error:
        raise InvalidDependenciesError(error.message) from error
    if not isinstance(entries, list) or not 0 < len(entries) <= _PACKAGES_MAX:
        raise InvalidDependenciesError("the list of dependencies in the module has no packages, or too many")
    packages = tuple(_package(entry, len(entries)) for entry in entries)
    roots = [index for index, package in enumerate(packages) if package.root]
    if len(roots) != 1:
        raise InvalidDependenciesError(f"the list of dependencies in the module has {len(roots)} roots, not one")
    _check_acyclic(packages)
    return Dependencies(packages, roots[0])


def _package(entry: Any, count: int) -> Package:
    if not isinstance(entry, dict):
        raise InvalidDependenciesError("a package in the list of dependencies is not an object")
    name, version, source = entry.get("name"), entry.get("version"), entry.get("source")
    if isinstance(source, dict) and len(source) == 1:
        source = str(next(iter(source.values())))
    if not isinstance(name, str) or not isinstance(version, str) or not isinstance(source, str) or not name:
        raise InvalidDependenciesError("a package in the list of dependencies lacks name, version or source")
    uses = entry.get("dependencies", [])
    if not isinstance(uses, list) or not all(type(one) is int and 0 <= one < count for one in uses):
        raise InvalidDependenciesError(f"package {name[:80]!r} depends on something that is not in the list")
    kind = entry.get("kind", "runtime")
    if kind not in ("runtime", "build"):
        raise InvalidDependenciesError(f"package {name[:80]!r} is of an unknown kind")
    return Package(name, version, source, kind == "build", tuple(dict.fromkeys(uses)), entry.get("root") is True)


def _check_acyclic(packages: tuple[Package, ...]) -> None:
    waiting = [len(package.dependencies) for package in packages]
    users: list[list[int]] = [[] for _ in packages]
    for index, package in enumerate(packages):
        for used in package.dependencies:
            users[used].append(index)
    ready = [index for index, count in enumerate(waiting) if not count]
    done = 0
    while ready:
        done += 1
        for user in users[ready.pop()]:
            waiting[user] -= 1
            if not waiting[user]:
                ready.append(user)
    if done != len(packages):
        raise InvalidDependenciesError("the list of dependencies in the module runs in circles")
