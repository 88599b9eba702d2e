"""Runs a random program and writes down everything that can be seen of it, on our engine and on wasmtime.

A trace is a list of plain values: for each call its results by their bits, or the kind of its trap; at the end the
exported globals and the memories. Two engines agree when their traces are equal.
"""

import hashlib
import random
from functools import cache
from typing import Any

import wasmtime

from tests.support.random_program import NUMBERS, Program
from wasm2oci.engine.embed import Linker, Module
from wasm2oci.engine.runtime import numeric
from wasm2oci.engine.runtime.function import Function, Global
from wasm2oci.engine.runtime.memory import Memory
from wasm2oci.engine.runtime.trap import Trap, TrapKind, WasmException
from wasm2oci.engine.syntax.types import F32, F64, I32

__all__ = ["arguments", "trace_ours", "trace_wasmtime"]

CALLS = 4

_KINDS = {
    TrapKind.UNREACHABLE: "UNREACHABLE",
    TrapKind.MEMORY: "MEMORY_OUT_OF_BOUNDS",
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


def arguments(program: Program, seed: int) -> list[tuple[int, list[Any]]]:
    """The calls to make: which entry, and its arguments as the guest keeps them."""
    draw = random.Random(seed ^ 0x5EED)
    calls = []
    for _ in range(CALLS):
        for entry, signature in enumerate(program.entries):
            calls.append((entry, [_argument(draw, type_) for type_ in signature.params]))
    return calls


def _argument(draw: random.Random, type_: int) -> Any:
    if type_ not in NUMBERS:
        return draw.getrandbits(128) if type_ == 0x7B else None
    if type_ in {F32, F64}:
        value = draw.choice((0.0, -0.0, 1.0, -2.5, 1e10, -1e30, 1e300, float("inf"), 0.5))
        return numeric.round_to_f32(value) if type_ == F32 else value
    bits = 32 if type_ == I32 else 64
    return draw.choice((0, 1, 2, 5, (1 << bits) - 1, 1 << bits - 1, (1 << bits - 1) - 1, draw.getrandbits(bits)))


def _bits(type_: int, value: Any) -> Any:
    if type_ == F32:
        bits = numeric.f32_bits(value)
        return "nan" if bits & 0x7FFFFFFF > 0x7F800000 else bits
    if type_ == F64:
        bits = numeric.f64_bits(value)
        return "nan" if bits & 0x7FFFFFFFFFFFFFFF > 0x7FF0000000000000 else bits
    if type_ in NUMBERS:
        return value & (0xFFFFFFFF if type_ == I32 else 0xFFFFFFFFFFFFFFFF)
    return value if isinstance(value, int) else _shape(value)


def _shape(value: Any) -> str:
    return "null" if value is None else type(value).__name__


def _hash(content: bytes | bytearray) -> str:
    return f"{len(content)}:{hashlib.sha256(content).hexdigest()}"


def trace_ours(program: Program, seed: int, linker: Linker) -> list[Any]:
    """What our engine does."""
    instance = linker.instantiate(Module(linker.engine, program.data))
    trace: list[Any] = []
    for entry, values in arguments(program, seed):
        instance.call("reset")
        function = instance.exports[f"f{entry}"]
        assert isinstance(function, Function)
        results = program.entries[entry].results
        try:
            returned = function.invoke(*values)
        except Trap as trap:
            trace.append((entry, _KINDS[trap.kind]))
        except WasmException:
            trace.append((entry, "UNCAUGHT_EXCEPTION"))
        else:
            many = returned if len(results) > 1 else (returned,)
            trace.append((entry, [_bits(type_, value) for type_, value in zip(results, many, strict=False)]))
    for name, item in instance.exports.items():
        if isinstance(item, Global):
            trace.append((name, _bits(item.type_.value, item.value)))
        elif isinstance(item, Memory):
            trace.append((name, _hash(item.data)))
    return trace


@cache
def _engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.wasm_gc = True
    config.wasm_exceptions = True
    config.wasm_function_references = True
    config.cranelift_opt_level = "none"
    return wasmtime.Engine(config)


def trace_wasmtime(program: Program, seed: int) -> list[Any]:
    """What wasmtime does."""
    engine = _engine()
    store = wasmtime.Store(engine)
    module = wasmtime.Module(engine, program.data)
    instance = wasmtime.Instance(store, module, [])
    exports: Any = instance.exports(store)
    trace: list[Any] = []
    for entry, values in arguments(program, seed):
        signature = program.entries[entry]
        exports["reset"](store)
        given = [_foreign(type_, value) for type_, value in zip(signature.params, values, strict=True)]
        try:
            returned = exports[f"f{entry}"](store, *given)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            code = error.trap_code if isinstance(error, wasmtime.Trap) else None
            text = "UNCAUGHT_EXCEPTION" if "thrown Wasm exception" in str(error) else str(error)
            trace.append((entry, code.name if code is not None else text))
        else:
            many = returned if len(signature.results) > 1 else (returned,)
            trace.append((entry, [_bits(type_, value) for type_, value in zip(signature.results, many, strict=False)]))
    for export in module.exports:
        item = exports[export.name]
        if isinstance(item, wasmtime.Global):
            type_ = {"i32": I32, "f32": F32, "f64": F64}.get(str(item.type(store).content), 0x7E)
            trace.append((export.name, _bits(type_, item.value(store))))
        elif isinstance(item, wasmtime.Memory):
            trace.append((export.name, _hash(bytes(item.read(store, 0, item.data_len(store))))))
    return trace


def _foreign(type_: int, value: Any) -> Any:
    if type_ in {F32, F64}:
        return value
    return numeric.signed32(value) if type_ == I32 else numeric.signed64(value)
