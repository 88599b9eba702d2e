"""Reading and writing manifests: bounded, type-checked and verified.

A manifest is believed when its bytes have the digest that was asked for (or that the registry's header says, where that
is in an algorithm that can be compared), and when its own `mediaType`, its shape and the `Content-Type` agree.

Spec: distribution-spec, end-3 and end-7; image-spec, manifest.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.content.verify import DigestMismatchError, SizeMismatchError
from wasm2oci.errors import InvalidInputError, RegistryError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.endpoints import GET_MANIFEST, HEAD_MANIFEST, PUT_MANIFEST
from wasm2oci.oci.manifest import InvalidManifestError, ManifestTooLargeError, parse_manifest
from wasm2oci.oci.reference import join_name
from wasm2oci.oci.wire import MANIFEST_MAX
from wasm2oci.registry.messages import BodyTooLargeError
from wasm2oci.registry.problems import ResponseError
from wasm2oci.registry.web_pages import is_page, refuse_page

if TYPE_CHECKING:
    from wasm2oci.oci.http import Headers
    from wasm2oci.oci.manifest import Index, Manifest
    from wasm2oci.oci.reference import Name
    from wasm2oci.registry.exchange import Exchange
    from wasm2oci.registry.messages import Response

__all__ = [
    "ConflictError",
    "ManifestDigestError",
    "RemoteManifest",
    "get_manifest",
    "head_manifest",
    "put_manifest",
    "said_digest",
]


class ManifestDigestError(DigestMismatchError):
    """A manifest's bytes, or the digest that the registry reports, do not match its digest."""


class ConflictError(RegistryError):
    """Another writer changed the content before a conditional write."""


class RemoteManifest:
    """A manifest as it came: its descriptor, its document, and the entity tag for a conditional write."""

    __slots__ = ("descriptor", "document", "etag")

    def __init__(self, descriptor: Descriptor, document: Manifest | Index, etag: str | None) -> None:
        self.descriptor = descriptor
        self.document = document
        self.etag = etag


def said_digest(headers: Headers) -> Digest | None:
    """The digest that `Docker-Content-Digest` says, or None when there is none that can be used."""
    text = headers.get("docker-content-digest")
    if text is None:
        return None
    try:
        return Digest.parse(text.strip())
    except InvalidInputError:
        return None


def head_manifest(exchange: Exchange, reference: Name) -> tuple[Response, Descriptor | None]:
    """Ask for a manifest's headers.

    Returns:
        The answer, its (empty) body read; and the descriptor, or None when the headers do not say enough or the
        answer is not 200.

    Raises:
        ManifestDigestError: the registry says another digest than the one that was asked for.
    """
    asked = reference if isinstance(reference, Digest) else None
    response = exchange.send(HEAD_MANIFEST, reference, headers={"Accept": mt.ACCEPT_MANIFESTS})
    response.drain()
    if response.status != 200:
        return response, None
    said, content_type, length = said_digest(response.headers), response.headers.get("content-type"), response.length
    if asked is not None:
        _compare(exchange, asked, said)
        said = asked
    if said is None or content_type is None or length is None:
        return response, None
    media_type = mt.essence(content_type)
    if media_type not in mt.MANIFESTS and media_type not in mt.INDEXES:
        return response, None  # a GET shows what it is, and gives the right error
    if length > MANIFEST_MAX:
        raise ManifestTooLargeError(f"manifest is {length:,} bytes; the limit is {MANIFEST_MAX:,}")
    return response, Descriptor(media_type, said, length)


def get_manifest(
    exchange: Exchange,
    reference: Name,
    *,
    expected: Descriptor | None = None,
) -> RemoteManifest:
    """Read a manifest.

    Args:
        exchange: with the repository.
        reference: tag or digest.
        expected: what it has to be, when that is known.

    Raises:
        ManifestUnknownError: there is none.
        ManifestTooLargeError: it has more than `MANIFEST_MAX` bytes.
        ManifestDigestError: it is not what the digest names.
        InvalidManifestError: it is not what it says it is.
    """
    asked = expected.digest if expected is not None else reference if isinstance(reference, Digest) else None
    accept = mt.ACCEPT_MANIFESTS
    if expected is not None and expected.media_type not in accept:
        accept = f"{expected.media_type}, {accept}"
    where = join_name(exchange, reference)
    try:
        headers = {"Accept": accept}
        response, body = exchange.read(GET_MANIFEST, reference, headers=headers, limit=MANIFEST_MAX, what="manifest")
    except BodyTooLargeError as error:
        raise ManifestTooLargeError(f"{where}: {error.message}") from error
    if response.status != 200:
        raise exchange.refusal(response, body, where, kind="manifest")
    said = said_digest(response.headers)
    if asked is not None:
        actual = Digest.of(body, asked.algorithm)
        if actual != asked:
            raise ManifestDigestError(f"{where}: the registry sent {actual}", hint="these bytes were discarded")
        if expected is not None and len(body) != expected.size:
            raise SizeMismatchError(f"{where} has {len(body):,} bytes, not {expected.size:,}")
    else:
        actual = Digest.of(body)
        _compare(exchange, actual, said)
    said_type = _content_type(exchange, response, body) or (expected.media_type if expected is not None else None)
    document = parse_manifest(body, said_type)
    if expected is not None and document.media_type != expected.media_type:
        raise InvalidManifestError(f"{where} is {document.media_type!r}, but was listed as {expected.media_type!r}")
    return RemoteManifest(Descriptor(document.media_type, actual, len(body)), document, response.headers.get("etag"))


def put_manifest(
    exchange: Exchange,
    reference: Name,
    *,
    media_type: str,
    raw: bytes,
    if_match: str | None = None,
) -> Response:
    """Write a manifest.

    Returns:
        The answer, its body read.

    Raises:
        ConflictError: `if_match` was given, and another writer was faster.
        ManifestDigestError: the registry says it stored another digest.
        ManifestChildMissingError: it lacks something that the manifest names.
        RegistryError: it refuses.
    """
    headers = {"Content-Type": media_type, "Content-Length": str(len(raw))}
    if if_match is not None:
        headers["If-Match"] = if_match
    response = exchange.send(PUT_MANIFEST, reference, headers=headers, body=raw)
    body = response.read_truncated(64 * 1024)
    where = join_name(exchange, reference)
    if response.status == 412 and if_match is not None:
        raise ConflictError(f"{where} was changed by another writer")
    if not PUT_MANIFEST.succeeded(response.status) or is_page(response, body):
        raise exchange.refusal(response, body, where, kind="manifest", pushing=True)
    said = said_digest(response.headers)
    if said is not None and said != Digest.of(raw, said.algorithm):
        raise ManifestDigestError(f"{where}: the registry says it stored {said}")
    return response


def _compare(exchange: Exchange, digest: Digest, said: Digest | None) -> None:
    # Registries may name the digest in another algorithm than the one that was asked for; that says nothing.
    if said is not None and said.algorithm == digest.algorithm and said != digest:
        raise ManifestDigestError(f"{exchange}: the registry says {said}, but it is {digest}")


def _content_type(exchange: Exchange, response: Response, body: bytes) -> str | None:
    """What the answer says that the manifest is; None when that is a type for anything."""
    content_type = response.headers.get("content-type")
    refuse_page(exchange.session, response, body, "with a manifest")
    if not body:
        raise ResponseError(f"{exchange.session.host} answers with an empty manifest")
    return (
        None if content_type is None or mt.says_nothing(content_type) or mt.says_markup(content_type) else content_type
    )
