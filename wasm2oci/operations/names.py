"""Artifacts by name: what results call them, and a reference with several tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.base.text import must_be_text
from wasm2oci.errors import Remedy, RemedyKind
from wasm2oci.oci.reference import InvalidReferenceError, Reference, check_repository, check_tag, refuse_user
from wasm2oci.operations.subject import parse_place

if TYPE_CHECKING:
    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.reference import Location

__all__ = ["check_host", "pinned", "split_host", "split_tags", "tagged", "with_tag"]


def pinned(location: Location, digest: Digest) -> str:
    """The name that will always mean these bytes: `HOST/NAME@DIGEST`."""
    if isinstance(location, Reference):
        return f"{location.name}@{digest}"
    return str(location._replace(tag=None, digest=digest))


def tagged(location: Location, tag: str) -> str:
    """The same place under this tag."""
    if isinstance(location, Reference):
        return f"{location.name}:{tag}"
    return str(location._replace(tag=tag, digest=None))


def with_tag(location: Location, tag: str) -> Location:
    """The location of this tag in the same place, without a digest."""
    return location._replace(tag=tag, digest=None)


def split_tags(text: str) -> tuple[Location, tuple[str, ...]]:
    """Read `HOST/NAME:TAG,TAG,...`: the location with its first tag, and the others.

    Raises:
        InvalidReferenceError: the location or a tag is malformed.
        TypeError: it is no text.
    """
    must_be_text(text, "a reference")
    before, colon, tags = text.rpartition(":")
    if not colon or "," not in tags or "/" in tags or "@" in text:
        return parse_place(text), ()
    first, *others = tags.split(",")
    location = parse_place(f"{before}:{first}")
    offset = len(before) + 1 + len(first) + 1
    for tag in others:
        check_tag(tag, text, offset)
        offset += len(tag) + 1
    return location, tuple(dict.fromkeys(tag for tag in others if tag != first))


def check_host(text: str) -> str:
    """The registry host that a text is: a name with a dot, a port, or `localhost`.

    As docker's login does, this takes the address `https://HOST/` too, with the `v1` or `v2` that old files have.

    Raises:
        InvalidReferenceError: it is not; `detail` points at it.
    """
    scheme, address, rest = text.partition("://")
    refuse_user(text, host=True)
    if address:
        host, _, path = rest.partition("/")
        if scheme.lower() == "https" and path.strip("/") in {"", "v1", "v2"}:
            return check_host(host)
        error = InvalidReferenceError("a registry is written as its host, without a scheme or a path", text, 0)
        if host and scheme.lower() == "http":
            error.remedy = Remedy(RemedyKind.DROP_SCHEME, host)
        elif host:
            error.hint = f"write {host}"
        raise error
    host, slash, _ = text.partition("/")
    if slash:
        message = f"{text!r} is more than a registry host"
        raise InvalidReferenceError(message, text, len(host), hint=f"write {host}")
    try:
        Reference.parse(f"{text}/x")
    except InvalidReferenceError as error:
        message = f"{text!r} is not a registry host"
        raise InvalidReferenceError(message, text, 0, hint="for Docker Hub write docker.io") from error
    return text


def split_host(text: str) -> tuple[str, str]:
    """Read `HOST` or `HOST/PATH`: the registry's host, and the beginning of names of repositories, or nothing.

    Raises:
        InvalidReferenceError: it is neither; `detail` points at what is wrong.
    """
    refuse_user(text, host=True)
    if "://" in text:
        return check_host(text), ""
    host, slash, path = text.partition("/")
    host, path = check_host(host), path.rstrip("/")
    if slash and path:
        check_repository(path, text, len(host) + 1)
    return host, path
