"""A repository in a registry, as a place of content: the verbs of `content.target`, each made of endpoints.

Names: `host` is what the user calls the registry, `name` what the registry calls the repository (on Docker Hub a short
name is `library/NAME`). A `Repository` may be used by any number of threads. What only one of its verbs needs is
imported when that verb is used: a push does not wait for the code of a pull, nor the other way round.

Spec: distribution-spec, end-2 to end-12.
"""

from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, Final

from wasm2oci.content.target import ChildMissingError
from wasm2oci.content.verify import BytesContent, CheckedBytes, VerifiedContent, read_all, verified
from wasm2oci.errors import AccessError, InvalidInputError, NotFoundError, RegistryError, Wasm2OciError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.endpoints import (
    DELETE_BLOB,
    DELETE_MANIFEST,
    GET_BLOB,
    HEAD_BLOB,
    LIST_TAGS,
    MOUNT_BLOB,
    PING,
    Endpoint,
)
from wasm2oci.oci.manifest import parse_manifest
from wasm2oci.oci.reference import check_tag, join_name, parse_name
from wasm2oci.oci.wire import ERROR_BODY_MAX, MANIFEST_MAX
from wasm2oci.registry.exchange import Exchange
from wasm2oci.registry.manifests import (
    ManifestDigestError,
    RemoteManifest,
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
from wasm2oci.registry.scope import Scope
from wasm2oci.registry.urls import Origin, join_own

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wasm2oci.content.target import Content
    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.reference import Name
    from wasm2oci.registry.download import BlobPart
    from wasm2oci.registry.eager_upload import EagerUpload
    from wasm2oci.registry.messages import Response
    from wasm2oci.registry.ranges import ParallelBlob
    from wasm2oci.registry.referrers import Referrers
    from wasm2oci.registry.session import Session

__all__ = ["Repository"]

UNASKED_MAX: Final = 128 * 1024
"""Bytes of a blob up to which sending it twice is faster than one more round trip."""
_TAGS_BODY_MAX = 16 * 1024 * 1024
_TAG_REFUSALS: Final = (ResponseError, DeniedError, NotSupportedError)
"""What registries answer to a tag that may not be moved, in their various statuses."""
_TAGS_PAGE = 1000
"""Tags asked for at once; ECR refuses more."""


class Repository:
    """A repository: Target, Mounter, ReferrerLister, TagLister and Deleter.

    Args:
        session: with the registry; shared by its repositories.
        name: as the registry calls it.
        writes: whether this is going to be written to, so that the first token asked for allows that already.
        shown: as the user calls it; `name` if None.
    """

    def __init__(self, session: "Session", name: str, *, writes: bool = False, shown: str | None = None) -> None:
        self.session = session
        self.name = name
        self.shown = shown or name
        self._exchange = Exchange(session, name, writes=writes)
        self._guard = Lock()
        self._readers: BoundedSemaphore | None = None
        self._uploads: dict[Digest, str] = {}
        self._read: RemoteManifest | None = None
        self._promised: tuple[Digest, Name] | None = None
        self._known_referrers: Referrers | None = None
        self._eager: EagerUpload | None = None
        self._keeps_unasked = True

    @property
    def host(self) -> str:
        """The registry, as the user calls it."""
        return self.session.host

    def __str__(self) -> str:
        return f"{self.host}/{self.shown}"

    # --- reading ---------------------------------------------------------------------------------

    def resolve(self, name: "Name") -> Descriptor:
        """The descriptor of the manifest that a tag or digest names. Asks for headers only, when those say enough.

        Raises:
            InvalidInputError: it is neither a tag nor a digest.
            NotFoundError: no artifact has this name.
            AccessError: the registry does not let us look.
        """
        name = parse_name(name)
        response, descriptor = head_manifest(self._exchange, name)
        if descriptor is not None:
            with self._guard:
                self._promised = descriptor.digest, name
            return descriptor
        if response.status == 429:
            raise self._exchange.refusal(response, b"", join_name(self, name), kind="manifest")
        # An error without a body says too little, and some registries leave out headers: the GET says it all.
        return self.fetch_manifest(name)[0]

    def open_manifest(self, name: "Name") -> Descriptor:
        """What `resolve` gives, from the manifest itself: one GET, and the next `fetch` of it costs none.

        Raises:
            InvalidInputError: what it names is not a manifest.
            NotFoundError: no artifact has this name.
            IntegrityError: the bytes are not what the digest says.
        """
        return self._manifest(parse_name(name)).descriptor

    def fetch_manifest(self, name: "Name") -> tuple[Descriptor, bytes]:
        """The manifest that a tag or digest names, verified, in one request.

        Raises:
            NotFoundError: no artifact has this name.
            IntegrityError: it is not what its digest says.
            InvalidInputError: it is not a manifest, or the reference is neither a tag nor a digest.
        """
        found = self._manifest(parse_name(name))
        return found.descriptor, found.document.raw

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether the content of this descriptor is here, whole.

        Raises:
            AccessError: the registry does not let us look.
        """
        if descriptor.is_manifest:
            response, _ = head_manifest(self._exchange, descriptor.digest)
            if response.status not in {200, 404, 410, 429}:
                return self._gives(descriptor)
            body = b""
        else:
            response, body = self._look_for_blob(descriptor.digest)
            if response.status in {400, 401, 403, 405} and Origin.of(response.url) != self.session.origin:
                return True  # sent on to a storage that answers GET only: so the registry has it
        if response.status == 200:
            return response.length is None or response.length == descriptor.size
        if response.status in {404, 410} or response.status in {400, 405} or response.status >= 500:
            return False  # where asking fails, sending shows what is wrong, if anything is
        raise self._refusal(response, body, descriptor)

    def fetch(self, descriptor: Descriptor) -> VerifiedContent | CheckedBytes:
        """The content of this descriptor; a broken download goes on where it broke.

        Raises (when iterated):
            NotFoundError: it is not here.
            IntegrityError: the bytes are not those of the descriptor.
            RegistryError: the registry or the network failed for good.
        """
        if descriptor.data is not None:
            return VerifiedContent(descriptor, BytesContent(descriptor.data))
        if descriptor.is_manifest:
            return VerifiedContent(descriptor, _ManifestContent(self, descriptor))
        # `urls` of a descriptor are never asked: the content is in the repository, or it is nowhere.
        return VerifiedContent(descriptor, _Downloaded(self, descriptor))

    def fetch_rest(self, descriptor: Descriptor, start: int) -> "Content":
        """The bytes of a blob from `start` on; see `content.target.Resumer`."""
        return self._download(descriptor, start)

    def find_blob(self, digest: "Digest") -> Descriptor:
        """The blob of this digest, as the registry tells its size.

        Raises:
            NotFoundError: it is not here.
            UnsupportedError: the registry does not tell.
        """
        response, body = self._look_for_blob(digest)
        found = Descriptor(mt.OCTET_STREAM, digest, response.length or 0)
        if response.status == 200:
            if response.length is None:
                raise NotSupportedError(f"{self} does not tell the size of {digest}")
            return found
        raise self._refusal(response, body, found)

    def tags(self) -> "Iterator[str]":
        """Every tag, page by page, in the order of the registry.

        Raises:
            NotFoundError: there is no such repository.
            RegistryError: the listing leads astray or never ends.

        Spec: distribution-spec, end-8.
        """
        from wasm2oci.registry.listing import list_entries

        exchange = self._exchange
        for tag in list_entries(
            self.host,
            exchange.request(LIST_TAGS, query=[("n", str(_TAGS_PAGE))]).url,
            "tags",
            lambda url: exchange.read(LIST_TAGS, location=url, limit=_TAGS_BODY_MAX, what="a page of tags"),
            lambda response, body: exchange.refusal(response, body, str(self)),
        ):
            if isinstance(tag, str) and _is_tag(tag):  # what is not a tag can neither be shown nor pulled
                yield tag

    def read_ahead(self, subject: Descriptor) -> None:
        """See `ReferrerReader`."""
        self._referrers.read_ahead(subject.digest)

    def referrers(self, subject: Descriptor, artifact_type: str | None = None) -> "Iterable[Descriptor]":
        """Descriptors of the manifests whose subject this is, by the API or the fallback tag."""
        return self._referrers.listed(subject.digest, artifact_type)

    # --- writing ---------------------------------------------------------------------------------

    def push(self, descriptor: Descriptor, content: "Content", *, tag: str | None = None) -> None:
        """Store the content of this descriptor; it is sent even if it is there already (`exists` is the question).

        Raises:
            IntegrityError: the bytes are not those of the descriptor; nothing was stored.
            ChildMissingError: a manifest names something that the registry lacks.
            AccessError: the registry does not let us write.
        """
        from wasm2oci.registry.uploader import push_blob

        if descriptor.is_manifest:
            self._put(descriptor, read_all(content, descriptor, MANIFEST_MAX), tag)
            return
        if self._finish_eager(descriptor, content):
            self._note_holder(descriptor)
            return
        with self._guard:
            location = self._uploads.pop(descriptor.digest, None)
        unasked = self.takes_unasked(descriptor)
        push_blob(self._exchange, descriptor, content, location=location, unasked=unasked)
        self._note_holder(descriptor)

    def prepare(self, connections: int) -> None:
        """Begin to open connections; see `content.target.Distant`."""
        self.session.prepare(connections)

    def authorize(self) -> None:
        """Get the token for what is going to be done here; see `content.target.Distant`. Spec: end-1."""
        self._exchange.send(PING).drain()

    def takes_unasked(self, descriptor: Descriptor) -> bool:
        """Whether this blob is sent in the request that would open its upload (end-4b)."""
        return self._keeps_unasked and not descriptor.is_manifest and descriptor.size <= UNASKED_MAX

    def send_ahead(self, content: "Content", size: int) -> None:
        """Begin to take this content, whose digest is not known yet; see `eager_upload.EagerUpload`."""
        from wasm2oci.registry.eager_upload import EagerUpload

        self.close()
        found_out = self.session.found_out
        if found_out is not None and found_out.knows_size(self.session.origin, size):
            return  # it may be mounted, or be there
        eager = EagerUpload(self._exchange, content, size)
        with self._guard:
            self._eager = eager

    def close(self) -> None:
        """End what was begun and not pushed."""
        with self._guard:
            eager, self._eager = self._eager, None
        if eager is not None:
            eager.close()

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        """Name a manifest that is here already.

        Raises:
            NotFoundError: it is not here.
        """
        check_tag(tag)
        found = self._manifest(descriptor.digest, descriptor)
        raw = found.document.raw
        try:
            put_manifest(self._exchange, tag, media_type=found.document.media_type, raw=raw)
        except _TAG_REFUSALS:
            if not self._is_tagged(descriptor, tag):
                raise

    def mount(self, descriptor: Descriptor, source: object) -> bool:
        """Take a blob from another repository of this registry, if we are the same there as here.

        The source, if it is one, else one that had the blob when another process saw it. Whatever the registry says
        against it only means that the bytes must flow.

        Spec: distribution-spec, end-11.
        """
        name = self._neighbour(descriptor, source)
        if name is None or descriptor.is_manifest:
            return False
        query = [("mount", str(descriptor.digest)), ("from", name)]
        also = [Scope.repository(name, "pull")]
        request = self._exchange.request(MOUNT_BLOB, query=query, headers={"Content-Length": "0"})
        try:
            response = self._exchange.forward(MOUNT_BLOB, request._replace(repeatable=False), also=also)
        except (AccessError, RegistryError):  # no token for both at once, for example
            return False
        response.drain()
        location = response.headers.get("location")
        if response.status == 202 and location is not None:
            with self._guard:
                self._uploads[descriptor.digest] = join_own(response.url, location)
        if response.status == 201:
            self._note_holder(descriptor)
        return response.status == 201

    def is_beside(self, source: object) -> bool:
        """Whether this is another repository of the same registry, and we are the same there; see `Neighbour`."""
        if not isinstance(source, Repository) or source.session.origin != self.session.origin:
            return False
        return source.name != self.name and source.session.auth.credential == self.session.auth.credential

    def _neighbour(self, descriptor: Descriptor, source: object) -> str | None:
        session = self.session
        if isinstance(source, Repository) and source.session.origin == session.origin:
            return source.name if self.is_beside(source) else None
        if session.found_out is None or descriptor.size <= UNASKED_MAX:
            return None
        name = session.found_out.holder(session.origin, descriptor)
        return name if name != self.name else None

    def _note_holder(self, descriptor: Descriptor) -> None:
        session = self.session
        if session.found_out is not None and descriptor.size > UNASKED_MAX:
            session.found_out.note_holder(session.origin, self.name, descriptor)

    def delete(self, descriptor: Descriptor) -> None:
        """Remove a manifest (with all its tags) or a blob.

        Raises:
            NotFoundError: it is not here.
            UnsupportedError: the registry does not delete.
        """
        if descriptor.is_manifest:
            found = self._manifest(descriptor.digest, descriptor)
            subject = found.document.subject
            self._remove(DELETE_MANIFEST, descriptor.digest)
            if subject is not None:
                self._referrers.removed(subject.digest, descriptor.digest)
        else:
            self._remove(DELETE_BLOB, descriptor.digest)

    def untag(self, tag: str) -> None:
        """Remove one tag and nothing else.

        Raises:
            NotFoundError: there is no such tag.
            UnsupportedError: the registry removes no tag alone.
        """
        check_tag(tag)
        self._remove(DELETE_MANIFEST, tag)

    # --- inside ----------------------------------------------------------------------------------

    @property
    def _referrers(self) -> "Referrers":
        from wasm2oci.registry.referrers import Referrers

        with self._guard:
            if self._known_referrers is None:
                self._known_referrers = Referrers(self._exchange)
            return self._known_referrers

    def _finish_eager(self, descriptor: Descriptor, content: "Content") -> bool:
        with self._guard:
            eager = self._eager
            if eager is None or eager.size != descriptor.size:
                return False
            self._eager = None
        return eager.finish(descriptor, verified(content, descriptor).moved)

    def _download(self, descriptor: Descriptor, start: int = 0) -> "BlobPart | ParallelBlob":
        from wasm2oci.registry.download import BlobPart
        from wasm2oci.registry.ranges import HELPERS, PARALLEL_MIN, ParallelBlob

        if descriptor.size - start >= PARALLEL_MIN:
            with self._guard:
                if self._readers is None:
                    self._readers = BoundedSemaphore(HELPERS)
            return ParallelBlob(self._exchange, descriptor, self._readers, start)
        return BlobPart(self._exchange, descriptor, start, descriptor.size)

    def _manifest(self, name: "Name", expected: Descriptor | None = None) -> RemoteManifest:
        with self._guard:
            read = self._read
        if read is not None and read.descriptor.digest == name:
            known = (read.descriptor.media_type, read.descriptor.size)
            if expected is None or (expected.media_type, expected.size) == known:
                return read
        try:
            found = get_manifest(self._exchange, name, expected=expected)
        except ManifestUnknownError as error:
            found = self._promised_manifest(name, error)
        with self._guard:
            self._read = found  # what was just resolved is mostly fetched next
        return found

    def _promised_manifest(self, digest: "Name", error: ManifestUnknownError) -> RemoteManifest:
        """A manifest that the headers of a tag promised, and that is not there by its digest: what the tag gives."""
        with self._guard:
            promised = self._promised
        if promised is None or promised[0] != digest or promised[1] == digest:
            raise error
        tag = promised[1]
        found = get_manifest(self._exchange, tag)
        if found.descriptor.digest != digest:
            raise ManifestDigestError(
                f"{self}:{tag} is {found.descriptor.digest}, and the registry said that it is {digest}",
                hint="unless the tag moved at this moment, ask who runs the registry",
            ) from error
        return found

    def _put(self, descriptor: Descriptor, raw: bytes, tag: str | None) -> None:
        document = parse_manifest(raw, descriptor.media_type)
        references: list[Name] = [descriptor.digest] if tag is None else [check_tag(tag)]
        if tag is not None and descriptor.digest.algorithm != "sha256":
            references.insert(0, descriptor.digest)  # by tag alone the registry would file it under its sha256
        for reference in references:
            try:
                response = put_manifest(self._exchange, reference, media_type=descriptor.media_type, raw=raw)
            except ChildMissingError:
                self._keeps_unasked = False  # it may have accepted a blob and thrown it away
                raise
            except _TAG_REFUSALS as error:
                if reference == tag and self._is_tagged(descriptor, tag):
                    return  # a tag that may not be moved, and that was not to be (buildkit#3776, kots#5940)
                subject = document.subject if isinstance(error, ResponseError) else None
                if subject is not None and self._lacks(subject):  # buildkit#7007, in whatever words
                    raise ManifestChildMissingError(error.message, hint=error.hint) from error
                raise
            if document.subject is not None and reference == references[-1]:
                referrer = document.as_referrer(descriptor.digest.algorithm)
                handled = "oci-subject" in response.headers
                self._referrers.added(document.subject.digest, referrer, handled=handled)

    def _gives(self, descriptor: Descriptor) -> bool:
        """Whether a manifest is here, of a registry that answers HEAD with an error of its own (zot#4033)."""
        try:
            return self._manifest(descriptor.digest).descriptor.size == descriptor.size
        except NotFoundError:
            return False

    def _is_tagged(self, descriptor: Descriptor, tag: str) -> bool:
        try:
            return self.resolve(check_tag(tag)).digest == descriptor.digest
        except Wasm2OciError:
            return False

    def _lacks(self, descriptor: Descriptor) -> bool:
        try:
            return not self.exists(descriptor)
        except Wasm2OciError:
            return False

    def _remove(self, row: Endpoint, reference: "Name") -> None:
        from wasm2oci.registry.removal import remove

        remove(self._exchange, row, reference)
        with self._guard:
            self._read = None

    def _look_for_blob(self, digest: "Digest") -> "tuple[Response, bytes]":
        """What the registry says about a blob, and the body of an error.

        A HEAD that is refused is asked again as GET: the answer to HEAD does not say why, and some firewalls let no
        HEAD through.
        """
        response = self._exchange.send(HEAD_BLOB, digest)
        response.drain()
        if response.status not in {401, 403} or Origin.of(response.url) != self.session.origin:
            return response, b""
        response = self._exchange.send(GET_BLOB, digest)
        body = response.read_truncated(ERROR_BODY_MAX) if response.status >= 400 else b""
        response.close()
        return response, body

    def _refusal(self, response: "Response", body: bytes, descriptor: Descriptor) -> Exception:
        kind = "manifest" if descriptor.is_manifest else "blob"
        return self._exchange.refusal(response, body, join_name(self, descriptor.digest), kind=kind)


class _ManifestContent:
    """A manifest as content, asked for when it is read."""

    __slots__ = ("_descriptor", "_repository")

    def __init__(self, repository: Repository, descriptor: Descriptor) -> None:
        self._repository = repository
        self._descriptor = descriptor

    def __iter__(self) -> "Iterator[bytes]":
        yield self._repository._manifest(self._descriptor.digest, self._descriptor).document.raw  # noqa: SLF001 - same file


class _Downloaded:
    """A blob as content, asked for when it is read."""

    __slots__ = ("_descriptor", "_repository")

    def __init__(self, repository: Repository, descriptor: Descriptor) -> None:
        self._repository = repository
        self._descriptor = descriptor

    def __iter__(self) -> "Iterator[bytes]":
        yield from self._repository._download(self._descriptor)  # noqa: SLF001 - same file
        self._repository._note_holder(self._descriptor)  # noqa: SLF001 - same file


def _is_tag(text: str) -> bool:
    try:
        check_tag(text)
    except InvalidInputError:
        return False
    return True
