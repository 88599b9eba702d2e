"""A function body as a list of live instructions with its labels resolved: what translation walks over.

Each label knows where control goes when it is branched to (`Construct.cont`): branches whose targets have the same
continuation are the same jump, which is what lets most of them become a plain `break` or `continue`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from wasm2oci.engine.syntax.types import FuncType

__all__ = ["FUNCTION_END", "Body", "Catch", "Construct", "Instruction"]

Instruction = tuple[int, Any, int]
"""Opcode, immediate (None, an int, a construct, or a tuple), and the offset in the module."""

FUNCTION_END: Final = -1
"""The continuation of labels that return from the function."""


class Construct:
    """A block, loop, if, try_table, or the function itself.

    Attributes:
        kind: "block", "loop", "if", "try" or "function".
        params, results: how many values go in and come out.
        result_types, param_types: their value types.
        parent: the construct around it, None for the function.
        depth: how many constructs are around it.
        start, els, end: indices of its instructions; `els` is -1 where there is no else.
        cont: the continuation a branch to it leads to: an instruction's index, or `FUNCTION_END`; a loop's own start.
        after: the continuation of falling out of its end (a loop's `after` is not its `cont`).
        targeted: how many live branches name it.
        assigned: bit `1 << 2 * n` for each local `n` it assigns.
        height: operands below it; known once translation has come to it.
        catches: of a try_table.
        has_table: its body directly holds a br_table.
    """

    __slots__ = (
        "after",
        "assigned",
        "catches",
        "cont",
        "depth",
        "els",
        "end",
        "has_table",
        "height",
        "kind",
        "param_types",
        "params",
        "parent",
        "result_types",
        "results",
        "start",
        "targeted",
    )

    def __init__(self, kind: str, parent: Construct | None, start: int, type_: FuncType) -> None:
        self.kind = kind
        self.parent = parent
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.start = start
        self.els = -1
        self.end = -1
        self.cont = FUNCTION_END
        self.after = FUNCTION_END
        self.param_types = type_.params
        self.result_types = type_.results
        self.params = len(type_.params)
        self.results = len(type_.results)
        self.targeted = 0
        self.assigned = 0
        self.height = 0
        self.catches: list[Catch] = []
        self.has_table = False

    @property
    def arity(self) -> int:
        """How many values a branch to it carries."""
        return self.params if self.kind == "loop" else self.results


class Catch:
    """One clause of a try_table: kind 0 catch, 1 catch_ref, 2 catch_all, 3 catch_all_ref."""

    __slots__ = ("kind", "tag", "target")

    def __init__(self, kind: int, tag: int, target: Construct) -> None:
        self.kind = kind
        self.tag = tag
        self.target = target


class Body:
    """A decoded body.

    Attributes:
        locals: value types of all locals, parameters first.
        params: how many of them are parameters.
        type: the function's type.
        code: live instructions; the last one is the function's `end`.
        constructs: in order of their start, the function first.
        control: indices of the instructions after which control may go elsewhere, or comes from elsewhere.
    """

    __slots__ = ("code", "constructs", "control", "locals", "params", "type")

    def __init__(
        self,
        type_: FuncType,
        locals_: list[int],
        code: list[Instruction],
        constructs: list[Construct],
        control: list[int],
    ) -> None:
        self.type = type_
        self.params = len(type_.params)
        self.locals = locals_
        self.code = code
        self.constructs = constructs
        self.control = control
