"""Value types of components, from text to binary. Spec: component model, Explainer.md and Binary.md, value types."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from wasm2oci.engine.syntax import limits
from wasm2oci.engine.syntax.component import PRIMITIVES
from wasm2oci.engine.text.component.references import reference
from wasm2oci.engine.text.component.scope import Reference
from wasm2oci.engine.text.encode import name, sleb, uleb, vector

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.text.component.scope import Scope
    from wasm2oci.engine.text.cursor import Cursor

__all__ = ["TYPE", "Value", "ValueTypes"]

Value = bytes | Reference
"""A value type: in binary, or a reference that is looked up when all inline types before it are written."""

TYPE: Final = 7
"""The section of types."""

_PRIMITIVES: Final = {
    **{word: bytes([code]) for code, word in PRIMITIVES.items()},
    "float32": b"\x76",
    "float64": b"\x75",
}


class ValueTypes:
    """Reads value types into a scope.

    Args:
        scope: where types are defined.
        cursor: where it reads.
        depth: how many types are around it.
    """

    def __init__(self, scope: Scope, cursor: Cursor, depth: int = 0) -> None:
        self.scope = scope
        self.cursor = cursor
        self._depth = depth
        if depth > limits.MAX_COMPONENT_NESTING:
            raise cursor.error(f"types nested too deep: this engine's limit is {limits.MAX_COMPONENT_NESTING}")

    def define(self, encoded: bytes, identity: tuple[str | None, str | None] = (None, None)) -> int:
        """Adds a type; gives its index."""
        self.scope.emit(TYPE, encoded)
        return self.scope.declare(self.cursor, "type", identity)

    def value(self) -> Value:
        """A value type; one that is written in full becomes a type of its own."""
        cursor = self.cursor
        primitive = _PRIMITIVES.get(cursor.peek())
        if primitive is not None:
            cursor.next()
            return primitive
        if cursor.at_index():
            return reference(cursor, "type")
        if cursor.peek() != "(":
            raise cursor.error("unexpected token, expected a value type")
        inner = ValueTypes(self.scope, cursor, self._depth + 1)
        return sleb(inner.define(inner.defined()))

    def finish(self, type_: Value) -> bytes:
        """A value type in binary."""
        return type_ if isinstance(type_, bytes) else sleb(self.scope.resolve(self.cursor, type_))

    def _optional(self, type_: Value | None) -> bytes:
        return b"\0" if type_ is None else b"\1" + self.finish(type_)

    def _value_or_none(self) -> Value | None:
        return None if self.cursor.peek() == ")" else self.value()

    def defined(self) -> bytes:
        """The definition of a value type."""
        cursor = self.cursor
        primitive = _PRIMITIVES.get(cursor.peek())
        if primitive is not None:
            cursor.next()
            return primitive
        keyword = cursor.open(*self._DEFINED)
        if not keyword:
            raise cursor.error(f"unexpected token, expected one of {', '.join(self._DEFINED)}")
        encoded = self._DEFINED[keyword](self)
        cursor.close()
        return encoded

    def _record(self) -> bytes:
        fields = self._labelled("field")
        return b"\x72" + vector([name(label) + self.finish(type_) for label, type_ in fields])

    def _labelled(self, keyword: str) -> list[tuple[str, Value]]:
        cursor, out = self.cursor, []
        while cursor.open(keyword):
            out.append((cursor.name(), self.value()))
            cursor.close()
        return out

    def _variant(self) -> bytes:
        cursor = self.cursor
        cases: list[tuple[str, Value | None]] = []
        ids = set[str]()
        while cursor.open("case"):
            id_ = cursor.identifier()
            if id_ is not None and id_ in ids:
                raise cursor.error_before("duplicate variant case identifier")
            ids.add(id_ or "")
            cases.append((cursor.name(), self._value_or_none()))
            if cursor.open("refines"):
                raise cursor.error_before("unexpected token: cases refine nothing any more")
            cursor.close()
        return b"\x71" + vector([name(label) + self._optional(type_) + b"\0" for label, type_ in cases])

    def _list(self) -> bytes:
        element = self.value()
        if self.cursor.peek() == ")":
            return b"\x70" + self.finish(element)
        length = self.cursor.unsigned()
        return b"\x67" + self.finish(element) + uleb(length)

    def _map(self) -> bytes:
        key, value = self.value(), self.value()
        return b"\x63" + self.finish(key) + self.finish(value)

    def _tuple(self) -> bytes:
        types = []
        while self.cursor.peek() != ")":
            types.append(self.value())
        return b"\x6f" + vector([self.finish(type_) for type_ in types])

    def _labels(self) -> bytes:
        labels = []
        while self.cursor.peek() != ")":
            labels.append(name(self.cursor.name()))
        return vector(labels)

    def _result(self) -> bytes:
        good = None if self.cursor.peek() == ")" or self.cursor.at_form("error") else self.value()
        bad: Value | None = None
        if self.cursor.open("error"):
            bad = self.value()
            self.cursor.close()
        return b"\x6a" + self._optional(good) + self._optional(bad)

    def _handle(self, code: bytes) -> bytes:
        return code + uleb(self.scope.resolve(self.cursor, reference(self.cursor, "type")))

    def _option(self) -> bytes:
        return b"\x6b" + self.finish(self.value())

    _DEFINED: ClassVar[dict[str, Callable[[ValueTypes], bytes]]] = {
        "record": _record,
        "variant": _variant,
        "list": _list,
        "map": _map,
        "tuple": _tuple,
        "flags": lambda self: b"\x6e" + self._labels(),
        "enum": lambda self: b"\x6d" + self._labels(),
        "option": _option,
        "result": _result,
        "own": lambda self: self._handle(b"\x69"),
        "borrow": lambda self: self._handle(b"\x68"),
        "stream": lambda self: b"\x66" + self._optional(self._value_or_none()),
        "future": lambda self: b"\x65" + self._optional(self._value_or_none()),
    }
