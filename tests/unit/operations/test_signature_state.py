"""What `inspect` and `tree` say about who signed follows what a policy decides."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from wasm2oci.content.layout import OciLayout
from wasm2oci.content.verify import BytesContent
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import EMPTY_JSON, Descriptor
from wasm2oci.oci.reference import parse_location
from wasm2oci.operations.environment import Environment
from wasm2oci.operations.sign import SignRequest, sign
from wasm2oci.operations.signature_state import SignatureState, summarize_signatures
from wasm2oci.operations.trust import TrustOptions
from wasm2oci.signing.keys import PrivateKey

if TYPE_CHECKING:
    from pathlib import Path

KEYS = {"ours": PrivateKey.generate(), "theirs": PrivateKey.generate()}


@pytest.mark.parametrize(
    ("signers", "state"),
    [
        ((), SignatureState.UNSIGNED),
        (("theirs",), SignatureState.UNVERIFIED),
        (("ours", "theirs"), SignatureState.VERIFIED),
    ],
)
def test_an_artifact_is_verified_only_where_all_that_is_required_is_met(
    tmp_path: Path, signers: tuple[str, ...], state: SignatureState
) -> None:
    layout, world = OciLayout.create(tmp_path / "layout"), Environment({}, tmp_path)
    layout.push(EMPTY_JSON, BytesContent(b"{}"))
    empty = EMPTY_JSON.to_json()
    document = {"schemaVersion": 2, "mediaType": mt.OCI_MANIFEST, "artifactType": "a/b", "config": empty}
    raw = json.dumps({**document, "layers": [empty]}).encode()
    root = Descriptor.of(mt.OCI_MANIFEST, raw)
    layout.push(root, BytesContent(raw), tag="v1")
    source = parse_location(f"oci-layout:{tmp_path}/layout:v1")
    rule = 'version = 1\n[[rule]]\nscope = "*"\n'
    for name, key in KEYS.items():
        (tmp_path / f"{name}.pub").write_bytes(key.public.pem)
        rule += f'[[rule.all_of]]\nkind = "key"\npath = "{name}.pub"\n'
        if name in signers:
            sign(SignRequest(source, key), world)
    (tmp_path / "policy.toml").write_text(rule)
    trust = TrustOptions(policy=tmp_path / "policy.toml")
    found = summarize_signatures(layout, source, root, world, trust)
    assert found.state is state
    assert {one.signer for one in found.items} == {f"key {KEYS[name].public.id[:12]}" for name in signers}
