"""Resolving guest paths below a directory descriptor, without ever leaving it.

The rules, component by component, with the kernel never trusted to walk more than one step:

    ""                         NOENT
    a NUL                      INVAL; more than 4096 bytes: NAMETOOLONG (what is not UTF-8 does not come here: ILSEQ)
    "/..." and links to "/..." PERM (there is no root but the preopened directory)
    "."                        stays
    ".."                       goes back to the directory we came from (its descriptor is still held, so that renames
                               meanwhile cannot move the way back); above the start: PERM
    a name, not the last       opened as a directory without following links; a link is read and its text put in front
                               of what is left, at most 40 times, then LOOP
    a name, the last           handed back with its directory; a link is followed only on demand, in the same way

The caller does its one operation on (directory descriptor, last name) with follow_symlinks=False or O_NOFOLLOW, so a
link put there in between makes the operation fail or hit the link itself, never what it points to. A trailing slash
is taken off and reported: passed on to the kernel it would make the kernel follow links.

Spec: WASI preview 1, path_open and the other path functions.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wasm2oci.base import descriptors
from wasm2oci.wasi.abi import PATH_MAX, Errno, WasiError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Place", "check_path", "locate"]

_MAX_LINKS: Final = 40
_STEP: Final = descriptors.PATH | descriptors.DIRECTORY | descriptors.NOFOLLOW | descriptors.CLOEXEC


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path ends.

    Attributes:
        directory: host descriptor of the directory that holds the last name; closed when `locate` ends.
        name: the last name: one component, never "..", "." when the path ends in a directory already reached.
        slash: whether the path says by a trailing slash that it names a directory.
    """

    directory: int
    name: bytes
    slash: bool

    def stat(self) -> os.stat_result:
        """The status of a path, with links not followed; a trailing slash requires a directory.

        Raises:
            WasiError: NOTDIR, when a trailing slash follows something else.
            OSError: as `lstat`.
        """
        found = os.stat(self.name, dir_fd=self.directory, follow_symlinks=False)
        if self.slash and not stat.S_ISDIR(found.st_mode):
            raise WasiError(Errno.NOTDIR)
        return found


def check_path(path: bytes) -> bytes:
    """The path, if it is neither empty nor too long and has no NUL.

    Raises:
        WasiError: NOENT, NAMETOOLONG or INVAL.
    """
    if not path:
        raise WasiError(Errno.NOENT)
    if len(path) >= PATH_MAX:
        raise WasiError(Errno.NAMETOOLONG)
    if b"\0" in path:
        raise WasiError(Errno.INVAL)
    return path


@contextlib.contextmanager
def locate(root: int, path: bytes, *, follow: bool) -> Iterator[Place]:
    """Walk `path` from a directory and hold its place while the caller works there.

    Args:
        root: host descriptor of the directory that must not be left.
        path: as the guest gave it.
        follow: whether a link at the end is followed. A trailing slash alone does not follow it.

    Raises:
        WasiError: the path is malformed, leaves the directory, or has too many links.
        OSError: a component is missing, no directory, or may not be searched.
    """
    walk = _Walk(root)
    try:
        walk.put(check_path(path))
        name = walk.advance()
        while follow and name != b"." and (target := _link_target(walk.top, name)) is not None:
            walk.follow(target)
            name = walk.advance()
        yield Place(walk.top, name, walk.slash)
    finally:
        walk.close()


class _Walk:
    """The directories entered so far and the components still to go."""

    __slots__ = ("_held", "_links", "_root", "_todo", "slash")

    def __init__(self, root: int) -> None:
        self._root = root
        self._held: list[int] = []
        self._todo: list[bytes] = []  # the next one last
        self._links = 0
        self.slash = False

    @property
    def top(self) -> int:
        """The directory reached."""
        return self._held[-1] if self._held else self._root

    def put(self, path: bytes) -> None:
        """Walk `path` before the components that are left."""
        if path.startswith(b"/"):
            raise WasiError(Errno.PERM)
        if not self._todo:
            self.slash = self.slash or path.endswith(b"/")
        self._todo.extend(part for part in reversed(path.split(b"/")) if part)

    def follow(self, target: bytes) -> None:
        """Walk the path in a link."""
        self._links += 1
        if self._links > _MAX_LINKS:
            raise WasiError(Errno.LOOP)
        if not target:
            raise WasiError(Errno.NOENT)
        self.put(target)

    def advance(self) -> bytes:
        """Enter all but the last component; the last one's name."""
        while self._todo:
            part = self._todo.pop()
            if part == b".":
                continue
            if part == b"..":
                if not self._held:
                    raise WasiError(Errno.PERM)
                os.close(self._held.pop())
                continue
            if not self._todo:
                return part
            self._enter(part)
        return b"."

    def _enter(self, name: bytes) -> None:
        try:
            self._held.append(os.open(name, _STEP, dir_fd=self.top))
        except OSError as error:
            if error.errno not in {errno.ENOTDIR, errno.ELOOP}:
                raise
            target = _link_target(self.top, name)
            if target is None:
                raise
            self.follow(target)

    def close(self) -> None:
        """Close every directory entered."""
        for fd in self._held:
            os.close(fd)
        self._held.clear()


def _link_target(directory: int, name: bytes) -> bytes | None:
    """The text of a link; None when there is none, or nothing, by that name."""
    try:
        return os.readlink(name, dir_fd=directory)
    except OSError as error:
        if error.errno in {errno.EINVAL, errno.ENOENT, errno.ENOTDIR, errno.EACCES}:
            return None
        raise
