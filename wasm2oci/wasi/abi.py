"""The numbers of WASI preview 1: error codes, flags, file types and the layout of its records; rights are in `rights`.

Everything here is transcribed from the interface description (`wasi_snapshot_preview1`): enumerations are small
integers, flag sets are bit masks, records are little-endian with natural alignment. Nothing here touches the host
except `errno_of`, which says how an operating system error is called in preview 1.

Spec: WASI preview 1, Types.
"""

from __future__ import annotations

import errno as host_errno
import struct
from enum import IntEnum, IntFlag
from typing import Final

__all__ = [
    "CIOVEC",
    "DIRENT",
    "EVENT",
    "FDSTAT",
    "FILESTAT",
    "NO_FLAGS",
    "PATH_MAX",
    "PRESTAT",
    "SUBSCRIPTION",
    "Advice",
    "ClockId",
    "Errno",
    "EventRwFlags",
    "EventType",
    "FdFlags",
    "FileType",
    "FstFlags",
    "LookupFlags",
    "OFlags",
    "RiFlags",
    "RoFlags",
    "SdFlags",
    "Signal",
    "SubclockFlags",
    "WasiError",
    "Whence",
    "errno_of",
]

PATH_MAX: Final = 4096
"""The longest path taken, in bytes, and the most a chain of links may expand to."""


class Errno(IntEnum):
    """What a call returns. SUCCESS is 0; the names are those of POSIX without the E."""

    SUCCESS = 0
    TOOBIG = 1
    ACCES = 2
    ADDRINUSE = 3
    ADDRNOTAVAIL = 4
    AFNOSUPPORT = 5
    AGAIN = 6
    ALREADY = 7
    BADF = 8
    BADMSG = 9
    BUSY = 10
    CANCELED = 11
    CHILD = 12
    CONNABORTED = 13
    CONNREFUSED = 14
    CONNRESET = 15
    DEADLK = 16
    DESTADDRREQ = 17
    DOM = 18
    DQUOT = 19
    EXIST = 20
    FAULT = 21
    FBIG = 22
    HOSTUNREACH = 23
    IDRM = 24
    ILSEQ = 25
    INPROGRESS = 26
    INTR = 27
    INVAL = 28
    IO = 29
    ISCONN = 30
    ISDIR = 31
    LOOP = 32
    MFILE = 33
    MLINK = 34
    MSGSIZE = 35
    MULTIHOP = 36
    NAMETOOLONG = 37
    NETDOWN = 38
    NETRESET = 39
    NETUNREACH = 40
    NFILE = 41
    NOBUFS = 42
    NODEV = 43
    NOENT = 44
    NOEXEC = 45
    NOLCK = 46
    NOLINK = 47
    NOMEM = 48
    NOMSG = 49
    NOPROTOOPT = 50
    NOSPC = 51
    NOSYS = 52
    NOTCONN = 53
    NOTDIR = 54
    NOTEMPTY = 55
    NOTRECOVERABLE = 56
    NOTSOCK = 57
    NOTSUP = 58
    NOTTY = 59
    NXIO = 60
    OVERFLOW = 61
    OWNERDEAD = 62
    PERM = 63
    PIPE = 64
    PROTO = 65
    PROTONOSUPPORT = 66
    PROTOTYPE = 67
    RANGE = 68
    ROFS = 69
    SPIPE = 70
    SRCH = 71
    STALE = 72
    TIMEDOUT = 73
    TXTBSY = 74
    XDEV = 75
    NOTCAPABLE = 76


class WasiError(Exception):
    """A call fails with an error code; the dispatcher turns it into the call's result."""

    def __init__(self, errno: Errno) -> None:
        super().__init__(errno.name)
        self.errno = errno


# The two vocabularies differ only by the E, and by names a host may lack or spell twice.
_BY_HOST: Final[dict[int, Errno]] = {
    code: Errno[name[1:]]
    for code, name in host_errno.errorcode.items()
    if name.startswith("E") and name[1:] in Errno.__members__
} | {
    host_errno.E2BIG: Errno.TOOBIG,
    host_errno.EOPNOTSUPP: Errno.NOTSUP,
    host_errno.EWOULDBLOCK: Errno.AGAIN,
}


