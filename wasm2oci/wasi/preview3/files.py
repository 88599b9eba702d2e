"""Files and directories: descriptors of WASI 0.2, with streams of the guest. Spec: wasi:filesystem/types, 0.3."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.wasi.abi import Errno, WasiError, errno_of
from wasm2oci.wasi.descriptors import DirectoryDescriptor
from wasm2oci.wasi.preview2 import files
from wasm2oci.wasi.preview2.codes import error_code, type_case
from wasm2oci.wasi.preview2.files import Preview2Descriptor
from wasm2oci.wasi.preview3.pumps import given, read_all, taken, write_all
from wasm2oci.wasi.streams import file_type

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator, Mapping

    from wasm2oci.wasi.abi import FileType
    from wasm2oci.wasi.preview2.streams import FileOutput
    from wasm2oci.wasi.preview3.guests import Channel, Guests
    from wasm2oci.wasi.state import Wasi

__all__ = ["METHODS", "STREAMS", "Preview3Descriptor", "filesystem", "in_directory", "instant"]

_OTHER: Final = ("other", ("none", None))


def _case(errno: Errno) -> tuple[str, Any]:
    """How wasi:filesystem calls an error."""
    code = error_code(errno)
    return _OTHER if code == "would-block" else (code, None)


def _kind(type_: FileType) -> tuple[str, Any]:
    """A type of file as a `descriptor-type`."""
    found = type_case(type_)
    return _OTHER if found[0] == "unknown" else found


def instant(nanoseconds: int) -> dict[str, int]:
    """A time as a record."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return {"seconds": seconds, "nanoseconds": rest}


def filesystem(call: Callable[..., Any]) -> Callable[..., Any]:
    """A worker of the file system: what it gives is `ok`, what goes wrong is an `error-code`."""

    def wrapped(*values: Any) -> Any:
        try:
            return "ok", call(*values)
        except WasiError as error:
            return "error", _case(error.errno)
        except OSError as error:
            return "error", _case(errno_of(error))

    return wrapped


def in_directory(call: Callable[..., Any]) -> Callable[..., Any]:
    """A worker that looks paths up: each descriptor it gets has to be a directory."""

    def wrapped(*values: Any) -> Any:
        for value in values:
            if isinstance(value, Preview3Descriptor):
                value.check_directory()
        return call(*values)

    return wrapped


