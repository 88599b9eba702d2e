"""Runs the scripts of the specification's test suite on the embedded engine.

`ScriptRunner.run` takes one command after the other and raises `AssertionError` where the engine does not do what the
script says. Values are compared exactly: integers and vectors bit by bit, floats by their bits but for the patterns
`nan:canonical` and `nan:arithmetic`, references by what they refer to.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.spec_suite import Command
from wasm2oci.engine.embed import Engine, Instance, Linker, Module
from wasm2oci.engine.errors import InvalidModuleError, MalformedError, UnlinkableError
from wasm2oci.engine.host import new_global, new_memory, new_table
from wasm2oci.engine.runtime import numeric
from wasm2oci.engine.runtime.function import Function, Global
from wasm2oci.engine.runtime.gc import HeapReference, HostObject
from wasm2oci.engine.runtime.trap import Trap, TrapKind, WasmException
from wasm2oci.engine.syntax.types import ANY, ARRAY, EQ, I31, STRUCT

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HostReference", "ScriptRunner", "decode_value", "matches_value"]

_LANE_BITS = {"i8": 8, "i16": 16, "i32": 32, "i64": 64, "f32": 32, "f64": 64}
_CANONICAL = {32: 0x7FC00000, 64: 0x7FF8000000000000}
_NULL_TYPES = {"refnull", "nullref", "nullfuncref", "nullexternref", "nullexnref"}
_HEAPS = {"anyref": ANY, "eqref": EQ, "i31ref": I31, "structref": STRUCT, "arrayref": ARRAY}


@dataclass(frozen=True, slots=True)
class HostReference:
    """What `(ref.extern 7)` and `(ref.host 7)` stand for in a script."""

    number: int


# --- values ------------------------------------------------------------------------------------
def decode_value(value: dict[str, Any]) -> Any:
    """An argument as the engine keeps it."""
    kind = value["type"]
    if kind == "v128":
        bits = _LANE_BITS[value["lane_type"]]
        return sum((int(lane) & (1 << bits) - 1) << (i * bits) for i, lane in enumerate(value["value"]))
    if kind in _NULL_TYPES or value["value"] == "null":
        return None
    number = int(value["value"])
    if kind == "i32":
        return number & numeric.M32
    if kind == "i64":
        return number & numeric.M64
    if kind == "f32":
        return numeric.f32_from_bits(number & numeric.M32)
    if kind == "f64":
        return numeric.f64_from_bits(number & numeric.M64)
    if kind == "externref":
        return HostReference(number)
    if kind == "anyref":
        return HostObject(HostReference(number))
    raise AssertionError(f"argument {value}")


def matches_value(expected: dict[str, Any], got: Any) -> bool:
    """Whether a result is what the script expects."""
    kind = expected["type"]
    if kind == "either":
        return any(matches_value(choice, got) for choice in expected["values"])
    if kind == "v128":
        bits = _LANE_BITS[expected["lane_type"]]
        lanes = [got >> i * bits & (1 << bits) - 1 for i in range(128 // bits)]
        return 0 <= got < 1 << 128 and all(map(_matches_bits, [bits] * len(lanes), expected["value"], lanes))
    if kind in {"i32", "i64"}:
        return type(got) is int and _matches_bits(int(kind[1:]), expected["value"], got)
    if kind == "f32":
        return type(got) is float and _matches_bits(32, expected["value"], numeric.f32_bits(got))
    if kind == "f64":
        return type(got) is float and _matches_bits(64, expected["value"], numeric.f64_bits(got))
    return _matches_reference(kind, expected.get("value"), got)


def _matches_bits(bits: int, expected: str, got: int) -> bool:
    if expected == "nan:canonical":
        return got & ~(1 << bits - 1) == _CANONICAL[bits]
    if expected == "nan:arithmetic":
        return got & _CANONICAL[bits] == _CANONICAL[bits]
    return got == int(expected) & (1 << bits) - 1


def _matches_reference(kind: str, value: str | None, got: Any) -> bool:
    if kind in _NULL_TYPES or value == "null":
        return got is None
    if kind == "funcref":
        return isinstance(got, Function)
    if kind == "externref":
        return got is not None if value is None else got == HostReference(int(value))
    if kind == "exnref":
        return isinstance(got, WasmException)
    if value is not None:
        return isinstance(got, HostObject) and got.value == HostReference(int(value))
    return isinstance(got, HeapReference) and _HEAPS[kind] in got.above


# --- the host module ---------------------------------------------------------------------------
def spectest(linker: Linker) -> None:
    """Defines the module the suite's scripts import from."""
    prints: dict[str, list[int | str]] = {
        "print": [],
        "print_i32": ["i32"],
        "print_i64": ["i64"],
        "print_f32": ["f32"],
        "print_f64": ["f64"],
        "print_i32_f32": ["i32", "f32"],
        "print_f64_f64": ["f64", "f64"],
    }
    for name, params in prints.items():
        linker.define_function("spectest", name, params, [], lambda *_: None)
    linker.define("spectest", "global_i32", new_global("i32", 666))
    linker.define("spectest", "global_i64", new_global("i64", 666))
    linker.define("spectest", "global_f32", new_global("f32", 666.6))
    linker.define("spectest", "global_f64", new_global("f64", 666.6))
    linker.define("spectest", "table", new_table("funcref", 10, 20))
    linker.define("spectest", "table64", new_table("funcref", 10, 20, is64=True))
    linker.define("spectest", "memory", new_memory(1, 2))
    linker.define("spectest", "shared_memory", new_memory(1, 2, shared=True))


