"""OCI image layouts as one tar file.

Reading takes content from where it is in the file: nothing is unpacked. The archive may come from a stranger: only
regular files of a layout's own names count, two of one name are refused, and all content is verified.

Writing makes a layout in a folder beside the file, from what the archive held before, and packs it again in the end:
the same content makes the same bytes. The file appears whole, or stays as it was; a new one has the permissions of the
one that it replaces, and a symbolic link to it stays.

Spec: image-spec, image-layout.md.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from wasm2oci.base.budget import Budget
from wasm2oci.base.files import TEMPORARY, FileNotThereError, ReadableFile, local_errors, make_folder, replace_file
from wasm2oci.base.tar import END, EntryKind, InvalidArchiveError, padding, read_entries, tar_header
from wasm2oci.content.layout import OciLayout
from wasm2oci.content.layout_reader import InvalidLayoutError, LayoutReader, check_marker
from wasm2oci.content.target import ContentNotFoundError
from wasm2oci.content.verify import CHUNK, SizeMismatchError, VerifiedContent
from wasm2oci.errors import IntegrityError, LocalIOError
from wasm2oci.oci.digest import Digest, InvalidDigestError
from wasm2oci.oci.layout_index import LAYOUT_MARKER
from wasm2oci.oci.reference import ARCHIVE_PREFIX
from wasm2oci.oci.wire import MANIFEST_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasm2oci.content.target import Content
    from wasm2oci.oci.descriptor import Descriptor

__all__ = ["ArchiveChangedError", "ArchiveWriter", "OciArchive"]

_ENTRIES_MAX: Final = 1_000_000
_INDEX: Final = "index.json"
_BLOB: Final = re.compile(r"blobs/([a-z0-9]{1,32})/([0-9a-f]{1,256})\Z")


class ArchiveChangedError(LocalIOError):
    """Another process wrote an archive while this one added to it."""


class _Member(NamedTuple):
    """Where a file of the archive is: the place of its first byte, and how many there are."""

    start: int
    size: int


class OciArchive(LayoutReader):
    """A tar file that holds an OCI image layout, for reading.

    Args:
        path: of the file.

    Raises:
        ContentNotFoundError: there is no such file.
        InvalidLayoutError: it is not a tar archive of an image layout.
        LocalIOError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._whole: set[Digest] = set()
        self._members: dict[str, _Member] = {}
        try:
            with local_errors(path):
                self._file = ReadableFile(path)
        except FileNotThereError as error:
            raise ContentNotFoundError(f"no such file: {path}") from error
        self._old_docker = False
        try:
            self._list()
        except InvalidArchiveError as error:
            hint = "unpack it with gunzip first" if self._file.read_at(0, 2) == b"\x1f\x8b" else None
            raise InvalidLayoutError(f"{path}: {error.message}", hint=hint) from error
        if LAYOUT_MARKER not in self._members or _INDEX not in self._members:
            hint = "archives of old docker are of another kind; save it again with docker 25 or later"
            hint = hint if self._old_docker else None
            raise InvalidLayoutError(f"{path} is not an archive of an OCI image layout", hint=hint)
        check_marker(self._small(LAYOUT_MARKER), path)

    def __str__(self) -> str:
        return f"{ARCHIVE_PREFIX}{self.path}"

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether the blob of this digest and size is here, and whole; see `ReadTarget.exists`."""
        if descriptor.digest in self._whole and self._size(descriptor.digest) == descriptor.size:
            return True
        try:
            for _ in self.fetch(descriptor):
                pass
        except (ContentNotFoundError, IntegrityError):
            return False
        self._whole.add(descriptor.digest)
        return True

    def fetch(self, descriptor: Descriptor) -> Content:
        """Verified content; see `ReadTarget.fetch`."""
        return VerifiedContent(descriptor, _MemberContent(self, descriptor))

    def files(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Every file of the layout, as it is: unverified."""
        for name, member in self._members.items():
            yield name, self.read(member)

    def member(self, digest: Digest) -> _Member | None:
        """Where this blob is."""
        return self._members.get(_blob_path(digest))

    def read(self, member: _Member) -> Iterator[bytes]:
        """The bytes of a file.

        Raises (when iterated):
            LocalIOError: it cannot be read.
        """
        at, end = member.start, member.start + member.size
        while at < end:
            with local_errors(self.path):
                chunk = self._file.read_at(at, min(CHUNK, end - at))
            if not chunk:
                raise LocalIOError(f"{self.path} became shorter while it was read")
            at += len(chunk)
            yield chunk

    @property
    def stamp(self) -> tuple[int, int, int]:
        """What changes when the file is replaced or written to."""
        return _stamp(self._file.status)

    @property
    def mode(self) -> int:
        """The permission bits of the file."""
        return stat.S_IMODE(self._file.status.st_mode)

    def _list(self) -> None:
        source = _FileSource(self._file)
        budget = Budget("archive has too many entries", InvalidArchiveError, entries=_ENTRIES_MAX)
        with local_errors(self.path):
            for entry, _ in read_entries(source, budget):
                if entry.kind is not EntryKind.FILE:
                    continue
                if entry.path not in {LAYOUT_MARKER, _INDEX} and not _is_blob(entry.path):
                    self._old_docker |= entry.path == "manifest.json"
                    continue
                if entry.path in self._members:
                    raise InvalidArchiveError(f"two files are called {entry.path}")
                self._members[entry.path] = _Member(source.position, entry.size)

    def _read_index(self) -> bytes:
        return self._small(_INDEX)

    def _size(self, digest: Digest) -> int | None:
        member = self.member(digest)
        return None if member is None else member.size

    def _small(self, name: str) -> bytes:
        member = self._members[name]
        if member.size > MANIFEST_MAX:
            raise InvalidLayoutError(f"{name} of {self.path} is larger than {MANIFEST_MAX:,} bytes")
        return b"".join(self.read(member))


