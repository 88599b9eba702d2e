"""Annotations that come from elsewhere: what a module, git, or the file of a package says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wasm2oci.base.reading import read_named
from wasm2oci.oci.wire import CONFIG_MAX
from wasm2oci.packager.metadata import InvalidPackageFileError, module_metadata, package_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wasm2oci.content.target import Content
    from wasm2oci.operations.environment import Environment
    from wasm2oci.packager.annotations import Annotations

__all__ = ["annotated_from"]


def annotated_from(
    sources: Iterable[str], stated: Annotations, module: Content, folder: Path, environment: Environment
) -> Annotations:
    """The annotations with more of the manifest; what was stated goes first, then the later source.

    `sources` are `module`, `git` (about `folder`), or paths of package files.

    Raises:
        NotFoundError: there is no such file, or no repository.
        InvalidInputError: a file is not understood, or an annotation cannot be written into a manifest.
        Wasm2OciError: a file cannot be read.
    """
    found: dict[str, str] = {}
    for source in sources:
        if source == "module":
            found |= module_metadata(module)
        elif source == "git":
            from wasm2oci.operations.git_state import git_metadata

            found |= git_metadata(folder, environment.variables, environment.warn)
        else:
            raw = read_named(Path(source), CONFIG_MAX, InvalidPackageFileError)
            found |= package_metadata(raw, Path(source).name)
    return stated._replace(manifest={**found, **stated.manifest})
