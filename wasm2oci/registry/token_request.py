"""What a token server is asked: a `GET` with the credentials, or an OAuth2 `POST` with an identity token.

Spec: distribution-spec's token authentication; RFC 6749 section 6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from wasm2oci.oci.http import encode_basic
from wasm2oci.registry.credentials import Basic
from wasm2oci.registry.messages import Request
from wasm2oci.registry.urls import with_query

if TYPE_CHECKING:
    from wasm2oci.registry.credentials import Credential
    from wasm2oci.registry.scope import Scope

__all__ = ["token_by_get", "token_by_post"]


def token_by_get(client: str, realm: str, service: str, scopes: tuple[Scope, ...], credential: Credential) -> Request:
    """A token for these scopes, with a user name and a password if there are any.

    Args:
        client: what we call ourselves.
        realm: the address of the token server.
        service: as the registry calls itself; empty if it does not say.
        scopes: what the token must allow.
        credential: sent along if it is `Basic`.
    """
    query = [("service", service)] if service else []
    query += [("scope", str(scope)) for scope in scopes]
    query.append(("client_id", client))
    headers = {"Accept": "application/json"}
    if isinstance(credential, Basic):
        query.append(("account", credential.username))
        headers["Authorization"] = f"Basic {encode_basic(credential.username, credential.password)}"
    return Request("GET", with_query(realm, query), headers)


def token_by_post(client: str, realm: str, service: str, scopes: tuple[Scope, ...], refresh: str) -> Request:
    """A token for these scopes in exchange for an identity token (`refresh`); for the others see `token_by_get`."""
    form = {"grant_type": "refresh_token", "service": service, "client_id": client}
    if scopes:
        form["scope"] = " ".join(map(str, scopes))
    form["refresh_token"] = refresh
    headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    return Request("POST", realm, headers, urlencode(form).encode("ascii"), secret=True)
