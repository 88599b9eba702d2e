"""Code that wasmtime made from modules, kept in a folder of its own so that the next run need not compile.

Loading such code means running it, so it only ever comes from a folder that this user alone can write, and never from
a registry: the name is the digest of the module together with everything the code depends on. What does not load is
made again; what was used longest ago goes when there is too much.
"""

import contextlib
import hashlib
import os
import platform
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, TypeVar

__all__ = ["Compiled", "CompiledCode"]

SUFFIX: Final = ".cwasm"
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


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
        path = self._folder / self._name(sha256)
        if _is_ours(self._folder) and _is_ours(path):
            with contextlib.suppress(Exception):  # a damaged file, or another build of the same version
                made = make(str(path))
                os.utime(path)  # used: others go before it
                return made
        return None

    def keep(self, sha256: str, made: Compiled) -> None:
        """Keep the code of a module for the next run; not being able to is no error."""
        if self._folder is None:
            return
        import tempfile  # noqa: PLC0415 - slow to import, and only needed the first time

        from wasm2oci.engine.translate.room import CODE_LIMIT, make_room  # noqa: PLC0415 - the same

        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _is_ours(self._folder):
                return
            handle, temporary = tempfile.mkstemp(dir=self._folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(made.serialize())
                make_room(self._folder, SUFFIX, max(0, CODE_LIMIT - Path(temporary).stat().st_size))
                Path(temporary).replace(self._folder / self._name(sha256))
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise

    def _name(self, sha256: str) -> str:
        key = f"{platform.machine()} {self._settings} {sha256}"
        return hashlib.sha256(key.encode()).hexdigest() + SUFFIX


def _is_ours(path: Path) -> bool:
    """Whether only this user can have written it."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return found.st_uid == os.geteuid() and not found.st_mode & _OTHERS_WRITE and not stat.S_ISLNK(found.st_mode)
