"""Tasks, which are calls of a component's functions, and the subtasks that their callers see.

Spec: component model, CanonicalABI.md, task state and subtask state.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Any, Protocol

from wasm2oci.engine.component.abi import trap_if
from wasm2oci.engine.component.concurrency.activities import Cancelled
from wasm2oci.engine.component.concurrency.threads import ThreadWait
from wasm2oci.engine.component.concurrency.waitables import EventCode, Waitable
from wasm2oci.engine.component.handles import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from wasm2oci.engine.component.concurrency.threads import Thread
    from wasm2oci.engine.component.concurrency.waitables import Event
    from wasm2oci.engine.component.functions import Options
    from wasm2oci.engine.component.handles import Handle
    from wasm2oci.engine.component.instance import ComponentInstance
    from wasm2oci.engine.validate.component.types import Function

__all__ = ["Callee", "Subtask", "SubtaskState", "Task"]


class _State(Enum):
    INITIAL = 1
    PENDING_CANCEL = 2
    CANCEL_DELIVERED = 3
    RESOLVED = 4


class Callee(Protocol):
    """What a subtask calls."""

    def request_cancellation(self) -> None:
        """Asks it to end without a result."""


class Task(Scope):
    """A call of a function of an instance.

    Args:
        instance: whose function it is.
        options: those of the function.
        type_: its type.
        over: gets the result, or `Cancelled`.

    Attributes:
        thread: the thread that it runs in.
    """

    __slots__ = ("_over", "_state", "_waits_to_enter", "ended", "instance", "options", "thread", "type")

    def __init__(
        self, instance: ComponentInstance, options: Options, type_: Function, over: Callable[[Any], object]
    ) -> None:
        super().__init__()
        self.instance = instance
        self.options = options
        self.type = type_
        self._over = over
        self._state = _State.INITIAL
        self._waits_to_enter = False
        self.ended = False
        self.thread: Thread

    @property
    def may_block(self) -> bool:
        """Whether it may wait: the caller of a synchronous function has to get its result first."""
        return self.type.is_async or self._state is _State.RESOLVED

    @property
    def _exclusive(self) -> bool:
        """Whether no other task of this kind may run in the instance."""
        return not self.options.is_async or self.options.callback is not None

    # --- beginning and end ------------------------------------------------------------------------------------------

    def enter(self) -> Generator[ThreadWait, bool, bool]:
        """Waits until the instance takes it; whether it does: while it waits, it may be cancelled."""
        if not self.type.is_async:
            return True
        instance = self.instance
        if instance.exclusive is not None and self._exclusive:
            instance.exclusive.thread.go_ahead()
        if self._held_back() or instance.waiting_to_enter:
            instance.waiting_to_enter += 1
            self._waits_to_enter = True
            cancelled = yield ThreadWait(lambda: not self._held_back(), cancellable=True)
            self._waits_to_enter = False
            instance.waiting_to_enter -= 1
            if cancelled:
                self.cancel()
                self.ended = True
                return False
        if self._exclusive:
            instance.exclusive = self
        return True

    def _held_back(self) -> bool:
        instance = self.instance
        return instance.backpressure > 0 or (self._exclusive and instance.exclusive is not None)

    def exit(self) -> None:
        """Ends it."""
        trap_if(self._state is not _State.RESOLVED, "async-lifted export failed to produce a result")
        self.ended = True
        if self.instance.exclusive is self:
            self.instance.exclusive = None

    # --- waiting ----------------------------------------------------------------------------------------------------

    def wait(self, ready: Callable[[], bool]) -> Generator[ThreadWait, bool, bool]:
        """Waits in a callback's loop; whether it is cancelled instead."""
        if self.deliver_cancel():
            return True
        return (yield ThreadWait(ready, cancellable=True))

    def deliver_cancel(self) -> bool:
        """Whether it is to be cancelled, which it learns now."""
        if self._state is _State.PENDING_CANCEL:
            self._state = _State.CANCEL_DELIVERED
            return True
        return False

    def request_cancellation(self) -> None:
        """See `Callee.request_cancellation`."""
        exclusive = self.instance.exclusive
        if self._waits_to_enter or (
            self.thread.cancellable and (not self._exclusive or exclusive is None or exclusive is self)
        ):
            self._state = _State.CANCEL_DELIVERED
            self.thread.resume(cancelled=True)
        else:
            self._state = _State.PENDING_CANCEL

    # --- the result -------------------------------------------------------------------------------------------------

    def resolve(self, result: Any) -> None:
        """Gives the result to the caller."""
        trap_if(self._state is _State.RESOLVED, "`task.return` or `task.cancel` called more than once")
        trap_if(self.borrows, "borrow handles still remain at the end of the call")
        self._over(result)
        self._state = _State.RESOLVED

    def cancel(self) -> None:
        """Ends it without a result, as was asked."""
        trap_if(self._state is not _State.CANCEL_DELIVERED, "`task.cancel` called by task which has not been cancelled")
        trap_if(self.borrows, "borrow handles still remain at the end of the call")
        self._over(Cancelled)
        self._state = _State.RESOLVED


class SubtaskState(IntEnum):
    """How far a call has come."""

    STARTING = 0
    STARTED = 1
    RETURNED = 2
    CANCELLED_BEFORE_STARTED = 3
    CANCELLED_BEFORE_RETURNED = 4


class Subtask(Waitable):
    """A call, as its caller sees it.

    Attributes:
        state: how far it has come.
        callee: what is called.
        lenders: handles that are lent to it; None when the caller has learnt the end.
        cancelling: whether it was asked to end.
        index: in the caller's table; 0 while it has none.
    """

    __slots__ = ("callee", "cancelling", "index", "lenders", "state")

    what = "subtask"

    def __init__(self) -> None:
        super().__init__()
        self.state = SubtaskState.STARTING
        self.callee: Callee
        self.lenders: list[Handle] | None = []
        self.cancelling = False
        self.index = 0

    @property
    def resolved(self) -> bool:
        """Whether it is over."""
        return self.state >= SubtaskState.RETURNED

    def start(self) -> None:
        """The callee has taken its arguments."""
        self.state = SubtaskState.STARTED
        self._progress()

    def resolve(self, *, cancelled: bool) -> None:
        """The callee has given its result, or has been cancelled."""
        if not cancelled:
            self.state = SubtaskState.RETURNED
        elif self.state is SubtaskState.STARTING:
            self.state = SubtaskState.CANCELLED_BEFORE_STARTED
        else:
            self.state = SubtaskState.CANCELLED_BEFORE_RETURNED
        self._progress()

    def _progress(self) -> None:
        if self.index:
            self.happen(self._event)

    def _event(self) -> Event:
        if self.resolved:
            self.deliver()
        return EventCode.SUBTASK, self.index, self.state

    def deliver(self) -> None:
        """The caller learns the end: it gets back what it has lent."""
        for handle in self.lenders or ():
            handle.lends -= 1
        self.lenders = None

    def check_drop(self) -> None:
        """See `Entry.check_drop`."""
        trap_if(self.lenders is not None, "cannot drop a subtask which has not yet resolved")
        self.join(None)
