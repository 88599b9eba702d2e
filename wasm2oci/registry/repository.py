"""A repository in a registry, as a place of content: the verbs of `content.target`, for manifests and for blobs.

Names: `host` is what the user calls the registry, `name` what the registry calls the repository (on Docker Hub a short
name is `library/NAME`). A `Repository` may be used by any number of threads. What only one of its verbs needs is
imported when that verb is used: a push does not wait for the code of a pull, nor the other way round.

Spec: distribution-spec, end-2 to end-12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.content.target import ChildMissingError
from wasm2oci.content.verify import BytesContent, VerifiedContent, read_all
from wasm2oci.errors import InvalidInputError
from wasm2oci.oci.endpoints import DELETE_BLOB, LIST_TAGS, PING
from wasm2oci.oci.reference import check_tag, parse_name
from wasm2oci.oci.wire import MANIFEST_MAX
from wasm2oci.registry.exchange import Exchange
from wasm2oci.registry.repository_blobs import RepositoryBlobs
from wasm2oci.registry.repository_manifests import RepositoryManifests

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wasm2oci.content.target import Content
    from wasm2oci.content.verify import CheckedBytes
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.reference import Name
    from wasm2oci.registry.session import Session

__all__ = ["Repository"]

_TAGS_BODY_MAX = 16 * 1024 * 1024
_TAGS_PAGE: Final = 1000
"""Tags asked for at once; ECR refuses more."""


class Repository:
    """A repository: Target, Mounter, ReferrerLister, TagLister and Deleter.

    Args:
        session: with the registry; shared by its repositories.
        name: as the registry calls it.
        writes: whether this is going to be written to, so that the first token asked for allows that already.
        shown: as the user calls it; `name` if None.
    """

    def __init__(self, session: Session, name: str, *, writes: bool = False, shown: str | None = None) -> None:
        self.session = session
        self.name = name
        self.shown = shown or name
        self._exchange = Exchange(session, name, writes=writes)
        self._manifests = RepositoryManifests(self._exchange, str(self))
        self._blobs = RepositoryBlobs(self._exchange, str(self))

    @property
    def host(self) -> str:
        """The registry, as the user calls it."""
        return self.session.host

    def __str__(self) -> str:
        return f"{self.host}/{self.shown}"

    # --- reading ---------------------------------------------------------------------------------

    def resolve(self, name: Name) -> Descriptor:
        """See `ReadTarget`; asks for headers only, when those say enough."""
        return self._manifests.resolve(parse_name(name))

    def open_manifest(self, name: Name) -> Descriptor:
        """See `ManifestOpener`: one GET, and the next `fetch` of the manifest costs none."""
        return self._manifests.get(parse_name(name)).descriptor

    def fetch_manifest(self, name: Name) -> tuple[Descriptor, bytes]:
        """The manifest that a tag or digest names, verified, in one request; raises as `open_manifest`."""
        found = self._manifests.get(parse_name(name))
        return found.descriptor, found.document.raw

    def exists(self, descriptor: Descriptor) -> bool:
        """See `ReadTarget`."""
        return (self._manifests if descriptor.is_manifest else self._blobs).exists(descriptor)

    def fetch(self, descriptor: Descriptor) -> VerifiedContent | CheckedBytes:
        """See `ReadTarget`; a broken download goes on where it broke."""
        if descriptor.data is not None:
            return VerifiedContent(descriptor, BytesContent(descriptor.data))
        # `urls` of a descriptor are never asked: the content is in the repository, or it is nowhere.
        return VerifiedContent(
            descriptor, (self._manifests if descriptor.is_manifest else self._blobs).content(descriptor)
        )

    def fetch_rest(self, descriptor: Descriptor, start: int) -> Content:
        """The bytes of a blob from `start` on; see `content.target.Resumer`."""
        return self._blobs.download(descriptor, start)

    def find_blob(self, digest: Digest) -> Descriptor:
        """See `BlobFinder`."""
        return self._blobs.find(digest)

    def tags(self) -> Iterator[str]:
        """Every tag, page by page, in the order of the registry.

        Raises:
            NotFoundError: there is no such repository.
            RegistryError: the listing continues at another address, or has too many pages.

        Spec: distribution-spec, end-8.
        """
        from wasm2oci.registry.listing import list_entries

        exchange = self._exchange
        for tag in list_entries(
            self.session,
            exchange.request(LIST_TAGS, query=[("n", str(_TAGS_PAGE))]).url,
            "tags",
            lambda url: exchange.read(LIST_TAGS, location=url, limit=_TAGS_BODY_MAX, what="a page of tags"),
            lambda response, body: exchange.refusal(response, body, str(self)),
        ):
            if isinstance(tag, str) and _is_tag(tag):  # what is not a tag can neither be shown nor pulled
                yield tag

    def read_ahead(self, subject: Descriptor) -> None:
        """See `ReferrerReader`."""
        self._manifests.referrers.read_ahead(subject.digest)

    def referrers(self, subject: Descriptor, artifact_type: str | None = None) -> Iterable[Descriptor]:
        """Descriptors of the manifests whose subject this is, by the API or the fallback tag."""
        return self._manifests.referrers.listed(subject.digest, artifact_type)

    # --- writing ---------------------------------------------------------------------------------

    def push(self, descriptor: Descriptor, content: Content, *, tag: str | None = None) -> None:
        """See `Target`; content is sent even if it is there already (`exists` is the question)."""
        if not descriptor.is_manifest:
            self._blobs.push(descriptor, content)
            return
        try:
            self._manifests.put(descriptor, read_all(content, descriptor, MANIFEST_MAX), tag)
        except ChildMissingError:
            self._blobs.stop_unasked()
            raise

    def prepare(self, connections: int) -> None:
        """Begin to open connections; see `content.target.Distant`."""
        self.session.prepare(connections)

    def authorize(self) -> None:
        """Get the token for what is going to be done here; see `content.target.Distant`. Spec: end-1."""
        self._exchange.send(PING).drain()

    def takes_unasked(self, descriptor: Descriptor) -> bool:
        """Whether this is sent in the request that would open its upload (end-4b)."""
        return not descriptor.is_manifest and self._blobs.takes_unasked(descriptor)

    def send_ahead(self, content: Content, size: int) -> None:
        """Begin to take this content, whose digest is not known yet; see `eager_upload.EagerUpload`."""
        self._blobs.send_ahead(content, size)

    def close(self) -> None:
        """End what was begun and not pushed."""
        self._blobs.close()

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        """See `Target`."""
        self._manifests.tag(descriptor, tag)

    def mount(self, descriptor: Descriptor, source: object) -> bool:
        """Take a blob from another repository of this registry, if we are the same there as here.

        The source, if it is one, else one that had the blob when another process saw it. Whatever the registry says
        against it only means that the bytes must flow.

        Spec: distribution-spec, end-11.
        """
        if descriptor.is_manifest:
            return False
        if isinstance(source, Repository) and source.session.origin == self.session.origin:
            name = source.name if self.is_beside(source) else None
        else:
            name = self._blobs.holder(descriptor)
        return name is not None and self._blobs.mount(descriptor, name)

    def is_beside(self, source: object) -> bool:
        """Whether this is another repository of the same registry, and we are the same there; see `Neighbour`."""
        if not isinstance(source, Repository) or source.session.origin != self.session.origin:
            return False
        return source.name != self.name and source.session.auth.credential == self.session.auth.credential

    def delete(self, descriptor: Descriptor) -> None:
        """See `Deleter`."""
        from wasm2oci.registry.removal import remove

        if descriptor.is_manifest:
            self._manifests.delete(descriptor)
        else:
            remove(self._exchange, DELETE_BLOB, descriptor.digest)

    def untag(self, tag: str) -> None:
        """See `Deleter`."""
        self._manifests.remove(check_tag(tag))


def _is_tag(text: str) -> bool:
    try:
        check_tag(text)
    except InvalidInputError:
        return False
    return True