# --- scripts -----------------------------------------------------------------------------------
class ScriptRunner:
    """The state of one script: its instances by name, and what is registered for import.

    Args:
        engine: its settings apply.

    Attributes:
        ran: commands done.
        text_only: commands passed over, since they are about the text format.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._linker = Linker(engine)
        spectest(self._linker)
        self._definitions: dict[str | None, Module] = {}
        self._instances: dict[str | None, Instance] = {}
        self.ran = 0
        self.text_only = 0

    def run(self, command: Command) -> None:
        """Does one command.

        Raises:
            AssertionError: the engine did something else than the script says.
        """
        act: Callable[[Command], None] = getattr(self, f"_{command.type}")
        act(command)
        self.ran += 1

    def _compile(self, command: Command) -> Module:
        binary = command.binary
        if binary is None:
            raise AssertionError("a module in the text format only")
        return Module(self._engine, binary)

    def _keep(self, instance: Instance, name: str | None) -> None:
        self._instances[None] = instance
        if name is not None:
            self._instances[name] = instance

    def _module(self, command: Command) -> None:
        self._keep(self._linker.instantiate(self._compile(command)), command.raw.get("name"))

    def _module_definition(self, command: Command) -> None:
        module = self._definitions[None] = self._compile(command)
        self._definitions[command.raw.get("name")] = module

    def _module_instance(self, command: Command) -> None:
        module = self._definitions[command.raw.get("module")]
        self._keep(self._linker.instantiate(module), command.raw.get("instance"))

    def _register(self, command: Command) -> None:
        self._linker.define_instance(command.raw["as"], self._instances[command.raw.get("name")])

    # --- actions -----------------------------------------------------------------------------
    def _act(self, action: dict[str, Any]) -> list[Any]:
        item = self._instances[action.get("module")].exports[action["field"]]
        if action["type"] == "get":
            assert isinstance(item, Global)
            return [item.value]
        assert isinstance(item, Function)
        returned = item.invoke(*map(decode_value, action["args"]))
        results = len(item.type_.func.results)
        return [] if results == 0 else [returned] if results == 1 else list(returned)

    def _action(self, command: Command) -> None:
        self._act(command.raw["action"])

    def _assert_return(self, command: Command) -> None:
        got = self._act(command.raw["action"])
        expected = command.raw["expected"]
        assert len(got) == len(expected), f"{len(got)} results instead of {len(expected)}"
        for wanted, value in zip(expected, got, strict=True):
            assert matches_value(wanted, value), f"{value!r} instead of {wanted}"

    def _assert_trap(self, command: Command) -> None:
        try:
            got = self._act(command.raw["action"])
        except Trap as trap:
            _same_text(command, trap.kind.value)
        else:
            raise AssertionError(f"{got} instead of the trap {command.text!r}")

    def _assert_exhaustion(self, command: Command) -> None:
        try:
            self._act(command.raw["action"])
        except Trap as trap:
            if trap.kind is TrapKind.CALL_STACK:
                return
            raise AssertionError(f"the trap {trap} instead of an exhausted stack") from trap
        raise AssertionError("the stack was not exhausted")

    def _assert_exception(self, command: Command) -> None:
        try:
            got = self._act(command.raw["action"])
        except WasmException:
            return
        raise AssertionError(f"{got} instead of an exception")

    # --- modules that are refused ------------------------------------------------------------
    def _assert_invalid(self, command: Command) -> None:
        try:
            self._compile(command)
        except InvalidModuleError:
            return
        raise AssertionError(f"valid, where the script expects {command.text!r}")

    def _assert_malformed(self, command: Command) -> None:
        if command.binary is None:
            self.text_only += 1
            return
        try:
            self._compile(command)
        except MalformedError:
            return
        raise AssertionError(f"well-formed, where the script expects {command.text!r}")

    def _assert_unlinkable(self, command: Command) -> None:
        module = self._compile(command)
        try:
            self._linker.instantiate(module)
        except UnlinkableError as error:
            if error.message.startswith(command.text):
                return
            raise AssertionError(f"{error.message!r} instead of {command.text!r}") from error
        raise AssertionError(f"linked, where the script expects {command.text!r}")

    def _assert_uninstantiable(self, command: Command) -> None:
        module = self._compile(command)
        try:
            self._linker.instantiate(module)
        except Trap as trap:
            _same_text(command, trap.kind.value)
        else:
            raise AssertionError(f"instantiated, where the script expects {command.text!r}")


def _same_text(command: Command, text: str) -> None:
    # The suite once says more than the reference interpreter's text: "uninitialized element 2".
    assert command.text.startswith(text), f"the trap {text!r} instead of {command.text!r}"