class ArchiveWriter(OciLayout):
    """A layout that becomes an archive at `commit`; what the archive held before is in it.

    Args:
        path: of the archive, which may be absent.

    Raises:
        InvalidLayoutError: the file is something else.
        LocalIOError: the folder cannot be written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._real = Path(os.path.realpath(path))
        self._mode = 0o666
        self._before: tuple[int, int, int] | None = None
        folder = self._real.parent / f"{TEMPORARY}{os.urandom(8).hex()}"
        with local_errors(path):
            there = self._real.exists()
        archive = OciArchive(path) if there else None
        with local_errors(path):
            folder.mkdir(mode=0o700)
        try:
            if archive is not None:
                self._before, self._mode = archive.stamp, archive.mode
                for name, chunks in archive.files():
                    _unpack(folder / name, chunks)
            OciLayout.create(folder)
            super().__init__(folder)
        except BaseException:
            _remove(folder)
            raise

    def __str__(self) -> str:
        return f"{ARCHIVE_PREFIX}{self.path}"

    def commit(self) -> None:
        """Pack the layout into the file.

        Raises:
            ArchiveChangedError: another process wrote it meanwhile; its file stays.
            LocalIOError: it cannot be written; the old one stays.
        """
        try:
            replace_file(self._real, self._packed(), self._mode)
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove what was not packed; the file stays as it was."""
        _remove(self.folder)

    def _packed(self) -> Iterator[bytes]:
        for name in sorted(_layout_files(self.folder), key=lambda name: (name.startswith("blobs/"), name)):
            source = ReadableFile(self.folder / name, follow=False)
            try:
                yield tar_header(name, source.status.st_size)
                yield from source.chunks(CHUNK)
                yield padding(source.status.st_size)
            finally:
                source.close()
        yield END
        # The last bytes are given out only when the file is still the one that this began with.
        if _current_stamp(self._real) != self._before:
            raise ArchiveChangedError(f"{self.path} was written by another process", hint="try again")


class _FileSource:
    """The bytes of a file, as `read_entries` takes them: what is left out is not read."""

    def __init__(self, file: ReadableFile) -> None:
        self._file = file
        self.position = 0

    def some(self, size: int) -> bytes:
        """See `base.tar.TarSource`."""
        data = self._file.read_at(self.position, size)
        self.position += len(data)
        return data

    def skip(self, size: int) -> None:
        """See `base.tar.TarSource`."""
        if self.position + size > self._file.status.st_size:
            raise InvalidArchiveError("archive ends in the middle of a file")
        self.position += size


class _MemberContent:
    """A blob of an archive."""

    __slots__ = ("_archive", "_descriptor")

    def __init__(self, archive: OciArchive, descriptor: Descriptor) -> None:
        self._archive = archive
        self._descriptor = descriptor

    def __iter__(self) -> Iterator[bytes]:
        digest = self._descriptor.digest
        member = self._archive.member(digest)
        if member is None:
            raise ContentNotFoundError(f"{self._archive} has no {digest}")
        if member.size != self._descriptor.size:
            raise SizeMismatchError(f"{digest} is {member.size:,} bytes here, not {self._descriptor.size:,}")
        yield from self._archive.read(member)


def _blob_path(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.encoded}"


def _is_blob(path: str) -> bool:
    match = _BLOB.match(path)
    if match is None:
        return False
    try:
        Digest.parse(f"{match[1]}:{match[2]}")
    except InvalidDigestError:
        return False
    return True


def _unpack(path: Path, chunks: Iterator[bytes]) -> None:
    # A name of the archive that got here is one of a layout: no part of it leads out of the folder.
    make_folder(path.parent)
    replace_file(path, chunks, 0o600, sync=False)


def _layout_files(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if (name in {LAYOUT_MARKER, _INDEX} or _is_blob(name)) and path.is_file():
            yield name


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_mtime_ns, status.st_size


def _current_stamp(path: Path) -> tuple[int, int, int] | None:
    with suppress(FileNotFoundError):
        return _stamp(path.stat())
    return None


def _remove(folder: Path) -> None:
    from shutil import rmtree  # noqa: PLC0415 - only archives need it

    rmtree(folder, ignore_errors=True)
