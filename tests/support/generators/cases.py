"""A random program as data, and what it does on each engine.

A `Case` is a module and the calls to make of its exports. A trace is a list with one `Observation` for each call: its
results by their bits, or the kind of its trap; and after it the exported numeric globals and the exported memories.
Two engines agree when their traces are equal.

wasmtime runs first, with fuel. A call that uses it up is not observed, and neither is anything after it: such a call
need not end on the other engines either. Where wasmtime's call ended, one that uses `CPU_SECONDS` of processor time on
another engine is observed as `HANG`.
"""

from __future__ import annotations

import ctypes
import struct
import zlib
from dataclasses import dataclass
from enum import Enum
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import wasmtime

from tests.support.interpreter import interpret
from tests.support.processor_time import granted
from wasm2oci.engine.binary import decode_module
from wasm2oci.engine.embed import Engine, Linker, Module
from wasm2oci.engine.runtime import numeric
from wasm2oci.engine.runtime.function import Function, Global
from wasm2oci.engine.runtime.memory import Memory
from wasm2oci.engine.runtime.trap import Trap, TrapKind, WasmException
from wasm2oci.engine.syntax.types import F32, F64, I32, I64, ExternKind

if TYPE_CHECKING:
    from wasm2oci.engine.runtime.instance import ModuleInstance

__all__ = [
    "HANG",
    "NUMBERS",
    "Call",
    "Case",
    "Image",
    "Interpreting",
    "Observation",
    "Referee",
    "interpreting",
    "trace_linker",
    "trace_wasmtime",
    "translating",
]

NUMBERS: Final = (I32, I64, F32, F64)
CPU_SECONDS: Final = 1.5
HANG: Final = "HANG"
_MASKS: Final = {I32: 0xFFFFFFFF, I64: 0xFFFFFFFFFFFFFFFF}

_KINDS: Final = {
    TrapKind.UNREACHABLE: "UNREACHABLE",
    TrapKind.MEMORY: "MEMORY_OUT_OF_BOUNDS",
    TrapKind.UNALIGNED: "MEMORY_OUT_OF_BOUNDS",
    TrapKind.UNSHARED: "ATOMIC_WAIT_NON_SHARED_MEMORY",
    TrapKind.TABLE: "TABLE_OUT_OF_BOUNDS",
    TrapKind.UNDEFINED_ELEMENT: "TABLE_OUT_OF_BOUNDS",
    TrapKind.UNINITIALIZED_ELEMENT: "INDIRECT_CALL_TO_NULL",
    TrapKind.INDIRECT_CALL: "BAD_SIGNATURE",
    TrapKind.ARRAY: "ARRAY_OUT_OF_BOUNDS",
    TrapKind.DIVIDE_BY_ZERO: "INTEGER_DIVISION_BY_ZERO",
    TrapKind.INTEGER_OVERFLOW: "INTEGER_OVERFLOW",
    TrapKind.INVALID_CONVERSION: "BAD_CONVERSION_TO_INTEGER",
    TrapKind.CAST: "CAST_FAILURE",
    TrapKind.CALL_STACK: "STACK_OVERFLOW",
    **dict.fromkeys(
        (
            TrapKind.NULL_REFERENCE,
            TrapKind.NULL_FUNCTION,
            TrapKind.NULL_STRUCTURE,
            TrapKind.NULL_ARRAY,
            TrapKind.NULL_I31,
            TrapKind.NULL_EXCEPTION,
        ),
        "NULL_REFERENCE",
    ),
}

_ALIKE: Final = {"HEAP_MISALIGNED": "MEMORY_OUT_OF_BOUNDS"}
"""An address of an atomic access may be both, and wasmtime does not always look at the same first."""


class Call(NamedTuple):
    """A call of an exported function; arguments as the guest keeps them (integers unsigned)."""

    export: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """A module and what to call in it.

    Attributes:
        data: the module; it imports nothing.
        calls: made in order, all on one instance.
        reset: an exported function without parameters that is called before each of them, or "".
        fuel: what wasmtime may use for one call.
    """

    data: bytes
    calls: tuple[Call, ...]
    reset: str = ""
    fuel: int = 5_000_000


