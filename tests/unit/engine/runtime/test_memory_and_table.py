"""Memories and tables: growth, what generated code holds on to, and every edge."""

import random
import tracemalloc
from typing import TYPE_CHECKING, Any, Self

import pytest

from wasm2oci.engine.runtime.function import Function
from wasm2oci.engine.runtime.limits import ResourceLimitError, ResourceLimits
from wasm2oci.engine.runtime.memory import Memory, memory_grow
from wasm2oci.engine.runtime.table import Table, table_grow
from wasm2oci.engine.runtime.trap import Trap, TrapKind
from wasm2oci.engine.syntax.types import FUNCREF, DefType, FuncType, Limits, MemoryType, TableType

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = 1 << 16
NULLARY = DefType(1000, FuncType((), ()), None, final=False)
SUBTYPE = DefType(1001, FuncType((), ()), NULLARY, final=True)
OTHER = DefType(1002, FuncType((), ()), None, final=True)


def _memory(minimum: int, maximum: int | None = None, *, is64: bool = False) -> Memory:
    return Memory(MemoryType(Limits(minimum, maximum, is64)), ResourceLimits(memory_bytes=10 * PAGE))


def test_growing_keeps_the_bytes_object_and_renews_attached_views() -> None:
    memory = _memory(1)
    namespace: dict[str, Any] = {}
    memory.attach(namespace, {"m0": "data", "m0_u32": "u32"})
    data, view = memory.data, namespace["m0_u32"]
    view[0] = 0xDEADBEEF
    assert memory.grow(2) == 1
    assert memory.data is data
    assert namespace["m0"] is data
    assert namespace["m0_u32"][0] == 0xDEADBEEF
    assert len(namespace["m0_u32"]) == 3 * PAGE // 4
    with pytest.raises(ValueError, match="released"):
        view[0]


def test_growth_stops_at_the_maximum_and_at_the_ceiling() -> None:
    assert _memory(1, 2).grow(2) == -1
    memory = _memory(1)
    assert memory.grow(10) == -1
    assert memory.grow(9) == 1
    assert memory_grow(memory, 1) == 0xFFFFFFFF
    assert memory_grow(_memory(1, is64=True), 2**63) == 2**64 - 1
    assert memory.grow(0) == 10


def test_growth_fails_while_a_host_holds_a_view_and_works_afterwards() -> None:
    memory = _memory(1)
    with memoryview(memory.data):
        assert memory.grow(1) == -1
    memory.u32[3] = 7
    assert memory.grow(1) == 1
    assert memory.read_u32(12) == 7


def test_a_memory_too_large_from_the_start_is_refused_before_it_is_made() -> None:
    with pytest.raises(ResourceLimitError, match="starts with 720896 bytes"):
        _memory(11)
    with pytest.raises(ResourceLimitError):
        Memory(MemoryType(Limits(32769)))


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("fill", (PAGE - 1, 1, 2)),
        ("init", (0, b"abc", 2, 2)),
        ("init", (PAGE, b"abc", 0, 1)),
        ("fill", (PAGE + 1, 0, 0)),
    ],
)
def test_bulk_operations_trap_beyond_the_end_and_write_nothing(operation: str, arguments: tuple[Any, ...]) -> None:
    memory = _memory(1)
    with pytest.raises(Trap) as caught:
        getattr(memory, operation)(*arguments)
    assert caught.value.kind is TrapKind.MEMORY
    assert not any(memory.data)


def test_copying_overlapping_ranges() -> None:
    memory = _memory(1)
    memory.write(0, b"abcdef")
    memory.copy(2, memory, 0, 4)
    assert memory.read(0, 6) == b"ababcd"
    memory.copy(0, memory, 2, 4)
    assert memory.read(0, 6) == b"abcdcd"
    memory.fill(PAGE, 0, 0)


def test_host_access_is_checked_at_both_ends() -> None:
    memory = _memory(1)
    memory.write_u64(PAGE - 8, 2**64 - 2)
    assert memory.read_u64(PAGE - 8) == 2**64 - 2
    for access in (
        lambda: memory.read(-1, 1),
        lambda: memory.read(PAGE, 1),
        lambda: memory.read(0, -1),
        lambda: memory.write(PAGE - 1, b"ab"),
        lambda: memory.write_u32(-4, 0),
    ):
        with pytest.raises(Trap):
            access()


def _table(size: int, maximum: int | None = None) -> Table:
    return Table(TableType(FUNCREF, Limits(size, maximum)), None, ResourceLimits(table_elements=8))


def _function(type_: DefType, result: str, *, stand_in: bool = False) -> Function:
    return Function(type_, lambda: result, stand_in=stand_in)


def _kind(call: Any) -> TrapKind:
    with pytest.raises(Trap) as caught:
        call()
    return caught.value.kind


