"""WebAssembly text to binary: core modules by our own assembler, components still by wasmtime's."""

import re
from typing import Final

from wasm2oci.engine.text import assemble as assemble_module
from wasm2oci.errors import InvalidInputError, Remedy, RemedyKind, UnsupportedError

__all__ = ["AssemblerMissingError", "TextSyntaxError", "assemble"]


_COMPONENT: Final = re.compile(r"\s*\(\s*component\b")


class AssemblerMissingError(UnsupportedError):
    """The extra that brings the assembler is not installed."""


class TextSyntaxError(InvalidInputError):
    """The text is no module."""


def assemble(text: str) -> bytes:
    """The binary of a module or component in the text format.

    Raises:
        AssemblerMissingError: it is a component, and wasmtime is not installed.
        TextSyntaxError: the text is malformed.
    """
    if not _COMPONENT.match(text):
        return assemble_module(text)
    try:
        import wasmtime  # noqa: PLC0415 - slow, and only for text
    except ImportError as error:
        raise AssemblerMissingError(
            "a component in text form needs wasmtime's assembler, which is not installed",
            remedy=Remedy(RemedyKind.INSTALL, "wasmtime"),
        ) from error
    try:
        return bytes(wasmtime.wat2wasm(text))
    except wasmtime.WasmtimeError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        place = next((line.removeprefix("--> ").removeprefix("<anon>:") for line in lines if "-->" in line), "")
        where = f" (line {place.split(':')[0]})" if place else ""
        raise TextSyntaxError(f"the text is no module: {lines[0]}{where}") from error