class Image(bytes):
    """The content of a memory, which is printed as its size and a checksum."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{len(self)}:{zlib.crc32(self):08x}"


class Observation(NamedTuple):
    """What can be seen of one call: see the top of this file."""

    call: Call
    outcome: Any
    globals: tuple[Any, ...]
    memories: tuple[Image, ...]


class Referee(Enum):
    """Who says what a program does."""

    WASMTIME = "wasmtime"
    INTERPRETER = "interpreter"


class Interpreting(Linker):
    """A linker whose instances are interpreted instead of translated."""

    def _prepare(self, runtime: ModuleInstance, module: Module) -> None:
        _ = module
        interpret(runtime)


def interpreting(number: int = 0) -> Linker:
    """A linker that interprets; of the same engine as `translating(number)`, so that they share decoded modules."""
    return Interpreting(translating(number).engine)


def translating(number: int = 0) -> Linker:
    """A linker that translates; by number without options, with fuel, or interruptible."""
    linker = Linker(Engine(fuel=number % 4 == 2, interruptible=number % 4 == 3))
    if linker.engine.fuel:
        linker.fuel = 1 << 60
    return linker


# --- values ------------------------------------------------------------------------------------
def observed(type_: int, value: Any) -> Any:
    """A value that can be compared: integers unsigned, floats by their bits, every NaN alike."""
    if type_ == F32:
        bits = numeric.f32_bits(value)
        return "nan" if bits & 0x7FFFFFFF > 0x7F800000 else bits
    if type_ == F64:
        bits = struct.unpack("<Q", struct.pack("<d", value))[0]
        return "nan" if bits & 0x7FFFFFFFFFFFFFFF > 0x7FF0000000000000 else bits
    if type_ in _MASKS:
        return value & _MASKS[type_]
    if isinstance(value, int):
        return value
    return "null" if value is None else type(value).__name__


# --- this engine and the interpreter -----------------------------------------------------------
class _Hang(BaseException):
    """The processor time granted was used up."""


_module: Final = lru_cache(1)(Module)
"""A case is looked at on one engine after the other."""


def trace_linker(
    case: Case, linker: Linker, count: int | None = None, seconds: float = CPU_SECONDS
) -> list[Observation]:
    """What a linker's instance does in the first `count` calls."""
    instance = linker.instantiate(_module(linker.engine, case.data))
    exports = instance.exports
    globals_ = [e for e in exports.values() if isinstance(e, Global) and e.type_.value in NUMBERS]
    memories = [e for e in exports.values() if isinstance(e, Memory)]
    trace: list[Observation] = []
    for call in case.calls[:count]:
        function = exports[call.export]
        assert isinstance(function, Function)
        try:
            with granted(seconds, _Hang):
                outcome = _outcome(exports[case.reset] if case.reset else None, function, call)
        except _Hang:
            outcome = HANG
        seen = tuple(observed(item.type_.value, item.value) for item in globals_)
        trace.append(Observation(call, outcome, seen, tuple(Image(item.data) for item in memories)))
        if outcome == HANG:
            break
    return trace


def _outcome(reset: object, function: Function, call: Call) -> Any:
    results = function.type_.func.results
    try:
        if isinstance(reset, Function):
            reset.invoke()
        returned = function.invoke(*call.arguments)
    except Trap as trap:
        return _KINDS.get(trap.kind, trap.kind.name)
    except WasmException:
        return "UNCAUGHT_EXCEPTION"
    except Exception as error:  # noqa: BLE001 - an error of the translator is a disagreement, and is shrunk like one
        return f"{type(error).__name__}: {error}"
    many = returned if len(results) > 1 else (returned,)
    return tuple(observed(type_, value) for type_, value in zip(results, many, strict=False))


# --- wasmtime ----------------------------------------------------------------------------------
@cache
def _engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.wasm_gc = True
    config.wasm_exceptions = True
    config.wasm_threads = True
    config.shared_memory = True
    config.consume_fuel = True
    config.cranelift_opt_level = "none"
    return wasmtime.Engine(config)


def _foreign(type_: int, value: Any) -> Any:
    if type_ in {F32, F64}:
        return value
    return numeric.signed32(value) if type_ == I32 else numeric.signed64(value)


def _image(memory: wasmtime.Memory, store: wasmtime.Store) -> Image:
    size = memory.data_len(store)
    return Image(ctypes.string_at(memory.data_ptr(store), size))


def trace_wasmtime(case: Case) -> list[Observation]:
    """What wasmtime does, up to the first call that uses up its fuel."""
    store = wasmtime.Store(_engine())
    module = wasmtime.Module(_engine(), case.data)
    store.set_fuel(case.fuel)
    exports: Any = wasmtime.Instance(store, module, []).exports(store)
    ours = decode_module(case.data)
    types = {e.name: ours.func_type(e.index) for e in ours.exports if e.kind is ExternKind.FUNC}
    globals_ = [
        (ours.globals[e.index].type.value, exports[e.name])
        for e in ours.exports
        if e.kind is ExternKind.GLOBAL and ours.globals[e.index].type.value in NUMBERS
    ]
    memories = [exports[e.name] for e in ours.exports if e.kind is ExternKind.MEMORY]
    trace: list[Observation] = []
    for call in case.calls:
        type_ = types[call.export]
        store.set_fuel(case.fuel)
        given = [_foreign(t, v) for t, v in zip(type_.params, call.arguments, strict=True)]
        try:
            if case.reset:
                exports[case.reset](store)
            returned = exports[call.export](store, *given)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            code = error.trap_code if isinstance(error, wasmtime.Trap) else None
            if code is wasmtime.TrapCode.OUT_OF_FUEL:
                break
            thrown = "UNCAUGHT_EXCEPTION" if "thrown Wasm exception" in str(error) else str(error)
            outcome: Any = thrown if code is None else _ALIKE.get(code.name, code.name)
        else:
            many = returned if len(type_.results) > 1 else (returned,)
            outcome = tuple(observed(t, value) for t, value in zip(type_.results, many, strict=False))
        seen = tuple(observed(t, item.value(store)) for t, item in globals_)
        hashes = tuple(_image(item, store) for item in memories)
        trace.append(Observation(call, outcome, seen, hashes))
    return trace
