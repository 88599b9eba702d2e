"""Generated code on disk, for the next process: one file for each module and set of options.

`marshal` must never read bytes that another user wrote, so a file counts only if

- the folder and the file belong to this user and no other user may write them,
- its tag is right: an HMAC-SHA256 over all of it, keyed by a random key in the same folder that only the user may read,
- it was written for this module, these options, this version of the translator and this version of Python.

Any other file is ignored. Writers put a new file beside the old one and rename it; what two processes found
out at the same time is merged by the later process, or lost, never mixed. A new module's file makes room first: see
`base.folders.evict`.

Layout of a file, numbers little-endian: magic (8), tag (32), then what the tag covers: header (marshal, length u32
before it), then entries back to back. The header has `key`, and `index`: for each function (number, start, end)
relative to the first entry. An entry is marshal of (code, tails, line offsets), and is unmarshalled when asked for.
"""

from __future__ import annotations

import hashlib
import hmac
import marshal
import sys
from array import array
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.base.files import replace_file
from wasm2oci.base.folders import CODE_LIMIT, evict, folder_key, list_files, read_private, used
from wasm2oci.base.records import NamedTuple
from wasm2oci.errors import LocalIOError
from wasm2oci.version import __version__

if TYPE_CHECKING:
    from pathlib import Path
    from types import CodeType

    from wasm2oci.engine.translate.options import Options

__all__ = ["CodeCache", "Entry"]

MAGIC: Final = b"w2ocode\x01"
TRANSLATOR: Final = 9
"""Counts changes of what generated code looks like or needs; `key` has it beside the tool's own version."""
KEY_NAME: Final = "key"
SUFFIX: Final = ".code"


class Entry(NamedTuple):
    """A function's code, whether it returns `TailCall`s, and the offset of each of its lines."""

    code: CodeType
    tails: bool
    offsets: array[int]  # not subscriptable at run time before 3.12


class CodeCache:
    """The cached code of one module.

    Args:
        folder: made if it is absent; shared by all modules. None: code is kept for this process only.
        digest: SHA-256 of the module, in hexadecimal.
        options: what the code was asked to be able to do.
        features: what was allowed when the module was validated, as a text.
        limit: bytes all files of the folder together may take; what was used longest ago goes first.

    Attributes:
        known: a file was there and is ours: this module was validated when it was written.
    """

    def __init__(
        self, folder: Path | None, digest: str, options: Options, features: str = "", *, limit: int = CODE_LIMIT
    ) -> None:
        python = f"{sys.implementation.cache_tag} {sys.hexversion:x}"
        self._key = f"{__version__} {TRANSLATOR} {python} {digest} {options.key} {features}"
        self.digest = digest
        self.features = features
        self.known = False
        self._live: dict[int, Entry] = {}
        self._entries: dict[int, memoryview] = {}
        self._new: set[int] = set()
        self._secret: bytes | None = None
        self._limit = limit
        if folder is None:
            return
        name = hashlib.sha256(self._key.encode()).hexdigest()[:40]
        self._folder = folder
        self.path = folder / f"{name}{SUFFIX}"
        self._secret = folder_key(folder)  # None where the folder is not ours alone
        self.known = self._secret is not None and self._load()

    def _tag(self, content: bytes | memoryview) -> bytes:
        return hmac.digest(self._secret or b"", content, "sha256")

    def _load(self) -> bool:
        """Reads the file, if it is one of ours."""
        found = self._parse(read_private(self.path, CODE_LIMIT))
        if found is None:
            return False
        self._entries = found
        used(self.path)
        return True

    def _parse(self, content: bytes | None) -> dict[int, memoryview] | None:
        if content is None or content[: len(MAGIC)] != MAGIC or len(content) < len(MAGIC) + 36:
            return None
        view = memoryview(content)
        covered = view[len(MAGIC) + 32 :]
        if not hmac.compare_digest(self._tag(covered), view[len(MAGIC) : len(MAGIC) + 32]):
            return None
        size = int.from_bytes(covered[:4], "little")
        header: dict[str, Any] = marshal.loads(covered[4 : 4 + size])  # noqa: S302 - authenticated above
        if header["key"] != self._key:
            return None
        entries = covered[4 + size :]
        return {number: entries[start:end] for number, start, end in header["index"]}

    def get(self, index: int) -> Entry | None:
        """A function's code, or None."""
        entry = self._live.get(index)
        if entry is None and (raw := self._entries.get(index)) is not None:
            code, tails, offsets = marshal.loads(raw)  # noqa: S302 - authenticated above
            entry = self._live[index] = Entry(code, tails, array("I", offsets))
        return entry

    def put(self, index: int, entry: Entry) -> None:
        """Remembers a function's code, for other instances and for `save`."""
        self._live[index] = entry
        if self._secret is not None:
            self._new.add(index)

    def save(self, *, empty: bool = False) -> None:
        """Writes what is new, together with what others wrote since; a folder that cannot be written is no error.

        Args:
            empty: write a file even without code, to remember that the module is valid.
        """
        if self._secret is None or not (self._new or (empty and not self.known)):
            return
        entries: dict[int, bytes | memoryview] = dict(self._parse(read_private(self.path, CODE_LIMIT)) or self._entries)
        new = set(self._new)  # while this is written other threads may find more
        for number in new:
            entry = self._live[number]
            entries[number] = marshal.dumps((entry.code, entry.tails, entry.offsets.tobytes()))
        index: list[tuple[int, int, int]] = []
        at = 0
        for number, raw in sorted(entries.items()):
            index.append((number, at, at + len(raw)))
            at += len(raw)
        header = marshal.dumps({"key": self._key, "index": index})
        covered = b"".join((len(header).to_bytes(4, "little"), header, *(entries[number] for number, _, _ in index)))
        content = MAGIC + self._tag(covered) + covered
        if not self.known:
            others = (path for path in list_files(self._folder, "*") if path.name != KEY_NAME)
            evict(others, max(0, self._limit - len(content)))
        with suppress(LocalIOError):
            replace_file(self.path, [content], 0o600, sync=False)
            self._entries = {number: memoryview(raw) for number, raw in entries.items()}
            self._new -= new
            self.known = True
