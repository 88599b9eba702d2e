"""in-toto statements: what is claimed (a predicate) about which bytes (subjects, known by their digests).

Spec: in-toto attestation framework, spec/v1/statement.md; cosign, specs/BUNDLE_SPEC.md.
"""

from __future__ import annotations

import json
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.base.records import NamedTuple
from wasm2oci.signing.claim import Claim
from wasm2oci.signing.strict import (
    MalformedSignatureError,
    SignatureRefusedError,
    json_object,
    list_field,
    text_field,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wasm2oci.oci.digest import Digest

__all__ = [
    "COSIGN_SIGNATURE",
    "PAYLOAD_TYPE",
    "PREDICATE_TYPES",
    "SUBJECTS_MAX",
    "Statement",
    "attestation",
    "matches_type",
    "named_statement",
    "predicate_type",
    "read_statement",
    "signature_statement",
]

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
COSIGN_SIGNATURE: Final = "https://sigstore.dev/cosign/sign/v1"
"""The predicate type of a plain signature."""
_V1: Final = "https://in-toto.io/Statement/v1"
_V01: Final = "https://in-toto.io/Statement/v0.1"
SUBJECTS_MAX: Final = 1024
_VERSION: Final = re.compile(r"v[0-9]{1,4}(?:\.[0-9]{1,4}){0,3}\Z")
_VERSIONED: Final = re.compile(r"/v[0-9.]{1,16}\Z")

PREDICATE_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "slsaprovenance": "https://slsa.dev/provenance/v0.2",
        "slsaprovenance02": "https://slsa.dev/provenance/v0.2",
        "slsaprovenance1": "https://slsa.dev/provenance/v1",
        "spdx": "https://spdx.dev/Document",
        "spdxjson": "https://spdx.dev/Document",
        "cyclonedx": "https://cyclonedx.org/bom",
        "link": "https://in-toto.io/Link/v1",
        "vuln": "https://cosign.sigstore.dev/attestation/vuln/v1",
        "openvex": "https://openvex.dev/ns",
        "custom": "https://cosign.sigstore.dev/attestation/v1",
    }
)
"""cosign's short names -> URI."""


class Statement(NamedTuple):
    """A statement, as it was signed.

    Args:
        subjects: digests (algorithm -> hex) and annotations of each.
        predicate_type: a URI.
        predicate: as decoded from JSON; None if there is none.
    """

    subjects: tuple[tuple[Mapping[str, str], Mapping[str, str]], ...]
    predicate_type: str
    predicate: object

    def about(self, subject: Digest, format_: str) -> Claim:
        """The claim about this manifest, with the annotations of the subject that is this manifest.

        Raises:
            SignatureRefusedError: the statement is about something else.
        """
        for digests, texts in self.subjects:
            if digests.get(subject.algorithm) == subject.encoded:
                return Claim(format_, subject, self.predicate_type, texts, self.predicate)
        name, text = next(iter(self.subjects[0][0].items()))
        shown = f"{name}:{text}"[:120]
        raise SignatureRefusedError(f"the statement is about another artifact: {shown!r}, not {subject}")


def predicate_type(name: str) -> str:
    """The URI of a short name; any other text is a URI already."""
    return PREDICATE_TYPES.get(name, name)


def matches_type(found: str, wanted: str) -> bool:
    """Whether a predicate type is the wanted one, or a version of it (`https://cyclonedx.org/bom/v1.5`).

    A type that ends in a version itself (`https://slsa.dev/provenance/v1`) has no versions below it.
    """
    version = found.removeprefix(wanted.rstrip("/") + "/")
    return found == wanted or (_VERSION.match(version) is not None and _VERSIONED.search(wanted) is None)


def signature_statement(subject: Digest, annotations: Mapping[str, str]) -> bytes:
    """The statement of a plain signature."""
    entry: dict[str, Any] = {"digest": {subject.algorithm: subject.encoded}}
    if annotations:
        entry["annotations"] = dict(sorted(annotations.items()))
    return _encoded(_V1, entry, COSIGN_SIGNATURE, {})


def attestation(subject: Digest, name: str, type_: str, predicate: object) -> bytes:
    """The statement of an attestation.

    Args:
        subject: digest of the manifest.
        name: of its repository, for people.
        type_: the predicate's type, a URI.
        predicate: what is claimed, ready for JSON.
    """
    return _encoded(_V01, {"name": name, "digest": {subject.algorithm: subject.encoded}}, type_, predicate)


def named_statement(subject: Digest, name: str, type_: str, predicate: object, annotations: Mapping[str, str]) -> bytes:
    """A statement of version 1 that names its subject, which the library `sigstore` asks for.

    Args:
        subject: digest of the manifest.
        name: of its repository, for people.
        type_: the predicate's type, a URI.
        predicate: what is claimed, ready for JSON.
        annotations: what the signer says besides.
    """
    entry: dict[str, Any] = {"name": name, "digest": {subject.algorithm: subject.encoded}}
    if annotations:
        entry["annotations"] = dict(sorted(annotations.items()))
    return _encoded(_V1, entry, type_, predicate)


def _encoded(version: str, subject: dict[str, Any], type_: str, predicate: object) -> bytes:
    value = {"_type": version, "predicateType": type_, "subject": [subject], "predicate": predicate}
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def read_statement(raw: bytes) -> Statement:
    """Reads a statement, after its signature was checked.

    Raises:
        MalformedSignatureError: it is none, or it has no subject or too many.
    """
    what = "the signed statement"
    value = json_object(raw, what)
    if value.get("_type") not in (_V1, _V01):
        raise MalformedSignatureError(f"{what} is of an unknown version: {str(value.get('_type'))[:80]!r}")
    subjects = list_field(value, "subject", what)
    if not 1 <= len(subjects) <= SUBJECTS_MAX:
        raise MalformedSignatureError(f"{what} has {len(subjects)} subjects; 1 to {SUBJECTS_MAX} can be read")
    found = tuple(_subject(entry, what) for entry in subjects)
    return Statement(found, text_field(value, "predicateType", what), value.get("predicate"))


def _subject(entry: object, what: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
    digest = entry.get("digest") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(digest, dict) or not digest:
        raise MalformedSignatureError(f"a subject of {what} has no digest")
    if not all(isinstance(one, str) for one in digest.values()):
        raise MalformedSignatureError(f"a digest in {what} is not text")
    annotations = entry.get("annotations") or {}
    if not isinstance(annotations, dict):
        raise MalformedSignatureError(f"annotations of {what} are not an object")
    texts = {name: text for name, text in annotations.items() if isinstance(text, str)}
    return MappingProxyType(digest), MappingProxyType(texts)
