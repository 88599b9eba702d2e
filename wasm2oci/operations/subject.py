"""What `inspect`, `validate` and `run` are asked about: a file here, or an artifact elsewhere."""

from pathlib import Path

from wasm2oci.errors import NotFoundError
from wasm2oci.oci.reference import LAYOUT_PREFIX, InvalidReferenceError, Location, parse_location

__all__ = ["NoSuchSubjectError", "parse_subject"]


class NoSuchSubjectError(NotFoundError):
    """Text names neither a file that is there nor an artifact."""


def parse_subject(text: str) -> Path | Location:
    """A file when one is there or the text can only be a path, else a location.

    Raises:
        NoSuchSubjectError: it is no reference, and there is no such file.
        InvalidReferenceError: it is meant as a reference, and breaks the grammar.
    """
    if text.startswith(LAYOUT_PREFIX):
        return parse_location(text)
    path = Path(text)
    if text.startswith(("/", "./", "../")) or path.exists():
        return path
    try:
        return parse_location(text)
    except InvalidReferenceError as error:
        if path.suffix in {".wasm", ".wat"} or "/" not in text:
            raise NoSuchSubjectError(
                f"no such file: {text}", hint="an artifact in a registry is written HOST/NAME:TAG"
            ) from error
        raise
