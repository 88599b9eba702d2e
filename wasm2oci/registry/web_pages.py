"""Web pages where an answer of a registry should be.

A registry's web site answers so where the host is spelled wrong; so do the sign-in pages of networks and gateways, and
proxies that block. Their status is 200 as often as not, whatever was asked, be it to read or to write.

The type alone proves nothing: Quay sends all as `text/html` that is no JSON object, and a few words after a push. So an
answer is a page if it begins as one, or if it has that type, answers a `GET` and is no JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.oci.media_type import is_markup, says_markup
from wasm2oci.registry.problems import PAGE_HINT, ResponseError
from wasm2oci.registry.urls import Origin

if TYPE_CHECKING:
    from wasm2oci.registry.messages import Response
    from wasm2oci.registry.session import Session

__all__ = ["is_page", "page_error", "refuse_page"]


def is_page(response: Response, body: bytes) -> bool:
    """Whether an answer is a web page, by its type and by how its body begins."""
    if is_markup(body):
        return True
    if response.request.method != "GET" or not says_markup(response.headers.get("content-type") or ""):
        return False
    return not body.strip().startswith((b"{", b"[", b"true")) and bool(body.strip())


def page_error(session: Session, response: Response, instead_of: str) -> ResponseError:
    """The error for a web page, which says whose it is.

    Args:
        session: with the registry.
        response: the page.
        instead_of: what it should be: `with a manifest`.
    """
    there = Origin.of(response.url)
    if there == session.origin:
        return ResponseError(f"{session.host} answers with a web page, not {instead_of}", hint=PAGE_HINT)
    where = there.beside(session.origin)
    return ResponseError(
        f"{session.host} leads to {where}, which answers with a web page, not {instead_of}", hint=PAGE_HINT
    )


def refuse_page(session: Session, response: Response, body: bytes, instead_of: str) -> None:
    """See that an answer is no web page.

    Raises:
        ResponseError: it is one.
    """
    if is_page(response, body):
        raise page_error(session, response, instead_of)
