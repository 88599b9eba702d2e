"""What is there: the base, repositories, tags and referrers.

Spec: distribution-spec, Content Discovery, end-1, end-8 and end-12.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from wasm2oci.oci.digest import Digest
from wasm2oci.oci.endpoints import LIST_REFERRERS, LIST_REPOSITORIES, LIST_TAGS, link_to
from wasm2oci.oci.media_type import OCI_INDEX
from wasm2oci.oci.referrers import listed_as_referrer, of_type, referrers_index
from wasm2oci.server.call import page_size
from wasm2oci.server.messages import BytesBody, Response
from wasm2oci.server.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.endpoints import Endpoint
    from wasm2oci.server.call import Call

__all__ = ["base", "catalog", "referrers", "tags"]

_REFERRERS_BYTES: Final = 2 * 1024 * 1024
"""A page of referrers ends before it gets larger: clients cap manifests at 4 MiB."""
_NAME_COST: Final = 32
"""What sorting and comparing a name counts as, in bytes that are worked through."""
_READ_BYTES: Final = 16 * 1024 * 1024
"""Bytes of manifests that are read for one page; a page may then be short, or empty, and have another one after it."""


def base(call: Call) -> Response:
    """end-1: the specification is spoken here."""
    del call
    return _json({}, (("Docker-Distribution-API-Version", "registry/2.0"),))


def catalog(call: Call) -> Response:
    """Docker's list of repositories, which many tools still ask for: only those the user may pull from."""
    found = call.storage.repositories()
    call.effort.spend(_NAME_COST * len(found))
    names = [name for name in found if call.access.allows(call.user, "pull", name)]
    page, headers = _page(call, names, LIST_REPOSITORIES)
    return _json({"repositories": page}, headers)


def tags(call: Call) -> Response:
    """end-8: tags in ASCII order, after `last`, `n` at a time."""
    if not call.storage.has_repository(call.repository):
        raise ProblemError("NAME_UNKNOWN")
    found = call.storage.tags(call.repository)
    call.effort.spend(_NAME_COST * len(found))
    page, headers = _page(call, sorted(found), LIST_TAGS)
    return _json({"name": call.repository, "tags": page}, headers)


def referrers(call: Call) -> Response:
    """end-12: the manifests whose subject this is; an empty index when there are none, 404 never."""
    subject = Digest.parse(call.reference)
    wanted, last = call.parameter("artifactType"), call.parameter("last") or ""
    listed: list[Descriptor] = []
    size = read = 0
    headers = [("OCI-Filters-Applied", "artifactType")] if wanted else []
    for stored in call.storage.referrers(call.repository, subject, last):
        call.effort.spend(len(stored.raw))
        entry = listed_as_referrer(stored.digest, stored.media_type, stored.raw)
        fits = entry is not None and bool(of_type([entry], wanted or None))
        size += len(json.dumps(entry.to_json())) if entry is not None and fits else 0
        read += len(stored.raw)
        full = bool(listed) and (size > _REFERRERS_BYTES or len(listed) >= call.rules.page)
        if full or read > _READ_BYTES:
            # What was read and does not fit is read again for the next page; what was looked at only is not.
            at = last if full or fits else str(stored.digest)
            query = {"last": at, **({"artifactType": wanted} if wanted else {})}
            headers.append(("Link", link_to(LIST_REFERRERS, call.repository, subject, query)))
            break
        last = str(stored.digest)
        if entry is not None and fits:
            listed.append(entry)
    return _json(referrers_index(listed), tuple(headers), OCI_INDEX)


def _page(call: Call, names: Sequence[str], row: Endpoint) -> tuple[list[str], tuple[tuple[str, str], ...]]:
    size, last = page_size(call), call.parameter("last")
    rest = [name for name in names if last is None or name > last]
    page = rest[:size]
    if not page or len(rest) <= size:
        return page, ()
    return page, (("Link", link_to(row, call.repository, "", {"n": str(size), "last": page[-1]})),)


def _json(value: object, headers: tuple[tuple[str, str], ...] = (), kind: str = "application/json") -> Response:
    return Response(200, (("Content-Type", kind), *headers), BytesBody(json.dumps(value).encode()))
