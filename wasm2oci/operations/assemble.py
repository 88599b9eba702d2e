"""Assemble a module from its text."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from wasm2oci.oci.digest import Digest

__all__ = ["Assembled", "assemble_file", "assemble_text"]


class Assembled(NamedTuple):
    """A module that was assembled into a file.

    Attributes:
        source: the file with the text, or None where it was given.
        module: the digest of the binary.
        size: bytes of the binary.
        file: the file that was written.
    """

    source: Path | None
    module: Digest
    size: int
    file: Path


def assemble_file(source: Path | bytes, output: Path) -> Assembled:
    """Assemble a module into a file, which appears whole or not at all."""
    from wasm2oci.base.outputs import write_file
    from wasm2oci.oci.digest import Digest

    data = assemble_text(source)
    write_file(output, (data,))
    return Assembled(None if isinstance(source, bytes) else source, Digest.of(data), len(data), output)


def assemble_text(source: Path | bytes) -> bytes:
    """The binary of a module that is a file with text, or text."""
    from wasm2oci.content.verify import FileContent
    from wasm2oci.engine.binary.preamble import MAGIC
    from wasm2oci.engine.text import assemble
    from wasm2oci.errors import Remedy, RemedyKind, UsageError

    text = source if isinstance(source, bytes) else b"".join(FileContent(source))
    if text.startswith(MAGIC):
        name = "the input" if isinstance(source, bytes) else source.name
        raise UsageError(f"{name} is in the binary format already", remedy=Remedy(RemedyKind.PRINT))
    return assemble(text)
