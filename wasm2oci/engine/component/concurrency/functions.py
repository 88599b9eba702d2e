"""Lifting and lowering where functions may be asynchronous: each call is a task. Spec: CanonicalABI.md, `canon`."""

from __future__ import annotations

from types import GeneratorType
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.component import functions as synchronous
from wasm2oci.engine.component.abi import trap_if
from wasm2oci.engine.component.concurrency.activities import Cancelled
from wasm2oci.engine.component.concurrency.tasks import Subtask, SubtaskState, Task
from wasm2oci.engine.component.concurrency.threads import Thread
from wasm2oci.engine.component.concurrency.waitables import NO_EVENT, TASK_CANCELLED, WaitableSet
from wasm2oci.engine.component.flat import lifter, lowerer
from wasm2oci.engine.component.functions import ComponentFunction, Options, giver, passing_of, taker
from wasm2oci.engine.component.load import loader
from wasm2oci.engine.component.put import storer
from wasm2oci.engine.host import Caller, HostFunction
from wasm2oci.engine.syntax.types import I32
from wasm2oci.engine.syntax.values import MAX_FLAT_ASYNC_PARAMS, MAX_FLAT_PARAMS, layout
from wasm2oci.engine.validate.component.types import Function

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from contextlib import AbstractContextManager

    from wasm2oci.engine.component.abi import Context
    from wasm2oci.engine.component.concurrency.tasks import Callee
    from wasm2oci.engine.component.concurrency.threads import Loop, ThreadWait
    from wasm2oci.engine.component.handles import ResourceType
    from wasm2oci.engine.component.instance import ComponentInstance
    from wasm2oci.engine.runtime.function import Function as CoreFunction

__all__ = ["lift", "lower", "resource_drop", "starting"]

_EXIT, _YIELD, _WAIT = 0, 1, 2
_SYNCHRONOUS: Final = Options(None, None, None, "utf8")
_DESTRUCTOR: Final = Function(("rep",), ("u32",), None, is_async=False)
_START: Final = Function((), (), None, is_async=False)


# --- lift -----------------------------------------------------------------------------------------------------------


def lift(
    loop: Loop, instance: ComponentInstance, invoke: Callable[..., Any], options: Options, type_: Function
) -> ComponentFunction:
    """A core function of an instance as one of the component."""
    lower_params = _params_lowerer(type_)
    take = taker(type_.result, through_memory=passing_of(type_).results is None)

    def body(task: Task, on_start: Callable[[], Any]) -> Generator[ThreadWait, bool, None]:
        if not (yield from task.enter()):
            return
        context = options.context(instance)
        context.scope = task
        instance.may_leave = False
        flat = lower_params(context, on_start())
        instance.may_leave = True
        got = invoke(*flat)
        if options.callback is not None:
            yield from _called_back(task, options.callback, got)
        elif not options.is_async:
            task.resolve(take(context, got))
            if options.post_return is not None:
                instance.may_leave = False
                options.post_return(*(() if got is None else (got,)))
                instance.may_leave = True
        task.exit()

    def begin(on_start: Callable[[], Any], over: Callable[[Any], object]) -> Task:
        task = Task(instance, options, type_, over)
        task.thread = Thread(loop, task, own_stack=type_.is_async and instance.waits_on_stack)
        task.thread.start(body(task, on_start))
        return task

    def run(values: Sequence[Any], *, to_end: bool) -> Any:
        trap_if(loop.broken, "cannot enter component instance")
        results: list[Any] = []
        try:
            task = begin(lambda: values, results.append)
            loop.run(lambda: bool(results) and (task.ended or not to_end))
            if to_end:
                loop.activities.settle()
        except BaseException:
            loop.broken = True
            raise
        return results[0]

    def call(*values: Any) -> Any:
        return run(values, to_end=False)

    def call_to_end(*values: Any) -> Any:
        return run(values, to_end=True)

    return ComponentFunction(type_, call, owner=instance, begin=begin, to_end=call_to_end)


def starting(loop: Loop, instance: ComponentInstance) -> AbstractContextManager[None]:
    """Has the start functions of an instance's core modules run in a task, which has no result and may not wait."""
    task = Task(instance, _SYNCHRONOUS, _START, lambda _: None)
    task.thread = Thread(loop, task, own_stack=False)
    return loop.running_as(task.thread)


def _params_lowerer(type_: Function) -> Callable[[Context, Sequence[Any]], list[Any]]:
    """A function (context, values) -> core values."""
    passing = passing_of(type_)
    if passing.flat is None:
        alignment, size = layout(passing.params)
        store = storer(passing.params)

        def through_memory(context: Context, values: Sequence[Any]) -> list[Any]:
            at = context.allocate(size, alignment)
            store(context, values, at)
            return [at]

        return through_memory
    lowerers = [lowerer(param) for param in type_.params]

    def flat(context: Context, values: Sequence[Any]) -> list[Any]:
        out: list[Any] = []
        for lower_one, value in zip(lowerers, values, strict=True):
            lower_one(context, value, out)
        return out

    return flat


