"""The state of typing one function body, and the procedures that change it.

They have the names of the specification's algorithm: `push_val`, `pop_val`, `push_ctrl`, `pop_ctrl`, `unreachable`.
The instructions are in `body`, `control`, `variables`, `references` and `aggregates`.

Spec: core, appendix, validation algorithm (A.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wasm2oci.engine.errors import InvalidModuleError, MalformedError
from wasm2oci.engine.syntax.features import Feature
from wasm2oci.engine.syntax.limits import MAX_BLOCK_NESTING, MAX_LOCALS, MAX_OPERAND_STACK, MAX_SUBTYPE_CHECKS
from wasm2oci.engine.syntax.matching import matches_value
from wasm2oci.engine.syntax.types import BOT, EXN, I64, NOEXN, REF, REF_BOT, REF_NULL, FuncType

if TYPE_CHECKING:
    from wasm2oci.engine.syntax.opcodes import Opcode
    from wasm2oci.engine.validate.context import Context

__all__ = ["ControlFrame", "FunctionValidator"]

_MEMARG_HAS_MEMORY = 0x40
_EMPTY = FuncType((), ())
_SHORT = 8  # from this many types on they are compared all at once
_ALLOWANCE = 1000  # added to a body's length: even a short body may pass on a thousand values twice


@dataclass(slots=True)
class ControlFrame:
    """A structured instruction that is open.

    Attributes:
        opcode: its mnemonic; `function` for the body.
        start_types: what it takes.
        end_types: what it leaves.
        height: of the operand stack at its start.
        inits: how many locals had been set at its start.
        unreachable: whether the rest of it cannot be reached.
    """

    opcode: str
    start_types: tuple[int, ...]
    end_types: tuple[int, ...]
    height: int
    inits: int
    unreachable: bool = False

    @property
    def label_types(self) -> tuple[int, ...]:
        """What a branch to it carries."""
        return self.start_types if self.opcode == "loop" else self.end_types


class FunctionValidator:
    """Checks one body.

    Args:
        context: the module.
        type_: the function's type.
        start: where the code begins, locals included.
        end: past its last byte.
    """

    def __init__(self, context: Context, type_: FuncType, start: int, end: int) -> None:
        self.context = context
        self.defs = context.defs
        self.reader = context.reader(start, end)
        self.types = context.type_reader
        self.results = type_.results
        self.vals: list[int] = []
        self.ctrls: list[ControlFrame] = []
        self.at = start  # offset of the instruction at hand
        self.local_ends: list[int] = []  # runs of locals: past the last index, and the type
        self.local_types: list[int] = []
        self.params = len(type_.params)
        self.inits: list[int] = []  # locals without a default that have been set, in order; and the same as a set
        self.initialised: set[int] = set()
        self._checks = MAX_SUBTYPE_CHECKS * (_ALLOWANCE + end - start)  # how many are left
        for index, param in enumerate(type_.params, 1):
            self.local_ends.append(index)
            self.local_types.append(param)

    def read_locals(self) -> None:
        """Reads the declarations of locals that a body starts with."""
        reader = self.reader
        total = self.local_ends[-1] if self.local_ends else 0
        for _ in range(reader.count(MAX_LOCALS, "local declarations", 2)):
            offset = reader.pos
            count = reader.u32()
            total += count
            if total > MAX_LOCALS:
                raise MalformedError(f"too many locals: this engine's limit is {MAX_LOCALS}", offset)
            type_ = self.types.value(reader)
            if count:
                self.local_ends.append(total)
                self.local_types.append(type_)

    # --- the operand stack ------------------------------------------------------------------------------------

    def push_val(self, type_: int) -> None:
        """Pushes a value's type."""
        self.vals.append(type_)

    def push_vals(self, types: tuple[int, ...]) -> None:
        """Pushes the types of several values, the last one on top."""
        self.vals += types
        if len(self.vals) > MAX_OPERAND_STACK:
            raise InvalidModuleError(f"operand stack too high: this engine's limit is {MAX_OPERAND_STACK}", self.at)

    def pop_any(self) -> int:
        """Pops a value of any type; BOT from the stack of unreachable code."""
        frame = self.ctrls[-1]
        if len(self.vals) > frame.height:
            return self.vals.pop()
        if frame.unreachable:
            return BOT
        raise self.invalid("type mismatch: a value is expected, and the stack is empty")

    def pop_val(self, expect: int) -> int:
        """Pops a value that must match a type, and gives its own type."""
        vals, frame = self.vals, self.ctrls[-1]
        if len(vals) > frame.height:
            actual = vals.pop()
            if actual != expect:
                self._expect(actual, expect)
            return actual
        if frame.unreachable:
            return BOT
        raise self.invalid(f"type mismatch: expected {self.context.text(expect)}, and the stack is empty")

    def pop_vals(self, types: tuple[int, ...]) -> None:
        """Pops values that must match, the last one from the top."""
        count = len(types)
        if count == 0:
            return
        vals, frame = self.vals, self.ctrls[-1]
        if len(vals) - frame.height >= count >= _SHORT:
            actual = tuple(vals[-count:])
            if actual != types:
                self._expect_all(actual, types)
            del vals[-count:]
            return
        for type_ in reversed(types):
            if frame.unreachable and len(vals) == frame.height:
                return
            self.pop_val(type_)

    def _expect(self, actual: int, expect: int) -> None:
        if not matches_value(actual, expect, self.defs):
            text = self.context.text
            raise self.invalid(f"type mismatch: expected {text(expect)}, found {text(actual)}")

    def _expect_all(self, actual: tuple[int, ...], types: tuple[int, ...]) -> None:
        """As `_expect`, last one first; counted, because a branch of two bytes may carry a thousand values."""
        unequal = [pair for pair in zip(actual, types, strict=True) if pair[0] != pair[1]]
        self._checks -= len(unequal)
        if self._checks < 0:
            raise self.invalid(
                f"too many values to match: this engine's limit is {MAX_SUBTYPE_CHECKS} for each byte of a body"
            )
        for pair in reversed(unequal):
            self._expect(*pair)

    def peek_vals(self, types: tuple[int, ...]) -> None:
        """Checks that values match and leaves what they are, as a branch that may not be taken does to itself."""
        vals, frame = self.vals, self.ctrls[-1]
        kept = vals[max(frame.height, len(vals) - len(types)) :] if types else []
        self.pop_vals(types)
        vals += kept

    def pop_ref(self) -> int:
        """Pops a reference of any type; the bottom reference from the stack of unreachable code."""
        type_ = self.pop_any()
        if type_ == BOT:
            return REF_BOT
        if type_ <= 0xFF:
            raise self.invalid(f"type mismatch: expected a reference, found {self.context.text(type_)}")
        return type_

    # --- the control stack ----------------------------------------------------------------------------------

    def push_ctrl(self, opcode: str, start: tuple[int, ...], end: tuple[int, ...]) -> None:
        """Opens a structured instruction."""
        if len(self.ctrls) > MAX_BLOCK_NESTING:
            raise InvalidModuleError(f"blocks nested too deep: this engine's limit is {MAX_BLOCK_NESTING}", self.at)
        self.ctrls.append(ControlFrame(opcode, start, end, len(self.vals), len(self.inits)))
        self.push_vals(start)

    def pop_ctrl(self) -> ControlFrame:
        """Closes the innermost structured instruction: its results, and nothing else, are on the stack."""
        frame = self.ctrls[-1]
        self.pop_vals(frame.end_types)
        if len(self.vals) != frame.height:
            raise self.invalid(f"type mismatch: values remain on the stack at the end of {frame.opcode}")
        self.ctrls.pop()
        self.initialised.difference_update(self.inits[frame.inits :])
        del self.inits[frame.inits :]
        return frame

    def unreachable(self) -> None:
        """Says that what follows in this block cannot be reached."""
        frame = self.ctrls[-1]
        del self.vals[frame.height :]
        frame.unreachable = True

    def label(self, depth: int) -> tuple[int, ...]:
        """What a branch to the label at that depth carries."""
        if depth >= len(self.ctrls):
            raise self.invalid(f"unknown label {depth}")
        return self.ctrls[-1 - depth].label_types

    # --- immediates ---------------------------------------------------------------------------------------------

    def block_type(self) -> FuncType:
        """What a structured instruction takes and leaves. Spec: core, 5.4.1."""
        reader = self.reader
        byte = reader.byte()
        if byte == 0x40:
            return _EMPTY
        reader.pos -= 1
        if 0x7B <= byte < 0x80 or EXN <= byte <= NOEXN or byte in {REF_NULL, REF}:
            return FuncType((), (self.types.value(reader),))
        index = reader.s33()
        if index < 0:
            raise MalformedError("malformed block type", self.at)
        self.context.use(Feature.MULTIVALUE, self.at)
        return self.context.signature(index, self.at)

    def memory_argument(self, row: Opcode) -> int:
        """Reads alignment, memory and offset of an access; gives the memory's index type. Spec: core, 5.4.7."""
        reader, at = self.reader, self.at
        flags = reader.u32()
        index = 0
        if flags & _MEMARG_HAS_MEMORY:
            flags ^= _MEMARG_HAS_MEMORY
            index = reader.u32()
            self.context.use(Feature.MULTI_MEMORY, at)
        if flags >= _MEMARG_HAS_MEMORY:
            raise MalformedError("malformed memop flags", at)
        offset = reader.u64()
        address = self.context.memory(index, at)
        if 1 << flags > row.width:
            raise self.invalid("alignment must not be larger than natural")
        if row.feature == Feature.THREADS and 1 << flags != row.width:
            raise self.invalid("atomic accesses must have their natural alignment")
        if address != I64 and offset >> 32:
            raise self.invalid("offset out of range")
        return address

    def data_index(self) -> int:
        """The index of a data segment. Bodies are read before the segments, so their count must have been declared."""
        count = self.context.module.data_count
        index = self.reader.u32()
        if count is None:
            raise MalformedError("data count section required", self.at)
        if index >= count:
            raise self.invalid(f"unknown data segment {index}")
        return index

    def elem_index(self) -> int:
        """The index of an element segment."""
        index = self.reader.u32()
        if index >= len(self.context.module.elements):
            raise self.invalid(f"unknown elem segment {index}")
        return index

    def invalid(self, message: str) -> InvalidModuleError:
        """An error at the instruction at hand."""
        return InvalidModuleError(message, self.at)
