"""Uploads that are under way: sessions, their running hash, and the collection of the abandoned ones.

    POST -> open (0 bytes) -> PATCH ... -> open (n bytes) -> PUT -> a blob
                                 |-> DELETE, a wrong digest, or an hour of silence -> nothing

When there are as many as may be, a new one takes the place of one that holds the fewest rights: of the client that has
the most, the one that was silent for longest, and only if nothing was sent to it or it was silent for a minute.

A session belongs to the repository it was opened in, and one request at a time may change it. Sessions live in the
memory of the process, so a registry that starts again knows none: their clients get 404 and begin again.
Spec: distribution-spec, Pushing a blob in chunks, end-4 to end-6, end-13 and end-14.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from typing import TYPE_CHECKING, Final

from wasm2oci.oci.digest import Hasher
from wasm2oci.server.fairness import Peer
from wasm2oci.server.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wasm2oci.oci.digest import Digest
    from wasm2oci.server.messages import Buffer
    from wasm2oci.server.storage import BlobWriter, Storage

__all__ = ["UploadSession", "Uploads"]

_SILENT: Final = 60.0
"""Seconds without a byte after which an upload that has some may make room for another."""
_ID: Final = re.compile(r"[0-9a-f]{32}\Z")


class UploadSession:
    """One upload: what arrived so far and its hash. A thread that changes it holds `lock`."""

    __slots__ = ("_hasher", "_writer", "client", "id", "lock", "repository", "used")

    def __init__(self, name: str, repository: str, hasher: Hasher, writer: BlobWriter, client: Peer) -> None:
        self.id, self.repository, self.client, self.used = name, repository, client, 0.0
        self.lock = threading.Lock()
        self._hasher, self._writer = hasher, writer

    @property
    def size(self) -> int:
        """Bytes that arrived."""
        return self._writer.size

    def append(self, body: Iterable[Buffer], limit: int) -> None:
        """Take bytes; those that arrived before an error stay, so that an upload can go on from there.

        Raises:
            ProblemError: more than `limit` bytes in all.
            BrokenBodyError: from the body.
            LocalIOError: from the storage.
        """
        writer, hasher = self._writer, self._hasher
        try:
            for piece in body:
                if writer.size + len(piece) > limit:
                    raise ProblemError("SIZE_INVALID", f"blob is larger than {limit:,} bytes", status=413)
                writer.write(piece)
                hasher.update(piece)
        finally:
            writer.rest()

    def expect(self, algorithm: str) -> None:
        """Hash by this algorithm from here on, if nothing was hashed yet; otherwise `finish` reads all again."""
        if self.size == 0:
            self._hasher = Hasher(algorithm)

    def finish(self, digest: Digest) -> None:
        """Make it a blob.

        Raises:
            ProblemError: the bytes have another digest; they are gone.
        """
        hasher = self._hasher
        if hasher.algorithm != digest.algorithm:
            hasher = digest.hasher().consume(self._writer.read_back())
        found = hasher.digest()
        if found != digest:
            self.cancel()
            raise ProblemError("DIGEST_INVALID", f"content has digest {found}, not {digest}")
        self._writer.commit(self.repository, digest)

    def cancel(self) -> None:
        """Forget the bytes."""
        self._writer.discard()


class Uploads:
    """All sessions of a registry.

    Args:
        storage: where their bytes go.
        now: the clock, in seconds that only grow.
        new_id: makes 32 lowercase hex digits that cannot be guessed.
        idle: seconds of silence after which a session is abandoned.
        most: sessions at once; above it a new one replaces another (see the module), or is refused.
    """

    def __init__(
        self, storage: Storage, now: Callable[[], float], new_id: Callable[[], str], *, idle: float, most: int
    ) -> None:
        self._storage, self._now, self._new_id = storage, now, new_id
        self._idle, self._most = idle, most
        self._lock = threading.Lock()
        self._sessions: dict[str, UploadSession] = {}

    def start(self, repository: str, algorithm: str, client: Peer | None = None) -> UploadSession:
        """A new session of this client.

        Raises:
            ProblemError: there are too many, and none may be dropped for it.
        """
        self.collect()
        dropped = None
        with self._lock:
            if len(self._sessions) >= self._most:
                dropped = self._least_entitled()
                if dropped is None:
                    raise ProblemError("TOOMANYREQUESTS", "too many uploads are open", headers=(("Retry-After", "5"),))
                del self._sessions[dropped.id]
            session = UploadSession(
                self._new_id(), repository, Hasher(algorithm), self._storage.new_blob(), client or Peer()
            )
            session.used = self._now()
            self._sessions[session.id] = session
        if dropped is not None:
            dropped.cancel()
            dropped.lock.release()
        return session

    def _least_entitled(self) -> UploadSession | None:
        """The session that makes room for another, its lock taken; None when none may."""
        addresses = Counter(session.client.address for session in self._sessions.values())
        callers = Counter(session.client for session in self._sessions.values())
        silent = self._now() - _SILENT
        # Sessions stand in the order of their last use, so of equals the one that was silent for longest is first.
        by_share = sorted(
            self._sessions.values(), key=lambda one: (-addresses[one.client.address], -callers[one.client])
        )
        for session in by_share:
            if (session.size == 0 or session.used < silent) and session.lock.acquire(blocking=False):
                return session
        return None

    def get(self, repository: str, name: str) -> UploadSession:
        """The session of this id in this repository.

        Raises:
            ProblemError: there is none.
        """
        with self._lock:
            session = self._sessions.get(name) if _ID.match(name) else None
            if session is None or session.repository != repository:
                raise ProblemError("BLOB_UPLOAD_UNKNOWN")
            session.used = self._now()
            # Kept in the order of last use, so that the abandoned ones are at the front.
            self._sessions[name] = self._sessions.pop(name)
            return session

    def touch(self, session: UploadSession) -> None:
        """Say that it was used just now."""
        with self._lock:
            session.used = self._now()

    def end(self, session: UploadSession) -> None:
        """Forget it; its bytes are a blob by now, or are dropped."""
        with self._lock:
            self._sessions.pop(session.id, None)
        session.cancel()

    def collect(self, *, everything: bool = False) -> int:
        """Drop sessions that were silent for too long (or all of them); says how many."""
        with self._lock:
            limit = self._now() - self._idle
            old = [session for session in self._sessions.values() if everything or session.used < limit]
            # A session whose lock is held is being written to right now: slow, not abandoned.
            old = [session for session in old if everything or session.lock.acquire(blocking=False)]
            for session in old:
                del self._sessions[session.id]
        for session in old:
            session.cancel()
        return len(old)
