"""Fairness between clients: turns for what costs the registry time, and whose share is the largest.

A client is known by its address; of IPv6 the first 64 bits count, since one machine has all that follow. Whatever there
is little of is shared by address first, so that many connections from one place do not take the places of others, and
then by caller (a user's name, a connection) within an address.
"""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict, deque
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from wasm2oci.server.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Effort", "Peer", "Turns"]

_NETWORK_BITS: Final = 64


class Peer(NamedTuple):
    """A client among those that share something scarce.

    Attributes:
        address: of the peer, as `of` makes it.
        caller: tells apart callers at one address; any text.
    """

    address: str = ""
    caller: str = ""

    @classmethod
    def of(cls, peer: str) -> Peer:
        """The client at `ADDRESS:PORT`, its port being the caller."""
        host, _, port = peer.rpartition(":")
        try:
            address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
        except ValueError:
            return cls(host, port)
        if isinstance(address, ipaddress.IPv6Address):
            if address.ipv4_mapped is not None:
                return cls(str(address.ipv4_mapped), port)
            return cls(f"{int(address) >> _NETWORK_BITS:x}::/{_NETWORK_BITS}", port)
        return cls(str(address), port)


class _Waiter:
    """One that waits: `decided` is set when it got a slot, or lost its place to another."""

    __slots__ = ("decided", "granted")

    def __init__(self) -> None:
        self.decided, self.granted = threading.Event(), False


class _Key(NamedTuple):
    late: bool
    caller: str


class Turns:
    """Slots for costly work. Callers get them in turn: one of each address, within it the one that waits least often.

    Args:
        slots: how much is done at once.
        waiting: how many of one address may wait. Beyond that the caller who waits most often, and late ones before
            others, loses one of its places.
        patience: seconds that one of them waits at most.
        spare: slots beside these for those that are not late, which then need not wait until a late one is done.
    """

    def __init__(self, slots: int, *, waiting: int = 64, patience: float = 20.0, spare: int = 0) -> None:
        self._slots, self._spare, self._most, self._patience = slots, spare, waiting, patience
        self._running = 0
        self._lock = threading.Lock()
        self._queues: OrderedDict[str, OrderedDict[_Key, deque[_Waiter]]] = OrderedDict()

    @contextmanager
    def turn(self, client: Peer, *, late: bool = False) -> Iterator[None]:
        """A slot for as long as the block runs.

        Args:
            client: who wants it.
            late: whether it comes after all others of its address.

        Raises:
            ProblemError: too many of this address wait already, or it took too long.
        """
        self._enter(client, _Key(late, client.caller))
        try:
            yield
        finally:
            self._leave()

    def waiting(self) -> dict[str, list[str]]:
        """The callers that wait, by address, each as often as it waits."""
        with self._lock:
            return {
                address: [key.caller for key, queue in callers.items() for _ in queue]
                for address, callers in self._queues.items()
            }

    def _enter(self, client: Peer, key: _Key) -> None:
        with self._lock:
            if self._has_slot(late=key.late):  # so none waits that could have it
                self._running += 1
                return
            waiter = _Waiter()
            callers = self._queues.setdefault(client.address, OrderedDict())
            callers.setdefault(key, deque()).append(waiter)
            if sum(map(len, callers.values())) > self._most:
                most = max(callers, key=lambda other: (other.late, len(callers[other])))
                loser = callers[most][-1]
                self._remove(client.address, most, loser)
                loser.decided.set()
        if not waiter.decided.wait(self._patience):
            with self._lock:
                if not waiter.decided.is_set():  # else just now
                    self._remove(client.address, key, waiter)
        if not waiter.granted:
            raise _busy()

    def _leave(self) -> None:
        with self._lock:
            self._running -= 1
            for address, callers in self._queues.items():  # noqa: B007 - used behind the loop
                key = min(callers, key=lambda other: (other.late, len(callers[other])))
                if self._has_slot(late=key.late):
                    break
            else:
                return
            self._running += 1
            del self._queues[address]
            queue = callers.pop(key)
            waiter = queue.popleft()
            waiter.granted = True
            waiter.decided.set()
            # Those that go on waiting are last in the next round.
            if queue:
                callers[key] = queue
            if callers:
                self._queues[address] = callers

    def _has_slot(self, *, late: bool) -> bool:
        return self._running < self._slots + (0 if late else self._spare)

    def _remove(self, address: str, key: _Key, waiter: _Waiter) -> None:
        callers = self._queues[address]
        callers[key].remove(waiter)
        if not callers[key]:
            del callers[key]
        if not callers:
            del self._queues[address]


class Effort:
    """The work of one request: what is little is done at once, what is more waits for its turn first.

    A context manager: the turn, if there was one, ends with the block.

    Args:
        turns: shared with other requests.
        client: who made the request.
        free: bytes that may be worked through before that.
    """

    __slots__ = ("_client", "_left", "_stack", "_taken", "_turns")

    def __init__(self, turns: Turns, client: Peer, *, free: int = 256 << 10) -> None:
        self._turns, self._client, self._left = turns, client, free
        self._stack, self._taken = ExitStack(), False

    def spend(self, size: int) -> None:
        """So many bytes are going to be worked through.

        Raises:
            ProblemError: that needs a turn, and too many wait for theirs.
        """
        self._left -= size
        if self._left < 0:
            self.take_turn()

    def take_turn(self) -> None:
        """Wait for a turn, unless this request has it already.

        Raises:
            ProblemError: too many wait for theirs.
        """
        if not self._taken:
            self._stack.enter_context(self._turns.turn(self._client))
            self._taken = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._stack.close()


def _busy() -> ProblemError:
    return ProblemError(
        "TOOMANYREQUESTS", "too many requests from this address wait for their turn", headers=(("Retry-After", "1"),)
    )
