"""What a registry's refusal means: the body of an error, our error for it, and the hint that helps.

A body may be the specification's JSON, plain text, a web page, or nothing; whatever it is, one printable line of it
at most reaches a message. `flavours` has the refusals that users of the big registries meet, and what
to do about each.

Spec: distribution-spec, Error Codes.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from wasm2oci.base.records import NamedTuple
from wasm2oci.base.text import one_line
from wasm2oci.content.target import ChildMissingError
from wasm2oci.errors import (
    AccessError,
    IntegrityError,
    NotFoundError,
    RegistryError,
    Remedy,
    RemedyKind,
    UnsupportedError,
)
from wasm2oci.oci.media_type import is_markup
from wasm2oci.registry.flavours import GENERAL_REFUSALS, find_flavour

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wasm2oci.errors import (
        Wasm2OciError,
    )

__all__ = [
    "PAGE_HINT",
    "BlobUnknownError",
    "ConnectionFailedError",
    "ConnectionLostError",
    "DeniedError",
    "ExchangeError",
    "ManifestChildMissingError",
    "ManifestUnknownError",
    "NameUnknownError",
    "NamedAddressError",
    "NotSupportedError",
    "Problem",
    "RedirectRefusedError",
    "RejectedDigestError",
    "ResponseError",
    "StillTaggedError",
    "TimedOutError",
    "TlsError",
    "TooLargeError",
    "TooManyRequestsError",
    "UnauthorizedError",
    "error_for",
    "misled",
    "parse_problems",
]


class UnauthorizedError(AccessError):
    """The registry requires credentials, or rejected the ones that were sent."""


class DeniedError(AccessError):
    """The registry denies access, with or without credentials."""


class NameUnknownError(NotFoundError):
    """The registry has no such repository, or hides it."""


class ManifestUnknownError(NotFoundError):
    """The repository has no such tag or manifest."""


class BlobUnknownError(NotFoundError):
    """The repository has no such blob."""


class ResponseError(RegistryError):
    """The registry sent a response that cannot be used for this request."""


class TooManyRequestsError(RegistryError):
    """The registry limits requests for longer than this tool waits."""


class TooLargeError(RegistryError):
    """The registry does not accept content of this size."""


class RedirectRefusedError(RegistryError):
    """The registry redirects too often, or in a way that is not allowed."""


class RejectedDigestError(IntegrityError):
    """The registry reports that the content it received does not match the digest."""


class NotSupportedError(UnsupportedError):
    """The registry does not offer this operation."""


class StillTaggedError(NotSupportedError):
    """The registry deletes a manifest only after its tags (Google Artifact Registry)."""


class ManifestChildMissingError(ChildMissingError):
    """The registry lacks a blob or manifest that the manifest names."""


class ExchangeError(RegistryError):
    """An exchange failed: there is no response, or an incomplete one."""


class ConnectionFailedError(ExchangeError):
    """No connection could be made."""


class NamedAddressError(ConnectionFailedError):
    """An address that the registry named (of a token server, a storage, an upload) cannot be reached."""


class ConnectionLostError(ExchangeError):
    """The connection broke during an exchange, or the peer did not speak HTTP."""


class TimedOutError(ExchangeError):
    """A connection, an answer or the sending of a request took too long."""


class TlsError(ExchangeError):
    """The server could not prove its identity, or does not speak an accepted version of TLS.

    Args:
        message: see `Wasm2OciError`.
        hint: see `Wasm2OciError`.
        remedy: see `Wasm2OciError`.
        spoken: whether the peer spoke TLS at all.
    """

    def __init__(
        self, message: str, *, hint: str | None = None, remedy: Remedy | None = None, spoken: bool = True
    ) -> None:
        super().__init__(message, hint=hint, remedy=remedy)
        self.spoken = spoken


class Problem(NamedTuple):
    """One entry of an error body: the specification's code (upper case, may be empty) and the registry's words."""

    code: str
    message: str


_PROBLEMS_MAX: Final = 5
_PAGE: Final = Problem("", "the answer is a web page, not a registry's")
PAGE_HINT: Final = "check the registry's host, and whether this network or a proxy asks you to sign in"
_STORAGE_ERROR: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}>\s*)?<Error>\s*"
    rb"<Code>([^<]{1,80})</Code>\s*<Message>([^<]{0,400})"
)
"""How the storages that registries send their clients to say what is wrong (S3, Azure, Google)."""


def parse_problems(body: bytes) -> tuple[Problem, ...]:
    """The problems of an error body; what is neither JSON, text nor a storage's own gives none."""
    if not body.strip():
        return ()
    storage = _STORAGE_ERROR.match(body)
    if storage is not None:
        said = [one_line(part.decode("utf-8", "replace")) for part in storage.groups()]
        return (Problem("", ": ".join(filter(None, said))),)
    if is_markup(body):
        return (_PAGE,)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        text = one_line(body.decode("utf-8", "replace"))
        return (Problem("", text),) if text else ()
    if not isinstance(value, dict):
        return ()
    errors = value.get("errors")
    if not isinstance(errors, list):  # token servers and gateways have their own shapes
        errors = [{"message": value.get("error_description") or value.get("message") or value.get("error") or ""}]
    found: list[Problem] = []
    for entry in errors[:_PROBLEMS_MAX]:
        if isinstance(entry, dict):
            code, message = entry.get("code"), entry.get("message")
            detail = entry.get("detail")
            words = [part for part in (message, detail) if isinstance(part, str) and part]
            problem = Problem(
                one_line(code, 60).upper() if isinstance(code, str) else "",
                one_line(": ".join(dict.fromkeys(words))),
            )
            if problem.code or problem.message:
                found.append(problem)
    return tuple(found)


