"""Who refers to a manifest: the referrers API, and the fallback tag where a registry has none.

* The API answers an index, by pages. A filter is only believed when `OCI-Filters-Applied` names it.
* 404, 400, 405, a web page, or a redirect to another host (GHCR) mean that there is no API. What was found out is kept.
* Without it, the index lies under the tag `<algorithm>-<encoded>` of the subject, and a client that pushes a manifest
  with a subject has to add it there: read, merge, write (with `If-Match` when the registry gives an entity tag), read
  again to see that no other client wrote over it, three times at most. What is under the tag and is not an index is
  never overwritten, and what the index says besides our entry is kept as it is.
* A registry that reads the tag as the digest in it answers with the subject itself; that means that there are no
  referrers, and that none can be listed there: the tag is not written, and the subject, if it is an index, not changed.
* `OCI-Subject` in the answer to a push says that the registry did that itself. Some sent it and had no API, so it does
  not count where there is none. Where the API cannot be asked (403, 500) or answers nonsense, it does.

Spec: distribution-spec, Listing Referrers, Pushing Manifests with Subject, Unavailable Referrers API (end-12).
"""

from __future__ import annotations

import contextlib
from threading import Lock
from typing import TYPE_CHECKING, Final

from wasm2oci.content.target import UnlistedReferrerError
from wasm2oci.errors import (
    AccessError,
    InvalidInputError,
    NotFoundError,
    RegistryError,
    Remedy,
    RemedyKind,
    Wasm2OciError,
)
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.endpoints import LIST_REFERRERS
from wasm2oci.oci.manifest import Index
from wasm2oci.oci.reference import join_name
from wasm2oci.oci.referrers import fallback_tag, of_type, with_referrer, without_referrer
from wasm2oci.oci.wire import GRAPH_BYTES_MAX, GRAPH_NODES_MAX, MANIFEST_MAX, load_object
from wasm2oci.registry.manifests import ConflictError, get_manifest, put_manifest
from wasm2oci.registry.paging import Pages

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.registry.exchange import Exchange
    from wasm2oci.registry.manifests import RemoteManifest
    from wasm2oci.registry.messages import Response

__all__ = ["FallbackTagError", "NoFallbackTagError", "Referrers"]

_NO_API: Final = frozenset({400, 404, 405, 406, 410, 501, 301, 302, 303, 307, 308})
_ZERO: Final = Digest("sha256", "0" * 64)
_TRIES: Final = 3
_PAUSE: Final = 0.5


class FallbackTagError(RegistryError):
    """The tag that should list referrers holds something else, or other clients keep overwriting it."""


class NoFallbackTagError(FallbackTagError, UnlistedReferrerError):
    """The registry has no API that lists referrers, and no tag that could list them."""


