"""cosign's legacy signature: a layer of the manifest under the tag `<algorithm>-<hex>.sig` of what is signed.

The layer is the payload, a small JSON document with the digest of the manifest that is signed; its annotation
`dev.cosignproject.cosign/signature` is the signature over these bytes. All signatures of a manifest are layers of one
manifest. Its config is an image config with one `history` entry and one `diff_id` for each layer: older versions of
cosign find the layers by it.

Readers: cosign 1 and 2, kwctl, policy-controller, containers/image.

Spec: sigstore/cosign, specs/SIGNATURE_SPEC.md; containers/image, docs/containers-signature.5.md.
"""

from __future__ import annotations

import base64
import hashlib
import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.base.records import NamedTuple
from wasm2oci.errors import InvalidInputError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.manifest import Index, parse_manifest
from wasm2oci.oci.wire import load_object
from wasm2oci.signing.claim import Claim
from wasm2oci.signing.strict import (
    MalformedSignatureError,
    SignatureRefusedError,
    base64_bytes,
    json_object,
    object_field,
    text_field,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.manifest import Manifest
    from wasm2oci.signing.keys import PrivateKey, PublicKey

__all__ = [
    "BUNDLE",
    "CERTIFICATE",
    "CHAIN",
    "LAYERS_MAX",
    "LAYER_TYPE",
    "SIGNATURE",
    "Appended",
    "append_layers",
    "read_manifest",
    "read_payload",
    "sign",
    "signature_of",
    "verify",
]

LAYER_TYPE: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE: Final = "dev.cosignproject.cosign/signature"
CERTIFICATE: Final = "dev.sigstore.cosign/certificate"
CHAIN: Final = "dev.sigstore.cosign/chain"
BUNDLE: Final = "dev.sigstore.cosign/bundle"
LAYERS_MAX: Final = 1000
"""Signatures of one manifest; cosign's own limit."""
_TYPE: Final = "cosign container image signature"
_TYPES: Final = frozenset({_TYPE, "atomic container signature"})
_EPOCH: Final = "0001-01-01T00:00:00Z"


def sign(key: PrivateKey, subject: Digest, repository: str, annotations: Mapping[str, str]) -> tuple[bytes, Descriptor]:
    """Signs a manifest.

    Args:
        key: signs.
        subject: digest of the manifest.
        repository: its name with the registry's host, without tag; readers show it and most do not check it.
        annotations: what the signer says besides.

    Returns:
        The payload and its layer.
    """
    value = {
        "critical": {
            "identity": {"docker-reference": repository},
            "image": {"docker-manifest-digest": str(subject)},
            "type": _TYPE,
        },
        "optional": dict(sorted(annotations.items())) or None,
    }
    payload = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    signature = base64.b64encode(key.sign(payload)).decode()
    return payload, Descriptor.of(LAYER_TYPE, payload, {SIGNATURE: signature})


class Appended(NamedTuple):
    """The manifest that holds one layer more, and its config."""

    manifest: bytes
    media_type: str
    config: bytes


def append_layers(existing: Manifest | None, new: Sequence[Descriptor]) -> Appended:
    """Adds layers to the manifest under the tag, and keeps every layer that is there.

    Args:
        existing: what is under the tag, or None.
        new: layers of signatures or attestations.

    Raises:
        SignatureRefusedError: the manifest holds `LAYERS_MAX` layers.
    """
    value: dict[str, Any] = {"schemaVersion": 2, "mediaType": mt.OCI_MANIFEST, "config": {}, "layers": []}
    media_type, config_type = mt.OCI_MANIFEST, mt.OCI_CONFIG
    if existing is not None:
        value = load_object(existing.raw, "manifest")
        media_type, config_type = existing.media_type, existing.config.media_type
    layers = [*value["layers"], *(layer.to_json() for layer in new)]
    if len(layers) > LAYERS_MAX:
        raise SignatureRefusedError(f"there are already {LAYERS_MAX} signatures, which is the limit")
    config = {
        "architecture": "",
        "created": _EPOCH,
        "history": [{"created": _EPOCH}] * len(layers),
        "os": "",
        "rootfs": {"type": "layers", "diff_ids": [entry["digest"] for entry in layers]},
        "config": {},
    }
    config_bytes = json.dumps(config, separators=(",", ":")).encode()
    value["config"] = Descriptor.of(config_type, config_bytes).to_json()
    value["layers"] = layers
    return Appended(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(), media_type, config_bytes)


def read_manifest(raw: bytes, media_type: str) -> Manifest:
    """The manifest under a signature tag.

    Raises:
        MalformedSignatureError: it is something else, or has more than `LAYERS_MAX` layers.
    """
    try:
        document = parse_manifest(raw, media_type)
    except InvalidInputError as error:
        raise MalformedSignatureError(f"what is under the signature tag is damaged: {error.message}") from error
    if isinstance(document, Index):
        raise MalformedSignatureError("what is under the signature tag is an index, not a manifest of signatures")
    if len(document.layers) > LAYERS_MAX:
        raise MalformedSignatureError(f"there are more than {LAYERS_MAX} signatures")
    return document


def signature_of(layer: Descriptor) -> bytes:
    """The signature in a layer's annotation.

    Raises:
        MalformedSignatureError: there is none, or it is not base64.
    """
    return base64_bytes(layer.annotations.get(SIGNATURE), "the signature in the layer's annotation")


def verify(payload: bytes, layer: Descriptor, key: PublicKey, subject: Digest) -> Claim:
    """Checks a signature by a key; a log entry that comes with it has to be about it (CVE-2022-36056).

    Args:
        payload: the layer's bytes.
        layer: its descriptor.
        key: chosen by the user, never taken from the registry.
        subject: digest of the manifest that should be signed.

    Raises:
        SignatureRefusedError: another key signed, or another manifest was signed, or the log entry is of another one.
        MalformedSignatureError: the layer is damaged.
    """
    signature = signature_of(layer)
    if not key.verifies(signature, payload):
        raise SignatureRefusedError(f"the signature was not made by the key {key.id[:12]}")
    if BUNDLE in layer.annotations:
        from wasm2oci.signing import rekor  # noqa: PLC0415 - loads cryptography, which listing signatures does not need

        signed = rekor.EntrySubject(signature, frozenset([hashlib.sha256(payload).digest()]), _verifiers(layer, key))
        rekor.from_annotation(layer.annotations[BUNDLE].encode()).check_about(signed)
    return read_payload(payload, subject)


def _verifiers(layer: Descriptor, key: PublicKey) -> frozenset[bytes]:
    """What a log entry about the layer may hold: the key, or a certificate that came with the signature."""
    if CERTIFICATE not in layer.annotations:
        return frozenset([key.der])
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415 - see `verify`

    from wasm2oci.signing.certificates import load_pem_chain  # noqa: PLC0415

    leaf = load_pem_chain(layer.annotations[CERTIFICATE], "the certificate of the signature")[0]
    return frozenset([key.der, leaf.public_bytes(Encoding.DER)])


def read_payload(payload: bytes, subject: Digest) -> Claim:
    """What a payload says, after its signature was checked.

    Raises:
        SignatureRefusedError: another manifest was signed, or the payload is of another type.
        MalformedSignatureError: the payload is damaged.
    """
    what = "the signed payload"
    value = json_object(payload, what)
    critical = object_field(value, "critical", what)
    kind = text_field(critical, "type", what)
    if kind not in _TYPES:
        raise SignatureRefusedError(f"what was signed is not the signature of an artifact: {kind[:80]!r}")
    signed = text_field(object_field(critical, "image", what), "docker-manifest-digest", what)
    if signed != str(subject):
        raise SignatureRefusedError(f"another artifact was signed: {signed[:80]!r}, not {subject}")
    identity = object_field(critical, "identity", what)
    optional = value.get("optional")
    if optional is not None and not isinstance(optional, dict):
        raise MalformedSignatureError(f"optional of {what} is not an object")
    annotations = {name: text for name, text in (optional or {}).items() if isinstance(text, str)}
    repository = identity.get("docker-reference")
    return Claim(
        "simple signing",
        subject,
        None,
        MappingProxyType(annotations),
        repository=repository if isinstance(repository, str) else None,
    )
