"""The list of a registry's repositories, which the specification does not have and most registries answer.

Spec: distribution's own API, Catalog; the scope of its token is `registry:catalog:*`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.errors import AccessError, UnsupportedError
from wasm2oci.oci.endpoints import LIST_REPOSITORIES
from wasm2oci.oci.reference import InvalidReferenceError, check_repository
from wasm2oci.registry.listing import list_entries
from wasm2oci.registry.messages import request_for
from wasm2oci.registry.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasm2oci.errors import Wasm2OciError
    from wasm2oci.registry.messages import Response
    from wasm2oci.registry.session import Session

__all__ = ["NoCatalogError", "list_repositories"]

_SCOPES: Final = (Scope("registry", "catalog", frozenset({"*"})),)
_PAGE: Final = 1000
_BODY_MAX: Final = 8 << 20
"""Bytes of a page."""
_ABSENT: Final = frozenset({404, 405, 501})


class NoCatalogError(UnsupportedError):
    """A registry does not list its repositories."""


def list_repositories(session: Session) -> Iterator[str]:
    """Every repository that the registry lists, in its order; what is no name of a repository is left out.

    Raises (when iterated):
        NoCatalogError: it does not list them.
        AccessError: it does not list them for these credentials.
        RegistryError: the listing continues at another address, or has too many pages.
    """
    first = request_for(LIST_REPOSITORIES, session.origin, root=session.root, query=[("n", str(_PAGE))]).url

    def read(url: str) -> tuple[Response, bytes]:
        request = request_for(LIST_REPOSITORIES, session.origin, location=url)
        return session.read(request, _SCOPES, _BODY_MAX, "a page of repositories")

    def refusal(response: Response, body: bytes) -> Wasm2OciError:
        if response.status in _ABSENT:
            return NoCatalogError(f"{session.host} does not list its repositories")
        error = session.refusal(response, body, session.host, name="")
        if isinstance(error, AccessError):
            error.hint = (
                error.hint or "many registries list their repositories to administrators only, or on a web page"
            )
        return error

    for name in list_entries(session, first, "repositories", read, refusal):
        if isinstance(name, str) and _is_name(name):
            yield name


def _is_name(name: str) -> bool:
    try:
        check_repository(name)
    except InvalidReferenceError:
        return False
    return True
