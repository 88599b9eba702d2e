"""What `inspect`, `validate` and `run` are asked about: a file or bytes here, or an artifact elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wasm2oci.base.probe import exists, is_file, is_folder
from wasm2oci.errors import NotFoundError, UsageError
from wasm2oci.oci.reference import ARCHIVE_PREFIX, LAYOUT_PREFIX, InvalidReferenceError, Reference, parse_location

if TYPE_CHECKING:
    from wasm2oci.oci.reference import Location

__all__ = [
    "NoSuchSubjectError",
    "find_subject",
    "is_layout",
    "parse_artifact",
    "parse_place",
    "parse_subject",
    "subject_name",
]


class NoSuchSubjectError(NotFoundError):
    """A text names neither an existing file nor an artifact."""


def find_subject(text: str) -> Path | str:
    """A file when one is there or the text can only be a path, else a reference.

    Raises:
        NoSuchSubjectError: it is not a reference, and there is no such file; or it is a folder.
        InvalidReferenceError: it is meant as a reference, and breaks the grammar.
    """
    if text.startswith((LAYOUT_PREFIX, ARCHIVE_PREFIX)):
        return text
    path = Path(text)
    if is_folder(path):
        hint = f"to name what is in an image layout, write {LAYOUT_PREFIX}{text}:TAG" if is_layout(path) else None
        raise NoSuchSubjectError(f"{text} is a folder, not a file", hint=hint)
    if text.startswith(("/", "./", "../")) or exists(path):
        return path
    try:
        parse_location(text)
    except InvalidReferenceError as error:
        if path.suffix in {".wasm", ".wat", ".wast"} or ("/" not in text and ":" not in text):
            raise NoSuchSubjectError(
                f"no such file: {error.source}", hint="an artifact in a registry is written HOST/NAME:TAG"
            ) from error
        raise
    return text


def subject_name(subject: Path | Location | bytes) -> str:
    """What results and errors call a subject."""
    return "standard input" if isinstance(subject, bytes) else str(subject)


def parse_place(text: str) -> Location:
    """The registry or layout that a reference names.

    Raises:
        InvalidReferenceError: it breaks the grammar. Where it names an image layout on this machine anyway, or
            another folder or file, the hint says so.
    """
    try:
        return parse_location(text)
    except InvalidReferenceError as error:
        for name in (text, text.rpartition(":")[0], text.rpartition("@")[0]):
            if not exists(name):
                continue
            kind = "folder" if is_folder(name) else "file"
            hint = f"an image layout is written {LAYOUT_PREFIX}{text}" if is_layout(Path(name)) else None
            hint = hint or f"{name} is a {kind}; an artifact in a registry is written HOST/NAME:TAG"
            raise InvalidReferenceError(error.message, error.source, error.position, hint=hint) from error
        raise


def parse_artifact(text: str) -> Location:
    """The artifact that a reference names: in a registry by a tag or a digest.

    Raises:
        InvalidReferenceError: as `parse_place`.
        UsageError: it names a repository of a registry.
    """
    place = parse_place(text)
    if isinstance(place, Reference) and place.identifier is None:
        raise UsageError(f"{place} names neither a tag nor a digest", hint=f"for example {place}:latest")
    return place


def parse_subject(subject: str | Path | bytes) -> Location | Path | bytes:
    """A subject of which text is a reference, never a file.

    Raises:
        InvalidReferenceError: as `parse_place`.
        TypeError: it is neither a `Path`, nor bytes, nor text.
    """
    if isinstance(subject, Path | bytes):
        return subject
    return parse_place(subject)


def is_layout(folder: Path) -> bool:
    """Whether this folder is an image layout."""
    from wasm2oci.oci.layout_index import LAYOUT_MARKER

    return is_file(folder / LAYOUT_MARKER)
