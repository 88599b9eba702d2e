"""Complete: how a reference that was begun may go on.

Registries that credentials are kept for, image layouts below the folder, and the tags of a layout or repository. Only
tags of a registry take a request; what cannot be found out is left out.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasm2oci.base.probe import is_file
from wasm2oci.errors import Wasm2OciError
from wasm2oci.oci.reference import ARCHIVE_PREFIX, LAYOUT_PREFIX, parse_location
from wasm2oci.operations.subject import is_layout
from wasm2oci.operations.tags import TagsRequest, tags

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasm2oci.operations.environment import Environment

__all__ = ["complete_host", "complete_reference"]

_MOST: Final = 1000
"""Candidates that a shell is given."""


def complete_host(word: str, environment: Environment) -> tuple[str, ...]:
    """Registries whose name begins with `word`."""
    from wasm2oci.registry.credentials import CredentialChain

    found = CredentialChain(environment.variables, environment.home, None, environment.options.registry_config).hosts()
    return tuple(sorted(host for host in found if host.startswith(word)))


def complete_reference(word: str, environment: Environment) -> tuple[str, ...]:
    """References that begin with `word`; those that end in `/` or `:` go on."""
    before, colon, begun = word.rpartition(":")
    if word.startswith(LAYOUT_PREFIX):
        folder = before.removeprefix(LAYOUT_PREFIX)
        found = _tags(before, begun, environment) if f"{before}:" != LAYOUT_PREFIX and is_layout(Path(folder)) else ()
        return found or tuple(_layouts(word.removeprefix(LAYOUT_PREFIX)))
    if word.startswith(ARCHIVE_PREFIX):
        file = before.removeprefix(ARCHIVE_PREFIX)
        found = _tags(before, begun, environment) if f"{before}:" != ARCHIVE_PREFIX and is_file(Path(file)) else ()
        return found or tuple(_archives(word.removeprefix(ARCHIVE_PREFIX)))
    if "/" in before and colon:
        return _tags(before, begun, environment)
    if "/" in word:
        return ()
    hosts = tuple(f"{host}/" for host in complete_host(word, environment))
    return (*hosts, *(prefix for prefix in (ARCHIVE_PREFIX, LAYOUT_PREFIX) if prefix.startswith(word)))


def _tags(place: str, begun: str, environment: Environment) -> tuple[str, ...]:
    try:
        found = tags(TagsRequest(parse_location(place)), environment).tags
    except Wasm2OciError:
        return ()
    return tuple(f"{place}:{tag}" for tag in found if tag.startswith(begun))[:_MOST]


def _layouts(begun: str) -> Iterator[str]:
    for path, is_folder in _below(begun):
        if is_folder:
            yield f"{LAYOUT_PREFIX}{path}{':' if is_layout(Path(path)) else '/'}"


def _archives(begun: str) -> Iterator[str]:
    for path, is_folder in _below(begun):
        if is_folder or path.endswith(".tar"):
            yield f"{ARCHIVE_PREFIX}{path}{'/' if is_folder else ':'}"


def _below(begun: str) -> Iterator[tuple[str, bool]]:
    """Paths that begin so, and whether each is a folder; hidden ones only when that was begun."""
    folder, slash, name = begun.rpartition("/")
    try:
        with os.scandir(folder or (slash or ".")) as entries:
            below = sorted((entry.name, entry.is_dir()) for entry in entries if entry.name.startswith(name))
    except OSError:
        return
    for each, is_folder in below[:_MOST]:
        if not each.startswith(".") or name.startswith("."):
            yield f"{folder}{slash}{each}", is_folder
