"""Annotations from the metadata of the module itself or of a package file.

| annotation | custom section | Cargo.toml, pyproject.toml, wkg.toml | package.json |
|---|---|---|---|
| `org.opencontainers.image.version` | `version` | `version` | `version` |
| `...description` | `description` | `description` | `description` |
| `...authors` | `authors` | `authors` | `author` |
| `...licenses` | `licenses` | `license`, `licenses` | `license` |
| `...source` | `source` | `repository`, `source` | `repository` |
| `...url` | `homepage` | `homepage` | `homepage` |
| `...revision` | `revision` | `revision` | |

Spec: image-spec, annotations.md. The sections are those that wasm-tools writes, and wkg and wash publish.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.errors import InvalidInputError
from wasm2oci.oci.wire import load_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["IMAGE", "InvalidPackageFileError", "module_metadata", "package_metadata"]

IMAGE: Final = "org.opencontainers.image."
_SECTIONS: Final = {
    "version": "version",
    "description": "description",
    "authors": "authors",
    "licenses": "licenses",
    "source": "source",
    "homepage": "url",
    "revision": "revision",
}
_FIELDS: Final = {**_SECTIONS, "license": "licenses", "repository": "source", "author": "authors", "url": "url"}
_LONGEST: Final = 4096
"""Bytes of one value; a longer one is no label."""
_TABLES: Final = ("package", "project", "metadata")
"""Where Cargo.toml, pyproject.toml and wkg.toml have them."""


class InvalidPackageFileError(InvalidInputError):
    """A file that annotations should come from is not of a supported type."""


def module_metadata(chunks: Iterable[bytes]) -> dict[str, str]:
    """The annotations that a module or component states about itself, in custom sections of its outermost level.

    Only section headers and the sections of the table are read; reading ends at the first malformed header.
    Spec: core, binary format, sections; component-model, Binary.md (the same framing).

    Args:
        chunks: the bytes of the module.
    """
    found: dict[str, str] = {}
    reader = _Reader(iter(chunks))
    if reader.take(8)[:4] != b"\0asm":
        return found
    while kind := reader.take(1):
        size = reader.unsigned()
        if size is None:
            break
        if kind != b"\0" or size > _LONGEST + 64:
            if not reader.skip(size):
                break
            continue
        name, text = _custom(reader.take(size))
        if name in _SECTIONS and text:
            found[IMAGE + _SECTIONS[name]] = text
    return found


def package_metadata(raw: bytes, name: str) -> dict[str, str]:
    """The annotations that a package's file states: Cargo.toml, package.json, or one of their kind.

    Of JSON with labels of an image (`config.Labels`, as `docker inspect` and image configs have them), those that are
    annotations of the image specification.

    Args:
        raw: the bytes of the file.
        name: of the file; what ends in `.toml` is TOML, all else JSON.

    Raises:
        InvalidPackageFileError: it is neither, or states nothing.
    """
    if name.endswith(".toml"):
        from wasm2oci.base.toml import load_toml  # noqa: PLC0415 - few pushes read such a file

        try:
            value: dict[str, Any] = load_toml(raw)
        except ValueError as error:
            raise InvalidPackageFileError(f"{name} is not TOML: {error}") from error
        tables = [table for key in _TABLES if isinstance(table := value.get(key), dict)]
    else:
        value = load_object(raw, name)
        tables = [value]
    found: dict[str, str] = {}
    for table in (*tables, *(urls for table in tables if isinstance(urls := table.get("urls"), dict))):
        for key, each in table.items():
            field, text = _FIELDS.get(key.lower()), _text(each)
            if field is not None and text:
                found.setdefault(IMAGE + field, text)
    config = value.get("config")
    labels = config.get("Labels") if isinstance(config, dict) else None
    if isinstance(labels, Mapping):
        found |= {key: text for key, text in labels.items() if key.startswith(IMAGE) and isinstance(text, str)}
    if not found:
        raise InvalidPackageFileError(
            f"{name} states no version, description, authors, license, source or homepage",
            hint="Cargo.toml, package.json, pyproject.toml, wkg.toml and configs of images are understood",
        )
    return found


def _text(value: object) -> str:
    # A person is `{"name", "email"}`, a repository `{"url"}`, a license `{"text"}`; there may be several.
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        return ", ".join(text for each in value if not isinstance(each, list) and (text := _text(each)))
    if not isinstance(value, dict):
        return ""
    name, email = value.get("name"), value.get("email")
    if isinstance(name, str):
        return f"{name} <{email}>" if isinstance(email, str) else name
    url = value.get("url") or value.get("text")
    return url.removeprefix("git+").removesuffix(".git") if isinstance(url, str) else ""


def _custom(section: bytes) -> tuple[str, str]:
    reader = _Reader(iter((section,)))
    length = reader.unsigned()
    if length is None:
        return "", ""
    try:
        return reader.take(length).decode(), reader.take(_LONGEST).decode().strip("\0").strip()
    except UnicodeDecodeError:
        return "", ""


class _Reader:
    """A reader that takes or skips an exact number of bytes."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def take(self, size: int) -> bytes:
        """So many bytes, or fewer at the end; the caller bounds `size`."""
        pieces = []
        while size and self._more():
            piece, self._rest = self._rest[:size], self._rest[size:]
            pieces.append(bytes(piece))
            size -= len(piece)
        return b"".join(pieces)

    def skip(self, size: int) -> bool:
        """Skip so many bytes; False when there are fewer."""
        while size and self._more():
            left = min(size, len(self._rest))
            self._rest = self._rest[left:]
            size -= left
        return size == 0

    def unsigned(self) -> int | None:
        """A number in LEB128 of at most 32 bits; None if it is malformed."""
        value = shift = 0
        while byte := self.take(1):
            value |= (byte[0] & 0x7F) << shift
            shift += 7
            if byte[0] < 0x80:
                return value
            if shift > 28:
                return None
        return None

    def _more(self) -> bool:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return False
            self._rest = memoryview(chunk)
        return True
