"""Canonical built-ins of streams and futures. Spec: component model, CanonicalABI.md, `canon stream.*`, `future.*`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.component.abi import trap_if
from wasm2oci.engine.component.concurrency.buffers import GuestBuffer
from wasm2oci.engine.component.concurrency.streams import (
    Copy,
    CopyCode,
    CopyState,
    ReadableEnd,
    SharedFuture,
    SharedStream,
    WritableEnd,
)
from wasm2oci.engine.component.concurrency.waitables import EventCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.component.concurrency.scope import BuiltinScope
    from wasm2oci.engine.component.concurrency.streams import CopyEnd
    from wasm2oci.engine.component.concurrency.waitables import Event

__all__ = ["COPIES"]

_BLOCKED: Final = 0xFFFFFFFF
_EVENTS: Final = {
    ("stream", True): EventCode.STREAM_READ,
    ("stream", False): EventCode.STREAM_WRITE,
    ("future", True): EventCode.FUTURE_READ,
    ("future", False): EventCode.FUTURE_WRITE,
}


def _new(scope: BuiltinScope) -> Callable[[], int]:
    type_, handles = scope.item("type", "type"), scope.instance.handles
    kind = SharedStream if type_.kind == "stream" else SharedFuture

    def new() -> int:
        shared = kind(type_)
        return handles.add(ReadableEnd(shared)) | handles.add(WritableEnd(shared)) << 32

    return new


def _copy(scope: BuiltinScope, end_kind: type[CopyEnd]) -> Callable[..., int]:
    loop, instance, options = scope.loop, scope.instance, scope.options()
    type_ = scope.item("type", "type")
    is_future = type_.kind == "future"
    code = _EVENTS[type_.kind, end_kind.reads]
    instance.waits_on_stack |= not options.is_async

    def copy(index: int, address: int, length: int = 1) -> int:
        thread = loop.thread
        trap_if(not options.is_async and not thread.task.may_block, "cannot block a synchronous task before returning")
        end = instance.handles.entry(index, end_kind)
        end.check_type(type_)
        _check_idle(end, type_.kind)
        trap_if(not options.is_async and end.set is not None, "cannot wait for a waitable that is in a waitable set")
        buffer = GuestBuffer(options.context(instance), type_.types[0], address, length)

        def event(result: CopyCode, give_back: Callable[[], None] | None) -> Event:
            if give_back is not None:
                give_back()
            over = result is CopyCode.DROPPED or (is_future and result is CopyCode.COMPLETED)
            end.state = CopyState.DONE if over else CopyState.IDLE
            return code, index, result if is_future else result | buffer.progress << 4

        def some(give_back: Callable[[], None]) -> None:
            end.happen(lambda: event(CopyCode.COMPLETED, give_back))

        def done(result: CopyCode) -> None:
            end.happen(lambda: event(result, None))

        end.copying = Copy(instance, buffer, some, done)
        end.shared.copy(end.copying, reads=end.reads)
        if not end.has_event:
            if options.is_async:
                end.state = CopyState.ASYNC_COPYING
                return _BLOCKED
            end.state = CopyState.SYNC_COPYING
            end.awaited = True
            thread.block(lambda: end.has_event)
            end.awaited = False
        return end.take_event()[2]

    return copy


def _check_idle(end: CopyEnd, kind: str) -> None:
    trap_if(end.state is CopyState.DONE, f"cannot use {kind} after being notified that it is over")
    trap_if(end.state is not CopyState.IDLE, f"cannot have concurrent operations active on a {kind}")


def _cancel(scope: BuiltinScope, end_kind: type[CopyEnd]) -> Callable[[int], int]:
    loop, instance, is_async = scope.loop, scope.instance, scope.flag("async")
    type_ = scope.item("type", "type")
    instance.waits_on_stack |= not is_async

    def cancel(index: int) -> int:
        thread = loop.thread
        trap_if(not is_async and not thread.task.may_block, "cannot block a synchronous task before returning")
        end = instance.handles.entry(index, end_kind)
        end.check_type(type_)
        trap_if(end.state is not CopyState.ASYNC_COPYING, f"no {type_.kind} operation to cancel")
        trap_if(not is_async and end.set is not None, "cannot wait for a waitable that is in a waitable set")
        end.state = CopyState.CANCELLING_COPY
        end.cancel()
        return end.take_event()[2]

    return cancel


def _drop(scope: BuiltinScope, end_kind: type[CopyEnd]) -> Callable[[int], None]:
    type_, handles = scope.item("type", "type"), scope.instance.handles

    def drop(index: int) -> None:
        handles.entry(index, end_kind).check_type(type_)
        handles.drop(index, end_kind)

    return drop


_ROWS: Final[dict[str, Callable[[BuiltinScope], Callable[..., Any]]]] = {
    "new": _new,
    "read": lambda scope: _copy(scope, ReadableEnd),
    "write": lambda scope: _copy(scope, WritableEnd),
    "cancel-read": lambda scope: _cancel(scope, ReadableEnd),
    "cancel-write": lambda scope: _cancel(scope, WritableEnd),
    "drop-readable": lambda scope: _drop(scope, ReadableEnd),
    "drop-writable": lambda scope: _drop(scope, WritableEnd),
}

COPIES: Final = {f"{kind}.{name}": row for kind in ("stream", "future") for name, row in _ROWS.items()}
"""What makes each function, from the definition."""
