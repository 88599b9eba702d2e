"""Streams and futures, and the ends of them that guests have. Spec: component model, CanonicalABI.md, stream state.

A stream keeps no values. The first of a read and a write waits for the other, and then the values are copied.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from wasm2oci.engine.component.abi import trap_if
from wasm2oci.engine.component.concurrency.activities import GuestWait
from wasm2oci.engine.component.concurrency.buffers import HostBuffer, HostRoom
from wasm2oci.engine.component.concurrency.same import same_type
from wasm2oci.engine.component.concurrency.waitables import Waitable
from wasm2oci.engine.syntax.values import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from wasm2oci.engine.component.concurrency.buffers import Buffer
    from wasm2oci.engine.syntax.values import ValueType

__all__ = ["Copy", "CopyCode", "CopyEnd", "CopyState", "ReadableEnd", "SharedFuture", "SharedStream", "WritableEnd"]

_NUMBERS = frozenset({"u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "f32", "f64"})


class CopyCode(IntEnum):
    """How a read or write ended."""

    COMPLETED = 0
    DROPPED = 1
    CANCELLED = 2


class Copy(NamedTuple):
    """A read or write.

    Attributes:
        owner: the instance that reads or writes; None for the host.
        buffer: the values, or the room for them.
        some: called when values were copied and more may be: gets what gives the buffer back.
        done: called when it is over.
    """

    owner: object
    buffer: Buffer
    some: Callable[[Callable[[], None]], object]
    done: Callable[[CopyCode], object]


class SharedBase:
    """What both ends of a stream or future share.

    Args:
        type_: the type of the stream or future; None where the host made it, until a guest gets it.

    Attributes:
        dropped: whether an end was dropped.
        pending: the read or write that waits for the other end.
    """

    kind: ClassVar[str]

    def __init__(self, type_: ValueType | None = None) -> None:
        self.type = type_
        self.dropped = False
        self.pending: Copy | None = None

    def readable(self, type_: ValueType) -> ReadableEnd:
        """An end for the guest that gets it, by its name for the type."""
        if self.type is None:
            self.type = type_
        return ReadableEnd(self)

    def cancel(self) -> None:
        """Ends the read or write that waits."""
        self._finish(CopyCode.CANCELLED)

    def drop(self) -> None:
        """One end is dropped."""
        if not self.dropped:
            self.dropped = True
            if self.pending is not None:
                self._finish(CopyCode.DROPPED)

    def _finish(self, result: CopyCode) -> None:
        pending, self.pending = self.pending, None
        assert pending is not None  # noqa: S101 - the callers have asked
        pending.done(result)

    def _give_back(self) -> None:
        self.pending = None

    def _check_owner(self, copy: Copy, pending: Copy) -> None:
        """Refuses what the specification refuses for now."""
        element = None if self.type is None else self.type.types[0]
        counted = element is None or kind_of(element) in _NUMBERS
        trap_if(
            copy.owner is not None and copy.owner is pending.owner and not counted,
            f"cannot read from and write to intra-component {self.kind} with non-numeric payload",
        )

    def copy(self, copy: Copy, *, reads: bool) -> None:
        """Reads or writes, or waits for the other end to do so."""
        pending = self.pending
        if self.dropped:
            copy.done(CopyCode.DROPPED)
        elif pending is None:
            self.pending = copy
        else:
            self._check_owner(copy, pending)
            self._meet(copy, pending, reads=reads)

    def _meet(self, copy: Copy, pending: Copy, *, reads: bool) -> None:
        """A read or write comes to what waits for it."""
        raise AssertionError(copy, pending, reads)

    # --- an end of the host's: steps of an activity -----------------------------------------------------------------

    def put(self, values: Sequence[Any]) -> Generator[GuestWait, None, bool]:
        """Writes values of the host; whether a guest took all of them."""
        buffer = HostBuffer(values)
        while buffer.left:
            results: list[CopyCode] = []

            def some(give_back: Callable[[], None], results: list[CopyCode] = results) -> None:
                if not buffer.left:
                    give_back()
                    results.append(CopyCode.COMPLETED)

            self.copy(Copy(None, buffer, some, results.append), reads=False)
            yield from _ended(results)
            if results[0] is CopyCode.DROPPED:
                return not buffer.left
        return True

    def take(self, most: int) -> Generator[GuestWait, None, Sequence[Any] | None]:
        """Reads at most so many values of a guest; None at the end."""
        room = HostRoom(most)
        while not room.progress:
            results: list[CopyCode] = []

            def some(give_back: Callable[[], None], results: list[CopyCode] = results) -> None:
                give_back()
                results.append(CopyCode.COMPLETED)

            self.copy(Copy(None, room, some, results.append), reads=True)
            yield from _ended(results)
            if results[0] is CopyCode.DROPPED and not room.progress:
                return None
        return room.values

    def wanted(self) -> Generator[GuestWait, None, int]:
        """Waits until a guest reads; how many values it takes, or 0 when it takes none any more."""
        if not (self.dropped or self._asked()):
            yield GuestWait(lambda: self.dropped or self._asked() > 0)
        return 0 if self.dropped else self._asked()

    def _asked(self) -> int:
        """How many values a read waits for; one, where it only waits until there are some."""
        buffer = None if self.pending is None else self.pending.buffer
        return 0 if buffer is None else buffer.left if buffer.length else 1


def _ended(results: Sequence[object]) -> Generator[GuestWait, None, None]:
    if not results:
        yield GuestWait(lambda: bool(results))


class SharedStream(SharedBase):
    """A stream."""

    kind = "stream"

    def _meet(self, copy: Copy, pending: Copy, *, reads: bool) -> None:
        if pending.buffer.left:
            if copy.buffer.left:
                _move(copy, pending, min(copy.buffer.left, pending.buffer.left), reads=reads)
                pending.some(self._give_back)
            copy.done(CopyCode.COMPLETED)
        elif not reads and not copy.buffer.length and not pending.buffer.length:
            copy.done(CopyCode.COMPLETED)
        else:
            self._finish(CopyCode.COMPLETED)
            self.pending = copy


class SharedFuture(SharedBase):
    """A future."""

    kind = "future"

    def _meet(self, copy: Copy, pending: Copy, *, reads: bool) -> None:
        _move(copy, pending, 1, reads=reads)
        self._finish(CopyCode.COMPLETED)
        copy.done(CopyCode.COMPLETED)


def _move(copy: Copy, pending: Copy, count: int, *, reads: bool) -> None:
    """Copies values from the one that writes to the one that reads."""
    source, target = (pending, copy) if reads else (copy, pending)
    target.buffer.write(source.buffer.read(count))


class CopyState(Enum):
    """What an end does."""

    IDLE = 1
    SYNC_COPYING = 2
    ASYNC_COPYING = 3
    CANCELLING_COPY = 4
    DONE = 5


class CopyEnd(Waitable):
    """An end of a stream or future.

    Args:
        shared: the stream or future.

    Attributes:
        state: what it does.
        copying: the read or write that began last.
    """

    __slots__ = ("copying", "shared", "state")

    reads: ClassVar[bool]

    def __init__(self, shared: SharedBase) -> None:
        super().__init__()
        self.shared = shared
        self.copying: Copy | None = None
        self.state = CopyState.IDLE

    def check_drop(self) -> None:
        """See `Entry.check_drop`."""
        kind = self.shared.kind
        trap_if(self.state not in {CopyState.IDLE, CopyState.DONE}, f"cannot remove busy {kind}")
        if isinstance(self.shared, SharedFuture) and not self.reads:
            trap_if(self.state is not CopyState.DONE, "cannot drop future write end without first writing a value")
        self.shared.drop()
        self.join(None)

    def cancel(self) -> None:
        """Ends the read or write, unless it has ended: one that copied some ends, too."""
        if self.shared.pending is self.copying:
            self.shared.cancel()

    def check_type(self, type_: ValueType) -> None:
        """Traps where it is used as what it is not."""
        mine = self.shared.type
        trap_if(
            self.shared.kind != type_.kind or (mine is not None and not same_type(mine, type_)),
            f"a {self.what} is used with the wrong type",
        )


class ReadableEnd(CopyEnd):
    """The end that is read."""

    __slots__ = ()

    what = "readable end"
    reads = True

    def lifted(self, type_: ValueType) -> Any:
        """See `Entry.lifted`."""
        self.check_type(type_)
        kind = self.shared.kind
        trap_if(self.state is CopyState.DONE, f"cannot lift {kind} after being notified that the writable end dropped")
        trap_if(self.state is not CopyState.IDLE, f"cannot lift {kind} while it is read")
        trap_if(self.set is not None, f"cannot lift {kind} while it is in a waitable set")
        return self.shared


class WritableEnd(CopyEnd):
    """The end that is written."""

    __slots__ = ()

    what = "writable end"
    reads = False
