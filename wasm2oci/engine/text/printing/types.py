"""Types, from binary to text, as they stand: an index is printed as it was written. Spec: core, types (5.3, 6.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from wasm2oci.engine.errors import MalformedError
from wasm2oci.engine.syntax import limits
from wasm2oci.engine.syntax.types import EXN, I8, I16, NOEXN, REF, REF_NULL, V128, heap_text, type_text

if TYPE_CHECKING:
    from wasm2oci.engine.binary.reader import Reader
    from wasm2oci.engine.text.printing.identifiers import Identifiers

__all__ = ["Composite", "TypePrinter"]

_ARRAY, _STRUCT, _FUNC = 0x5E, 0x5F, 0x60
_REC, _SUB, _SUB_FINAL = 0x4E, 0x50, 0x4F
_DESCRIBES, _DESCRIPTOR, _EXACT = 0x4C, 0x4D, 0x62
_HAS_MAX, _SHARED, _IS_64, _PAGE_SIZE = 1, 2, 4, 8
_EMPTY: Final = 0x40
_LONGEST: Final = 1_000
"""Characters of a signature that is repeated where its type is used: an index is enough for a longer one."""


class Composite(NamedTuple):
    """The type of a type index.

    Attributes:
        params: the texts of a function type's parameters; of another type none.
        results: the same of its results.
        fields: how many a struct type has.
    """

    params: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    fields: int = 0


class TypePrinter:
    """Reads types and gives their text.

    Args:
        names: identifiers of types.
        fields: identifiers of fields, by type index.

    Attributes:
        composites: the type of each type index, as far as they were read.
    """

    def __init__(self, names: Identifiers, fields: dict[int, Identifiers], params: dict[int, Identifiers]) -> None:
        self.names = names
        self.composites: list[Composite] = []
        self._fields = fields
        self._params = params

    # --- value types --------------------------------------------------------------------------------------------

    def value(self, reader: Reader) -> str:
        """A value type."""
        offset = reader.pos
        byte = reader.byte()
        if V128 <= byte <= 0x7F:
            return type_text(byte)
        if byte in {REF, REF_NULL}:
            heap = self.heap(reader)
            if byte == REF_NULL and heap in _SHORT:
                return _SHORT[heap]
            return f"(ref {'null ' if byte == REF_NULL else ''}{heap})"
        if EXN <= byte <= NOEXN:
            return type_text(byte << 8 | REF_NULL)
        raise MalformedError("malformed value type", offset)

    def element(self, reader: Reader) -> str:
        """A value type that is a reference: the element type of a table."""
        offset = reader.pos
        if reader.byte() >= V128:
            raise MalformedError("malformed reference type", offset)
        reader.pos = offset
        return self.value(reader)

    def reference(self, reader: Reader, *, nullable: bool) -> str:
        """A reference type of which only the heap type is written."""
        heap = self.heap(reader)
        if nullable and heap in _SHORT:
            return _SHORT[heap]
        return f"(ref {'null ' if nullable else ''}{heap})"

    def heap(self, reader: Reader) -> str:
        """A heap type."""
        offset = reader.pos
        if offset < reader.end and reader.data[offset] == _EXACT:
            reader.pos += 1
            return f"(exact {self.names.use(reader.u32())})"
        number = reader.s33()
        if number >= 0:
            return self.names.use(number)
        byte = number & 0x7F
        if number < -64 or not EXN <= byte <= NOEXN:
            raise MalformedError("malformed heap type", offset)
        return heap_text(byte)

    def values(self, reader: Reader, limit: int = limits.MAX_PARAMS) -> tuple[str, ...]:
        """A vector of value types."""
        return tuple([self.value(reader) for _ in range(reader.count(limit, "types"))])

    # --- definitions --------------------------------------------------------------------------------------------

    def group(self, reader: Reader) -> list[str]:
        """One entry of the type section: a type, or a recursion group with a line for each type."""
        if reader.pos < reader.end and reader.data[reader.pos] == _REC:
            reader.pos += 1
            count = reader.count(limits.MAX_TYPES, "types", 2)
            return ["(rec", *[f"  {self._definition(reader)}" for _ in range(count)], ")"]
        return [self._definition(reader)]

    def _definition(self, reader: Reader) -> str:
        index = len(self.composites)
        byte = reader.byte()
        head = ""
        if byte in {_SUB, _SUB_FINAL}:
            supers = [self.names.use(reader.u32()) for _ in range(reader.count(limits.MAX_TYPES, "supertypes"))]
            head = " ".join(["(sub", *["final"] * (byte == _SUB_FINAL), *supers, ""])
            byte = reader.byte()
        described = ""
        for code, keyword in ((_DESCRIBES, "describes"), (_DESCRIPTOR, "descriptor")):
            if byte == code:
                described += f"({keyword} {self.names.use(reader.u32())}) "
                byte = reader.byte()
        body = self._composite(reader, byte, index)
        return f"(type {self.names.declare(index)}{head}{described}{body}{')' if head else ''})"

    def _composite(self, reader: Reader, byte: int, index: int) -> str:
        if byte == _FUNC:
            composite = Composite(self.values(reader), self.values(reader))
            self.composites.append(composite)
            return f"(func{self.params(composite, self._params.get(index))}{_results(composite)})"
        if byte == _ARRAY:
            self.composites.append(Composite())
            return f"(array {self._field(reader)})"
        if byte == _STRUCT:
            count = reader.count(limits.MAX_STRUCT_FIELDS, "fields", 2)
            self.composites.append(Composite(fields=count))
            names = self._fields.get(index)
            fields = [f" (field {names.name(place) if names else ''}{self._field(reader)})" for place in range(count)]
            return f"(struct{''.join(fields)})"
        raise MalformedError("malformed composite type", reader.pos - 1)

    def _field(self, reader: Reader) -> str:
        if reader.pos < reader.end and reader.data[reader.pos] in {I8, I16}:
            storage = type_text(reader.byte())
        else:
            storage = self.value(reader)
        return f"(mut {storage})" if self._mutable(reader) else storage

    @staticmethod
    def _mutable(reader: Reader) -> bool:
        byte = reader.byte()
        if byte > 1:
            raise MalformedError("malformed mutability", reader.pos - 1)
        return byte == 1

    # --- function types where they are used -----------------------------------------------------------------------

    def composite(self, index: int) -> Composite:
        """The type of a type index; nothing where there is no such type."""
        return self.composites[index] if index < len(self.composites) else Composite()

    def use(self, index: int, names: Identifiers | None = None) -> str:
        """`(type 0) (param i32) (result i32)`, with the parameters' names."""
        composite = self.composite(index)
        text = f"(type {self.names.use(index)})"
        written = self.params(composite, names) + _results(composite)
        return text if names is None and len(written) > _LONGEST else text + written

    @staticmethod
    def params(composite: Composite, names: Identifiers | None) -> str:
        """` (param ...)` for each parameter with a name, and for each row of others."""
        return _groups("param", composite.params, names, 0)

    @staticmethod
    def locals(types: list[str], names: Identifiers | None, first: int) -> str:
        """The same for locals, of which the first has this index."""
        return _groups("local", types, names, first)

    def block(self, reader: Reader) -> tuple[str, int, int]:
        """A block type with a blank before it, and how many parameters and results it has."""
        offset = reader.pos
        if offset < reader.end and reader.data[offset] == _EMPTY:
            reader.pos += 1
            return "", 0, 0
        number = reader.s33()
        if number >= 0:
            composite = self.composite(number)
            return f" {self.use(number)}", len(composite.params), len(composite.results)
        reader.pos = offset
        return f" (result {self.value(reader)})", 0, 1

    # --- external types -----------------------------------------------------------------------------------------

    def limits(self, reader: Reader) -> str:
        """Limits of a memory or table."""
        offset = reader.pos
        flags = reader.byte()
        if flags > _HAS_MAX | _SHARED | _IS_64 | _PAGE_SIZE:
            raise MalformedError(f"malformed limits flags {flags:#x}", offset)
        text = f"{'i64 ' if flags & _IS_64 else ''}{reader.u64()}"
        if flags & _HAS_MAX:
            text += f" {reader.u64()}"
        if flags & _SHARED:
            text += " shared"
        if flags & _PAGE_SIZE:
            bits = reader.u32()
            if bits >= 64:
                raise MalformedError("invalid custom page size", reader.pos)
            text += f" (pagesize {1 << bits:#x})"
        return text

    def table(self, reader: Reader) -> str:
        """A table type."""
        element = self.element(reader)
        return f"{self.limits(reader)} {element}"

    def global_(self, reader: Reader) -> str:
        """A global type."""
        value = self.value(reader)
        return f"(mut {value})" if self._mutable(reader) else value


def _results(composite: Composite) -> str:
    return f" (result {' '.join(composite.results)})" if composite.results else ""


def _groups(keyword: str, types: tuple[str, ...] | list[str], names: Identifiers | None, first: int) -> str:
    out: list[str] = []
    row: list[str] = []
    for index, type_ in enumerate(types, first):
        name = names.name(index) if names else ""
        if not name:
            row.append(type_)
            continue
        if row:
            out.append(f" ({keyword} {' '.join(row)})")
            row = []
        out.append(f" ({keyword} {name}{type_})")
    if row:
        out.append(f" ({keyword} {' '.join(row)})")
    return "".join(out)


_SHORT: Final = {heap_text(heap): type_text(heap << 8 | REF_NULL) for heap in range(EXN, NOEXN + 1)}
"""Abstract heap types, and how a nullable reference to them is written."""
