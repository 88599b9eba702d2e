"""Manifests: pull, push, delete.

Spec: distribution-spec, Pulling manifests (end-3), Pushing manifests (end-7), Deleting manifests (end-9).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from wasm2oci.oci.digest import Digest
from wasm2oci.oci.endpoints import GET_MANIFEST
from wasm2oci.oci.manifest import Index, parse_manifest
from wasm2oci.oci.media_type import essence
from wasm2oci.oci.reference import InvalidReferenceError, check_tag, parse_name
from wasm2oci.server.messages import Response
from wasm2oci.server.problems import ProblemError
from wasm2oci.server.storage import StoredManifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.manifest import Manifest
    from wasm2oci.oci.reference import Name
    from wasm2oci.server.call import Call
    from wasm2oci.server.storage import BlobWriter

__all__ = ["delete", "get", "put"]

_TAGS_MAX: Final = 64
_IN_MEMORY: Final = 64 << 10
"""Bytes of a manifest that comes in slowly, perhaps with hundreds of others."""
_NONDISTRIBUTABLE: Final = (".nondistributable.", ".foreign.")


def get(call: Call) -> Response:
    """end-3: the bytes as they were pushed, and the type they were pushed as."""
    found = call.storage.open_manifest(call.repository, _reference(call))
    if found is None:
        raise ProblemError("MANIFEST_UNKNOWN")
    tag = f'"{found.digest}"'
    headers = (("Docker-Content-Digest", str(found.digest)), ("ETag", tag))
    if tag in [part.strip() for part in (call.request.headers.combined("If-None-Match") or "").split(",")]:
        found.body.close()
        return Response(304, headers)
    return Response(200, (("Content-Type", found.media_type), *headers), found.body)


def put(call: Call) -> Response:
    """end-7: keep a manifest and name it."""
    reference = _reference(call, status=400)
    said = call.request.headers.combined("Content-Type")
    with _received(call) as received:
        # Read by one request at a time when it is large: a hostile one takes long, and many times its size.
        raw = received()
        algorithm = reference.algorithm if isinstance(reference, Digest) else "sha256"
        digest = Digest.of(raw, algorithm)
        if isinstance(reference, Digest) and digest != reference:
            raise ProblemError("DIGEST_INVALID", f"manifest has digest {digest}, not {reference}")
        tags = _tag_parameters(call) if isinstance(reference, Digest) else [reference]
        manifest = parse_manifest(raw, None if said is None or essence(said) == "application/json" else said)
        if not call.rules.sparse:
            _check_children(call, manifest)
        call.storage.put_manifest(call.repository, StoredManifest(digest, manifest.media_type, raw), tags)
    headers = [
        ("Location", GET_MANIFEST.at(call.repository, digest)),
        ("Docker-Content-Digest", str(digest)),
        ("ETag", f'"{digest}"'),
    ]
    if manifest.subject is not None:
        headers.append(("OCI-Subject", str(manifest.subject.digest)))
    if isinstance(reference, Digest):
        headers.extend(("OCI-Tag", tag) for tag in tags)
    return Response(201, tuple(headers))


def delete(call: Call) -> Response:
    """end-9: a manifest with all its tags, or one tag."""
    reference = _reference(call)
    if isinstance(reference, Digest):
        done = call.storage.delete_manifest(call.repository, reference)
    else:
        done = call.storage.delete_tag(call.repository, reference)
    if not done:
        raise ProblemError("MANIFEST_UNKNOWN")
    return Response(202)


def _reference(call: Call, status: int = 404) -> Name:
    try:
        return parse_name(call.reference)
    except InvalidReferenceError as error:
        code = "MANIFEST_UNKNOWN" if status == 404 else "MANIFEST_INVALID"
        raise ProblemError(code, error.message, status=status) from error


def _tag_parameters(call: Call) -> list[str]:
    tags = list(dict.fromkeys(call.parameters("tag")))
    if len(tags) > _TAGS_MAX:
        raise ProblemError("MANIFEST_INVALID", f"more than {_TAGS_MAX} tags at once", status=414)
    for tag in tags:
        try:
            check_tag(tag)
        except InvalidReferenceError as error:
            raise ProblemError("MANIFEST_INVALID", error.message) from error
    return tags


@contextmanager
def _received(call: Call) -> Iterator[Callable[[], bytes]]:
    """The request's body: kept aside while it comes in when it is large, and given out as a whole in turn."""
    most = call.rules.manifest_max
    too_large = ProblemError("SIZE_INVALID", f"manifest is larger than {most:,} bytes", status=413)
    if call.request.length is not None and call.request.length > most:
        raise too_large
    start = bytearray()
    aside: BlobWriter | None = None
    try:
        for piece in call.request.body:
            if aside is None and len(start) + len(piece) > _IN_MEMORY:
                aside = call.storage.new_blob()
                aside.write(start)
                start.clear()
            if aside is None:
                start += piece
            else:
                aside.write(piece)
            if len(start) > most or (aside is not None and aside.size > most):
                raise too_large

        def whole() -> bytes:
            if aside is None:
                return bytes(start)
            aside.rest()
            call.effort.take_turn()
            return b"".join(aside.read_back())

        yield whole
    finally:
        if aside is not None:
            aside.discard()


def _check_children(call: Call, manifest: Manifest | Index) -> None:
    for child in {child.digest: child for child in manifest.children}.values():
        if isinstance(manifest, Index):
            there = call.storage.has_manifest(call.repository, child.digest)
        else:
            there = _may_be_absent(child)
        there = there or call.storage.blob_size(call.repository, child.digest) is not None
        if not there:
            raise ProblemError("MANIFEST_BLOB_UNKNOWN", f"{child.digest} is not in {call.repository}")


def _may_be_absent(child: Descriptor) -> bool:
    # Such layers may not be passed on, so their blobs are elsewhere. Spec: image-spec, layer.md.
    return bool(child.urls) or any(part in child.media_type for part in _NONDISTRIBUTABLE)
