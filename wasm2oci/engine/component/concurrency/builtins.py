"""THE TABLE of canonical built-ins of asynchronous functions: a row for each. Spec: CanonicalABI.md, `canon`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.component.abi import trap_if
from wasm2oci.engine.component.concurrency.copies import COPIES
from wasm2oci.engine.component.concurrency.functions import lift, lower, resource_drop
from wasm2oci.engine.component.concurrency.same import same_type
from wasm2oci.engine.component.concurrency.tasks import Subtask
from wasm2oci.engine.component.concurrency.waitables import NO_EVENT, TASK_CANCELLED, Waitable, WaitableSet
from wasm2oci.engine.component.flat import lifter
from wasm2oci.engine.component.functions import passing_of, resource_new, resource_rep
from wasm2oci.engine.component.handles import ErrorContext
from wasm2oci.engine.component.load import load_string, loader
from wasm2oci.engine.component.put import put_string
from wasm2oci.engine.host import Caller, HostFunction
from wasm2oci.engine.syntax.canon import BUILTINS
from wasm2oci.engine.syntax.types import I32, I64
from wasm2oci.engine.syntax.values import layout
from wasm2oci.engine.validate.component.types import Function

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.component.concurrency.scope import BuiltinScope
    from wasm2oci.engine.component.concurrency.waitables import Event
    from wasm2oci.engine.runtime.function import Function as CoreFunction

__all__ = ["CONCURRENT", "canonical"]

_ANYWHERE: Final = frozenset({"context.get", "context.set", "backpressure.set", "backpressure.inc", "backpressure.dec"})
"""Those that may be called while the instance is not left."""
_MOST_BACKPRESSURE: Final = 1 << 16
_MOST_MESSAGE: Final = 1000
"""Characters of an error context's message; the specification lets a host keep less than it is given."""
_BLOCKED: Final = 0xFFFFFFFF


def canonical(scope: BuiltinScope) -> tuple[str, Any]:
    """The function of a definition, and its sort."""
    keyword, instance, loop = scope.keyword, scope.instance, scope.loop
    if keyword == "lift":
        core = scope.item("core func", "core-func")
        return "func", lift(loop, instance, core.invoke, scope.options(), scope.item("type", "type"))
    if keyword == "lower":
        return "core func", lower(loop, instance, scope.item("func", "func"), scope.options())
    if keyword in _RESOURCES:
        return "core func", _RESOURCES[keyword](scope)
    return "core func", _builtin(scope)


_RESOURCES: Final[dict[str, Callable[[BuiltinScope], CoreFunction]]] = {
    "resource.new": lambda scope: resource_new(scope.instance, scope.item("type", "type")),
    "resource.rep": lambda scope: resource_rep(scope.instance, scope.item("type", "type")),
    "resource.drop": lambda scope: resource_drop(scope.loop, scope.instance, scope.item("type", "type")),
}


def _builtin(scope: BuiltinScope) -> CoreFunction:
    row, instance = BUILTINS[scope.keyword], scope.instance
    call = CONCURRENT[scope.keyword](scope)
    letters = {"i": I32, "l": I64, "p": I32, "s": scope.number("slot type") if "slot" in row.operands else I32}
    params = _returned(scope)[1] if row.params == "*" else tuple([letters[letter] for letter in row.params])
    results = tuple([letters[letter] for letter in row.results])

    def checked(*values: Any) -> Any:
        trap_if(not instance.may_leave, "cannot leave component instance")
        return call(*values)

    function = call if scope.keyword in _ANYWHERE else checked
    return HostFunction(params, results, function, raw=True).bind(Caller(), scope.keyword)


# --- tasks ----------------------------------------------------------------------------------------------------------


def _returned(scope: BuiltinScope) -> tuple[Function, tuple[int, ...]]:
    """What `task.return` takes, as a function's parameter, and as core values."""
    result = scope.result()
    type_ = Function(("result",) * (result is not None), () if result is None else (result,), None, is_async=False)
    flat = passing_of(type_).flat
    return type_, (I32,) if flat is None else flat


