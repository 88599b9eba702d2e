"""What `inspect`, `validate` and `run` are asked about: a file here, or an artifact elsewhere."""

from pathlib import Path

from wasm2oci.errors import NotFoundError
from wasm2oci.oci.reference import LAYOUT_PREFIX, InvalidReferenceError, parse_location

__all__ = ["NoSuchSubjectError", "find_subject"]


class NoSuchSubjectError(NotFoundError):
    """Text names neither a file that is there nor an artifact."""


def find_subject(text: str) -> Path | str:
    """A file when one is there or the text can only be a path, else a reference.

    Raises:
        NoSuchSubjectError: it is not a reference, and there is no such file; or it is a folder.
        InvalidReferenceError: it is meant as a reference, and breaks the grammar.
    """
    if text.startswith(LAYOUT_PREFIX):
        return text
    path = Path(text)
    if path.is_dir():
        layout = (path / "oci-layout").is_file()
        hint = f"to name what is in an image layout, write {LAYOUT_PREFIX}{text}:TAG" if layout else None
        raise NoSuchSubjectError(f"{text} is a folder", hint=hint)
    if text.startswith(("/", "./", "../")) or path.exists():
        return path
    try:
        parse_location(text)
    except InvalidReferenceError as error:
        if path.suffix in {".wasm", ".wat", ".wast"} or ("/" not in text and ":" not in text):
            raise NoSuchSubjectError(
                f"no such file: {text}", hint="an artifact in a registry is written HOST/NAME:TAG"
            ) from error
        raise
    return text
