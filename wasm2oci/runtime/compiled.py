"""Code that wasmtime made from modules, kept in a folder of its own so that the next run need not compile.

Loading such code means running it, so it only ever comes from a folder that this user alone can write, and never from
a registry: the name is the digest of the module together with everything the code depends on. What does not load is
made again.
"""

import contextlib
import hashlib
import os
import platform
import stat
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Protocol, TypeVar

__all__ = ["Compiled", "CompiledCode"]

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
        settings: what the code depends on beside module, version and machine.
    """

    def __init__(self, folder: Path | None, settings: str) -> None:
        self._folder = folder
        self._settings = settings

    def get(self, module: bytes, load: Callable[[str], C], compile_: Callable[[], C]) -> C:
        """The code of a module, loaded or else compiled and kept.

        Args:
            module: its bytes.
            load: makes it from the path of a file, raises when the file is not as expected.
            compile_: makes it from the module.
        """
        if self._folder is None:
            return compile_()
        path = self._folder / self._name(module)
        if _is_ours(self._folder) and _is_ours(path):
            with contextlib.suppress(Exception):  # a damaged file, or another build of the same version
                return load(str(path))
        made = compile_()
        with contextlib.suppress(OSError):
            self._keep(path, made)
        return made

    def _name(self, module: bytes) -> str:
        key = f"{version('wasmtime')} {platform.machine()} {self._settings} {hashlib.sha256(module).hexdigest()}"
        return hashlib.sha256(key.encode()).hexdigest() + ".cwasm"

    def _keep(self, path: Path, made: Compiled) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_ours(path.parent):
            return
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(made.serialize())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def _is_ours(path: Path) -> bool:
    """Whether only this user can have written it."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return found.st_uid == os.geteuid() and not found.st_mode & _OTHERS_WRITE and not stat.S_ISLNK(found.st_mode)
