"""The module that is packed: where its bytes are, their digest, and what they declare.

Small files are read once and kept. Large files are read again for the push and verified then, so that a file that
changes meanwhile is an error and not a broken artifact.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from wasm2oci.base.files import local_errors
from wasm2oci.base.records import NamedTuple
from wasm2oci.content.verify import CheckedBytes, FileContent
from wasm2oci.errors import InvalidInputError, Remedy, RemedyKind
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Hasher

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wasm2oci.content.target import Content

__all__ = ["LARGE", "Kind", "ModuleSource", "NotWasmError", "component_names"]

_KEPT: Final = 8 << 20
"""Bytes up to which a file is kept in memory."""
LARGE: Final = 64 << 20
"""Bytes up to which hashing a file takes no time worth using."""

_TEXT_MAX: Final = 256 << 20
"""Bytes of a module in text form."""

_CORE: Final = b"\0asm\x01\0\0\0"


class NotWasmError(InvalidInputError):
    """A file is empty, or does not begin as a WebAssembly binary does."""


class TextTooLargeError(InvalidInputError):
    """A module in text form is too large to be assembled in memory."""


class Kind(StrEnum):
    """What a WebAssembly binary is."""

    MODULE = "module"
    COMPONENT = "component"
    UNKNOWN = "unknown"


class ModuleSource(NamedTuple):
    """A module to pack.

    Args:
        content: its bytes, readable any number of times.
        descriptor: their digest and size.
        kind: core module or component; unknown only when it was forced.
        imports: names that a component needs, sorted.
        exports: names that a component offers, sorted.
    """

    content: Content
    descriptor: Descriptor
    kind: Kind
    imports: tuple[str, ...] = ()
    exports: tuple[str, ...] = ()

    @classmethod
    def of_bytes(cls, data: bytes, *, force: bool = False) -> ModuleSource:
        """Look at a module in memory; one in the text format is assembled first.

        Args:
            data: all of it.
            force: take it as it is, even if it is not WebAssembly.

        Raises:
            NotWasmError: it is not, and `force` is off.
            TextError: it is text and no module, and `force` is off.
            MalformedError: it is a component whose outline cannot be read.
        """
        if not force and _may_be_text(data):
            from wasm2oci.engine.text import binary  # noqa: PLC0415 - most pushes need no engine

            data = binary(data)
        return cls._of(data, Descriptor.of(mt.OCTET_STREAM, data), _kind(data[:8], "the module", force=force))

    @classmethod
    def _of(cls, data: bytes, descriptor: Descriptor, kind: Kind) -> ModuleSource:
        imports, exports = component_names(data) if kind is Kind.COMPONENT else ((), ())
        return cls(CheckedBytes.known(descriptor, data), descriptor, kind, imports, exports)

    @classmethod
    def of_file(
        cls, path: Path, *, force: bool = False, large: Callable[[Content, int], None] | None = None
    ) -> ModuleSource:
        """Look at a module in a file; one that is large and no component is never in memory as a whole.

        One in the text format is assembled first.

        Args:
            path: the file.
            force: take it as it is, even if it is not WebAssembly.
            large: called once, with the content and its size in bytes, when more than `LARGE` were read of a file that
                is taken.

        Raises:
            NotFoundError: there is no such file.
            LocalIOError: it cannot be read, or is a folder.
            NotWasmError: it is not WebAssembly, and `force` is off.
            TextError: it is text and no module, and `force` is off.
            MalformedError: it is a component whose outline cannot be read.
        """
        content, hasher, kept, kind = FileContent(path), Hasher(), list[bytes](), None
        for chunk in content:
            if kind is None and not force and _may_be_text(chunk):
                return cls.of_bytes(_joined(content, path))
            if kind is None:
                # Before the rest of a large file is read for nothing.
                kind = _kind(chunk[:8], path.name, force=force)
            hasher.update(chunk)
            if large is not None and hasher.size > LARGE:
                with local_errors(path):
                    size = path.stat().st_size
                large(content, size)
                large = None
            if hasher.size <= _KEPT or kind is Kind.COMPONENT:
                kept.append(chunk)
            else:
                kept.clear()
        kind = kind or _kind(b"", path.name, force=force)
        descriptor = Descriptor(mt.OCTET_STREAM, hasher.digest(), hasher.size)
        if hasher.size <= _KEPT or kind is Kind.COMPONENT:
            return cls._of(b"".join(kept), descriptor, kind)
        return cls(content, descriptor, kind)


def _may_be_text(head: bytes) -> bool:
    """Whether a file that begins like this has to be assembled."""
    if head[: len(_CORE)] == _CORE:
        return False
    from wasm2oci.engine.text import is_text  # noqa: PLC0415 - most pushes need no engine

    return is_text(head)


def _joined(content: Content, path: Path) -> bytes:
    """All bytes of a text, which is assembled in memory."""
    out = bytearray()
    for chunk in content:
        out += chunk
        if len(out) > _TEXT_MAX:
            raise TextTooLargeError(f"{path}: a module in text form may have {_TEXT_MAX >> 20} MiB")
    return bytes(out)


def component_names(data: bytes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of a component's imports and exports, each sorted and without doubles.

    Raises:
        MalformedError: its outline cannot be read.
    """
    from wasm2oci.engine.binary import decode_component  # noqa: PLC0415 - most pushes need no decoder

    component = decode_component(data)
    imports = sorted({extern.name for extern in component.imports})
    exports = sorted({extern.id for extern in component.exports})
    return tuple(imports), tuple(exports)


def _kind(head: bytes, name: str, *, force: bool) -> Kind:
    if head == _CORE:
        return Kind.MODULE
    from wasm2oci.engine.binary import ModuleKind, preamble  # noqa: PLC0415 - as above
    from wasm2oci.engine.errors import MalformedError  # noqa: PLC0415

    try:
        return Kind.COMPONENT if preamble(head) is ModuleKind.COMPONENT else Kind.MODULE
    except MalformedError as error:
        if force:
            return Kind.UNKNOWN
        if not head:
            raise NotWasmError(f"{name} is empty", hint="check whether the build that writes it failed") from error
        message = f"{name} is not WebAssembly: {error.message}"
        raise NotWasmError(message, hint=error.hint, remedy=Remedy(RemedyKind.FORCE_PUSH)) from error