def _called_back(
    task: Task, callback: Callable[[int, int, int], int], packed: int
) -> Generator[ThreadWait, bool, None]:
    """Do what a callback asks for, and call it again, until it says that it has finished."""
    instance = task.instance
    while packed & 15 != _EXIT:
        code, index = packed & 15, packed >> 4
        trap_if(code > _WAIT, f"unsupported callback code {code}")
        instance.exclusive = None
        if code == _YIELD:
            cancelled = yield from task.wait(lambda: instance.exclusive is None)
            event = TASK_CANCELLED if cancelled else NO_EVENT
        else:
            set_ = instance.handles.entry(index, WaitableSet)
            set_.waiting += 1
            cancelled = yield from task.wait(lambda: instance.exclusive is None and set_.has_event)  # noqa: B023 - it is
            set_.waiting -= 1
            event = TASK_CANCELLED if cancelled else set_.take_event()
        instance.exclusive = task
        packed = callback(*event)


# --- lower ------------------------------------------------------------------------------------------------------------


def lower(loop: Loop, instance: ComponentInstance, function: ComponentFunction, options: Options) -> CoreFunction:
    """A function as a core function that an instance may call."""
    type_ = function.type
    if function.begin is None and not type_.is_async and not options.is_async:
        return synchronous.lower(instance, function, options)
    begin = function.begin or _host_call(loop, function.call)
    load_params, params = _params_lifter(type_, MAX_FLAT_ASYNC_PARAMS if options.is_async else MAX_FLAT_PARAMS)
    count = len(params)
    results = passing_of(type_).results
    through_memory = type_.result is not None if options.is_async else results is None
    if through_memory:
        params = (*params, I32)
    give = giver(type_.result, through_memory=through_memory)
    owner = function.owner
    recursive = owner is not None and (instance in owner.around() or owner in instance.around())
    instance.waits_on_stack |= type_.is_async and not options.is_async

    def lowered(*flat: Any) -> Any:
        trap_if(not instance.may_leave, "cannot leave component instance")
        trap_if(recursive, "cannot enter component instance")
        thread = loop.thread
        trap_if(
            type_.is_async and not options.is_async and not thread.task.may_block,
            "cannot block a synchronous task before returning",
        )
        subtask = Subtask()
        context = options.context(instance)
        context.lenders = subtask.lenders
        given: list[Any] = []

        def on_start() -> Any:
            subtask.start()
            return load_params(context, flat)

        def over(result: Any) -> None:
            subtask.resolve(cancelled=result is Cancelled)
            if result is not Cancelled:
                with loop.running_as(thread):
                    instance.may_leave = False
                    given.append(give(context, result, flat[count:]))
                    instance.may_leave = True

        subtask.callee = begin(on_start, over)
        if not options.is_async:
            thread.block(lambda: subtask.resolved)
            subtask.deliver()
            return given[0]
        if subtask.resolved:
            subtask.deliver()
            return SubtaskState.RETURNED.value
        subtask.index = instance.handles.add(subtask)
        return subtask.state | subtask.index << 4

    core_results = (I32,) if options.is_async else results or ()
    return HostFunction(params, core_results, lowered, raw=True).bind(Caller(), function.name or None)


def _params_lifter(type_: Function, most: int) -> tuple[Callable[[Context, Sequence[Any]], Any], tuple[int, ...]]:
    """A function (context, core values) -> values, and the types of the core values."""
    passing = passing_of(type_, most)
    if passing.flat is None:
        alignment, size = layout(passing.params)
        load = loader(passing.params)

        def through_memory(context: Context, flat: Sequence[Any]) -> Any:
            context.check(flat[0], size, alignment, "parameter pointer")
            return load(context, flat[0])

        return through_memory, (I32,)
    lifters = [lifter(param) for param in type_.params]

    def values(context: Context, flat: Sequence[Any]) -> Any:
        items = iter(flat)
        return [lift_one(context, items) for lift_one in lifters]

    return values, passing.flat


class _Over:
    """A call of the host that is over: there is nothing to cancel."""

    def request_cancellation(self) -> None:
        """See `Callee.request_cancellation`."""


def _host_call(loop: Loop, call: Callable[..., Any]) -> Callable[[Callable[[], Any], Callable[[Any], object]], Callee]:
    """Begins calls of the host: what it does goes on by itself where it gives a generator."""

    def begin(on_start: Callable[[], Any], over: Callable[[Any], object]) -> Callee:
        got = call(*on_start())
        if isinstance(got, GeneratorType):
            return loop.activities.start(got, over)
        over(got)
        return _Over()

    return begin


def resource_drop(loop: Loop, instance: ComponentInstance, type_: ResourceType) -> CoreFunction:
    """`resource.drop`: gives a handle up, and with the last one the resource."""
    owner, destructor = type_.owner, type_.destructor
    if owner is None or owner is instance or destructor is None:
        return synchronous.resource_drop(instance, type_)
    destroy = lift(loop, owner, destructor, _SYNCHRONOUS, _DESTRUCTOR).begin

    def drop(index: int) -> None:
        trap_if(not instance.may_leave, "cannot leave component instance")
        handle = instance.handles.remove(index, type_)
        if handle.scope is not None:
            handle.scope.borrows -= 1
        elif destroy is not None:
            destroy(lambda: (handle.rep,), lambda _: None)

    return HostFunction((I32,), (), drop, raw=True).bind(Caller(), "resource.drop")
