"""Signing with a certificate for an identity instead of a key: what a CI job, or another OpenID issuer, vouches for.

    token of the issuer -> a key for this once -> Fulcio: its certificate -> the signature -> Rekor: an entry in the log

The library `sigstore` (the extra `wasm2oci[sigstore]`) asks both services, and its bundle is verified here before it is
handed out: what does not verify with the same root is of no use. The identity and the statement's digest are in a
public log afterwards, for ever.

The token comes from `SIGSTORE_ID_TOKEN` (GitLab's name for it), or from the CI: GitHub Actions, Google Cloud,
Buildkite, CircleCI.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wasm2oci.base.text import error_line, one_line
from wasm2oci.errors import AccessError, InvalidInputError, RegistryError
from wasm2oci.signing.bundle import read_bundle
from wasm2oci.signing.keyless import Keyless, SigstoreMissingError
from wasm2oci.signing.strict import SignatureRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wasm2oci.oci.digest import Digest
    from wasm2oci.signing.claim import Identity

__all__ = ["InvalidTrustConfigError", "KeylessSigned", "KeylessSigner", "NoIdentityError", "SigningServiceError"]

TOKEN_VARIABLE: Final = "SIGSTORE_ID_TOKEN"  # noqa: S105 - the name of a variable
_SECONDS: Final = 30.0
"""For each answer of a service; the library would wait for ever."""
_PERMISSION: Final = "in GitHub Actions the job needs `permissions: id-token: write`; else set SIGSTORE_ID_TOKEN"


class NoIdentityError(AccessError):
    """No identity is available, or the identity token is malformed or expired."""


class SigningServiceError(RegistryError):
    """Fulcio or Rekor cannot be reached, refuses, or returns something that does not verify."""


class InvalidTrustConfigError(InvalidInputError):
    """The file is not a `ClientTrustConfig` of Sigstore."""


class KeylessSigned(NamedTuple):
    """A bundle, and who signed it."""

    raw: bytes
    identity: Identity


class KeylessSigner:
    """Signs statements with the identity that a token vouches for.

    Args:
        variables: of the environment; the token may be there.
        config: a `ClientTrustConfig` as JSON (services and trusted root); None for Sigstore's public instance.

    Raises:
        SigstoreMissingError: the extra is not installed.
        InvalidTrustConfigError: the document is damaged.
        NoIdentityError: there is no token, or not one that is valid now.
        SigningServiceError: the public instance's root cannot be had.
    """

    def __init__(self, variables: Mapping[str, str], config: bytes | None = None) -> None:
        try:
            from sigstore.models import ClientTrustConfig  # noqa: PLC0415 - an extra, slow to import
            from sigstore.sign import SigningContext  # noqa: PLC0415
        except ImportError as error:
            raise SigstoreMissingError from error
        logging.getLogger("sigstore").addHandler(logging.NullHandler())
        self._token = _identity_token(variables)
        try:
            trust = ClientTrustConfig.production() if config is None else ClientTrustConfig.from_json(config.decode())
            self._context = SigningContext.from_trust_config(trust)
            root = trust.trusted_root._inner.to_json().encode()  # noqa: SLF001 - it has no other way out
        except Exception as error:
            if config is None:
                raise SigningServiceError(f"Sigstore's trusted root is not available: {_message(error)}") from error
            raise InvalidTrustConfigError(f"not a ClientTrustConfig: {_message(error)}") from error
        self._verifier = Keyless(root)
        for service in (self._context._fulcio, self._context._rekor):  # noqa: SLF001 - sessions have no other way in
            session = getattr(service, "session", None) or getattr(service, "_session", None)
            if session is not None:
                _bound(session)

    def sign(self, statement: bytes, subject: Digest) -> KeylessSigned:
        """The bundle of an in-toto statement (v1) about this manifest.

        Raises:
            SigningServiceError: a service failed, or what came back does not verify.
            NoIdentityError: the token's time is over.
        """
        from sigstore.dsse import Statement  # noqa: PLC0415 - an extra

        raw = self._signed(lambda signer: signer.sign_dsse(Statement(statement)))
        return KeylessSigned(
            raw, self._checked(lambda: self._verifier.verify_bundle(read_bundle(raw), subject).identity)
        )

    def sign_message(self, message: bytes) -> KeylessSigned:
        """The bundle of a file.

        Raises:
            SigningServiceError, NoIdentityError: see `sign`.
        """
        raw = self._signed(lambda signer: signer.sign_artifact(message))
        return KeylessSigned(raw, self._checked(lambda: self._verifier.verify_message(read_bundle(raw), message)))

    def _signed(self, sign: Callable[[Any], Any]) -> bytes:
        from sigstore.oidc import ExpiredIdentity  # noqa: PLC0415 - an extra

        try:
            with self._context.signer(self._token) as signer:
                made: str = sign(signer).to_json()
        except ExpiredIdentity as error:
            raise NoIdentityError("the identity token has expired", hint=_PERMISSION) from error
        except Exception as error:
            # Errors of the services are of classes that the library does not export.
            raise SigningServiceError(f"signing failed: {_message(error)}") from error
        return made.encode()

    @staticmethod
    def _checked(verify: Callable[[], Identity | None]) -> Identity:
        """What came back from the services has to verify with their own root."""
        try:
            identity = verify()
        except (SignatureRefusedError, InvalidInputError) as error:
            raise SigningServiceError(
                f"the signature that the services made does not verify: {error.message}"
            ) from error
        if identity is None:
            raise SigningServiceError("the certificate names no identity")
        return identity


def _identity_token(variables: Mapping[str, str]) -> Any:
    from sigstore.oidc import IdentityError, IdentityToken, detect_credential  # noqa: PLC0415 - an extra

    try:
        raw = variables.get(TOKEN_VARIABLE) or detect_credential()
        if not raw:
            raise NoIdentityError("no identity is available to sign with", hint=_PERMISSION)
        return IdentityToken(raw)
    except IdentityError as error:
        raise NoIdentityError(f"the identity cannot be used: {_message(error)}", hint=_PERMISSION) from error
    except (OSError, ValueError) as error:
        raise NoIdentityError(
            f"the identity of the CI job is not available: {_message(error)}", hint=_PERMISSION
        ) from error


def _bound(session: Any) -> None:
    """Give each request of a session a time limit."""
    send = session.send

    def bounded(request: Any, **options: Any) -> Any:
        return send(request, **{**options, "timeout": options.get("timeout") or _SECONDS})

    session.send = bounded


def _message(error: BaseException) -> str:
    try:
        said = json.loads(str(error)).get("message")
    except (ValueError, AttributeError, RecursionError):
        return error_line(error)
    return one_line(str(said))