def test_calls_stay_in_step_with_the_elements() -> None:
    table = _table(2)
    calls = table.calls(NULLARY)
    assert _kind(calls[0]) is TrapKind.UNINITIALIZED_ELEMENT
    table.set(0, _function(SUBTYPE, "sub"))
    table.set(1, _function(OTHER, "other"))
    assert calls[0]() == "sub"
    assert _kind(calls[1]) is TrapKind.INDIRECT_CALL
    assert table.grow(2, _function(NULLARY, "grown")) == 2
    assert [calls[2](), calls[3]()] == ["grown", "grown"]
    table.copy(1, table, 2, 2)
    assert calls[1]() == "grown"
    table.fill(0, None, 4)
    assert {_kind(call) for call in calls} == {TrapKind.UNINITIALIZED_ELEMENT}
    table.init(1, [_function(NULLARY, "a"), _function(NULLARY, "b")], 0, 2)
    assert [calls[1](), calls[2]()] == ["a", "b"]
    assert table.calls(NULLARY) is calls


def test_a_stand_in_is_replaced_wherever_it_is_still_used() -> None:
    table, namespace = _table(3), dict[str, Any]()
    calls = table.calls(NULLARY)
    function = _function(NULLARY, "stand-in", stand_in=True)
    for index in range(3):
        table.set(index, function)
    function.install(namespace, "f7")
    table.set(1, None)
    table.set(2, _function(NULLARY, "another"))
    function.become(lambda: "real")
    assert [calls[0](), calls[2](), namespace["f7"](), function.call()] == ["real", "another", "real", "real"]
    assert _kind(calls[1]) is TrapKind.UNINITIALIZED_ELEMENT
    table.set(1, function)
    assert calls[1]() == "real"


def test_tables_trap_and_refuse_to_grow() -> None:
    table = _table(2, 4)
    for access in (
        lambda: table.get(2),
        lambda: table.set(2, None),
        lambda: table.fill(1, None, 2),
        lambda: table.copy(0, table, 1, 2),
        lambda: table.init(0, [], 0, 1),
    ):
        assert _kind(access) is TrapKind.TABLE
    assert table_grow(table, None, 3) == 0xFFFFFFFF
    assert table_grow(_table(2), None, 7) == 0xFFFFFFFF
    assert table.grow(2, None) == 2
    assert table.type.limits == Limits(4, 4)
    with pytest.raises(ResourceLimitError):
        _table(9)


LARGE = 5 * 1024 * 1024 + 12_345
"""Done in pieces, the last of them short."""


def _large() -> Memory:
    return Memory(MemoryType(Limits(2 * LARGE // PAGE + 1)))


@pytest.mark.parametrize(
    ("to", "start"), [(3, 0), (0, 3), (LARGE - 7, 0), (0, LARGE - 7), (2_000_000, 0), (0, 2_000_000)]
)
def test_copying_large_overlapping_ranges(to: int, start: int) -> None:
    memory = _large()
    memory.write(0, random.Random(1).randbytes(len(memory)))
    expected = bytearray(memory.data)
    expected[to : to + LARGE] = expected[start : start + LARGE]
    memory.copy(to, memory, start, LARGE)
    assert memory.data == expected


def test_large_operations_on_whole_memories() -> None:
    memory, other = _large(), _large()
    memory.fill(11, 0x1AB, LARGE)
    assert memory.data[:13] == b"\0" * 11 + b"\xab" * 2
    assert memory.data.count(0xAB) == LARGE
    assert memory.data[10 + LARGE : 12 + LARGE] == b"\xab\0"
    other.copy(5, memory, 11, LARGE)
    assert other.data == bytes(5) + b"\xab" * LARGE + bytes(len(other) - LARGE - 5)
    content = random.Random(2).randbytes(LARGE + 9)
    memory.init(3, content, 9, LARGE)
    assert memory.read(3, LARGE) == content[9:]
    assert memory.read(3 + LARGE, 2) == b"\xab\xab"


@pytest.mark.parametrize("operation", ["fill", "copy", "init", "grow"])
def test_large_operations_copy_nothing_aside(operation: str) -> None:
    memory = Memory(MemoryType(Limits(1 << 9)))  # 32 MiB
    size = len(memory)
    content = bytes(size)
    calls: dict[str, Callable[[], object]] = {
        "fill": lambda: memory.fill(0, 1, size),
        "copy": lambda: memory.copy(1, memory, 0, size - 1),
        "init": lambda: memory.init(0, content, 0, size),
        "grow": lambda: memory.grow(1 << 9),
    }
    tracemalloc.start()
    try:
        calls[operation]()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < (80 << 20 if operation == "grow" else 4 << 20)  # what grew is counted, with what bytearray reserves


def test_growth_that_breaks_off_leaves_the_memory_as_it_was() -> None:
    memory = _memory(2)
    memory.u32[0] = 5

    class Short(bytearray):
        def __iadd__(self, more: Any) -> Self:  # type: ignore[misc] # it is not to add
            self.extend(more[:1000])
            raise MemoryError

    memory.data = Short(memory.data)
    assert memory.grow(3) == -1
    assert len(memory.data) == 2 * PAGE
    assert memory.u32[0] == 5
