"""What a tag of a place means now, and the refusal to let it mean something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.errors import IntegrityError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wasm2oci.content.target import ReadTarget
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.reference import Location

__all__ = ["TagTakenError", "check_tags_free", "manifest_of_tag"]


class TagTakenError(IntegrityError):
    """A tag already names another artifact, and should not be overwritten."""


def manifest_of_tag(target: ReadTarget, tag: str) -> Descriptor | None:
    """The manifest that a tag names, or None when there is no such tag.

    Raises:
        Wasm2OciError: the place cannot be read.
    """
    try:
        return target.resolve(tag)
    except NotFoundError:
        return None


def check_tags_free(target: ReadTarget, location: Location, tags: Iterable[str], digest: Digest) -> None:
    """See that each of these tags is free, or means this digest already.

    A registry offers no way to ask and to push in one step: what another client pushes in between is overwritten.

    Raises:
        TagTakenError: one of them means something else.
        Wasm2OciError: the place cannot be read.
    """
    from wasm2oci.operations.names import tagged

    for tag in tags:
        there = manifest_of_tag(target, tag)
        if there is not None and there.digest != digest:
            raise TagTakenError(
                f"{tagged(location, tag)} already names {there.digest}; nothing was written", hint="choose another tag"
            )
