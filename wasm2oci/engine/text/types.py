"""Types, read from text to their binary form. Spec: core, text format, types (6.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from wasm2oci.engine.syntax import types as syntax
from wasm2oci.engine.text.encode import sleb, uleb, vector
from wasm2oci.engine.text.spaces import IndexSpace, named

if TYPE_CHECKING:
    from wasm2oci.engine.text.cursor import Cursor

__all__ = ["ABSTRACT", "Signature", "TypeUse", "Types"]

_NUMBERS: Final = {
    "i32": bytes([syntax.I32]),
    "i64": bytes([syntax.I64]),
    "f32": bytes([syntax.F32]),
    "f64": bytes([syntax.F64]),
    "v128": bytes([syntax.V128]),
}
_PACKED: Final = {"i8": bytes([syntax.I8]), "i16": bytes([syntax.I16])}
ABSTRACT: Final = {
    "func": syntax.FUNC,
    "extern": syntax.EXTERN,
    "any": syntax.ANY,
    "eq": syntax.EQ,
    "i31": syntax.I31,
    "struct": syntax.STRUCT,
    "array": syntax.ARRAY,
    "exn": syntax.EXN,
    "noexn": syntax.NOEXN,
    "nofunc": syntax.NOFUNC,
    "noextern": syntax.NOEXTERN,
    "none": syntax.NONE,
}
"""Abstract heap types."""
_REFERENCES: Final = {
    **{f"{name}ref": bytes([code]) for name, code in ABSTRACT.items() if not name.startswith("no")},
    "nullref": bytes([syntax.NONE]),
    "nullfuncref": bytes([syntax.NOFUNC]),
    "nullexternref": bytes([syntax.NOEXTERN]),
    "nullexnref": bytes([syntax.NOEXN]),
}
_FUNC, _STRUCT, _ARRAY, _REC, _SUB, _SUB_FINAL = b"\x60", b"\x5f", b"\x5e", b"\x4e", b"\x50", b"\x4f"
_DESCRIBES, _DESCRIPTOR, _EXACT = b"\x4c", b"\x4d", b"\x62"
_EMPTY: Final = b"\x40"
_VAR, _CONST = b"\1", b"\0"

Signature = tuple[tuple[bytes, ...], tuple[bytes, ...]]
"""The parameters and results of a function type, each in binary."""


class TypeUse(NamedTuple):
    """A reference to a function type.

    Attributes:
        type: its index.
        params: how many parameters it has.
        ids: identifier and name of each parameter that is written here, by number.
    """

    type: int
    params: int
    ids: list[tuple[int, str | None, str | None]]


class Types:
    """The type section of one module, as far as it is known.

    Attributes:
        space: the type index space; identifiers are there before any definition is read.
        groups: what the section has: types and recursion groups.
        fields: the index space of the fields of each struct type.
        params: what the name section says of the parameters of function types: type index, and the names in it.
    """

    def __init__(self) -> None:
        self.space = IndexSpace("type")
        self.groups: list[bytes] = []
        self.fields: dict[int, IndexSpace] = {}
        self.params: list[tuple[int, list[tuple[int, str]]]] = []
        self._signatures: list[Signature | None] = []
        self._known: dict[Signature, int] = {}

    # --- value types --------------------------------------------------------------------------------------------

    def at_reference(self, cursor: Cursor) -> bool:
        """Whether a reference type comes next."""
        return cursor.peek() in _REFERENCES or cursor.at_form("ref")

    def value(self, cursor: Cursor) -> bytes:
        """A value type."""
        short = _NUMBERS.get(cursor.peek())
        if short is not None:
            cursor.next()
            return short
        return self.reference(cursor)

    def reference(self, cursor: Cursor) -> bytes:
        """A reference type."""
        nullable, heap, short = self.nullable_heap(cursor)
        return heap if short else bytes([syntax.REF_NULL if nullable else syntax.REF]) + heap

    def nullable_heap(self, cursor: Cursor) -> tuple[bool, bytes, bool]:
        """A reference type in parts.

        Returns:
            Whether it is nullable, its heap type in binary, and whether the heap type alone is its binary form.
        """
        known = _REFERENCES.get(cursor.peek())
        if known is not None:
            cursor.next()
            return True, known, True
        if not cursor.open("ref"):
            raise cursor.error("unexpected token, expected a type")
        nullable = cursor.accept("null")
        abstract = cursor.peek() in ABSTRACT
        heap = self.heap(cursor)
        cursor.close()
        return nullable, heap, nullable and abstract

    def heap(self, cursor: Cursor) -> bytes:
        """A heap type."""
        abstract = ABSTRACT.get(cursor.peek())
        if abstract is not None:
            cursor.next()
            return bytes([abstract])
        if cursor.open("exact"):
            index = self.space.index(cursor)
            cursor.close()
            return _EXACT + uleb(index)
        return sleb(self.space.index(cursor))

    # --- definitions --------------------------------------------------------------------------------------------

    def define(self, cursor: Cursor) -> None:
        """`(type ...)` after its keyword, up to its end."""
        self.groups.append(self._subtype(cursor))
        signature = self._signatures[-1]
        if signature is not None:
            # Open types and subtypes too, as wasm-tools does; the specification asks for one that is final.
            self._known.setdefault(signature, len(self._signatures) - 1)

    @property
    def defined(self) -> list[Signature]:
        """The signatures of all function types outside recursion groups."""
        return list(self._known)

    def define_group(self, cursor: Cursor) -> None:
        """`(rec ...)` after its keyword, up to its end."""
        members = []
        while cursor.open("type"):
            members.append(self._subtype(cursor))
        cursor.close()
        self.groups.append(_REC + vector(members))

    def _subtype(self, cursor: Cursor) -> bytes:
        """A type definition after its keyword, up to its end."""
        named(cursor)
        if not cursor.open("sub"):
            encoded = self._described(cursor)
            cursor.close()
            return encoded
        final = cursor.accept("final")
        supers = []
        while cursor.at_word():
            supers.append(uleb(self.space.index(cursor)))
        encoded = self._described(cursor)
        cursor.close()
        cursor.close()
        if final and not supers:
            return encoded
        return (_SUB_FINAL if final else _SUB) + vector(supers) + encoded

    def _described(self, cursor: Cursor) -> bytes:
        """A composite type, with what describes it and what it describes (custom descriptors proposal)."""
        out = b""
        for keyword, code in (("describes", _DESCRIBES), ("descriptor", _DESCRIPTOR)):
            if cursor.open(keyword):
                out += code + uleb(self.space.index(cursor))
                cursor.close()
        return out + self._composite(cursor)

    def _composite(self, cursor: Cursor) -> bytes:
        index = len(self._signatures)
        kind = cursor.open("func", "struct", "array")
        if not kind:
            raise cursor.error("unexpected token, expected func, struct or array")
        signature = None
        if kind == "func":
            signature, params = self.signature(cursor)
            names = [(number, text) for number, _, text in params if text is not None]
            if names:
                self.params.append((index, names))
            encoded = _FUNC + vector(signature[0]) + vector(signature[1])
        elif kind == "array":
            encoded = _ARRAY + self._field(cursor)
        else:
            encoded = _STRUCT + vector(self._struct_fields(cursor, index))
        cursor.close()
        self._signatures.append(signature)
        return encoded

    def _struct_fields(self, cursor: Cursor, index: int) -> list[bytes]:
        out = []
        space = self.fields[index] = IndexSpace("field")
        while cursor.open("field"):
            if cursor.peek()[:1] == "$" or cursor.at_form("(@name"):
                space.add(cursor)
                out.append(self._field(cursor))
            else:
                while cursor.peek() != ")":
                    out.append(self._field(cursor))
                    space.count += 1
            cursor.close()
        return out

    def _field(self, cursor: Cursor) -> bytes:
        mutable = cursor.open("mut")
        packed = _PACKED.get(cursor.peek())
        if packed is not None:
            cursor.next()
        storage = packed or self.value(cursor)
        if mutable:
            cursor.close()
        return storage + (_VAR if mutable else _CONST)

    # --- function types and their uses --------------------------------------------------------------------------

    def signature(
        self, cursor: Cursor, *, ids: bool = True
    ) -> tuple[Signature, list[tuple[int, str | None, str | None]]]:
        """Parameters and results, and the identifiers and names of the parameters (refused unless `ids`)."""
        params: list[bytes] = []
        names: list[tuple[int, str | None, str | None]] = []
        while cursor.open("param"):
            if cursor.peek()[:1] == "$" or cursor.at_form("(@name"):
                if not ids:
                    raise cursor.error("unexpected token: a parameter has no identifier here")
                names.append((len(params), *named(cursor)))
                params.append(self.value(cursor))
            else:
                while cursor.peek() != ")":
                    params.append(self.value(cursor))
            cursor.close()
        return (tuple(params), self.results(cursor)), names

    def results(self, cursor: Cursor) -> tuple[bytes, ...]:
        """Any number of `(result ...)`."""
        results: list[bytes] = []
        while cursor.open("result"):
            while cursor.peek() != ")":
                results.append(self.value(cursor))
            cursor.close()
        return tuple(results)

    def use(self, cursor: Cursor, *, ids: bool = True) -> TypeUse:
        """A type use: `(type $t)`, parameters and results, or both."""
        given, signature, names, _ = self._written_use(cursor, ids=ids)
        if given is None:
            return TypeUse(self.implicit(signature), len(signature[0]), names)
        known = self._signatures[given] if given < len(self._signatures) else None
        return TypeUse(given, len(known[0]) if known else 0, names)

    def block(self, cursor: Cursor) -> bytes:
        """A block type in binary."""
        given, (params, results), _, written = self._written_use(cursor, ids=False)
        if given is not None:
            return sleb(given)
        if not written:
            return _EMPTY
        if not params and len(results) < 2:
            return results[0] if results else _EMPTY
        return sleb(self.implicit((params, results)))

    def implicit(self, signature: Signature) -> int:
        """The index of the type of a signature; it is appended if there is none."""
        index = self._known.get(signature)
        if index is None:
            index = self._known[signature] = len(self._signatures)
            self._signatures.append(signature)
            self.groups.append(_FUNC + vector(signature[0]) + vector(signature[1]))
            self.space.count += 1
        return index

    def _written_use(
        self, cursor: Cursor, *, ids: bool
    ) -> tuple[int | None, Signature, list[tuple[int, str | None, str | None]], bool]:
        given = mark = None
        if cursor.open("type"):
            mark = cursor.mark()
            given = self.space.index(cursor)
            cursor.close()
        if not cursor.at_form("param", "result"):
            return given, ((), ()), [], False
        signature, names = self.signature(cursor, ids=ids)
        if given is not None and mark is not None:
            known = self._signatures[given] if given < len(self._signatures) else None
            if known is None:
                raise cursor.error_at(mark, f"unknown type: type {given} is not a function type")
            if known != signature:
                raise cursor.error_at(mark, "inline function type does not match the type it refers to")
        return given, signature, names, True

    # --- external types -----------------------------------------------------------------------------------------

    def limits(self, cursor: Cursor) -> bytes:
        """Limits of a memory or table, with index type, page size and sharing."""
        wide = cursor.accept("i64") or (cursor.accept("i32") and False)
        minimum = cursor.unsigned(64)
        maximum = cursor.unsigned(64) if cursor.at_index() else None
        shared = cursor.accept("shared")
        return self.encoded_limits(minimum, maximum, self.page_size(cursor), wide=wide, shared=shared)

    @staticmethod
    def page_size(cursor: Cursor) -> int | None:
        """The binary logarithm of `(pagesize n)`, or None where it is absent."""
        if not cursor.open("pagesize"):
            return None
        size = cursor.unsigned()
        if size & size - 1 or not size:
            raise cursor.error_before("invalid custom page size")
        cursor.close()
        return size.bit_length() - 1

    @staticmethod
    def encoded_limits(
        minimum: int, maximum: int | None, page_bits: int | None = None, *, wide: bool, shared: bool = False
    ) -> bytes:
        """Limits in binary."""
        flags = (maximum is not None) | shared << 1 | wide << 2 | (page_bits is not None) << 3
        out = bytes([flags]) + uleb(minimum)
        if maximum is not None:
            out += uleb(maximum)
        return out if page_bits is None else out + uleb(page_bits)

    def table(self, cursor: Cursor) -> bytes:
        """A table type."""
        limits = self.limits(cursor)
        return self.reference(cursor) + limits

    def global_(self, cursor: Cursor) -> bytes:
        """A global type."""
        mutable = cursor.open("mut")
        value = self.value(cursor)
        if mutable:
            cursor.close()
        return value + (_VAR if mutable else _CONST)
