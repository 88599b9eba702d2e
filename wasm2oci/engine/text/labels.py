"""The labels of the blocks around a place. Spec: core, text format, labels and control instructions (6.5.1, 6.5.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.engine.text.cursor import identifier_of
from wasm2oci.engine.text.spaces import named

if TYPE_CHECKING:
    from wasm2oci.engine.text.cursor import Cursor

__all__ = ["Labels"]


class Labels:
    """The blocks around a place in an expression, and what they are called.

    Attributes:
        stack: identifier and kind (`block`, `if`, `else`, ...) of each block, the outermost first.
        floor: how many of them a flat `end` may not close, because they are folded.
        names: what the name section says: the number of a block, of all in the expression, and its name.
        count: how many blocks there were.
    """

    __slots__ = ("_heights", "count", "floor", "names", "stack")

    def __init__(self) -> None:
        self.stack: list[tuple[str | None, str]] = []
        self.floor = 0
        self.names: list[tuple[int, str]] = []
        self.count = 0
        self._heights: dict[str, list[int]] = {}  # of each label by its identifier, the innermost last

    def declare(self, cursor: Cursor) -> str | None:
        """Reads the optional label of one more block; gives its identifier."""
        id_, name = named(cursor)
        if name is not None:
            self.names.append((self.count, name))
        self.count += 1
        return id_

    def enter(self, id_: str | None, kind: str) -> None:
        """Goes into a block."""
        self.stack.append((id_, kind))
        if id_ is not None:
            self._heights.setdefault(id_, []).append(len(self.stack))

    def leave(self) -> str | None:
        """Leaves the innermost block; gives its identifier."""
        id_, _ = self.stack.pop()
        if id_ is not None:
            self._heights[id_].pop()
        return id_

    def depth(self, cursor: Cursor) -> int:
        """Reads a label; gives how many blocks out it is."""
        atom = cursor.peek()
        if atom[:1] != "$":
            if not cursor.at_index():
                raise cursor.error("unexpected token, expected a label")
            return cursor.unsigned()
        cursor.next()
        heights = self._heights.get(identifier_of(atom))
        if not heights:
            raise cursor.error_before(f"unknown label {identifier_of(atom)}")
        return len(self.stack) - heights[-1]

    def flat(self, cursor: Cursor, mnemonic: str, *kinds: str) -> str | None:
        """Checks that the innermost block is a flat one of these kinds (of any, where none is given).

        Returns:
            Its identifier.
        """
        if len(self.stack) <= self.floor or (kinds and self.stack[-1][1] not in kinds):
            raise cursor.error_before(f"unexpected token {mnemonic}")
        return self.stack[-1][0]

    def become(self, kind: str) -> None:
        """Turns the innermost block into one of another kind: an `if` that met its `else`."""
        self.stack[-1] = (self.stack[-1][0], kind)