class Preview3Descriptor(Preview2Descriptor):
    """A file or directory.

    Args:
        wasi: the state of the run, whose table has it.
        number: its number there.
        guests: the engine.
        kept: whether it stays open when the guest drops it: a directory of the context.
    """

    def __init__(self, wasi: Wasi, number: int, guests: Guests, *, kept: bool = False) -> None:
        super().__init__(wasi, number, kept=kept)
        self._guests = guests
        self._mutates = kept

    def _another(self, number: int) -> Preview3Descriptor:
        return Preview3Descriptor(self._wasi, number, self._guests)

    def open_at(
        self, path_flags: frozenset[str], path: str, open_flags: frozenset[str], flags: frozenset[str]
    ) -> Preview3Descriptor:
        """`open-at`: a file that is created can be written; one that is opened for neither can be read."""
        asked = flags & {"read", "write"}
        if not asked:
            flags |= {"read"}
        if "create" in open_flags:
            flags |= {"write"}
        opened = super().open_at(path_flags, path, open_flags, flags)
        assert isinstance(opened, Preview3Descriptor)  # noqa: S101 - `_another` made it
        opened._mutates = "mutate-directory" in flags  # noqa: SLF001 - one of this class
        return opened

    def get_flags(self) -> frozenset[str]:
        """`get-flags`; `mutate-directory` is shown as `open-at` was given it, and not enforced."""
        flags = super().get_flags()
        return flags if self._mutates else flags - {"mutate-directory"}

    def check_directory(self) -> None:
        """Refuse to look up a path in something that is not a directory."""
        if not isinstance(self._open, DirectoryDescriptor):
            raise WasiError(Errno.NOTDIR)

    def _shown(self, found: os.stat_result) -> dict[str, Any]:
        return {
            "type": _kind(file_type(found.st_mode)),
            "link-count": found.st_nlink,
            "size": found.st_size,
            "data-access-timestamp": ("some", instant(found.st_atime_ns)),
            "data-modification-timestamp": ("some", instant(found.st_mtime_ns)),
            "status-change-timestamp": ("some", instant(found.st_ctime_ns)),
        }

    def remove_directory_at(self, path: str) -> None:
        """`remove-directory-at`: a link followed by a slash is followed, and must not lead out."""
        if path.endswith("/"):
            self._stat_at(frozenset(), path)
        super().remove_directory_at(path)

    def kind(self) -> tuple[str, Any]:
        """`get-type`."""
        return _kind(self._open.file_type())

    # --- streams ----------------------------------------------------------------------------------------------------

    def read_stream(self, offset: int) -> tuple[Channel, Channel]:
        """`read-via-stream`."""
        opened = _attempt(lambda: self.read_via_stream(offset))

        def steps(stream: Channel) -> Generator[Any, None, None]:
            with contextlib.closing(opened()) as source:
                yield from read_all(source, stream)

        return given(self._guests, steps, _case)

    def write_stream(self, data: Channel, offset: int) -> Channel:
        """`write-via-stream`."""
        return self._write(data, _attempt(lambda: self.write_via_stream(offset)))

    def append_stream(self, data: Channel) -> Channel:
        """`append-via-stream`."""
        return self._write(data, _attempt(self.append_via_stream))

    def _write(self, data: Channel, opened: Callable[[], FileOutput]) -> Channel:
        def steps(stream: Channel) -> Generator[Any, None, None]:
            with contextlib.closing(opened()) as target:
                yield from write_all(target, stream)

        return taken(self._guests, data, steps, _case)

    def entries(self) -> tuple[Channel, Channel]:
        """`read-directory`."""
        opened = _attempt(lambda: in_directory(Preview3Descriptor.read_directory)(self))

        def steps(stream: Channel) -> Generator[Any, None, None]:
            for entry in opened().entries:
                shown = {"type": _kind(entry.type), "name": entry.name.decode()}
                if not (yield from stream.put([shown])):
                    return

        return given(self._guests, steps, _case)


def _attempt(open_: Callable[[], Any]) -> Callable[[], Any]:
    """Open it now; an error is raised only when the result is used."""
    try:
        opened = open_()
    except (WasiError, OSError) as error:
        failure = error

        def fails() -> Any:
            raise failure

        return fails
    return lambda: opened


_OWN: Final[Mapping[str, Callable[..., Any]]] = {
    "get-flags": Preview3Descriptor.get_flags,
    "get-type": Preview3Descriptor.kind,
    "open-at": Preview3Descriptor.open_at,
    "remove-directory-at": Preview3Descriptor.remove_directory_at,
}
_BY_STREAMS: Final = frozenset(
    {"read-via-stream", "write-via-stream", "append-via-stream", "read", "write", "read-directory"}
)
METHODS: Final[Mapping[str, tuple[str, Callable[..., Any]]]] = {
    name: (signature, _OWN.get(name, worker))
    for name, (signature, worker) in files.METHODS.items()
    if name not in _BY_STREAMS
}
"""The asynchronous methods of `descriptor` that give a result, typed as in 0.2: after `self` and before the error."""

_ENDED: Final = "future<result<_, $error-code>>"
STREAMS: Final[Mapping[str, tuple[str, Callable[..., Any]]]] = {
    "read-via-stream": (f", offset: u64) -> tuple<stream<u8>, {_ENDED}>", Preview3Descriptor.read_stream),
    "write-via-stream": (f", data: stream<u8>, offset: u64) -> {_ENDED}", Preview3Descriptor.write_stream),
    "append-via-stream": (f", data: stream<u8>) -> {_ENDED}", Preview3Descriptor.append_stream),
    "read-directory": (f") -> tuple<stream<$directory-entry>, {_ENDED}>", Preview3Descriptor.entries),
}
"""The methods with streams: the type after `self`."""
