"""Attaching signatures and attestations to a manifest: a bundle as a referrer, and a layer under the legacy tag.

Documents are pushed at once, then both manifests at once. The manifest under a legacy tag is shared by all signers: it
is read, a layer is added, written, and read again to see that no other client wrote over it meanwhile.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from wasm2oci.content.pool import run_jobs
from wasm2oci.content.target import ReferrerReader, UnlistedReferrerError
from wasm2oci.content.verify import BytesContent
from wasm2oci.errors import RegistryError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import EMPTY_JSON, Descriptor
from wasm2oci.oci.referrers import cosign_tag
from wasm2oci.operations.find_signatures import read_tagged
from wasm2oci.signing import bundle, simple_signing

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.content.target import Target
    from wasm2oci.oci.manifest import Manifest
    from wasm2oci.signing.keys import PublicKey

__all__ = ["Attached", "BundleToAttach", "LayerToAttach", "SignatureLostError", "add_layers", "attach"]

_TRIES: Final = 3
_WORKERS: Final = 4


class SignatureLostError(RegistryError):
    """Other clients keep overwriting the manifest under the tag of legacy signatures."""


class BundleToAttach(NamedTuple):
    """A bundle, the type of the statement in it, and when it was made (RFC 3339)."""

    raw: bytes
    predicate_type: str
    created: str


class LayerToAttach(NamedTuple):
    """A document, and the layer for it in the manifest under the legacy tag that ends in `suffix` (`sig` or `att`).

    A signature of the same document by the same key is not added twice.
    """

    suffix: str
    raw: bytes
    layer: Descriptor
    key: PublicKey


class Attached(NamedTuple):
    """What was attached: the digest of the referrer, and the legacy tag; None for what was not asked for."""

    referrer: Descriptor | None
    tag: str | None


def attach(target: Target, subject: Descriptor, new: BundleToAttach | None, layer: LayerToAttach | None) -> Attached:
    """Attaches a bundle, a layer, or both; with both, the layer is enough where the place lists no referrers.

    Raises:
        SignatureLostError: the legacy tag changes all the time.
        SignatureRefusedError: what is under the legacy tag is not a manifest of signatures, or is full.
        Wasm2OciError: the place failed.
    """
    jobs: list[Callable[[], None]] = []
    result: list[Descriptor] = []
    tag = None
    if new is not None:
        enough = (UnlistedReferrerError,) if layer is not None else ()

        def attach_bundle() -> None:
            with suppress(*enough):
                result.append(_attach_bundle(target, subject, new))

        jobs.append(attach_bundle)
    if layer is not None:
        tag = cosign_tag(subject.digest, layer.suffix)
        jobs.append(lambda: _attach_layer(target, tag, layer))
    run_jobs(jobs, _WORKERS)
    return Attached(result[0] if result else None, tag)


def _attach_bundle(target: Target, subject: Descriptor, new: BundleToAttach) -> Descriptor:
    raw = bundle.referrer_manifest(new.raw, subject, new.predicate_type, new.created)
    blobs = ((Descriptor.of(bundle.MEDIA_TYPE, new.raw), new.raw), (EMPTY_JSON, b"{}"))
    jobs: list[Callable[[], None]] = [partial(target.push, one, BytesContent(data)) for one, data in blobs]
    if isinstance(target, ReferrerReader):
        jobs.append(partial(target.read_ahead, subject))
    run_jobs(jobs, _WORKERS)
    manifest = Descriptor.of(mt.OCI_MANIFEST, raw)
    target.push(manifest, BytesContent(raw))
    return manifest


def _attach_layer(target: Target, tag: str, new: LayerToAttach) -> None:
    # Mostly nothing is under the tag: the config for that case goes along at once, which saves two round trips.
    first = simple_signing.append_layers(None, [new.layer])
    found: list[Manifest | None] = []
    run_jobs(
        [
            lambda: found.append(_existing(target, tag)),
            lambda: target.push(new.layer, BytesContent(new.raw)),
            lambda: _push_config(target, mt.OCI_CONFIG, first.config),
        ],
        _WORKERS,
    )
    if found[0] is None:
        target.push(Descriptor.of(first.media_type, first.manifest), BytesContent(first.manifest), tag=tag)
        _add(target, tag, (new.layer,), _existing(target, tag))
    elif not _signed_already(found[0], new):
        _add(target, tag, (new.layer,), found[0])


def add_layers(target: Target, tag: str, layers: tuple[Descriptor, ...]) -> None:
    """Adds layers whose bytes are there to the manifest under a legacy tag; those that it has stay.

    Raises:
        SignatureLostError: the tag changes all the time.
        SignatureRefusedError: what is under the tag is not a manifest of signatures, or is full.
        Wasm2OciError: the place failed.
    """
    _add(target, tag, layers, _existing(target, tag))


def _add(target: Target, tag: str, layers: tuple[Descriptor, ...], found: Manifest | None) -> None:
    for _ in range(_TRIES):
        missing = [layer for layer in layers if not _holds(found, layer)]
        if not missing:
            return
        made = simple_signing.append_layers(found, missing)
        config_type = mt.OCI_CONFIG if found is None else found.config.media_type
        _push_config(target, config_type, made.config)
        manifest = Descriptor.of(made.media_type, made.manifest)
        target.push(manifest, BytesContent(made.manifest), tag=tag)
        found = _existing(target, tag)
    if all(_holds(found, layer) for layer in layers):
        return
    raise SignatureLostError(f"other clients keep overwriting {tag}", hint="try again")


def _push_config(target: Target, media_type: str, config: bytes) -> None:
    target.push(Descriptor.of(media_type, config), BytesContent(config))


def _existing(target: Target, tag: str) -> Manifest | None:
    found = read_tagged(target, tag)
    return None if found is None else simple_signing.read_manifest(found[1], found[0].media_type)


def _holds(manifest: Manifest | None, wanted: Descriptor) -> bool:
    """Whether a manifest has this layer: the same document with the same signature."""
    signature = wanted.annotations.get(simple_signing.SIGNATURE)
    return manifest is not None and any(
        layer.digest == wanted.digest and layer.annotations.get(simple_signing.SIGNATURE) == signature
        for layer in manifest.layers
    )


def _signed_already(manifest: Manifest | None, new: LayerToAttach) -> bool:
    """Whether a manifest has another signature of the same document by the same key."""
    if manifest is None or new.suffix != "sig":
        return False
    return any(
        layer.digest == new.layer.digest and new.key.verifies(simple_signing.signature_of(layer), new.raw)
        for layer in manifest.layers
    )
