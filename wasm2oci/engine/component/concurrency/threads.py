"""Threads of tasks, and the loop that runs them. Spec: component model, CanonicalABI.md, thread state.

One thread runs at a time. Its body is a generator that gives what it waits for (`ThreadWait`), and runs on the stack of
what starts or resumes it; a thread whose guest code waits itself has a stack of its own (`fibers`).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, NamedTuple

from wasm2oci.engine.component.abi import left_component, trap_if
from wasm2oci.engine.component.concurrency.activities import Activities
from wasm2oci.engine.component.concurrency.fibers import Fiber
from wasm2oci.engine.runtime.trap import Trap, TrapKind, WasmException

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from wasm2oci.engine.component.concurrency.activities import Outside
    from wasm2oci.engine.component.concurrency.tasks import Task

__all__ = ["Loop", "Thread", "ThreadWait", "new_loop"]

_MOST_FIBERS: Final = 256
_MOST_WAITING: Final = 1 << 14
"""Threads that wait at once: each is some kilobytes of the host's memory."""
_MOST_NESTED: Final = 500
"""Threads that began or went on on one stack, each called by the one before: each takes some of the host's stack."""


class ThreadWait(NamedTuple):
    """What a thread waits for.

    Attributes:
        ready: whether it need not wait any longer.
        cancellable: whether the wait ends, too, when the task is to be cancelled.
    """

    ready: Callable[[], bool]
    cancellable: bool = False


class Thread:
    """A thread of a task.

    Args:
        loop: what runs it.
        task: whose it is.
        own_stack: whether guest code may wait on its stack.

    Attributes:
        storage: what `context.get` and `context.set` are about.
        cancellable: whether what it waits for ends by cancelling.
    """

    __slots__ = ("_body", "_cancelled", "_fiber", "_loop", "cancellable", "ready", "storage", "task")

    def __init__(self, loop: Loop, task: Task, *, own_stack: bool) -> None:
        self._loop = loop
        self.task = task
        self._fiber = loop.new_fiber() if own_stack else None
        self._cancelled = False
        self._body: Generator[ThreadWait, bool, None] | None = None
        self.storage = [0, 0]
        self.ready: Callable[[], bool] | None = None
        self.cancellable = False

    def start(self, body: Generator[ThreadWait, bool, None]) -> None:
        """Runs it until it first waits, or ends.

        Args:
            body: what it does.
        """
        self._body = body
        self._go_on(cancelled=None)

    def resume(self, *, cancelled: bool = False) -> None:
        """Ends what it waits for, and runs it until it waits again, or ends."""
        self.ready = None
        self.cancellable = False
        self._loop.waiting.pop(self)
        self._go_on(cancelled=cancelled)

    def go_ahead(self) -> None:
        """Has it go on if it is ready, before another task of its instance begins."""
        if self in self._loop.waiting and self.ready is not None and self.ready():
            self.resume()

    def _go_on(self, *, cancelled: bool | None) -> None:
        loop = self._loop
        before, depth = loop.running, loop.nested
        loop.nested = 0 if self._fiber is not None else depth + 1
        loop.running = self
        try:
            if loop.nested > _MOST_NESTED:
                raise Trap(TrapKind.CALL_STACK)
            if self._fiber is None:
                self._step(cancelled=cancelled)
            elif cancelled is None:
                self._fiber.start(self._on_fiber)
            else:
                self._cancelled = cancelled
                self._fiber.resume()
        except WasmException as error:
            if before is None:
                raise
            raise left_component() from error
        finally:
            loop.running, loop.nested = before, depth

    def _step(self, *, cancelled: bool | None) -> None:
        assert self._body is not None  # noqa: S101 - it was started
        try:
            wait = next(self._body) if cancelled is None else self._body.send(cancelled)
        except StopIteration:
            return
        self._await(wait)

    def _on_fiber(self) -> None:
        assert self._body is not None  # noqa: S101 - it was started
        with contextlib.suppress(StopIteration):
            wait = next(self._body)
            while True:
                wait = self._body.send(self._parked(wait))

    def _await(self, wait: ThreadWait) -> None:
        waiting = self._loop.waiting
        trap_if(len(waiting) >= _MOST_WAITING, f"more than {_MOST_WAITING:,} tasks wait at once")
        self.ready, self.cancellable = wait
        waiting[self] = None

    def _parked(self, wait: ThreadWait) -> bool:
        assert self._fiber is not None  # noqa: S101 - only such a thread gets here
        self._await(wait)
        self._fiber.park()
        return self._cancelled

    def block(self, ready: Callable[[], bool], *, cancellable: bool = False) -> bool:
        """Has guest code wait on its stack; whether its task is cancelled instead, where it may be."""
        if cancellable and self.task.deliver_cancel():
            return True
        if ready():
            return False
        trap_if(self._fiber is None, "a function waits on its stack, and it has none of its own")
        return self._parked(ThreadWait(ready, cancellable))

    def pause(self, *, cancellable: bool) -> bool:
        """Has guest code let others run; whether its task is cancelled meanwhile, where it may be."""
        if cancellable and self.task.deliver_cancel():
            return True
        return self._fiber is not None and self._parked(ThreadWait(lambda: True, cancellable))


