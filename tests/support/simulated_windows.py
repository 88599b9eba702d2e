"""Runs a module or a script in a Python that lacks what Windows lacks.

    python -m tests.support.simulated_windows wasm2oci push ...     as `python -m wasm2oci push ...`
    python -m tests.support.simulated_windows - < script.py

What only POSIX has is taken away before anything of ours is imported: modules, attributes of `os`, `signal` and
`select`, the waiting for what is no socket, and the opening of folders. The rest of the platform stays (paths, sockets,
processes): what depends on those is not shown by this.
"""

from __future__ import annotations

import errno
import os
import runpy
import select
import signal
import stat
import subprocess  # waits for pipes by threads on Windows; here it keeps what is taken away
import sys
from typing import Any

MODULES = ("fcntl", "termios", "tty", "pty", "pwd", "grp", "resource", "readline", "syslog")
OS = [
    "O_NOFOLLOW",
    "O_NONBLOCK",
    "O_CLOEXEC",
    "O_DIRECTORY",
    "O_PATH",
    "O_NOCTTY",
    "O_SYNC",
    "O_DSYNC",
    "pread",
    "preadv",
    "pwrite",
    "pwritev",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "mkfifo",
    "mknod",
    "fchmod",
    "chown",
    "fchown",
    "lchown",
    "fork",
    "forkpty",
    "openpty",
    "killpg",
    "getpgid",
    "setsid",
    "sendfile",
    "posix_fadvise",
    "posix_fallocate",
    "statvfs",
    "fstatvfs",
    "sched_getaffinity",
    "getloadavg",
    "uname",
    "ttyname",
    "tcgetpgrp",
    "fdatasync",
    "sync",
    "set_blocking",
    "get_blocking",
    "chroot",
]


def take_away() -> None:
    """Change this process; there is no way back."""
    for name in MODULES:
        sys.modules[name] = None  # type: ignore[assignment]  # None makes the import fail
    for name in OS:
        if hasattr(os, name):
            delattr(os, name)
    for name in ("SIGHUP", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGQUIT", "setitimer", "pthread_sigmask"):
        delattr(signal, name)
    for name in ("poll", "epoll"):
        delattr(select, name)
    setattr(subprocess, "_CAN_USE_PIDFD_OPEN", False)  # noqa: B010 - what Python 3.15 would poll
    wait = select.select

    class Select:
        """Unlike a function, it does not become a method as an attribute of a class."""

        def __call__(self, *given: Any) -> tuple[list[Any], list[Any], list[Any]]:
            waited = [each if isinstance(each, int) else each.fileno() for part in given[:3] for each in part]
            if not waited:
                raise OSError(10022, "An invalid argument was supplied")
            if not all(stat.S_ISSOCK(os.fstat(each).st_mode) for each in waited):
                raise OSError(10038, "An operation was attempted on something that is not a socket")
            return wait(*given)

    select.select = Select()
    sys.modules.pop("selectors", None)
    os.supports_dir_fd.clear()
    os.supports_follow_symlinks.clear()
    real = os.open

    def open_(path: Any, flags: int, mode: int = 0o777, *, dir_fd: None = None) -> int:
        if dir_fd is not None:
            raise NotImplementedError("dir_fd unavailable on this platform")
        descriptor = real(path, flags, mode)
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return descriptor

    setattr(os, "open", open_)  # noqa: B010 - not the type that the checker knows


if __name__ == "__main__":
    take_away()
    name, sys.argv[1:] = sys.argv[1], sys.argv[2:]
    if name == "-":
        exec(compile(sys.stdin.read(), "<script>", "exec"), {"__name__": "__main__"})
    else:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
