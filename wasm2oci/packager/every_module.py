"""Every module in an artifact, for policies that are about all modules of what is copied.

A layer whose bytes begin as a module does is a module, whatever its media type and title are. In archives
every file is looked at that no upper layer hides. `recognise` finds the one module that an artifact is pulled for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.content.verify import ContentTooLargeError, verified
from wasm2oci.oci.wire import MODULE_MAX
from wasm2oci.packager.choice import MAGIC
from wasm2oci.packager.recognise import ARCHIVE_LAYERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasm2oci.base.budget import Budget
    from wasm2oci.content.target import ReadTarget
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.manifest import Manifest

__all__ = ["every_module"]


def every_module(
    target: ReadTarget, manifest: Manifest, seen: set[Digest | tuple[Digest, ...]], budget: Budget
) -> Iterator[bytes]:
    """The bytes of each module of a manifest.

    Layers are read to their end, so that what is looked at is what their digests name.

    Args:
        target: where it is.
        manifest: the manifest.
        seen: what was looked at; it is passed over, and what this manifest has is added: each layer that is no archive,
            and all archives together, since those above one may hide what it holds.
        budget: what looking into archives may cost.

    Raises:
        InvalidArchiveError: a layer that says that it is an archive is none, or costs more than `budget`.
        ContentTooLargeError: a module has more than `MODULE_MAX` bytes.
        Wasm2OciError: what the target raises.
    """
    archives = [layer for layer in manifest.layers if layer.media_type in ARCHIVE_LAYERS]
    for layer in manifest.layers:
        if layer.media_type not in ARCHIVE_LAYERS and layer.digest not in seen:
            seen.add(layer.digest)
            data = _module(target, layer)
            if data is not None:
                yield data
    stack = tuple(layer.digest for layer in archives)
    if stack and stack not in seen:
        from wasm2oci.packager.image import modules_in  # noqa: PLC0415 - images are the rare case

        seen.add(stack)
        yield from modules_in(target, archives, budget)


def _module(target: ReadTarget, layer: Descriptor) -> bytes | None:
    """A layer's bytes, if they are a module."""
    kept = bytearray()
    for chunk in verified(target.fetch(layer), layer):
        if len(kept) < len(MAGIC) or kept.startswith(MAGIC):
            kept += chunk
        if kept.startswith(MAGIC) and len(kept) > MODULE_MAX:
            raise ContentTooLargeError(f"{layer.digest} has {layer.size:,} bytes; the limit is {MODULE_MAX:,}")
    return bytes(kept) if kept.startswith(MAGIC) else None
