"""What a host makes for its guests: functions, memories, tables, globals and tags to be imported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wasm2oci.engine.binary.types import host_function
from wasm2oci.engine.runtime.function import Function, Global, Tag
from wasm2oci.engine.runtime.memory import Memory
from wasm2oci.engine.runtime.table import Table
from wasm2oci.engine.runtime.values import checked_results, host_arguments, to_wasm, value_type
from wasm2oci.engine.syntax.types import (
    FuncType,
    GlobalType,
    Limits,
    MemoryType,
    TableType,
    TagType,
    is_ref,
    type_text,
)
from wasm2oci.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wasm2oci.engine.embed import Instance
    from wasm2oci.engine.syntax.types import (
        DefType,
    )

__all__ = ["Caller", "HostFunction", "new_global", "new_memory", "new_table", "new_tag"]


class Caller:
    """What a host function that asks for it learns about the instance whose import it is.

    Attributes:
        instance: the instance; None until all of it is allocated.
        memory: its memory, for convenience: the export named "memory", else the first one, else None.
    """

    __slots__ = ("instance", "memory")

    def __init__(self) -> None:
        self.instance: Instance | None = None
        self.memory: Memory | None = None


@dataclass(frozen=True, slots=True, eq=False)
class HostFunction:
    """A Python callable a guest can import.

    What it raises passes through the guest untouched, to the caller of the guest; it may raise `Trap` itself, and
    `WasmException` to throw one the guest can catch.

    Args:
        params: the types of its parameters, by name (`"i32"`) or number.
        results: the types of its results.
        call: takes as many arguments; returns None, the result, or a tuple of several.
        raw: take and return values as the guest keeps them (unsigned integers), unchecked; faster.
        caller: pass a `Caller` as the first argument.
    """

    params: Sequence[int | str]
    results: Sequence[int | str]
    call: Callable[..., Any]
    raw: bool = False
    caller: bool = False
    type: DefType = field(init=False)

    def __post_init__(self) -> None:
        signature = FuncType(tuple(map(value_type, self.params)), tuple(map(value_type, self.results)))
        object.__setattr__(self, "type", host_function(signature))

    def bind(self, caller: Caller, name: str | None = None) -> Function:
        """The function instance for one importing instance."""
        call = self.call
        if self.caller:

            def with_caller(*values: Any) -> Any:
                return self.call(caller, *values)

            call = with_caller
        if self.raw:
            return Function(self.type, call, name=name)
        signature = self.type.func

        def checked(*values: Any) -> Any:
            return checked_results(signature, call(*host_arguments(signature, values)))

        return Function(self.type, checked, name=name)


def new_memory(minimum: int, maximum: int | None = None, *, is64: bool = False, shared: bool = False) -> Memory:
    """A memory of the host's, to be imported.

    Args:
        minimum: its size in pages of 64 KiB.
        maximum: pages it may grow to.
        is64: addressed by i64.
        shared: of the type that threads share, which some modules import; all code still runs in one thread.
    """
    return Memory(MemoryType(_limits(minimum, maximum, is64=is64), shared))


def new_table(
    element: int | str, minimum: int, maximum: int | None = None, *, initial: Any = None, is64: bool = False
) -> Table:
    """A table of the host's, to be imported.

    Args:
        element: the type of its references, such as `"funcref"`.
        minimum: how many there are.
        maximum: how many it may grow to.
        initial: what each starts as.
        is64: indexed by i64.
    """
    type_ = value_type(element)
    if not is_ref(type_):
        raise UsageError(f"a table holds references, and {type_text(type_)} is none")
    return Table(TableType(type_, _limits(minimum, maximum, is64=is64)), to_wasm(type_, initial))


def _limits(minimum: int, maximum: int | None, *, is64: bool) -> Limits:
    if minimum < 0 or (maximum is not None and maximum < minimum):
        raise UsageError(f"a size from {minimum} to {maximum} is none: it starts at 0, and grows to the maximum")
    return Limits(minimum, maximum, is64)


def new_global(type_: int | str, value: Any, *, mutable: bool = False) -> Global:
    """A global of the host's, to be imported; `value` is a host's value of that type."""
    number = value_type(type_)
    return Global(GlobalType(number, mutable), to_wasm(number, value))


def new_tag(params: Sequence[int | str]) -> Tag:
    """A tag of the host's, to be imported; exceptions thrown with it carry values of these types."""
    return Tag(TagType(host_function(FuncType(tuple(map(value_type, params)), ()))))
