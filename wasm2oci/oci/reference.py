"""References to artifacts, and locations that hold them.

Grammar (the specification's names; a host is needed, nothing is guessed):

    reference  = host "/" name [":" tag] ["@" digest]
    host       = (domain | IPv4 | "[" IPv6 "]") [":" port]     with a "." or ":" in it, or "localhost"
    name       = component {"/" component}                     lowercase
    location   = reference | ("oci-layout:" | "oci-archive:") path [":" tag] ["@" digest]

Spec: distribution-spec, Pulling manifests (name and tag grammar).
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Final, Self

from wasm2oci.base.text import masked, must_be_text
from wasm2oci.base.values import Value
from wasm2oci.errors import InvalidInputError
from wasm2oci.oci.digest import Digest, InvalidDigestError
from wasm2oci.oci.host import is_port

__all__ = [
    "ARCHIVE_PREFIX",
    "LAYOUT_PREFIX",
    "InvalidReferenceError",
    "LayoutReference",
    "Location",
    "Name",
    "Reference",
    "Tag",
    "check_repository",
    "check_tag",
    "join_name",
    "parse_location",
    "parse_name",
    "refuse_user",
]

Tag = str
"""A tag as text; `check_tag` says whether it is one."""
Name = Tag | Digest
"""What names a manifest in a repository or in a layout. Spec: distribution-spec, `<reference>`."""

LAYOUT_PREFIX: Final = "oci-layout:"
ARCHIVE_PREFIX: Final = "oci-archive:"
_ARCHIVE_ENDING: Final = ".tar"
"""A path with this ending is an archive, whichever prefix it has, as other tools take it."""
_OTHER_LAYOUT_PREFIX: Final = "oci:"
"""What skopeo and podman write."""
_COMPONENT: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*\Z")
_TAG_MAX: Final = 128
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")
_DOMAIN: Final = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\Z"
)
_NAME_MAX: Final = 255
_LOWER: Final = re.compile(r"[a-z0-9._-]*\Z")
_HOST_CHAR: Final = re.compile(r"[A-Za-z0-9.-]")
_HIDDEN: Final = "***@"
_DIGEST_LIKE: Final = re.compile(r"sha[0-9]+:")
_LAYOUT_DIGEST: Final = re.compile(r"@(sha[0-9]+:[^/@]*)\Z")
"""What follows a layout's folder; the folder itself may hold an `@`."""