def _task_return(scope: BuiltinScope) -> Callable[..., None]:
    options, loop, instance = scope.options(), scope.loop, scope.instance
    type_, _ = _returned(scope)
    result = type_.params[0] if type_.params else None
    through_memory = passing_of(type_).flat is None
    lift_result = None if result is None or through_memory else lifter(result)

    def task_return(*flat: Any) -> None:
        task = loop.thread.task
        trap_if(not task.options.is_async, "`task.return` called by a task that returns its result")
        trap_if(
            not same_type(result, task.type.result)
            or task.options.encoding != options.encoding
            or (options.memory is not None and options.memory is not task.options.memory),
            "invalid `task.return` signature and/or options for current task",
        )
        context = options.context(instance)
        value = None
        if lift_result is not None:
            value = lift_result(context, iter(flat))
        elif result is not None:
            alignment, size = layout(result)
            context.check(flat[0], size, alignment, "result pointer")
            value = loader(result)(context, flat[0])
        task.resolve(value)

    return task_return


def _task_cancel(scope: BuiltinScope) -> Callable[[], None]:
    loop = scope.loop

    def task_cancel() -> None:
        task = loop.thread.task
        trap_if(not task.options.is_async, "`task.cancel` called by a task that returns its result")
        task.cancel()

    return task_cancel


def _subtask_cancel(scope: BuiltinScope) -> Callable[[int], int]:
    loop, instance, is_async = scope.loop, scope.instance, scope.flag("async")
    instance.waits_on_stack |= not is_async

    def subtask_cancel(index: int) -> int:
        thread = loop.thread
        trap_if(not is_async and not thread.task.may_block, "cannot block a synchronous task before returning")
        subtask = instance.handles.entry(index, Subtask)
        trap_if(subtask.lenders is None, "`subtask.cancel` called after terminal status delivered")
        trap_if(subtask.cancelling, "`subtask.cancel` called twice")
        trap_if(not is_async and subtask.set is not None, "cannot wait for a waitable that is in a waitable set")
        if not subtask.resolved:
            subtask.cancelling = True
            subtask.callee.request_cancellation()
            if not subtask.resolved:
                if is_async:
                    return _BLOCKED
                subtask.awaited = True
                thread.block(lambda: subtask.resolved)
                subtask.awaited = False
        subtask.take_event()
        return subtask.state.value

    return subtask_cancel


def _subtask_drop(scope: BuiltinScope) -> Callable[[int], None]:
    def subtask_drop(index: int) -> None:
        scope.instance.handles.drop(index, Subtask)

    return subtask_drop


def _context_get(scope: BuiltinScope) -> Callable[[], int]:
    loop, slot = scope.loop, scope.number("slot")
    mask = 0xFFFFFFFF if scope.number("slot type") == I32 else 0xFFFFFFFFFFFFFFFF
    return lambda: loop.thread.storage[slot] & mask


def _context_set(scope: BuiltinScope) -> Callable[[int], None]:
    loop, slot = scope.loop, scope.number("slot")

    def context_set(value: int) -> None:
        loop.thread.storage[slot] = value

    return context_set


def _backpressure_set(scope: BuiltinScope) -> Callable[[int], None]:
    def backpressure_set(value: int) -> None:
        scope.instance.backpressure = int(bool(value))

    return backpressure_set


def _backpressure_inc(scope: BuiltinScope) -> Callable[[], None]:
    def backpressure_inc() -> None:
        scope.instance.backpressure += 1
        trap_if(scope.instance.backpressure >= _MOST_BACKPRESSURE, "backpressure counter overflow")

    return backpressure_inc


def _backpressure_dec(scope: BuiltinScope) -> Callable[[], None]:
    def backpressure_dec() -> None:
        trap_if(not scope.instance.backpressure, "backpressure counter underflow")
        scope.instance.backpressure -= 1

    return backpressure_dec


def _thread_yield(scope: BuiltinScope) -> Callable[[], int]:
    loop, cancellable = scope.loop, scope.flag("cancellable")
    scope.instance.waits_on_stack = True

    def thread_yield() -> int:
        thread = loop.thread
        return int(thread.task.may_block and thread.pause(cancellable=cancellable))

    return thread_yield


# --- sets -----------------------------------------------------------------------------------------------------------


def _set_new(scope: BuiltinScope) -> Callable[[], int]:
    return lambda: scope.instance.handles.add(WaitableSet())