class Referrers:
    """The referrers of one repository's manifests."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._has_api: bool | None = None
        self._unanswered = False
        self._writing = Lock()
        self._ahead: dict[Digest, RemoteManifest | None] = {}

    def listed(self, subject: Digest, artifact_type: str | None) -> list[Descriptor]:
        """Descriptors of the manifests whose subject this is.

        Raises:
            RegistryError: the registry answers something that is not a listing.
        """
        if self._may_have_api():
            found = self._ask(self._exchange, subject, artifact_type)
            if found is not None:
                return found
        index = self._read_fallback(self._exchange, subject)
        return of_type(index.document.children if index is not None else (), artifact_type)

    def read_ahead(self, subject: Digest) -> None:
        """Read the fallback tag while other things are sent, for a referrer that is about to be pushed.

        Where the registry has the API, and says so too late, that request is one too many.
        """
        if self._has_api is not True:
            with contextlib.suppress(Wasm2OciError):  # then it is read again when it is needed, and the error counts
                self._ahead[subject] = self._read_fallback(self._exchange.for_writing(), subject, changing=True)

    def added(self, subject: Digest, referrer: Descriptor, *, handled: bool) -> None:
        """List a manifest that was just pushed, unless the registry does.

        Args:
            subject: what it refers to.
            referrer: its descriptor, with artifact type and annotations.
            handled: whether the registry says that it did that (`OCI-Subject`).

        Raises:
            FallbackTagError: it could not be listed.
        """
        if handled and self._api_answers(otherwise=True):
            return
        self._update(subject, lambda index: with_referrer(index, referrer))

    def removed(self, subject: Digest, referrer: Digest) -> None:
        """Take a manifest that is removed off the list.

        Raises:
            FallbackTagError: the listing could not be changed.
        """
        if self._api_answers(otherwise=False):
            return
        with contextlib.suppress(NoFallbackTagError):  # where none can be listed, none is
            self._update(subject, lambda index: without_referrer(index, referrer))

    def _may_have_api(self) -> bool:
        return self._has_api is not False

    def _api_answers(self, *, otherwise: bool) -> bool:
        """Whether there is the API; `otherwise` where the registry does not let that be found out."""
        if self._has_api is None and not self._unanswered:
            try:
                self._ask(self._exchange.for_writing(), _ZERO, None)
            except (AccessError, RegistryError, InvalidInputError):
                self._unanswered = True  # it is not asked again, with all tries, for the next referrer
        return otherwise if self._has_api is None else self._has_api

    def _ask(self, exchange: Exchange, subject: Digest, artifact_type: str | None) -> list[Descriptor] | None:
        query = [("artifactType", artifact_type)] if artifact_type is not None else []
        url = exchange.request(LIST_REFERRERS, subject, query=query).url
        pages = Pages(url, size=GRAPH_BYTES_MAX, entries=GRAPH_NODES_MAX)
        found: list[Descriptor] = []
        while True:
            response, body = exchange.read(
                LIST_REFERRERS,
                location=url,
                headers={"Accept": mt.OCI_INDEX},
                limit=MANIFEST_MAX,
                what="a page of referrers",
                roam=False,
            )
            if response.status in _NO_API:
                self._has_api = False
                return None
            if response.status != 200:
                raise exchange.refusal(response, body, join_name(exchange, subject))
            page = _read_page(exchange.session.host, response, body)
            if page is None:
                self._has_api = False
                return None
            self._has_api = True
            applied = {word.strip() for word in ",".join(response.headers.all("oci-filters-applied")).split(",")}
            if artifact_type is not None and "artifactType" not in applied:
                page = of_type(page, artifact_type)
            pages.charge(body, len(page))
            found += page
            following = pages.after(url, response.headers.all("link"))
            if following is None:
                return found
            url = following

    def _read_fallback(self, exchange: Exchange, subject: Digest, *, changing: bool = False) -> RemoteManifest | None:
        tag = fallback_tag(subject)
        try:
            found = get_manifest(exchange, tag)
        except NotFoundError:
            return None
        if found.descriptor.digest == subject:  # GitLab reads such a tag as the digest in it (oras-go#1396)
            if not changing:
                return None
            raise NoFallbackTagError(
                f"{exchange.session.host} reads the tag {tag} as a digest: what it gives is not an index of referrers,"
                " and none can be listed there",
                hint="signatures under tags (the legacy format) can be kept in this registry",
            )
        if not isinstance(found.document, Index):
            raise FallbackTagError(
                f"{join_name(exchange, tag)} should list referrers and is not an index",
                remedy=Remedy(RemedyKind.INSPECT),
            )
        return found

    def _update(self, subject: Digest, change: Callable[[bytes | None], bytes | None]) -> None:
        # `change` returns None when there is nothing to change, which after a write is the proof that it lasted.
        tag, exchange = fallback_tag(subject), self._exchange.for_writing()
        kept = False
        with self._writing:
            for tried in range(_TRIES + 1):
                ahead = not tried and subject in self._ahead
                found = self._ahead.pop(subject) if ahead else self._read_fallback(exchange, subject, changing=True)
                kept = kept or found is not None
                raw = change(found.document.raw if found is not None else None)
                if raw is None:
                    return
                if tried == _TRIES:
                    break
                if tried:
                    exchange.session.world.sleep(_PAUSE * exchange.session.world.random())
                etag = found.etag if found is not None else None
                media_type = found.descriptor.media_type if found is not None else mt.OCI_INDEX
                with contextlib.suppress(ConflictError):  # another writer was faster: read again
                    put_manifest(exchange, tag, media_type=media_type, raw=raw, if_match=etag)
        message = f"{join_name(exchange, tag)}: other clients keep overwriting the list of referrers"
        if not kept:
            raise NoFallbackTagError(f"{message}, or the registry does not give it back", hint="try again")
        raise FallbackTagError(message, hint="try again")


def _read_page(host: str, response: Response, body: bytes) -> list[Descriptor] | None:
    """The entries of a page, or None when this is not a page of referrers.

    Raises:
        InvalidInputError: it says that it is one, and is malformed.
    """
    content_type = mt.essence(response.headers.get("content-type") or "")
    try:
        value = load_object(body, "page of referrers")
        if mt.OCI_INDEX not in (content_type, value.get("mediaType")):
            return None
        entries = value.get("manifests") or []
        if not isinstance(entries, list):
            return None
        return [Descriptor.from_json(entry, f"referrer {number}") for number, entry in enumerate(entries)]
    except InvalidInputError as error:
        if content_type == mt.OCI_INDEX:
            raise type(error)(f"{host}: {error.message}") from error
        return None
