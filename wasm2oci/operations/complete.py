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
from wasm2oci.oci.layout_index import LAYOUT_MARKER
from wasm2oci.oci.reference import LAYOUT_PREFIX, parse_location
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
        found = _tags(before, begun, environment) if f"{before}:" != LAYOUT_PREFIX and is_layout(folder) else ()
        return found or tuple(_layouts(word.removeprefix(LAYOUT_PREFIX)))
    if "/" in before and colon:
        return _tags(before, begun, environment)
    if "/" in word:
        return ()
    hosts = tuple(f"{host}/" for host in complete_host(word, environment))
    return (*hosts, LAYOUT_PREFIX) if LAYOUT_PREFIX.startswith(word) else hosts


def is_layout(folder: str) -> bool:
    """Whether this folder is an image layout."""
    return is_file(Path(folder or ".") / LAYOUT_MARKER)


def _tags(place: str, begun: str, environment: Environment) -> tuple[str, ...]:
    try:
        found = tags(TagsRequest(parse_location(place)), environment).tags
    except Wasm2OciError:
        return ()
    return tuple(f"{place}:{tag}" for tag in found if tag.startswith(begun))[:_MOST]


def _layouts(begun: str) -> Iterator[str]:
    folder, slash, name = begun.rpartition("/")
    try:
        with os.scandir(folder or (slash or ".")) as entries:
            below = sorted(entry.name for entry in entries if entry.is_dir() and entry.name.startswith(name))
    except OSError:
        return
    for each in below[:_MOST]:
        if not each.startswith(".") or name.startswith("."):
            path = f"{folder}{slash}{each}"
            yield f"{LAYOUT_PREFIX}{path}{':' if is_layout(path) else '/'}"
