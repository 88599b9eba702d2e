"""The DSSE envelope: typed bytes, and the signature over both.

What is signed is the pre-authentication encoding of type and payload, so a payload cannot be taken for another type.
An envelope counts here with exactly one signature. `keyid` is left out when signing: cosign compares it with the SSH
fingerprint of the key, and passes over the signature when they differ.

Spec: secure-systems-lab/dsse, protocol.md and envelope.md.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from wasm2oci.signing.strict import (
    MalformedSignatureError,
    SignatureRefusedError,
    base64_bytes,
    json_object,
    list_field,
    text_field,
)

if TYPE_CHECKING:
    from wasm2oci.signing.keys import PrivateKey, PublicKey

__all__ = ["Envelope", "pae", "read_envelope", "sign"]


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: `DSSEv1 LEN TYPE LEN PAYLOAD`."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


class Envelope(NamedTuple):
    """An envelope with its one signature.

    Args:
        payload_type: media type of the payload.
        payload: the bytes that were signed.
        signature: over `pae(payload_type, payload)`.
        key_id: an unauthenticated hint, mostly empty.
    """

    payload_type: str
    payload: bytes
    signature: bytes
    key_id: str = ""

    def to_json(self) -> dict[str, Any]:
        """The JSON object; base64 with padding, as protojson has it."""
        return {
            "payload": base64.b64encode(self.payload).decode(),
            "payloadType": self.payload_type,
            "signatures": [{"sig": base64.b64encode(self.signature).decode()}],
        }

    @property
    def raw(self) -> bytes:
        """The JSON document."""
        return json.dumps(self.to_json(), separators=(",", ":")).encode()

    def verify(self, key: PublicKey) -> bytes:
        """The payload, if this key signed it.

        Raises:
            SignatureRefusedError: another key signed, or the envelope names another key.
        """
        if self.key_id and self.key_id not in {key.ssh_fingerprint, key.hint, key.id}:
            raise SignatureRefusedError(
                f"the envelope names the key {self.key_id[:80]!r}, which is not the key {key.id[:12]}"
            )
        if not key.verifies(self.signature, pae(self.payload_type, self.payload)):
            raise SignatureRefusedError(f"the envelope was not signed by the key {key.id[:12]}")
        return self.payload


def sign(key: PrivateKey, payload_type: str, payload: bytes) -> Envelope:
    """Signs typed bytes."""
    return Envelope(payload_type, payload, key.sign(pae(payload_type, payload)))


def read_envelope(value: dict[str, Any] | bytes) -> Envelope:
    """Reads an envelope, from its bytes or from decoded JSON.

    Raises:
        MalformedSignatureError: it is damaged, or does not have exactly one signature.
    """
    what = "the DSSE envelope"
    document = json_object(value, what) if isinstance(value, bytes) else value
    signatures = list_field(document, "signatures", what)
    if len(signatures) != 1:
        raise MalformedSignatureError(f"{what} has {len(signatures)} signatures, not one")
    if not isinstance(signatures[0], dict):
        raise MalformedSignatureError(f"the signature of {what} is not an object")
    key_id = signatures[0].get("keyid") or ""
    if not isinstance(key_id, str):
        raise MalformedSignatureError(f"keyid of {what} is not text")
    return Envelope(
        text_field(document, "payloadType", what),
        base64_bytes(document.get("payload"), f"the payload of {what}"),
        base64_bytes(signatures[0].get("sig"), f"the signature of {what}"),
        key_id,
    )
