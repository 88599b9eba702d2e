"""Short notes in a folder, that this user alone can have written: what was found out once, for the next process.

    FOLDER/HASH.json     {..., "time": ..., "proof": ...}; HASH is of the note's name
    FOLDER/key           of the proofs: HMAC-SHA256 with it, over the file's name, the time and the rest

A note is believed only when folder and file are ours and the proof is right, and for a while. Notes make things faster;
a note must not cause an action that would not be allowed without it, or that cannot be undone.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.base.files import make_folder, replace_file
from wasm2oci.base.folders import evict, folder_key, list_files, read_private, used
from wasm2oci.errors import LocalIOError, Wasm2OciError
from wasm2oci.oci.wire import load_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["BLOCK", "KINDS", "Notes"]

BLOCK: Final = 4096
"""Bytes of a note at most, and what it is counted for: that is what it takes on a disk."""
_DAY: Final = 24 * 3600
KINDS: Final = {"references": 30 * _DAY, "hosts": _DAY, "seen": 30 * _DAY}
"""The kinds of notes, each in a folder of its own, and the seconds for which they are believed."""


class Notes:
    """Notes of one kind, by name.

    Args:
        cache: the folder of all kinds; made when the first note is kept.
        kind: one of `KINDS`.
        now: seconds since 1970.
    """

    def __init__(self, cache: Path, kind: str, *, now: Callable[[], float] = time.time) -> None:
        self.folder = cache / kind
        self._now = now
        self._believed = KINDS[kind]

    def path(self, name: str) -> Path:
        """The file of a note."""
        return self.folder / f"{hashlib.sha256(name.encode()).hexdigest()}.json"

    def get(self, name: str) -> dict[str, Any] | None:
        """What a note says, or None when there is none that can be believed."""
        path, key = self.path(name), folder_key(self.folder)
        raw = read_private(path, BLOCK) if key is not None else None
        if key is None or raw is None:
            return None
        try:
            value = load_object(raw, "note")
        except Wasm2OciError:
            return None
        proof, when = value.pop("proof", None), value.get("time")
        right = isinstance(proof, str) and hmac.compare_digest(proof.encode(), _proof(key, path.name, value).encode())
        if not right or not isinstance(when, int) or not 0 <= self._now() - when < self._believed:
            return None
        used(path)
        return value

    def put(self, name: str, value: Mapping[str, Any]) -> None:
        """Keep a note, in the place of an older one of its name.

        Raises:
            LocalIOError: it cannot be written, or others could write there too.
        """
        make_folder(self.folder.parent, 0o700)
        key = folder_key(self.folder)
        if key is None:
            raise LocalIOError(f"{self.folder} can be written by other users: nothing is stored there")
        path, noted = self.path(name), {**value, "time": int(self._now())}
        data = json.dumps({**noted, "proof": _proof(key, path.name, noted)}).encode()
        replace_file(path, [data], 0o600, sync=False)

    def evict(self, limit: int) -> int:
        """Remove notes, the least recently used first, until the rest takes at most `limit` bytes; bytes removed."""
        return evict(list_files(self.folder, "*.json"), limit, block=BLOCK)


def _proof(key: bytes, name: str, value: Mapping[str, Any]) -> str:
    text = json.dumps([name, value], sort_keys=True)
    return hmac.digest(key, text.encode(), "sha256").hex()