def _put_event(scope: BuiltinScope) -> Callable[[Event, int], int]:
    """A function (event, address) that puts an event into memory, and gives its code."""
    memory = scope.item("core memory", "memory")

    def put(event: Event, at: int) -> int:
        trap_if(at % 4 or at + 8 > len(memory.data), "event pointer out of bounds of memory or not aligned")
        memory.data[at : at + 8] = event[1].to_bytes(4, "little") + event[2].to_bytes(4, "little")
        return int(event[0])

    return put


def _set_wait(scope: BuiltinScope) -> Callable[[int, int], int]:
    loop, instance, put = scope.loop, scope.instance, _put_event(scope)
    cancellable = scope.flag("cancellable")
    instance.waits_on_stack = True

    def wait(index: int, at: int) -> int:
        thread = loop.thread
        trap_if(not thread.task.may_block, "cannot block a synchronous task before returning")
        set_ = instance.handles.entry(index, WaitableSet)
        set_.waiting += 1
        cancelled = thread.block(lambda: set_.has_event, cancellable=cancellable)
        set_.waiting -= 1
        return put(TASK_CANCELLED if cancelled else set_.take_event(), at)

    return wait


def _set_poll(scope: BuiltinScope) -> Callable[[int, int], int]:
    loop, instance, put = scope.loop, scope.instance, _put_event(scope)
    cancellable = scope.flag("cancellable")

    def poll(index: int, at: int) -> int:
        set_ = instance.handles.entry(index, WaitableSet)
        if cancellable and loop.thread.task.deliver_cancel():
            return put(TASK_CANCELLED, at)
        return put(set_.take_event() if set_.has_event else NO_EVENT, at)

    return poll


def _set_drop(scope: BuiltinScope) -> Callable[[int], None]:
    def drop(index: int) -> None:
        scope.instance.handles.drop(index, WaitableSet)

    return drop


def _join(scope: BuiltinScope) -> Callable[[int, int], None]:
    handles = scope.instance.handles

    def join(index: int, into: int) -> None:
        waitable = handles.entry(index, Waitable)
        trap_if(waitable.awaited, "cannot join a waitable that is waited for synchronously")
        waitable.join(handles.entry(into, WaitableSet) if into else None)

    return join


# --- error contexts -------------------------------------------------------------------------------------------------


def _error_new(scope: BuiltinScope) -> Callable[[int, int], int]:
    options, instance = scope.options(), scope.instance

    def new(at: int, units: int) -> int:
        message = load_string(options.context(instance), at, units)
        return instance.handles.add(ErrorContext(message[:_MOST_MESSAGE]))

    return new


def _error_message(scope: BuiltinScope) -> Callable[[int, int], None]:
    options, instance = scope.options(), scope.instance

    def message(index: int, at: int) -> None:
        context = options.context(instance)
        context.check(at, 8, 4, "result pointer")
        address, units = put_string(context, instance.handles.entry(index, ErrorContext).message)
        context.data[at : at + 8] = address.to_bytes(4, "little") + units.to_bytes(4, "little")

    return message


def _error_drop(scope: BuiltinScope) -> Callable[[int], None]:
    def drop(index: int) -> None:
        scope.instance.handles.drop(index, ErrorContext)

    return drop


CONCURRENT: Final[dict[str, Callable[[BuiltinScope], Callable[..., Any]]]] = {
    "task.return": _task_return,
    "task.cancel": _task_cancel,
    "subtask.cancel": _subtask_cancel,
    "subtask.drop": _subtask_drop,
    "context.get": _context_get,
    "context.set": _context_set,
    "backpressure.set": _backpressure_set,
    "backpressure.inc": _backpressure_inc,
    "backpressure.dec": _backpressure_dec,
    "thread.yield": _thread_yield,
    "waitable-set.new": _set_new,
    "waitable-set.wait": _set_wait,
    "waitable-set.poll": _set_poll,
    "waitable-set.drop": _set_drop,
    "waitable.join": _join,
    "error-context.new": _error_new,
    "error-context.debug-message": _error_message,
    "error-context.drop": _error_drop,
    **COPIES,
}
"""What makes each function, from the definition."""
