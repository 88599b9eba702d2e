"""Attach: files become an artifact that refers to another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wasm2oci.content.progress import SILENT
from wasm2oci.operations.names import pinned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from wasm2oci.content.progress import Progress
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment
    from wasm2oci.packager.referrer import ReferrerFile

__all__ = ["AttachRequest", "AttachedArtifact", "attach"]


class AttachRequest(NamedTuple):
    """What is attached to which artifact; each file has its media type."""

    subject: Location
    artifact_type: str
    files: Sequence[tuple[Path, str]]
    annotations: Mapping[str, str]


class AttachedArtifact(NamedTuple):
    """What was attached.

    Attributes:
        reference: the artifact that it refers to, as it was given.
        pinned: what was attached, by digest.
        subject: the artifact that it refers to.
        manifest: of what was attached.
        artifact_type: of what was attached.
        files: its files, each with its title.
        transferred_bytes: how much moved.
    """

    reference: str
    pinned: str
    subject: Descriptor
    manifest: Descriptor
    artifact_type: str
    files: tuple[Descriptor, ...]
    transferred_bytes: int


def attach(request: AttachRequest, environment: Environment, progress: Progress = SILENT) -> AttachedArtifact:
    """Push an artifact of these files, whose subject is another artifact."""
    from wasm2oci.content.copy import copy
    from wasm2oci.packager.referrer import build_referrer

    files = [_file(path, media_type) for path, media_type in request.files]
    with environment.places() as places:
        target = places.change(request.subject)
        subject = target.resolve(places.identifier(request.subject))
        built = build_referrer(subject, request.artifact_type, files, request.annotations)
        result = copy(built.target, built.root, target, progress=progress)
    for problem in result.unlisted:
        environment.warn(
            f"it is stored, but the registry does not list it as a referrer of {subject.digest}: {problem.message}"
        )
    return AttachedArtifact(
        reference=str(request.subject),
        pinned=pinned(request.subject, built.root.digest),
        subject=subject,
        manifest=built.root,
        artifact_type=request.artifact_type,
        files=built.files,
        transferred_bytes=result.transferred,
    )


def _file(path: Path, media_type: str) -> ReferrerFile:
    from wasm2oci.content.verify import FileContent
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.digest import Hasher
    from wasm2oci.packager.referrer import ReferrerFile

    content = FileContent(path)
    hasher = Hasher().consume(content)
    return ReferrerFile(Descriptor(media_type, hasher.digest(), hasher.size), path.name, content)
