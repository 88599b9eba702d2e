"""Blobs by digest, one at a time: what scripts need below the level of artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from wasm2oci.base.outputs import write_file
from wasm2oci.content.progress import SILENT, Outcome
from wasm2oci.content.target import BlobFinder, Deleter
from wasm2oci.errors import UnsupportedError, UsageError
from wasm2oci.oci import media_type as mt
from wasm2oci.operations.deliver import deliver
from wasm2oci.operations.names import pinned

if TYPE_CHECKING:
    from wasm2oci.content.progress import Progress
    from wasm2oci.content.target import ReadTarget
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment

__all__ = ["DeletedBlob", "GotBlob", "PutBlob", "delete_blob", "get_blob", "put_blob"]


class GotBlob(NamedTuple):
    """A blob that was fetched.

    Attributes:
        reference: where it is, by digest.
        blob: digest and size.
        file: where it was written; null for a stream, or when it was only looked for.
    """

    reference: str
    blob: Descriptor
    file: Path | None


class PutBlob(NamedTuple):
    """A blob that was pushed.

    Attributes:
        reference: where it is, by digest.
        blob: digest and size.
        existed: whether it was there already.
    """

    reference: str
    blob: Descriptor
    existed: bool


class DeletedBlob(NamedTuple):
    """A blob that was deleted: where it was, by digest, and what it was."""

    reference: str
    blob: Descriptor


def get_blob(
    location: Location, output: Path | BinaryIO | None, environment: Environment, progress: Progress = SILENT
) -> GotBlob:
    """Fetch a blob into a file or a stream, every byte verified; with `None` only look what it is.

    A file appears whole or not at all; a stream gets its first byte when the last one is verified.
    """
    with environment.places() as places:
        target = places.read(location)
        blob = _found(target, location)
        if output is not None:
            progress.planned(blob)
            content = target.fetch(blob)
            if isinstance(output, Path):
                write_file(output, content)
            else:
                deliver(content, output, "the blob")
            progress.finished(blob, Outcome.COPIED)
    return GotBlob(pinned(location, blob.digest), blob, output if isinstance(output, Path) else None)


def put_blob(
    source: Path | bytes, location: Location, environment: Environment, progress: Progress = SILENT
) -> PutBlob:
    """Push a file or bytes as a blob."""
    from wasm2oci.content.verify import BytesContent, DigestMismatchError, FileContent, verified
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.digest import Hasher

    content = FileContent(source) if isinstance(source, Path) else BytesContent(source)
    hasher = (Hasher() if location.digest is None else location.digest.hasher()).consume(content)
    digest = hasher.digest()
    if location.digest is not None and digest != location.digest:
        raise DigestMismatchError(f"the content is {digest}, not {location.digest}", hint="nothing was pushed")
    blob = Descriptor(mt.OCTET_STREAM, digest, hasher.size)
    with environment.places() as places:
        target = places.write(location)
        progress.planned(blob)
        existed = target.exists(blob)
        if not existed:
            target.push(blob, verified(content, blob))
        progress.finished(blob, Outcome.EXISTED if existed else Outcome.COPIED)
    return PutBlob(pinned(location, digest), blob, existed)


def delete_blob(location: Location, environment: Environment) -> DeletedBlob:
    """Remove a blob, whether or not manifests name it."""
    with environment.places() as places:
        target = places.delete_from(location)
        if not isinstance(target, Deleter):
            raise UnsupportedError(f"{target} cannot delete")
        blob = _found(cast("ReadTarget", target), location)
        target.delete(blob)
    return DeletedBlob(pinned(location, blob.digest), blob)


def _found(target: ReadTarget, location: Location) -> Descriptor:
    if location.digest is None:
        raise UsageError(f"{location} has no digest", hint="a blob is named HOST/NAME@sha256:...")
    if not isinstance(target, BlobFinder):
        raise UnsupportedError(f"{target} does not report the size of a blob")
    return target.find_blob(location.digest)