def find_hint(host: str, name: str, text: str, *, pushing: bool, access: bool = True) -> str | None:
    """What the registry's row in `flavours` says about a refusal, or None.

    Args:
        host: of the registry.
        name: of the repository.
        text: codes and messages of the refusal.
        pushing: whether this is part of a push.
        access: whether the refusal is about who asks; only then a row for any words fits.
    """
    words = text.lower()
    for refusal in (*find_flavour(host).refusals, *GENERAL_REFUSALS):
        if refusal.says in words and (pushing or not refusal.pushing) and (refusal.says or access):
            return refusal.hint.format(host=host, name=name)
    return None


_UNKNOWN: Final[dict[str, tuple[type[NotFoundError], str]]] = {
    "NAME_UNKNOWN": (NameUnknownError, "the registry knows no such repository"),
    "MANIFEST_UNKNOWN": (ManifestUnknownError, "not found"),
    "BLOB_UNKNOWN": (BlobUnknownError, "no such blob"),
}
_UNKNOWN_BY_KIND: Final = {"manifest": "MANIFEST_UNKNOWN", "blob": "BLOB_UNKNOWN"}


def error_for(
    status: int,
    problems: Iterable[Problem],
    what: str,
    *,
    host: str,
    name: str,
    kind: str = "repository",
    pushing: bool = False,
    credentials: str = "",
    known: bool = False,
    elsewhere: str = "",
) -> Wasm2OciError:
    """Our error for a refusal.

    Args:
        status: of the answer.
        problems: of its body.
        what: was asked for, in the user's words ("host/name:tag").
        host: of the registry, for hints.
        name: of the repository, for hints.
        kind: what a bare 404 means is missing: "manifest", "blob", "upload" or "repository".
        pushing: whether this is part of a push.
        credentials: which credentials were used or looked for, in words.
        known: whether there were any, so that it is these that were not taken.
        elsewhere: the address that the registry led to and that this is the answer of, with its scheme only where that
            is all that differs; empty if it is its own.
    """
    problems = tuple(problems)
    codes = {problem.code for problem in problems if problem.code}
    said = "; ".join(problem.message or problem.code.lower() for problem in problems)
    text = " ".join((*codes, said))
    told = f": {said}" if said else ""
    access = status in {401, 403} or bool(codes & {"UNAUTHORIZED", "DENIED"})
    if elsewhere and status not in {404, 410, 429}:  # which knows nothing of our credentials
        return ResponseError(
            f"{what}: {elsewhere}, where {host} leads, answered {status}{told}",
            hint="no credentials follow a redirect: ask the registry by https from the start"
            if elsewhere.startswith("https://")
            else "that address comes from the registry, as its storage does; try again, or ask who runs it",
        )
    hint = find_hint(host, name, text, pushing=pushing, access=access)
    page = _PAGE in problems and status < 500
    if page:
        hint = PAGE_HINT
    about_bytes = codes & {"DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"}
    repository = f"{host}/{name}"
    unwritten = pushing and not about_bytes and what.startswith(f"{repository}@")
    if name and (unwritten or (access and what.startswith(repository))):
        what = repository  # the user did not write the digest of a blob, nor that of what is pushed
    if status == 401 or (codes & {"UNAUTHORIZED"} and 400 <= status < 500):
        suffix = f" ({credentials})" if credentials else ""
        if known:
            hint = hint or "check the user name and the password or token"
        return UnauthorizedError(
            f"{what}: unauthorized{told}{suffix}", hint=hint, remedy=Remedy(RemedyKind.LOG_IN, host)
        )
    if status == 403 or codes & {"DENIED"}:
        suffix = f" ({credentials})" if credentials else ""
        return DeniedError(
            f"{what}: access denied{told}{suffix}",
            hint=hint
            or f"check that this account may {'push to' if pushing else 'pull from'} {host}/{name}".rstrip("/"),
        )
    if status == 429 or codes & {"TOOMANYREQUESTS"}:
        return TooManyRequestsError(
            f"{what}: too many requests{told}", hint=hint or "wait, or log in to be allowed more"
        )
    lacks = "BLOB_UNKNOWN" in codes or (status in {400, 409, 412, 422} and "subject" in text.lower())
    if codes & {"MANIFEST_BLOB_UNKNOWN"} or (pushing and kind == "manifest" and lacks):
        return ManifestChildMissingError(
            f"{what}: the registry lacks a blob or manifest that this manifest names{told}"
        )
    if codes & {"DIGEST_INVALID"} and pushing:
        return RejectedDigestError(f"{what}: the registry reports that the digest does not match the content{told}")
    if status == 405 or codes & {"UNSUPPORTED"}:
        return NotSupportedError(f"{what}: the registry does not support this{told}", hint=hint)
    if status == 413:
        return TooLargeError(f"{what}: too large for the registry{told}", hint=hint)
    if codes & {"BLOB_UPLOAD_UNKNOWN"} or (kind == "upload" and status in {404, 410} and "NAME_UNKNOWN" not in codes):
        return ResponseError(
            f"{what}: the registry lost the upload{told}",
            hint=hint or "try again; if it stays so, the registry's servers may not share their uploads",
        )
    if status in {404, 410}:
        code = next((code for code in _UNKNOWN if code in codes), _UNKNOWN_BY_KIND.get(kind, "NAME_UNKNOWN"))
        cls, words = _UNKNOWN[code]
        if page:
            words += told
        elif not find_flavour(host).hinted_absence:
            hint = None
        tagged = not pushing and what == f"{host}/{name}:{what.rpartition(':')[2]}"
        lists = Remedy(RemedyKind.LIST_TAGS, repository) if cls is ManifestUnknownError and tagged else None
        return cls(f"{what}: {words}", hint=hint, remedy=lists)
    return ResponseError(f"{what}: the registry answered {status}{told}", hint=hint)


def misled(host: str, there: object, error: ExchangeError) -> ExchangeError:
    """The error for an address that the registry named and that cannot be reached: the user did not write it.

    Args:
        host: of the registry.
        there: the origin of that address.
        error: that it ended in.
    """
    message = f"{host} sends its clients to {there}, which cannot be reached: {error.message}"
    hint = (
        "that address comes from the registry (its external URL, its token server or its storage); ask who"
        " runs it, or whether this network reaches it"
    )
    if isinstance(error, TlsError):
        untrusted = error.spoken and error.hint is None  # which the user can mend
        remedy = error.remedy if untrusted else None
        return TlsError(message, hint=None if untrusted else hint, remedy=remedy, spoken=error.spoken)
    return NamedAddressError(message, hint=hint)
