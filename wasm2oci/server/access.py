"""Who may do what: the protocol the core asks, and its two simplest answers.

Spec: RFC 9110, 11 (challenges); RFC 7617 (Basic).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from wasm2oci.oci.http import basic_credentials

if TYPE_CHECKING:
    from wasm2oci.oci.endpoints import Action

__all__ = ["ANONYMOUS", "Access", "BasicAccess", "Everyone", "PasswordCheck"]

ANONYMOUS: Final = ""
"""The user that gave no credentials, where none are needed."""


class Access(Protocol):
    """The rules of a registry."""

    @property
    def challenge(self) -> str:
        """The value of `WWW-Authenticate` in a 401."""
        ...

    def identify(self, authorization: str | None, peer: str = "") -> str | None:
        """The user that an `Authorization` field proves, `ANONYMOUS` where none is needed, None when it proves no user.

        Args:
            authorization: the field's value, None when the request has none.
            peer: `ADDRESS:PORT` of the client.

        Raises:
            ProblemError: too many checks of passwords wait already.
        """
        ...

    def allows(self, user: str, action: Action, repository: str) -> bool:
        """Whether this user may do this in this repository (empty: the registry as a whole)."""
        ...


class PasswordCheck(Protocol):
    """Something that knows passwords."""

    def check(self, user: str, password: str, peer: str = "") -> bool:
        """Whether this is the user's password; takes as long for a user that does not exist.

        Raises:
            ProblemError: too many checks wait already; `peer` (`ADDRESS:PORT`) is whose share of them counts.
        """
        ...


class Everyone:
    """No credentials needed, everything allowed: for loopback and for tests."""

    challenge = 'Basic realm="wasm2oci"'

    def identify(self, authorization: str | None, peer: str = "") -> str | None:  # noqa: ARG002 - the protocol's signature
        """Anonymous, whatever credentials are sent."""
        return ANONYMOUS

    def allows(self, user: str, action: Action, repository: str) -> bool:  # noqa: ARG002 - the same
        """Always."""
        return True


class BasicAccess:
    """Known users may do everything, others nothing.

    Args:
        passwords: who is known.
    """

    challenge = 'Basic realm="wasm2oci", charset="UTF-8"'

    def __init__(self, passwords: PasswordCheck) -> None:
        self._passwords = passwords

    def identify(self, authorization: str | None, peer: str = "") -> str | None:
        """The user whose password it holds."""
        credentials = basic_credentials(authorization)
        if credentials is None or not self._passwords.check(*credentials, peer):
            return None
        return credentials[0]

    def allows(self, user: str, action: Action, repository: str) -> bool:  # noqa: ARG002 - the protocol's signature
        """The user who was identified."""
        return user != ANONYMOUS
