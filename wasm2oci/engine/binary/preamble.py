"""What a file is, by its first eight bytes. Spec: core, modules (5.5.17); component model, Binary.md."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from wasm2oci.engine.errors import MalformedError

if TYPE_CHECKING:
    from wasm2oci.engine.binary.reader import Reader

__all__ = ["MAGIC", "PREAMBLE_SIZE", "ModuleKind", "nested_preamble", "preamble"]

MAGIC = b"\0asm"
PREAMBLE_SIZE = 8

_MODULE = b"\x01\x00\x00\x00"
_COMPONENT = b"\x0d\x00\x01\x00"
_LOOKALIKES: Final = (
    (b"\x28\xb5\x2f\xfd", "this is zstd-compressed: unpack it first"),
    (b"(", "this looks like the text format: assemble it first"),
    (b"\x1f\x8b", "this is gzip-compressed: unpack it first"),
    (b"PK", "this is a zip archive: unpack it first"),
    (b"\x7fELF", "this is a native program: build it for a wasm target"),
    (b"<", "this looks like HTML or XML: the download of it probably failed"),
)


class ModuleKind(StrEnum):
    """A core module, or a component."""

    MODULE = "module"
    COMPONENT = "component"


def preamble(data: bytes) -> ModuleKind:
    """Tells a core module from a component.

    Args:
        data: the file's bytes; eight of them are enough.

    Raises:
        MalformedError: it is neither.
    """
    if data[:4] != MAGIC:
        if MAGIC.startswith(data[:4]):
            raise MalformedError("unexpected end: the magic header is cut short", len(data))
        hint = next((hint for magic, hint in _LOOKALIKES if data[:64].lstrip().startswith(magic)), None)
        raise MalformedError("magic header not detected", 0, hint=hint)
    version = data[4:PREAMBLE_SIZE]
    if version == _MODULE:
        return ModuleKind.MODULE
    if version == _COMPONENT:
        return ModuleKind.COMPONENT
    if len(version) < len(_MODULE):
        raise MalformedError("unexpected end: the version is cut short", len(data))
    if version[2:] == b"\x01\x00":
        raise MalformedError(f"unknown component version {version[0]:#x}: this engine knows 0xd", 4)
    raise MalformedError(f"unknown binary version {int.from_bytes(version, 'little')}", 4)


def nested_preamble(reader: Reader, kind: ModuleKind) -> None:
    """Checks the preamble of what is nested in a component; the reader stays where it is.

    Raises:
        MalformedError: it is not that of `kind`.
    """
    try:
        found = preamble(reader.data[reader.pos : min(reader.end, reader.pos + PREAMBLE_SIZE)])
    except MalformedError as error:
        raise MalformedError(error.reason, reader.pos + error.offset) from error
    if found is not kind:
        raise MalformedError(f"a {found} nested where a {kind} is expected", reader.pos)
