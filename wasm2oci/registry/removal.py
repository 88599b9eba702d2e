"""Removing a manifest, a tag or a blob, and what registries answer that do not.

Spec: distribution-spec, Content Management (end-9, end-10).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from wasm2oci.oci.digest import Digest
from wasm2oci.oci.endpoints import DELETE_BLOB
from wasm2oci.oci.reference import join_name
from wasm2oci.oci.wire import ERROR_BODY_MAX
from wasm2oci.registry.flavours import find_flavour
from wasm2oci.registry.problems import NotSupportedError, StillTaggedError
from wasm2oci.registry.web_pages import is_page

if TYPE_CHECKING:
    from wasm2oci.oci.endpoints import Endpoint
    from wasm2oci.oci.reference import Name
    from wasm2oci.registry.exchange import Exchange

__all__ = ["remove"]

_STILL_TAGGED: Final = re.compile(rb"DANGLING_TAG|referenced by tag", re.IGNORECASE)


def remove(exchange: Exchange, row: Endpoint, reference: Name) -> None:
    """Remove what a row of the endpoint table deletes.

    Raises:
        NotFoundError: it is not there.
        StillTaggedError: it is a manifest that has tags, in a registry that removes those first.
        UnsupportedError: the registry does not delete, or removes no tag alone.
    """
    response = exchange.send(row, reference)
    body = response.read_truncated(ERROR_BODY_MAX)
    if row.succeeded(response.status) and not is_page(response, body):
        return
    what, by_digest = join_name(exchange, reference), isinstance(reference, Digest)
    if by_digest and response.status in {400, 403, 409, 412} and _STILL_TAGGED.search(body) is not None:
        raise StillTaggedError(
            f"{what}: the registry does not delete a manifest that has tags",
            hint="remove each of its tags first, then the manifest by its digest",
        )
    if response.status == 405 or (response.status == 400 and not by_digest):
        usual = "deleting is off by default in many registries; ask who runs it"
        if not by_digest:
            usual = "some registries remove only whole artifacts, by digest, and many remove nothing; ask who runs it"
        raise NotSupportedError(
            f"{what}: the registry does not {'delete' if by_digest else 'remove a tag alone'}",
            hint=find_flavour(exchange.session.host).deleting or usual,
        )
    raise exchange.refusal(response, body, what, kind="blob" if row is DELETE_BLOB else "manifest")
