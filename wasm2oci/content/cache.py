"""A store of blobs by digest on this machine, so that nothing is downloaded twice, and of what references meant.

The rules:

* A cache is never trusted: a file is hashed before its first byte is given out; a wrong one is removed, and the
  content comes from the source again.
* A cache is never needed: when it cannot be written (disk full, read-only home) the operation goes on without it.
* Several processes may use it at once: files appear whole by a rename, and removing one that is read harms no reader.
* What a reference meant is believed only when this user alone can have written it (the folder and the file are ours,
  and the file's proof is by a key in that folder), and for 30 days.
* It stays below its limit: the least recently used blob goes first (LRU), and so does a reference below its own.

    FOLDER/blobs/ALGORITHM/ENCODED        time of modification = time of last use
    FOLDER/partial/                       see `partial`
    FOLDER/references/                    the descriptor that each reference meant when it was last fetched; see `notes`
    FOLDER/hosts/, FOLDER/seen/           what was found out about registries; see `registry.found_out`
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from wasm2oci.base.files import FileNotThereError, NewFile, ReadableFile, is_linked, make_folder
from wasm2oci.base.folders import FolderLock, LocksUnavailableError, evict, list_files, used
from wasm2oci.base.homes import cache_folder
from wasm2oci.content.notes import BLOCK, KINDS, Notes
from wasm2oci.content.partial import drop_beginnings, find_beginning, keep_beginning
from wasm2oci.content.target import Resumer
from wasm2oci.content.verify import CHUNK, CheckedBytes, SelfVerifying, VerifiedContent, verified
from wasm2oci.errors import IntegrityError, LocalIOError, Wasm2OciError
from wasm2oci.oci.descriptor import Descriptor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from wasm2oci.content.partial import Beginning
    from wasm2oci.content.target import Content, ReadTarget
    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.reference import Name, Reference

__all__ = ["LIMIT", "SHARE", "Cache", "CachedTarget", "cache_folder"]

LIMIT: Final = 2 * 1024**3
"""Bytes that a cache holds by default (2 GiB)."""

SHARE: Final = 8
"""A blob that takes more than this part of the limit is not kept: it would drive out everything else."""

_NOTES: Final = 4096 * BLOCK
"""Bytes that the notes of one folder take beside the blobs at most."""

_IN_MEMORY: Final = 8 << 20
"""Bytes up to which a cached blob is read and hashed in one go; a larger one is read twice."""


class Cache:
    """Blobs by digest in a folder.

    Args:
        folder: where; made when the first blob is kept, readable by its owner only.
        limit: bytes that all blobs together may take.
        now: seconds since 1970.
    """

    def __init__(self, folder: Path, limit: int = LIMIT, *, now: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self.limit = limit
        self._references = Notes(folder, "references", now=now)

    def find(self, descriptor: Descriptor) -> SelfVerifying | None:
        """This blob, its bytes checked already, or None; a file with wrong bytes is removed."""
        path = self._path(descriptor)
        if is_linked(self.folder, path):
            return None
        try:
            file = ReadableFile(path, follow=False)  # which stays what it is when another process makes room
        except (OSError, LocalIOError):
            return None
        content = VerifiedContent(descriptor, _Opened(file))
        try:
            found: SelfVerifying = content
            if descriptor.size <= _IN_MEMORY:
                found = CheckedBytes(descriptor, content)
                file.close()
            else:
                for _ in content:
                    pass
        except IntegrityError:
            file.close()
            self.drop(descriptor)
            return None
        except OSError:
            file.close()
            return None
        used(path)
        return found

    def holds(self, descriptor: Descriptor) -> bool:
        """Whether there is a file for this blob, of its size; its bytes are not checked here."""
        try:
            return self._path(descriptor).stat().st_size == descriptor.size
        except OSError:
            return False

    def keep(self, descriptor: Descriptor, content: Content) -> None:
        """Keep this content, then make room if there is too much.

        Raises:
            IntegrityError: the bytes are not those of the descriptor; nothing was kept.
            LocalIOError: it cannot be written.
        """
        file = self.open(descriptor)
        if file is None:
            return
        try:
            for chunk in verified(content, descriptor):
                file.write(chunk)
        except BaseException:
            file.discard()
            raise
        self.commit(file)

    def open(self, descriptor: Descriptor) -> NewFile | None:
        """A file for bytes that the caller checks before `commit`; None when the blob is too large.

        Raises:
            LocalIOError: it cannot be written.
        """
        if descriptor.size > self.limit // SHARE:
            return None
        path = self._path(descriptor)
        with _unwritable():
            for folder in (self.folder, path.parent.parent, path.parent):
                make_folder(folder, 0o700)
            if is_linked(self.folder, path):
                raise LocalIOError(f"{path} is a symbolic link, or one is on the way to it")
            # What a power cut leaves half-written is noticed when it is read, so nothing waits for the disk.
            return NewFile(path, 0o600, sync=False)

    def commit(self, file: NewFile) -> None:
        """Take this file in, and make room if there is too much now.

        Raises:
            LocalIOError: it cannot be written.
        """
        with _unwritable():
            file.commit()
        self.prune(self.limit)

    def drop(self, descriptor: Descriptor) -> None:
        """Remove this blob, if it is there."""
        with suppress(OSError):
            self._path(descriptor).unlink()

    def recall(self, reference: Reference) -> Descriptor | None:
        """The descriptor of the manifest that a reference meant when it was last fetched, if that is remembered."""
        known = self._recall(_key(reference))
        return known if known is not None and reference.digest in {None, known.digest} else None

    def recall_about(self, subject: Digest) -> Descriptor | None:
        """The blob that `remember_about` named for this manifest."""
        return self._recall(_key_about(subject))

    def _recall(self, name: str) -> Descriptor | None:
        value = self._references.get(name)
        try:
            return None if value is None else Descriptor.from_json(value.get("descriptor"), "reference")
        except Wasm2OciError:
            return None

    def remember(self, reference: Reference, root: Descriptor) -> None:
        """Keep what a reference means now, under the reference and under its digest.

        Raises:
            LocalIOError: it cannot be written, or others could write there too.
        """
        self._remember({_key(reference), _key(reference.with_digest(root.digest))}, root)

    def remember_about(self, subject: Digest, blob: Descriptor) -> None:
        """Keep which blob has what belongs to a manifest, such as its signatures.

        Raises:
            LocalIOError: see `remember`.
        """
        self._remember({_key_about(subject)}, blob)

    def _remember(self, names: Iterable[str], meant: Descriptor) -> None:
        descriptor = Descriptor(meant.media_type, meant.digest, meant.size).to_json()
        with _unwritable():
            for name in names:
                self._references.put(name, {"descriptor": descriptor})
        self.prune(self.limit)

    def to_prune(self, limit: int) -> tuple[int, list[Path]]:
        """How many bytes `prune` would remove, and which files."""
        found: list[Path] = []
        return evict(self._evictable(), limit, remove=found.append), found

    def prune(self, limit: int) -> int:
        """Remove files, the least recently used first, until the rest takes at most `limit` bytes.

        No process waits: one that was stopped while it holds the lock would stop all others. Where the file system
        has no locks, two processes at once may remove a little more than they must.

        Args:
            limit: bytes; 0 empties the cache.

        Returns:
            Bytes that were removed; 0 also when another process makes room at this moment.

        Raises:
            LocalIOError: the folder cannot be read.
        """
        try:
            with FolderLock(self.folder, wait=False):
                return self._evict(limit)
        except LocksUnavailableError:
            return self._evict(limit)
        except (FileNotFoundError, BlockingIOError):
            return 0
        except OSError as error:
            raise LocalIOError(f"{self.folder}: {error.strerror}") from error

    def size(self) -> int:
        """Bytes that all blobs take together."""
        total = 0
        for path in list_files(self.folder, "blobs/*/*"):
            with suppress(OSError):
                total += path.stat().st_size
        return total

    def _path(self, descriptor: Descriptor) -> Path:
        return self.folder / "blobs" / descriptor.digest.algorithm / descriptor.digest.encoded

    def _evictable(self) -> list[Path]:
        return list_files(self.folder, "blobs/*/*") + list_files(self.folder, "partial/*/*")

    def _evict(self, limit: int) -> int:
        removed = evict(self._evictable(), limit)
        return removed + sum(notes.evict(min(limit, _NOTES)) for notes in (Notes(self.folder, kind) for kind in KINDS))


def _key(reference: Reference) -> str:
    # With a digest, the digest alone says what is meant, whichever tag or repository it was fetched by.
    return str(reference.digest) if reference.digest is not None else str(reference)


def _key_about(subject: Digest) -> str:
    return f"about {subject}"


@contextmanager
def _unwritable() -> Iterator[None]:
    # "No such folder" too means here that the cache cannot be written, not that something asked for is missing.
    try:
        yield
    except FileNotThereError as error:
        raise LocalIOError(error.message) from error


class _Opened:
    """A file that is open, as content."""

    __slots__ = ("_file",)

    def __init__(self, file: ReadableFile) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        return self._file.chunks(CHUNK)


class CachedTarget:
    """A place to read from, with a cache before it: what is in the cache is not fetched again, what is fetched is kept.

    Args:
        source: where content really is; tags are always resolved there.
        cache: what is asked first.
    """

    def __init__(self, source: ReadTarget, cache: Cache) -> None:
        self._source = source
        self._cache = cache

    def __str__(self) -> str:
        return str(self._source)

    def resolve(self, name: Name) -> Descriptor:
        """Ask the source; see `ReadTarget.resolve`."""
        return self._source.resolve(name)

    def exists(self, descriptor: Descriptor) -> bool:
        """Ask the source; see `ReadTarget.exists`."""
        return self._source.exists(descriptor)

    def fetch(self, descriptor: Descriptor) -> Content:
        """Verified content from the cache or the source; see `ReadTarget.fetch`."""
        return _Cached(descriptor, self._source, self._cache)


class _Cached(SelfVerifying):
    """Content that looks into the cache when it is iterated, and fills it when it has to go to the source."""

    __slots__ = ("_cache", "_source")

    def __init__(self, descriptor: Descriptor, source: ReadTarget, cache: Cache) -> None:
        super().__init__(descriptor)
        self._source = source
        self._cache = cache

    def __iter__(self) -> Iterator[bytes]:
        descriptor = self.descriptor
        found = self._cache.find(descriptor)
        if found is not None:
            yield from found
            return
        fetched = self._fetched()
        try:
            file = self._cache.open(descriptor)
        except LocalIOError:
            file = None
        try:
            for chunk in fetched:
                if file is not None:
                    file = _write(file, chunk)
                yield chunk
        except IntegrityError:
            if file is not None:
                file.discard()
            raise
        except BaseException:  # the source failed, the user interrupted, or the reader went away before the end
            if file is not None:
                keep_beginning(self._cache.folder, descriptor, file)
            raise
        if file is not None:
            with suppress(LocalIOError):
                self._cache.commit(file)

    def _fetched(self) -> SelfVerifying:
        """The content from the source; only its rest, where the beginning was kept."""
        descriptor, source = self.descriptor, self._source
        if isinstance(source, Resumer) and not descriptor.is_manifest:
            beginning = find_beginning(self._cache.folder, descriptor)
            if beginning is not None:
                drop_beginnings(self._cache.folder, descriptor)  # what is read on is kept, if this breaks off too
                return VerifiedContent(descriptor, _Joined(beginning, source.fetch_rest(descriptor, beginning.size)))
        return verified(source.fetch(descriptor), descriptor)


class _Joined:
    """The beginning of a blob and its rest, as content."""

    __slots__ = ("_beginning", "_rest")

    def __init__(self, beginning: Beginning, rest: Content) -> None:
        self._beginning = beginning
        self._rest = rest

    def __iter__(self) -> Iterator[bytes]:
        return self._beginning.followed_by(self._rest)


def _write(file: NewFile, chunk: bytes) -> NewFile | None:
    try:
        file.write(chunk)
    except LocalIOError:
        file.discard()
        return None
    return file
