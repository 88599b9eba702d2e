"""Finding what was signed about a manifest, in each place where signatures are kept.

    referrers             bundles, Notation signatures, and what old experiments of cosign wrote
    ALGORITHM-HEX.sig     legacy signatures: a manifest, each layer a signature
    ALGORITHM-HEX.att     legacy attestations: a manifest, each layer an envelope

All of it is asked for at once, then all manifests, then all documents: at most three round trips, whatever is there.

The registry is not trusted. Its listing of referrers may lack artifact types or have wrong ones (GHCR), and may be
empty although the fallback tag lists some (Docker Hub): so the tag is read too, and an entry is left out only when it
says that it is something else. What is damaged, missing or too large becomes a refusal beside the others; too many
entries are an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from wasm2oci.base.records import NamedTuple
from wasm2oci.content.pool import run_jobs
from wasm2oci.content.target import ReferrerLister
from wasm2oci.content.verify import read_all
from wasm2oci.errors import IntegrityError, InvalidInputError, NotFoundError
from wasm2oci.oci.manifest import Index, Manifest, parse_manifest
from wasm2oci.oci.media_type import EMPTY_JSON, OCI_CONFIG
from wasm2oci.oci.referrers import cosign_tag, fallback_tag
from wasm2oci.oci.wire import MANIFEST_MAX
from wasm2oci.signing import simple_signing
from wasm2oci.signing.candidate import (
    BUNDLES,
    NOTATION_COSE,
    NOTATION_JWS,
    NOTATION_SIGNATURE,
    Candidate,
    RefusedSignature,
)
from wasm2oci.signing.strict import DOCUMENT_MAX, MalformedSignatureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wasm2oci.content.target import ReadTarget
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.reference import Name

__all__ = [
    "REFERRERS_MAX",
    "FoundSignatures",
    "TooManySignaturesError",
    "fetch_manifest",
    "find_signatures",
    "read_tagged",
]

REFERRERS_MAX: Final = 100
"""Referrers that may be signatures, and layers under a signature tag, that are read of one manifest."""
_BYTES_MAX: Final = 32 * 1024 * 1024
"""Bytes of all documents together."""
_WORKERS: Final = 8
_DSSE_TYPE: Final = "application/vnd.dsse.envelope.v1+json"
_IN_TOTO: Final = "application/vnd.in-toto+json"
_LEGACY_REFERRER: Final = "application/vnd.dev.cosign.artifact.sig.v1+json"
_UNTYPED: Final = frozenset({None, "", EMPTY_JSON, OCI_CONFIG})
"""What a listing says of a referrer whose type it does not know."""
_TYPES: Final = frozenset({NOTATION_SIGNATURE, _IN_TOTO, _LEGACY_REFERRER})
_FORMS: Final = {
    simple_signing.LAYER_TYPE: "simple signing",
    _DSSE_TYPE: "dsse",
    _IN_TOTO: "dsse",
    NOTATION_JWS: "notation",
    NOTATION_COSE: "notation",
}
"""Media type of a layer -> the form of the signature in it."""


class TooManySignaturesError(IntegrityError):
    """A manifest has more referrers, or more bytes of signatures, than are read."""


class FoundSignatures(NamedTuple):
    """What was found about a manifest, not checked; and what could not be read, with the reason."""

    candidates: tuple[Candidate, ...]
    refusals: tuple[RefusedSignature, ...]


@runtime_checkable
class _ManifestFetcher(Protocol):
    """A target that gives the manifest under a tag in one request."""

    def fetch_manifest(self, name: Name) -> tuple[Descriptor, bytes]: ...


class _Layer(NamedTuple):
    form: str
    origin: str
    descriptor: Descriptor


def read_tagged(target: ReadTarget, tag: str) -> tuple[Descriptor, bytes] | None:
    """The manifest under a tag, verified; None when there is no such tag."""
    try:
        return fetch_manifest(target, tag)
    except NotFoundError:
        return None


def fetch_manifest(target: ReadTarget, name: Name) -> tuple[Descriptor, bytes]:
    """The manifest under a name, verified, in one exchange where the place can do that."""
    if isinstance(target, _ManifestFetcher):
        return target.fetch_manifest(name)
    found = target.resolve(name)
    return found, read_all(target.fetch(found), found, MANIFEST_MAX)


def find_signatures(target: ReadTarget, subject: Descriptor, *, attestations: bool = True) -> FoundSignatures:
    """Find the signatures of a manifest and, with `attestations`, also what is under the legacy tag of those.

    Raises:
        TooManySignaturesError: there are too many to read.
        Wasm2OciError: the place cannot be read.
    """
    return _Search(target, subject.digest).run(subject, attestations=attestations)


class _Search:
    def __init__(self, target: ReadTarget, subject: Digest) -> None:
        self._target = target
        self._subject = subject
        self._refusals: list[RefusedSignature] = []
        self._layers: list[_Layer] = []

    def run(self, subject: Descriptor, *, attestations: bool) -> FoundSignatures:
        listed: list[Descriptor] = []
        tagged: list[Descriptor] = []
        tags = [cosign_tag(self._subject, "sig")]
        if attestations:
            tags.append(cosign_tag(self._subject, "att"))

        def list_referrers() -> None:
            if isinstance(self._target, ReferrerLister):
                for entry in self._target.referrers(subject):
                    listed.append(entry)
                    if len(listed) > _LISTED_MAX:
                        raise TooManySignaturesError(f"{self._subject} has more than {_LISTED_MAX:,} referrers")

        jobs: list[Callable[[], None]] = [list_referrers, lambda: tagged.extend(self._fallback())]
        jobs += [lambda tag=tag: self._read_tag(tag) for tag in tags]  # type: ignore[misc]
        run_jobs(jobs, _WORKERS)
        entries = {entry.digest: entry for entry in (*tagged, *listed) if _may_be_signature(entry)}
        if len(entries) > REFERRERS_MAX:
            raise TooManySignaturesError(
                f"{self._subject} has {len(entries):,} referrers that may be signatures; {REFERRERS_MAX} are read"
            )
        run_jobs([lambda entry=entry: self._read_referrer(entry) for entry in entries.values()], _WORKERS)  # type: ignore[misc]
        return self._read_documents()

    def _fallback(self) -> Iterable[Descriptor]:
        """The entries under the fallback tag: a registry with the API may not know what was written before."""
        tag = fallback_tag(self._subject)
        found = self._tagged(tag)
        if found is None:
            return ()
        try:
            document = parse_manifest(found[1], found[0].media_type)
        except InvalidInputError as error:
            self._refusals.append(RefusedSignature(tag, error.message))
            return ()
        return document.manifests if isinstance(document, Index) else ()

    def _tagged(self, tag: str) -> tuple[Descriptor, bytes] | None:
        """The manifest under a tag; None where there is none, or none that can be read, which is a refusal."""
        try:
            return read_tagged(self._target, tag)
        except (InvalidInputError, IntegrityError) as error:
            self._refusals.append(RefusedSignature(tag, error.message))
            return None

    def _read_tag(self, tag: str) -> None:
        found = self._tagged(tag)
        if found is None:
            return
        try:
            manifest = simple_signing.read_manifest(found[1], found[0].media_type)
        except MalformedSignatureError as error:
            self._refusals.append(RefusedSignature(tag, error.message))
            return
        if len(manifest.layers) > REFERRERS_MAX:
            raise TooManySignaturesError(f"{tag} has {len(manifest.layers):,} layers; {REFERRERS_MAX} are read")
        self._add_layers(tag, manifest)

    def _read_referrer(self, entry: Descriptor) -> None:
        try:
            raw = read_all(self._target.fetch(entry), entry, MANIFEST_MAX)
            document = parse_manifest(raw, entry.media_type)
        except (InvalidInputError, IntegrityError, NotFoundError) as error:
            self._refusals.append(RefusedSignature(str(entry.digest), error.message))
            return
        if not isinstance(document, Manifest):
            return
        if document.subject is None or document.subject.digest != self._subject:
            self._refusals.append(RefusedSignature(str(entry.digest), "the referrer is about another artifact"))
            return
        layer = _bundle_layer(document)
        if layer is not None:
            self._layers.append(_Layer("bundle", str(entry.digest), layer))
        else:
            self._add_layers(str(entry.digest), document)

    def _add_layers(self, origin: str, manifest: Manifest) -> None:
        for number, layer in enumerate(manifest.layers):
            form = _FORMS.get(layer.media_type)
            if form is not None:
                self._layers.append(_Layer(form, f"{origin} layer {number}", layer))

    def _read_documents(self) -> FoundSignatures:
        wanted: dict[Digest, Descriptor] = {}
        for layer in self._layers:
            if layer.descriptor.size > DOCUMENT_MAX:
                reason = f"the signature is {layer.descriptor.size:,} bytes; the limit is {DOCUMENT_MAX:,}"
                self._refusals.append(RefusedSignature(layer.origin, reason))
            else:
                wanted.setdefault(layer.descriptor.digest, layer.descriptor)
        total = sum(descriptor.size for descriptor in wanted.values())
        if total > _BYTES_MAX:
            raise TooManySignaturesError(f"{self._subject} has {total:,} bytes of signatures; {_BYTES_MAX:,} are read")
        documents: dict[Digest, bytes | str] = {}

        def read(descriptor: Descriptor) -> None:
            try:
                documents[descriptor.digest] = read_all(self._target.fetch(descriptor), descriptor, DOCUMENT_MAX)
            except (IntegrityError, NotFoundError) as error:
                documents[descriptor.digest] = error.message

        run_jobs([lambda one=one: read(one) for one in wanted.values()], _WORKERS)  # type: ignore[misc]
        candidates = []
        for layer in sorted(self._layers, key=lambda one: one.origin):
            document = documents.get(layer.descriptor.digest)
            if isinstance(document, bytes):
                candidates.append(Candidate(layer.form, layer.origin, document, layer.descriptor))
            elif document is not None:
                self._refusals.append(RefusedSignature(layer.origin, document))
        return FoundSignatures(tuple(candidates), tuple(sorted(self._refusals)))


_LISTED_MAX: Final = 10_000
"""Referrers of any kind that a listing may have."""


def _may_be_signature(entry: Descriptor) -> bool:
    kind = entry.artifact_type
    return kind in _UNTYPED or kind in _TYPES or str(kind).startswith(BUNDLES)


def _bundle_layer(manifest: Manifest) -> Descriptor | None:
    """The bundle of a referrer, if it holds one: a single layer of a bundle's type, whatever the listing says."""
    layer = manifest.layers[0] if len(manifest.layers) == 1 else None
    return layer if layer is not None and layer.media_type.startswith(BUNDLES) else None
