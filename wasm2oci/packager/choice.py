"""The errors of a search for a module, and the file name of a module."""

from __future__ import annotations

from typing import Final

from wasm2oci.base.files import storable
from wasm2oci.base.text import is_visible
from wasm2oci.errors import InvalidInputError, UnsupportedError

__all__ = ["MAGIC", "ChoiceNeededError", "NoModuleError", "NotAModuleError", "file_name"]

MAGIC: Final = b"\0asm"
"""How every WebAssembly binary begins, core module or component."""


class NoModuleError(UnsupportedError):
    """There is no WebAssembly in this artifact."""


class NotAModuleError(InvalidInputError):
    """A layer has a media type of WebAssembly, but does not begin like a module."""


class ChoiceNeededError(InvalidInputError):
    """There are several modules or platforms, and none was chosen."""


def file_name(title: str | None, repository: str, *, here: bool = True) -> str:
    """A safe name for a file in the current folder.

    Args:
        title: from the artifact, or None; only the printable characters of its last part are used.
        repository: the repository's name, for when nothing of the title is left.
        here: whether it has only characters that names of files may have here; else it is the same on every machine.
    """
    for text, ending in ((title or "", ""), (repository, ".wasm")):
        base = text.replace("\\", "/").rstrip("/").rpartition("/")[2]
        base = "".join(char for char in base if is_visible(char))
        base = (storable(base) if here else base).strip().lstrip(".-~").strip()
        if base:
            return base.encode()[:200].decode(errors="ignore") + ending
    return "module.wasm"
