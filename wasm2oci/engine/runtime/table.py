"""Tables of references.

A table of functions is called through far more often than it is written, and every `call_indirect` names one type. So
a table keeps, for each type that is called through it, a second list of plain callables in step with its elements:
the callable of an element whose type matches, and one that traps everywhere else. `calls(type)[i](*arguments)` is
then a whole indirect call, checks included; what remains for the caller is an index out of range.

Both lists are changed in place only, so generated code may hold on to them. Every write goes through the methods here.

Spec: core, Execution, Runtime structure, Table instances.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from wasm2oci.engine.runtime.limits import ELEMENT, ResourceLimitError, ResourceLimits
from wasm2oci.engine.runtime.trap import Trap, TrapKind
from wasm2oci.engine.runtime.values import to_wasm
from wasm2oci.engine.syntax.types import Limits, TableType

if TYPE_CHECKING:
    from wasm2oci.engine.runtime.function import Callee, Function
    from wasm2oci.engine.syntax.types import DefType

__all__ = [
    "Table",
    "table_copy",
    "table_fill",
    "table_get",
    "table_grow",
    "table_init",
    "table_set",
    "table_size",
]


def _uninitialized(*_: object) -> NoReturn:
    raise Trap(TrapKind.UNINITIALIZED_ELEMENT)


def _mismatch(*_: object) -> NoReturn:
    raise Trap(TrapKind.INDIRECT_CALL)


class Table:
    """One table instance.

    Args:
        type_: its type; the minimum is how many elements it starts with.
        initial: the reference every element starts as; None is null.
        limits: ceilings over what the type allows.

    Attributes:
        elems: the references; always the same list. Hosts use `read` and `write`.

    Raises:
        ResourceLimitError: the minimum is above the ceiling.
    """

    __slots__ = ("_calls", "_ceiling", "_limits", "elems", "type_")

    def __init__(self, type_: TableType, initial: Any = None, limits: ResourceLimits | None = None) -> None:
        self._limits = limits = limits or ResourceLimits()
        self.type_ = type_
        self._ceiling = limits.table_elements
        if type_.limits.maximum is not None:
            self._ceiling = min(self._ceiling, type_.limits.maximum)
        if type_.limits.minimum > self._ceiling:
            raise ResourceLimitError(
                f"the module's table starts with {type_.limits.minimum} elements, {limits.table_elements} are allowed",
                hint="raise the table limit",
            )
        if not limits.take(type_.limits.minimum * ELEMENT):
            raise ResourceLimitError(
                f"the module's table starts with {type_.limits.minimum} elements, more than is left for all its "
                "memories and tables",
                hint="raise the memory limit",
            )
        self.elems: list[Any] = [initial] * type_.limits.minimum
        self._calls: dict[int, list[Callee]] = {}

    @property
    def type(self) -> TableType:
        """The type with the present size as its minimum: what an import is matched against."""
        declared = self.type_.limits
        return TableType(self.type_.element, Limits(len(self.elems), declared.maximum, declared.is64))

    def calls(self, type_: DefType) -> list[Callee]:
        """The list of callables for indirect calls of one type, in step with `elems` from now on.

        Raises:
            Trap: what the instances may take is used up.
        """
        wanted = type_.id
        calls = self._calls.get(wanted)
        if calls is None:
            if not self._limits.take(len(self.elems) * ELEMENT):
                raise Trap(TrapKind.OUT_OF_MEMORY)
            calls = self._calls[wanted] = [_uninitialized] * len(self.elems)
            for index, element in enumerate(self.elems):
                if element is not None:
                    self._enter(wanted, calls, index, element)
        return calls

    @staticmethod
    def _enter(wanted: int, calls: list[Callee], index: int, element: Function | None) -> None:
        if element is None:
            calls[index] = _uninitialized
        elif wanted in element.above:
            element.install(calls, index)
        else:
            calls[index] = _mismatch

    def _refresh(self, start: int, stop: int) -> None:
        for wanted, calls in self._calls.items():
            for index in range(start, stop):
                self._enter(wanted, calls, index, self.elems[index])

    def get(self, index: int) -> Any:
        """The reference at an index. Spec: table.get."""
        if index >= len(self.elems):
            raise Trap(TrapKind.TABLE)
        return self.elems[index]

    def set(self, index: int, element: Any) -> None:
        """Replaces the reference at an index. Spec: table.set."""
        if index >= len(self.elems):
            raise Trap(TrapKind.TABLE)
        self.elems[index] = element
        for wanted, calls in self._calls.items():
            self._enter(wanted, calls, index, element)

    def grow(self, delta: int, element: Any) -> int:
        """Adds elements.

        Returns:
            The size before, or -1 where it cannot grow by so much.

        Spec: core, Execution, Instructions, table.grow.
        """
        before = len(self.elems)
        size = delta * ELEMENT * (1 + len(self._calls))
        if before + delta > self._ceiling or not self._limits.take(size):
            return -1
        try:
            for items, item in ((self.elems, element), *((calls, _uninitialized) for calls in self._calls.values())):
                items.extend([item] * delta)
        except MemoryError:
            for items in (self.elems, *self._calls.values()):
                del items[before:]
            self._limits.give(size)
            return -1
        if element is not None:
            self._refresh(before, before + delta)
        return before

    def fill(self, start: int, element: Any, count: int) -> None:
        """Sets a range to one reference. Spec: table.fill."""
        if start + count > len(self.elems):
            raise Trap(TrapKind.TABLE)
        self.elems[start : start + count] = [element] * count
        self._refresh(start, start + count)

    def copy(self, to: int, source: Table, start: int, count: int) -> None:
        """Copies a range of a table, perhaps this one; the ranges may overlap. Spec: table.copy."""
        if start + count > len(source.elems) or to + count > len(self.elems):
            raise Trap(TrapKind.TABLE)
        self.elems[to : to + count] = source.elems[start : start + count]
        self._refresh(to, to + count)

    def init(self, to: int, segment: list[Any], start: int, count: int) -> None:
        """Copies a range of an element segment. Spec: table.init."""
        if start + count > len(segment) or to + count > len(self.elems):
            raise Trap(TrapKind.TABLE)
        self.elems[to : to + count] = segment[start : start + count]
        self._refresh(to, to + count)

    # --- for hosts ---------------------------------------------------------------------------
    def read(self, index: int) -> Any:
        """The reference at an index. Raises `Trap` outside the table."""
        if index < 0:
            raise Trap(TrapKind.TABLE)
        return self.get(index)

    def write(self, index: int, reference: Any) -> None:
        """Replaces the reference at an index.

        Raises:
            Trap: the index lies outside the table.
            ValueTypeError: it is no reference of the table's type.
        """
        if index < 0:
            raise Trap(TrapKind.TABLE)
        self.set(index, to_wasm(self.type_.element, reference))

    def __len__(self) -> int:
        return len(self.elems)

    def __repr__(self) -> str:
        return f"<Table of {len(self.elems)}>"


def table_get(table: Table, index: int) -> Any:
    """The reference at an index. Spec: table.get."""
    return table.get(index)


def table_set(table: Table, index: int, element: Any) -> None:
    """Replaces a reference. Spec: table.set."""
    table.set(index, element)


def table_size(table: Table) -> int:
    """How many elements there are. Spec: table.size."""
    return len(table.elems)


def table_grow(table: Table, element: Any, delta: int) -> int:
    """The size before growing, or all ones in the table's address type. Spec: table.grow."""
    before = table.grow(delta, element)
    if before < 0:
        return 0xFFFFFFFFFFFFFFFF if table.type_.limits.is64 else 0xFFFFFFFF
    return before


def table_fill(table: Table, start: int, element: Any, count: int) -> None:
    """Fills a range. Spec: table.fill."""
    table.fill(start, element, count)


def table_copy(table: Table, source: Table, to: int, start: int, count: int) -> None:
    """Copies a range. Spec: table.copy."""
    table.copy(to, source, start, count)


def table_init(table: Table, segment: list[Any], to: int, start: int, count: int) -> None:
    """Copies a range of an element segment. Spec: table.init."""
    table.init(to, segment, start, count)