class InvalidReferenceError(InvalidInputError):
    """A reference breaks the grammar; `detail` shows it with a caret under the first character that is wrong.

    `source` has `***` in place of a user's name and password.
    """

    def __init__(self, message: str, source: str, position: int, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        start, end = _user(source)
        self.source = f"{source[:start]}{_HIDDEN}{source[end:]}" if end else source
        self.position = position if not end else max(start, position - end + start + len(_HIDDEN))

    @property
    def detail(self) -> str:
        """Two lines: the reference, and a caret under the character."""
        return f"{masked(self.source)}\n{' ' * self.position}^"


class Reference(Value):
    """An artifact in a registry. Tag and digest may both be there: then the digest rules and the tag is kept.

    Use `parse` for text; the constructor checks nothing that the grammar does not.

    Raises:
        InvalidReferenceError: a part breaks the grammar.
    """

    __slots__ = ("digest", "host", "repository", "tag")
    host: str
    repository: str
    tag: str | None
    digest: Digest | None

    def __init__(self, host: str, repository: str, tag: str | None = None, digest: Digest | None = None) -> None:
        text = f"{host}/{repository}"
        _check_host(host, text)
        check_repository(repository, text, len(host) + 1)
        if tag is not None:
            check_tag(tag, f"{text}:{tag}", len(text) + 1)
        self._set(host=host, repository=repository, tag=tag, digest=digest)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a reference.

        Raises:
            InvalidReferenceError: with the position of the first wrong character.
        """
        refuse_user(text)
        if "://" in text:
            scheme, _, rest = text.partition("://")
            raise InvalidReferenceError(
                "a reference has no scheme", text, len(scheme), hint=f"write {rest}" if rest else None
            )
        host, slash, rest = text.partition("/")
        if not slash or not rest:
            raise InvalidReferenceError(
                "reference lacks a registry or a repository",
                text,
                len(text),
                hint="a reference looks like HOST/NAME:TAG",
            )
        if not _looks_like_host(host):
            hint = f"for Docker Hub write docker.io/{text}" if host[:1].isalnum() else None
            raise InvalidReferenceError(f"{host!r} is not a registry host", text, 0, hint=hint)
        _check_host(host, text)
        named, at, digest_text = rest.partition("@")
        digest: Digest | None = None
        if at:
            try:
                digest = Digest.parse(digest_text)
            except InvalidDigestError as error:
                raise InvalidReferenceError(
                    f"reference has a bad digest: {error.message}",
                    text,
                    len(host) + 1 + len(named) + 1,
                    hint=error.hint,
                ) from error
        name, colon, tag = named.partition(":")
        check_repository(name, text, len(host) + 1)
        if colon:
            check_tag(tag, text, len(host) + 1 + len(name) + 1)
        return cls(host, name, tag if colon else None, digest)

    @property
    def identifier(self) -> Name | None:
        """What the registry is asked for: the digest, else the tag, else None."""
        return self.digest or self.tag

    @property
    def name(self) -> str:
        """Host and repository, without tag or digest."""
        return f"{self.host}/{self.repository}"

    def with_digest(self, digest: Digest) -> Self:
        """The same repository at exactly this digest, tag kept."""
        return self._replace(digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag is not None else ""
        digest = f"@{self.digest}" if self.digest is not None else ""
        return f"{self.name}{tag}{digest}"


class LayoutReference(Value):
    """An artifact in an OCI image layout: `oci-layout:DIR[:TAG][@DIGEST]`, or `oci-archive:FILE...` in one tar file."""

    __slots__ = ("archive", "digest", "folder", "tag")
    folder: Path
    """The folder, or the archive."""
    tag: str | None
    digest: Digest | None
    archive: bool
    """Whether it is in a tar file."""

    def __init__(
        self, folder: Path, tag: str | None = None, digest: Digest | None = None, *, archive: bool = False
    ) -> None:
        self._set(folder=folder, tag=tag, digest=digest, archive=archive)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `oci-layout:DIR[:TAG][@DIGEST]`; the tag is what follows the last colon, if it holds no slash.

        `oci-archive:FILE` is the same in a tar file, and so is any path that ends in `.tar`.

        Raises:
            InvalidReferenceError: no folder, bad tag or bad digest.
        """
        archive = text.startswith(ARCHIVE_PREFIX)
        prefix = ARCHIVE_PREFIX if archive else LAYOUT_PREFIX
        rest = folder = text.removeprefix(prefix)
        digest: Digest | None = None
        pinned = _LAYOUT_DIGEST.search(rest)
        if pinned is not None:
            folder = rest[: pinned.start()]
            try:
                digest = Digest.parse(pinned.group(1))
            except InvalidDigestError as error:
                position = len(text) - len(pinned.group(1))
                raise InvalidReferenceError(error.message, text, position, hint=error.hint) from error
        before, colon, tag = folder.rpartition(":")
        if colon and "/" not in tag:
            folder = before
            check_tag(tag, text, len(text) - len(rest) + len(before) + 1)
        else:
            tag = ""
        if not folder or "\0" in folder:
            raise InvalidReferenceError(
                f"layout reference lacks a {'file' if archive else 'folder'}", text, len(prefix)
            )
        return cls(Path(folder), tag or None, digest, archive=archive or folder.endswith(_ARCHIVE_ENDING))

    @property
    def name(self) -> str:
        """The name of the folder, or of the archive without its ending."""
        return self.folder.name.removesuffix(_ARCHIVE_ENDING) if self.archive else self.folder.name

    @property
    def identifier(self) -> Name | None:
        """What the layout is asked for: the digest, else the tag, else None."""
        return self.digest or self.tag

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag is not None else ""
        digest = f"@{self.digest}" if self.digest is not None else ""
        return f"{ARCHIVE_PREFIX if self.archive else LAYOUT_PREFIX}{self.folder}{tag}{digest}"


Location = Reference | LayoutReference


def parse_location(text: str) -> Location:
    """Read a registry reference, or an `oci-layout:` or `oci-archive:` one.

    Raises:
        InvalidReferenceError: it is neither.
        TypeError: it is no text.
    """
    must_be_text(text, "a reference")
    if text.startswith((LAYOUT_PREFIX, ARCHIVE_PREFIX)):
        return LayoutReference.parse(text)
    try:
        return Reference.parse(text)
    except InvalidReferenceError as error:
        if not text.startswith(_OTHER_LAYOUT_PREFIX) or text.startswith(f"{_OTHER_LAYOUT_PREFIX}//"):
            raise  # to helm and flux `oci://` is a registry
        hint = f"an image layout is written {LAYOUT_PREFIX}{text.removeprefix(_OTHER_LAYOUT_PREFIX)}"
        raise InvalidReferenceError(error.message, text, error.position, hint=hint) from error


def parse_name(text: Name) -> Name:
    """The digest or the tag that a text is; a tag has no colon, and a digest has one. A `Digest` stays what it is.

    Raises:
        InvalidDigestError: there is a colon, and it is not a digest.
        InvalidReferenceError: there is none, and it is not a tag.
    """
    if isinstance(text, Digest):
        return text
    return Digest.parse(text) if ":" in text else check_tag(text)


def join_name(place: object, name: Name) -> str:
    """A name behind the place that it belongs to, as references have it: `place@digest` or `place:tag`."""
    return f"{place}{'@' if isinstance(name, Digest) else ':'}{name}"


def check_tag(tag: str, source: str | None = None, offset: int = 0) -> str:
    """This tag, if it is one: up to 128 of letters, digits, `_`, `.` and `-`, not starting with `.` or `-`.

    Raises:
        InvalidReferenceError: it is not.
    """
    if _TAG.match(tag) is None:
        start = tag[:_TAG_MAX]
        wrong = next((i for i, char in enumerate(start) if _TAG.match("x" * (i > 0) + char) is None), len(start))
        message = (
            f"tag is longer than {_TAG_MAX} characters"
            if wrong == _TAG_MAX
            else "tag is malformed"
            if tag
            else "tag is empty"
        )
        raise InvalidReferenceError(message, tag if source is None else source, offset + wrong)
    return tag


def check_repository(name: str, source: str | None = None, offset: int = 0) -> str:
    """This repository name, if it is one: lowercase components joined by `/`, at most 255 characters.

    Raises:
        InvalidReferenceError: it is not.
    """
    text = name if source is None else source
    if len(name) > _NAME_MAX:
        raise InvalidReferenceError(f"repository is longer than {_NAME_MAX} characters", text, offset + _NAME_MAX)
    position = offset
    for component in name.split("/"):
        if _COMPONENT.match(component) is None:
            wrong = position + _first_wrong(component)
            hint = f"repository names are lowercase: {name.lower()}" if name.lower() != name else None
            raise InvalidReferenceError("repository name is malformed", text, wrong, hint=hint)
        position += len(component) + 1
    return name


def _first_wrong(component: str) -> int:
    # The longest prefix that could still become a component ends at the first wrong character.
    good = 0
    for end in range(1, len(component) + 1):
        if _COMPONENT.match(component[:end] + "a") is not None or _COMPONENT.match(component[:end]) is not None:
            good = end
        elif _LOWER.match(component[:end]) is None:
            break
    return min(good, len(component))


def _looks_like_host(host: str) -> bool:
    return "." in host or ":" in host or host == "localhost"


def refuse_user(text: str, *, host: bool = False) -> None:
    """Refuse a registry's host with a user's name or password before it, without repeating them.

    Args:
        text: a reference, with or without a scheme.
        host: whether it is a host and no reference, so that no digest follows an `@`.

    Raises:
        InvalidReferenceError: they are there.
    """
    start, end = _user(text, host=host)
    if end:
        bare = text[end:]
        raise InvalidReferenceError(
            "a registry host has no user name and no password",
            f"{text[:start]}{_HIDDEN}{bare}",
            start,
            hint=f"log in to {bare.partition('/')[0]}, then write {bare}",
        )


def _user(text: str, *, host: bool = False) -> tuple[int, int]:
    """Where a user's name and password, and the `@` behind them, begin and end; the end is 0 where there are none.

    An `@` that a digest follows is none of theirs, nor one behind what begins as references do and before what has no
    slash. A password may have any characters.
    """
    if text.startswith((LAYOUT_PREFIX, ARCHIVE_PREFIX)):
        return 0, 0
    scheme, separator, _ = text.partition("://")
    start = len(scheme) + len(separator) if separator else 0
    end = text.rfind("@", start)
    if end >= 0 and not host and "/" not in text[end:]:
        before = text[start:end]
        if _DIGEST_LIKE.match(text, end + 1) is not None or _begins_with_host(before):
            end = text.rfind("@", start, end)
    return start, end + 1


def _begins_with_host(text: str) -> bool:
    host, slash, _ = text.partition("/")
    _, colon, port = host.rpartition("]")[2].partition(":")
    return bool(slash) and "@" not in host and _looks_like_host(host) and (not colon or is_port(port))


def _check_host(host: str, source: str) -> None:
    name, port = host, ""
    if host.startswith("["):
        name, bracket, rest = host[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise InvalidReferenceError("IPv6 host lacks its closing bracket", source, len(host))
        port = rest[1:]
        try:
            ipaddress.IPv6Address(name)
        except ValueError as error:
            raise InvalidReferenceError("host is not an IPv6 address", source, 1) from error
        has_port = bool(rest)
    else:
        name, colon, port = host.partition(":")
        has_port = bool(colon)
        if _DOMAIN.match(name) is None:
            wrong = next((i for i, char in enumerate(name) if _HOST_CHAR.match(char) is None), 0)
            raise InvalidReferenceError("registry host is malformed", source, wrong)
    if has_port and not is_port(port):
        raise InvalidReferenceError("port is not a number from 1 to 65535", source, len(host) - len(port))
