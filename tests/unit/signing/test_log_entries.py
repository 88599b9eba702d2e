"""A log entry that comes with a signature by a key is about that signature, or the signature does not count."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.sigstore_instance import NOW, Instance, Signing
from tests.unit.signing.test_key_variants import (
    KEY,
    OTHER,
    OTHER_KEY,
    SUBJECT,
    as_bundle,
    check,
    payload,
    signature_of,
    signed,
)
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.signing import bundle as bundles
from wasm2oci.signing import simple_signing
from wasm2oci.signing.candidate import Candidate
from wasm2oci.signing.statement import signature_statement
from wasm2oci.signing.strict import SignatureRefusedError
from wasm2oci.signing.trusted_root import read_trusted_root

if TYPE_CHECKING:
    from wasm2oci.oci.digest import Digest
    from wasm2oci.signing.keys import PrivateKey


@pytest.mark.parametrize(
    ("subject", "key", "sentence"), [(OTHER, KEY, "another signature"), (SUBJECT, OTHER_KEY, "another key")]
)
def test_the_log_entry_of_another_artifact_or_key_is_refused_beside_a_key(
    subject: Digest, key: PrivateKey, sentence: str
) -> None:
    # CVE-2026-22703, with a key: refused even where no log entry is asked for.
    instance, value = Instance(), signed()
    logged = value if subject == SUBJECT else signed(signature_statement(subject, {}))
    envelope = logged["dsseEnvelope"]
    payload_hash = hashlib.sha256(base64.b64decode(envelope["payload"])).hexdigest()
    verifier = base64.b64encode(key.public.pem).decode()
    body = {
        "apiVersion": "0.0.1",
        "kind": "dsse",
        "spec": {
            "payloadHash": {"algorithm": "sha256", "value": payload_hash},
            "signatures": [{"signature": envelope["signatures"][0]["sig"], "verifier": verifier}],
        },
    }
    value["verificationMaterial"]["tlogEntries"] = [instance.entry(json.dumps(body).encode(), NOW, "dsse")]
    with pytest.raises(SignatureRefusedError, match=f"about {sentence}"):
        check(as_bundle(value))
    read = bundles.read_bundle(json.dumps(value).encode())
    with pytest.raises(SignatureRefusedError, match=f"about {sentence}"):
        bundles.verify(read, KEY.public, SUBJECT, read_trusted_root(instance.trusted_root))


@pytest.mark.parametrize("holds", ["key", "certificate"])
@pytest.mark.parametrize("kind", ["hashedrekord", "rekord"])
@pytest.mark.parametrize(
    ("logged", "sentence"),
    [("this", None), ("another artifact", "another signature"), ("another key", "another key"), ("nothing", "no spec")],
)
def test_the_log_entry_of_another_artifact_is_refused_beside_a_legacy_signature(
    holds: str, kind: str, logged: str, sentence: str | None
) -> None:
    # CVE-2022-36056, with a key: the entry proves nothing, and is compared all the same, also beside a certificate.
    instance = Instance()

    def shown(key: PrivateKey) -> bytes:
        if holds == "key":
            return key.public.pem
        assert isinstance(key.key, ec.EllipticCurvePrivateKey)
        return instance.certificate(Signing(SUBJECT), key.key).public_bytes(Encoding.PEM)

    message, key = payload(), OTHER_KEY if logged == "another key" else KEY
    signature, ours = signature_of(message), shown(KEY)
    entered_by = ours if key is KEY else shown(key)
    entered = payload(x=1) if logged == "another artifact" else message
    spec = {
        "data": {"hash": {"algorithm": "sha256", "value": hashlib.sha256(entered).hexdigest()}},
        "signature": {
            "content": signature if entered == message else signature_of(entered),
            "publicKey": {"content": base64.b64encode(entered_by).decode()},
        },
    }
    body = {"apiVersion": "0.0.1", "kind": kind, **({} if logged == "nothing" else {"spec": spec})}
    entry = instance.entry(json.dumps(body).encode(), NOW, kind)
    stamp = {
        "SignedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
        "Payload": {"body": entry["canonicalizedBody"], "integratedTime": 1, "logIndex": 0, "logID": "00"},
    }
    annotations = {simple_signing.SIGNATURE: signature, simple_signing.BUNDLE: json.dumps(stamp)}
    if holds == "certificate":
        annotations[simple_signing.CERTIFICATE] = ours.decode()
    layer = Descriptor.of(simple_signing.LAYER_TYPE, message, annotations)
    candidate = Candidate("simple signing", "x", message, layer)
    if sentence is None:
        check(candidate)
        return
    with pytest.raises(SignatureRefusedError, match=sentence):
        check(candidate)
