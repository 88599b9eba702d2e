"""What generated code can see: exactly `NAMES`, and the instance's own items by the patterns of `PATTERNS`.

Its `__builtins__` are empty, so a name that is not listed here does not exist for it.
"""

from __future__ import annotations

import re
from struct import Struct
from typing import TYPE_CHECKING, Any, Final, NoReturn

from wasm2oci.engine.runtime import atomics, gc, memory, table
from wasm2oci.engine.runtime.numeric import NUMERIC, f32_bits, f32_from_bits
from wasm2oci.engine.runtime.simd_float import SIMD_FLOAT
from wasm2oci.engine.runtime.simd_integer import SIMD_INTEGER
from wasm2oci.engine.runtime.simd_lanes import SIMD_LANES
from wasm2oci.engine.runtime.simd_memory import SIMD_MEMORY
from wasm2oci.engine.runtime.trap import Trap, TrapKind, WasmException
from wasm2oci.engine.translate.options import VIEW_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.runtime.function import Function
    from wasm2oci.engine.runtime.instance import ModuleInstance

__all__ = ["NAMES", "PATTERNS", "TailCall", "define", "new_namespace"]


class TailCall:
    """A tail call: the function returns it, and its caller makes it.

    Args:
        function: the callee.
        arguments: of the call.
    """

    __slots__ = ("arguments", "function")

    def __init__(self, function: Function, arguments: tuple[Any, ...]) -> None:
        self.function = function
        self.arguments = arguments


def _unreachable() -> NoReturn:
    raise Trap(TrapKind.UNREACHABLE)


def _out_of_fuel() -> NoReturn:
    raise Trap(TrapKind.OUT_OF_FUEL)


def _interrupted() -> NoReturn:
    raise Trap(TrapKind.INTERRUPT)


def _ref_as_non_null(reference: Any) -> Any:
    if reference is None:
        raise Trap(TrapKind.NULL_REFERENCE)
    return reference


def _ref_cast_null(reference: Any) -> Any:
    """A cast to the non-null form of a hierarchy's top."""
    if reference is None:
        raise Trap(TrapKind.CAST)
    return reference


def _ref_cast_bottom(reference: Any, nullable: int) -> None:
    """A cast to the bottom of a hierarchy, which only null can have."""
    if reference is not None or not nullable:
        raise Trap(TrapKind.CAST)


def _throw_ref(exception: WasmException | None) -> NoReturn:
    if exception is None:
        raise Trap(TrapKind.NULL_EXCEPTION)
    raise exception.with_traceback(None)


def _callable_ref(reference: Function | None) -> Function:
    if reference is None:
        raise Trap(TrapKind.NULL_FUNCTION)
    return reference


def _checked(table_: table.Table, index: int, type_: Any) -> Function:
    """The function a `return_call_indirect` goes to."""
    if index >= len(table_.elems):
        raise Trap(TrapKind.UNDEFINED_ELEMENT)
    function = table_.elems[index]
    if function is None:
        raise Trap(TrapKind.UNINITIALIZED_ELEMENT)
    if type_.id not in function.above:
        raise Trap(TrapKind.INDIRECT_CALL)
    return function  # type: ignore[no-any-return] # tables hold any reference; this one's are functions


def _by_mnemonic(*groups: dict[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    return {mnemonic.replace(".", "_"): function for group in groups for mnemonic, function in group.items()}


NAMES: Final[dict[str, Any]] = {
    **_by_mnemonic(NUMERIC, SIMD_FLOAT, SIMD_INTEGER, SIMD_LANES, SIMD_MEMORY),
    **{name: getattr(gc, name) for name in gc.__all__ if name.startswith(("array_", "ref_", "i31_"))},
    **{name: getattr(atomics, name) for name in atomics.__all__},
    **{name: getattr(memory, name) for name in memory.__all__ if name.startswith("memory_")},
    **{name: getattr(table, name) for name in table.__all__ if name.startswith("table_")},
    "any_convert_extern": gc.any_convert_extern,
    "extern_convert_any": gc.extern_convert_any,
    "unreachable": _unreachable,
    "out_of_fuel": _out_of_fuel,
    "interrupted": _interrupted,
    "ref_as_non_null": _ref_as_non_null,
    "ref_cast_null": _ref_cast_null,
    "ref_cast_bottom": _ref_cast_bottom,
    "throw_ref": _throw_ref,
    "callable_ref": _callable_ref,
    "checked": _checked,
    "f32_bits": f32_bits,
    "f32_from_bits": f32_from_bits,
    "float": float,
    "range": range,
    "len": len,
    "TailCall": TailCall,
    "WasmException": WasmException,
    **{f"unpack_{letter}": Struct(f"<{code}").unpack_from for letter, code in zip("HIQhiDF", "HIQhidf", strict=True)},
    **{f"pack_{letter}": Struct(f"<{code}").pack_into for letter, code in zip("HIQDF", "HIQdf", strict=True)},
}
"""Names that are the same for every instance."""

PATTERNS: Final[dict[str, str]] = {
    r"f(\d+)": "the callable of a function",
    r"R(\d+)": "a function as a reference",
    r"G(\d+)": "a global; its value is `.value`",
    r"M(\d+)": "a memory",
    r"[BHIQbhiFD](\d+)": "a memory's bytes, and views of it",
    r"T(\d+)": "a table",
    r"t(\d+)_(\d+)": "the callables of a table for calls of one type",
    r"Y(\d+)": "a defined type",
    r"S(\d+)": "the class of a structure or array type",
    r"X(\d+)": "a tag",
    r"R|F|I|DATAS|ELEMS": "f32 rounding, fuel, the interrupt flag, the segments",
}
"""Names of an instance's own items."""

_NAME: Final = re.compile(r"([fRGMTYSXt])(\d+)(?:_(\d+))?")


def new_namespace(instance: ModuleInstance) -> dict[str, Any]:
    """The globals of an instance's functions, put into `instance.namespace`; `define` adds items as code names them."""
    namespace = instance.namespace
    namespace.update(NAMES)
    namespace["__builtins__"] = {}
    namespace["R"] = memoryview(bytearray(4)).cast("f")
    namespace["F"] = [0]
    namespace["I"] = [0]
    namespace["DATAS"] = instance.datas
    namespace["ELEMS"] = instance.elems
    for number, memory_ in enumerate(instance.mems):
        memory_.attach(namespace, {f"{letter}{number}": attribute for letter, attribute in VIEW_NAMES.items()})
    return namespace


def define(instance: ModuleInstance, name: str) -> None:
    """Adds the item of a name, if it is the pattern of one; attribute names that look like one do no harm."""
    match = _NAME.fullmatch(name)
    if match is None:
        return
    letter, number, second = match[1], int(match[2]), match[3]
    namespace = instance.namespace
    spaces: dict[str, list[Any]] = {
        "R": instance.funcs,
        "G": instance.globals,
        "M": instance.mems,
        "T": instance.tables,
        "X": instance.tags,
    }
    if letter == "f":
        if number < len(instance.funcs):
            instance.funcs[number].install(namespace, name)
    elif letter == "t":
        if second is not None and number < len(instance.tables):
            namespace[name] = instance.tables[number].calls(instance.module.types[int(second)])
    elif letter == "Y":
        namespace[name] = instance.module.types[number]
    elif letter == "S":
        namespace[name] = instance.class_of(number)
    elif number < len(spaces[letter]):
        namespace[name] = spaces[letter][number]