class Loop:
    """Runs the threads of the instances of a store, and what the host does for them.

    Args:
        activities: what the host does.

    Attributes:
        waiting: threads that wait, in the order in which they began to.
        running: the thread that runs; None while none does.
        nested: how many threads called one another on the stack that it runs on.
        broken: whether a thread trapped, so that nothing is run any more.
    """

    def __init__(self, activities: Activities) -> None:
        self.activities = activities
        self.waiting: dict[Thread, None] = {}
        self.running: Thread | None = None
        self.nested = 0
        self.broken = False
        self._fibers: set[Fiber] = set()

    @property
    def thread(self) -> Thread:
        """The thread that runs."""
        assert self.running is not None  # noqa: S101 - guests only run in threads
        return self.running

    @contextlib.contextmanager
    def running_as(self, thread: Thread) -> Iterator[None]:
        """Has code run as a thread, on the stack of the caller."""
        before, self.running = self.running, thread
        try:
            yield
        finally:
            self.running = before

    @contextlib.contextmanager
    def apart(self) -> Iterator[None]:
        """Has the thread that runs another storage, for code that is not the task's own."""
        thread = self.running
        if thread is None:
            yield
            return
        before, thread.storage = thread.storage, [0, 0]
        try:
            yield
        finally:
            thread.storage = before

    def new_fiber(self) -> Fiber:
        """A stack for a thread."""
        self._fibers = {fiber for fiber in self._fibers if not fiber.ended}
        trap_if(len(self._fibers) >= _MOST_FIBERS, f"more than {_MOST_FIBERS} functions wait on their stacks")
        fiber = Fiber()
        self._fibers.add(fiber)
        return fiber

    def run(self, until: Callable[[], bool]) -> None:
        """Runs threads until something is so.

        Raises:
            Trap: a thread trapped, or every thread waits for what cannot happen.
        """
        while not until():
            self.activities.proceed(block=False)
            if not self._turn(until) and not self.activities.proceed(block=True) and not until():
                raise Trap(TrapKind.CANONICAL_ABI, "deadlock: every task waits for what cannot happen any more")

    def _turn(self, until: Callable[[], bool]) -> bool:
        """Resumes each thread that is ready; whether there was one."""
        found = False
        for thread in list(self.waiting):
            ready = thread.ready
            if ready is not None and ready():
                found = True
                thread.resume()
                if until():
                    break
        return found

    def close(self) -> None:
        """Gives up threads that have not ended."""
        self.waiting.clear()
        fibers, self._fibers = self._fibers, set()
        for fiber in fibers:
            fiber.abandon()
        try:
            for fiber in fibers:
                fiber.join()
        finally:
            self.activities.close()


def new_loop(outside: Outside) -> Loop:
    """A loop for a store, with how the host waits."""
    return Loop(Activities(outside))