def errno_of(error: OSError) -> Errno:
    """How preview 1 calls an error of the host; `IO` when it has no name for it."""
    return _BY_HOST.get(error.errno or 0, Errno.IO)


class FileType(IntEnum):
    """What a descriptor or a directory entry is."""

    UNKNOWN = 0
    BLOCK_DEVICE = 1
    CHARACTER_DEVICE = 2
    DIRECTORY = 3
    REGULAR_FILE = 4
    SOCKET_DGRAM = 5
    SOCKET_STREAM = 6
    SYMBOLIC_LINK = 7


class FdFlags(IntFlag):
    """How a descriptor writes."""

    APPEND = 1
    DSYNC = 2
    NONBLOCK = 4
    RSYNC = 8
    SYNC = 16


NO_FLAGS: Final = FdFlags(0)


class OFlags(IntFlag):
    """What `path_open` does beside opening."""

    CREAT = 1
    DIRECTORY = 2
    EXCL = 4
    TRUNC = 8


class LookupFlags(IntFlag):
    """How the last component of a path is taken."""

    SYMLINK_FOLLOW = 1


class FstFlags(IntFlag):
    """Which times are set, and whether to the clock's."""

    ATIM = 1
    ATIM_NOW = 2
    MTIM = 4
    MTIM_NOW = 8


class RiFlags(IntFlag):
    """Flags of `sock_recv`."""

    RECV_PEEK = 1
    RECV_WAITALL = 2


class RoFlags(IntFlag):
    """Flags `sock_recv` gives back."""

    RECV_DATA_TRUNCATED = 1


class SdFlags(IntFlag):
    """Which half of a connection `sock_shutdown` closes."""

    RD = 1
    WR = 2


class SubclockFlags(IntFlag):
    """Whether a subscription's time is a point in time."""

    ABSTIME = 1


class EventRwFlags(IntFlag):
    """What more an event says about a descriptor."""

    FD_READWRITE_HANGUP = 1


class ClockId(IntEnum):
    """The four clocks."""

    REALTIME = 0
    MONOTONIC = 1
    PROCESS_CPUTIME_ID = 2
    THREAD_CPUTIME_ID = 3


class Whence(IntEnum):
    """What an offset is relative to."""

    SET = 0
    CUR = 1
    END = 2


class Advice(IntEnum):
    """How a range of a file will be used."""

    NORMAL = 0
    SEQUENTIAL = 1
    RANDOM = 2
    WILLNEED = 3
    DONTNEED = 4
    NOREUSE = 5


class EventType(IntEnum):
    """What a subscription waits for."""

    CLOCK = 0
    FD_READ = 1
    FD_WRITE = 2


class Signal(IntEnum):
    """The signals `proc_raise` can name; 0 is none."""

    NONE = 0
    HUP = 1
    INT = 2
    QUIT = 3
    ILL = 4
    TRAP = 5
    ABRT = 6
    BUS = 7
    FPE = 8
    KILL = 9
    USR1 = 10
    SEGV = 11
    USR2 = 12
    PIPE = 13
    ALRM = 14
    TERM = 15
    CHLD = 16
    CONT = 17
    STOP = 18
    TSTP = 19
    TTIN = 20
    TTOU = 21
    URG = 22
    XCPU = 23
    XFSZ = 24
    VTALRM = 25
    PROF = 26
    WINCH = 27
    POLL = 28
    PWR = 29
    SYS = 30


CIOVEC: Final = struct.Struct("<II")
"""buf, buf_len: iovec and ciovec alike."""
PRESTAT: Final = struct.Struct("<BxxxI")
"""tag (0: directory), length of the name."""
FDSTAT: Final = struct.Struct("<BxHxxxxQQ")
"""filetype, flags, rights_base, rights_inheriting."""
FILESTAT: Final = struct.Struct("<QQBxxxxxxxQQQQQ")
"""dev, ino, filetype, nlink, size, atim, mtim, ctim."""
DIRENT: Final = struct.Struct("<QQIBxxx")
"""next cookie, ino, length of the name, type; the name follows."""
SUBSCRIPTION: Final = struct.Struct("<QBxxxxxxxIxxxxQQHxxxxxx")
"""userdata, tag, clock id or descriptor, timeout, precision, clock flags."""
EVENT: Final = struct.Struct("<QHBxxxxxQHxxxxxx")
"""userdata, errno, tag, nbytes, flags."""
