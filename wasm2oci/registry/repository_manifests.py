"""The manifests and tags of one repository: what was just read is kept, and referrers follow what is written.

Spec: distribution-spec, end-3, end-7, end-9, end-12.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Final

from wasm2oci.content.target import ChildMissingError
from wasm2oci.errors import NotFoundError, Wasm2OciError
from wasm2oci.oci.endpoints import DELETE_MANIFEST
from wasm2oci.oci.manifest import parse_manifest
from wasm2oci.oci.reference import check_tag, join_name
from wasm2oci.registry.manifests import (
    ManifestDigestError,
    get_manifest,
    head_manifest,
    put_manifest,
)
from wasm2oci.registry.problems import (
    DeniedError,
    ManifestChildMissingError,
    ManifestUnknownError,
    NotSupportedError,
    ResponseError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasm2oci.content.target import Content
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.reference import Name
    from wasm2oci.registry.exchange import Exchange
    from wasm2oci.registry.manifests import (
        RemoteManifest,
    )
    from wasm2oci.registry.referrers import Referrers

__all__ = ["RepositoryManifests"]

_TAG_REFUSALS: Final = (ResponseError, DeniedError, NotSupportedError)
"""What registries answer to a tag that may not be moved, in their various statuses."""


class RepositoryManifests:
    """The manifests of one repository, which messages call `shown`; used by any number of threads."""

    def __init__(self, exchange: Exchange, shown: str) -> None:
        self._exchange = exchange
        self._shown = shown
        self._guard = Lock()
        self._read: RemoteManifest | None = None
        self._promised: tuple[Digest, Name] | None = None
        self._known_referrers: Referrers | None = None

    @property
    def referrers(self) -> Referrers:
        """The referrers of manifests in this repository."""
        from wasm2oci.registry.referrers import Referrers

        with self._guard:
            if self._known_referrers is None:
                self._known_referrers = Referrers(self._exchange)
            return self._known_referrers

    # --- reading ---------------------------------------------------------------------------------

    def resolve(self, name: Name) -> Descriptor:
        """The descriptor of the manifest of this name; see `content.target.ReadTarget.resolve`."""
        response, descriptor = head_manifest(self._exchange, name)
        if descriptor is not None:
            with self._guard:
                self._promised = descriptor.digest, name
            return descriptor
        if response.status == 429:
            raise self._exchange.refusal(response, b"", join_name(self._shown, name), kind="manifest")
        # An error without a body says too little, and some registries leave out headers: the GET says it all.
        return self.get(name).descriptor

    def get(self, name: Name, expected: Descriptor | None = None) -> RemoteManifest:
        """The manifest of this name, verified; asked for unless it is the one that was read last.

        Raises:
            ManifestUnknownError: there is none.
            RegistryError, IntegrityError, InvalidInputError: see `manifests.get_manifest`.
        """
        with self._guard:
            read = self._read
        if read is not None and read.descriptor.digest == name:
            known = (read.descriptor.media_type, read.descriptor.size)
            if expected is None or (expected.media_type, expected.size) == known:
                return read
        try:
            found = get_manifest(self._exchange, name, expected=expected)
        except ManifestUnknownError as error:
            found = self._get_promised(name, error)
        with self._guard:
            self._read = found  # what was just resolved is mostly fetched next
        return found

    def content(self, descriptor: Descriptor) -> Content:
        """A manifest as content, asked for when it is read."""
        return _ManifestContent(self, descriptor)

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether the manifest is here.

        Raises:
            AccessError: the registry does not let us look.
        """
        response, _ = head_manifest(self._exchange, descriptor.digest)
        if response.status not in {200, 404, 410, 429}:  # some answer HEAD with an error of their own (zot#4033)
            try:
                return self.get(descriptor.digest).descriptor.size == descriptor.size
            except NotFoundError:
                return False
        return self._exchange.says_present(response, b"", descriptor, join_name(self._shown, descriptor.digest))

    # --- writing ---------------------------------------------------------------------------------

    def put(self, descriptor: Descriptor, raw: bytes, tag: str | None) -> None:
        """Store a manifest, by its digest or by a tag.

        Raises:
            ChildMissingError: it names something that the registry lacks.
            RegistryError: the registry refuses.
        """
        document = parse_manifest(raw, descriptor.media_type)
        references: list[Name] = [descriptor.digest] if tag is None else [check_tag(tag)]
        if tag is not None and descriptor.digest.algorithm != "sha256":
            references.insert(0, descriptor.digest)  # by tag alone the registry would file it under its sha256
        for reference in references:
            try:
                response = put_manifest(self._exchange, reference, media_type=descriptor.media_type, raw=raw)
            except ChildMissingError:
                raise
            except _TAG_REFUSALS as error:
                if tag is not None and reference == tag and self._is_tagged(descriptor, tag):
                    return  # a tag that may not be moved, and that was not to be (buildkit#3776, kots#5940)
                subject = document.subject if isinstance(error, ResponseError) else None
                if subject is not None and self._lacks(subject):  # buildkit#7007, in whatever words
                    raise ManifestChildMissingError(error.message, hint=error.hint) from error
                raise
            if document.subject is not None and reference == references[-1]:
                referrer = document.as_referrer(descriptor.digest.algorithm)
                handled = "oci-subject" in response.headers
                self.referrers.added(document.subject.digest, referrer, handled=handled)

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        """Name a manifest that is here already.

        Raises:
            NotFoundError: it is not here.
        """
        check_tag(tag)
        document = self.get(descriptor.digest, descriptor).document
        try:
            put_manifest(self._exchange, tag, media_type=document.media_type, raw=document.raw)
        except _TAG_REFUSALS:
            if not self._is_tagged(descriptor, tag):
                raise

    def delete(self, descriptor: Descriptor) -> None:
        """Remove a manifest with all its tags, and from the referrers of its subject.

        Raises:
            NotFoundError: it is not here.
            UnsupportedError: the registry does not delete.
        """
        subject = self.get(descriptor.digest, descriptor).document.subject
        self.remove(descriptor.digest)
        if subject is not None:
            self.referrers.removed(subject.digest, descriptor.digest)

    def remove(self, name: Name) -> None:
        """Remove a manifest by its digest, or a tag. Raises what `removal.remove` raises."""
        from wasm2oci.registry.removal import remove

        remove(self._exchange, DELETE_MANIFEST, name)
        with self._guard:
            self._read = None

    # --- inside ----------------------------------------------------------------------------------

    def _get_promised(self, digest: Name, error: ManifestUnknownError) -> RemoteManifest:
        """A manifest that the headers of a tag promised, and that is not there by its digest: what the tag gives."""
        with self._guard:
            promised = self._promised
        if promised is None or promised[0] != digest or promised[1] == digest:
            raise error
        tag = promised[1]
        found = get_manifest(self._exchange, tag)
        if found.descriptor.digest != digest:
            raise ManifestDigestError(
                f"{self._shown}:{tag} is {found.descriptor.digest}, but the registry reported {digest}",
                hint="unless the tag moved at this moment, the registry is faulty: ask its operator",
            ) from error
        return found

    def _is_tagged(self, descriptor: Descriptor, tag: str) -> bool:
        try:
            return self.resolve(check_tag(tag)).digest == descriptor.digest
        except Wasm2OciError:
            return False

    def _lacks(self, subject: Descriptor) -> bool:
        try:
            return not self.exists(subject)
        except Wasm2OciError:
            return False


class _ManifestContent:
    __slots__ = ("_descriptor", "_manifests")

    def __init__(self, manifests: RepositoryManifests, descriptor: Descriptor) -> None:
        self._manifests = manifests
        self._descriptor = descriptor

    def __iter__(self) -> Iterator[bytes]:
        yield self._manifests.get(self._descriptor.digest, self._descriptor).document.raw
