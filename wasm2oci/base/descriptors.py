"""What can be done with open file descriptors of the host, where platforms differ.

Flags that a platform lacks are 0. What it cannot do at all is None or False, or raises `OSError` (ENOTSUP).
"""

from __future__ import annotations

import errno
import os
import select
import sys
import time
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection
    from threading import Event

__all__ = [
    "CAN_CONFINE",
    "CLOEXEC",
    "DIRECTORY",
    "NOCTTY",
    "NOFOLLOW",
    "NONBLOCK",
    "PATH",
    "Wake",
    "allow_descriptors",
    "bytes_waiting",
    "pread",
    "pwrite",
    "set_append",
    "set_blocking",
    "wait_ready",
    "yield_processor",
]

CLOEXEC: Final[int] = getattr(os, "O_CLOEXEC", 0)
DIRECTORY: Final[int] = getattr(os, "O_DIRECTORY", 0)
NOCTTY: Final[int] = getattr(os, "O_NOCTTY", 0)
NOFOLLOW: Final[int] = getattr(os, "O_NOFOLLOW", 0)
NONBLOCK: Final[int] = getattr(os, "O_NONBLOCK", 0)
PATH: Final[int] = getattr(os, "O_PATH", os.O_RDONLY)
CAN_CONFINE: Final = bool(DIRECTORY and NOFOLLOW) and os.open in os.supports_dir_fd
"""Whether paths can be resolved below a directory descriptor, step by step and without following links."""

_POLL: Final[Any] = getattr(select, "poll", None)
_SELECT_LIMIT: Final = 1024
_SENT_MAX: Final = 4096


def set_blocking(fd: int, blocking: bool) -> None:  # noqa: FBT001 - as `os.set_blocking`
    """Make calls on a descriptor wait or not; where the platform cannot, they wait."""
    change = getattr(os, "set_blocking", None)
    if change is not None:
        change(fd, blocking)


def pread(fd: int, size: int, offset: int) -> bytes:
    """Read at an offset, leaving the descriptor's own where it is."""
    read = getattr(os, "pread", None)
    if read is None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    data: bytes = read(fd, size, offset)
    return data


def pwrite(fd: int, data: bytes, offset: int) -> int:
    """Write at an offset, leaving the descriptor's own where it is; how many bytes."""
    write = getattr(os, "pwrite", None)
    if write is None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    count: int = write(fd, data, offset)
    return count


def set_append(fd: int, append: bool) -> None:  # noqa: FBT001 - as `set_blocking`
    """Make every write of a descriptor go to the end of its file, or not."""
    fcntl = _module("fcntl")
    if fcntl is None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    flags = fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_APPEND
    fcntl.fcntl(fd, fcntl.F_SETFL, flags | (os.O_APPEND if append else 0))


def bytes_waiting(fd: int) -> int | None:
    """How many bytes wait in a pipe, terminal or socket; None where the host does not say."""
    fcntl, termios = _module("fcntl"), _module("termios")
    if fcntl is None or termios is None:
        return None
    answer = bytearray(4)
    try:
        fcntl.ioctl(fd, termios.FIONREAD, answer)
    except OSError:
        return None
    return int.from_bytes(answer, sys.byteorder)


def wait_ready(
    readable: Collection[int], writable: Collection[int], stop: int, stopped: Event, seconds: float
) -> tuple[set[int], set[int]]:
    """Wait for descriptors, or until something can be read from `stop`, or for so many seconds.

    On Windows nothing but sockets can be waited for (a `Wake` is one). Where there is something else, every descriptor
    counts as ready, so that the call on it waits, and without one the time passes until `stopped` is set.

    Returns:
        Which can be read and which written; `stop` is in neither.
    """
    if _POLL is None or max((stop, *readable, *writable)) < _SELECT_LIMIT:
        try:
            ready, free, _ = select.select([stop, *readable], list(writable), [], seconds)
        except OSError:
            if _POLL is not None:
                raise
            if not readable and not writable:
                stopped.wait(seconds)
            return set(readable), set(writable)
        return set(ready) - {stop}, set(free)
    poller, names = _POLL(), vars(select)
    wanted, given, gone = names["POLLIN"], names["POLLOUT"], names["POLLHUP"] | names["POLLERR"]
    for fd in {stop, *readable, *writable}:
        poller.register(fd, (wanted if fd == stop or fd in readable else 0) | (given if fd in writable else 0))
    answers = dict(poller.poll(-int(-seconds * 1000 // 1)))
    return (
        {fd for fd in readable if answers.get(fd, 0) & (wanted | gone)},
        {fd for fd in writable if answers.get(fd, 0) & (given | gone)},
    )


class Wake:
    """A descriptor by which one thread wakes another that waits for it in `wait_ready`.

    `send` takes no lock: a guest's thread may be broken off anywhere.
    """

    __slots__ = ("_clear", "_close", "_read", "_send")

    def __init__(self) -> None:
        if _POLL is None:
            from socket import socketpair  # noqa: PLC0415 - only where pipes cannot be waited for

            ours, theirs = socketpair()
            ours.setblocking(False)
            theirs.setblocking(False)
            self._read = ours.fileno()
            self._send, self._clear = partial(theirs.send, b"!"), partial(ours.recv, _SENT_MAX)
            self._close = (ours.close, theirs.close)
            return
        self._read, write = os.pipe()
        set_blocking(self._read, False)
        set_blocking(write, False)
        self._send, self._clear = partial(os.write, write, b"!"), partial(os.read, self._read, _SENT_MAX)
        self._close = (partial(os.close, self._read), partial(os.close, write))

    def fileno(self) -> int:
        """What to wait for."""
        return self._read

    def send(self) -> None:
        """Let it be readable; where it is full of that already, it is."""
        with suppress(OSError):
            self._send()

    def clear(self) -> None:
        """Let it not be readable until the next `send`."""
        with suppress(OSError):
            self._clear()

    def close(self) -> None:
        """Give the descriptors back."""
        for close in self._close:
            close()


def allow_descriptors(count: int) -> None:
    """Let this process have so many open at once, or as many as the system allows it."""
    resource = _module("resource")
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= count:
        return
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def yield_processor() -> None:
    """Let another thread of the host run."""
    getattr(os, "sched_yield", lambda: time.sleep(0))()


def _module(name: str) -> Any:
    # Through this both type checkers and platforms take a module that only one platform has.
    try:
        return import_module(name)
    except ImportError:
        return None
