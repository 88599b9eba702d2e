"""Code that wasmtime made from modules, kept in a folder of its own so that the next run need not compile.

Loading such code means running it, so it only ever comes from a folder that this user alone can write, and never from
a registry: the name is the digest of the module together with everything the code depends on. At its end a file has a
tag, an HMAC-SHA256 of name and code by the folder's random key, so that the code of another module under this name is
none. What does not load is made again; what was used longest ago goes when there is too much.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import platform
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from wasm2oci.base.files import replace_file
from wasm2oci.base.folders import CODE_LIMIT, evict, folder_key, is_private, read_private, used
from wasm2oci.errors import LocalIOError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Compiled", "CompiledCode"]

SUFFIX: Final = ".cwasm"
_TAG_SIZE: Final = 32


class Compiled(Protocol):
    """A module or component of wasmtime."""

    def serialize(self) -> bytearray:
        """Its code, for this machine and this version of wasmtime."""


C = TypeVar("C", bound=Compiled)


class CompiledCode:
    """The folder.

    Args:
        folder: where; None to keep nothing. Made when it is first needed.
        settings: what the code depends on beside the module and this machine.
    """

    def __init__(self, folder: Path | None, settings: str) -> None:
        self._folder = folder
        self._settings = settings

    def load(self, sha256: str, make: Callable[[str], C]) -> C | None:
        """The code of a module, or None when none is kept that can be used.

        Args:
            sha256: the digest of its bytes, in hexadecimal.
            make: makes it from the path of a file, raises when the file is not as expected.
        """
        if self._folder is None:
            return None
        name = self._name(sha256)
        path = self._folder / name
        if self._is_whole(name, read_private(path, CODE_LIMIT) if is_private(self._folder) else None):
            with contextlib.suppress(Exception):  # another build of the same version
                made = make(str(path))
                used(path)
                return made
        return None

    def keep(self, sha256: str, made: Compiled) -> None:
        """Keep the code of a module for the next run; failing to is not an error."""
        if self._folder is None:
            return
        with contextlib.suppress(OSError, LocalIOError):
            key, name = folder_key(self._folder), self._name(sha256)
            if key is not None:
                code = bytes(made.serialize())
                files = (path for path in self._folder.glob("*") if path.suffix == SUFFIX)
                evict(files, max(0, CODE_LIMIT - len(code)))
                replace_file(self._folder / name, [code, _tag(key, name, code)], 0o600, sync=False)

    def _is_whole(self, name: str, content: bytes | None) -> bool:
        """Whether a file's content is what was kept by this name; wasmtime does not mind the tag after the code."""
        if content is None or self._folder is None:
            return False
        key = folder_key(self._folder)
        view = memoryview(content)
        tag = view[-_TAG_SIZE:]
        return key is not None and hmac.compare_digest(_tag(key, name, view[:-_TAG_SIZE]), tag)

    def _name(self, sha256: str) -> str:
        key = f"{platform.machine()} {self._settings} {sha256}"
        return hashlib.sha256(key.encode()).hexdigest() + SUFFIX


def _tag(key: bytes, name: str, code: bytes | memoryview) -> bytes:
    made = hmac.new(key, name.encode(), "sha256")
    made.update(code)
    return made.digest()
