"""Types and names of components. Spec: component model, Binary.md, type definitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.engine.binary.component_names import read_name, read_sort
from wasm2oci.engine.errors import MalformedError
from wasm2oci.engine.syntax import component as syntax
from wasm2oci.engine.syntax import limits

if TYPE_CHECKING:
    from wasm2oci.engine.binary.reader import Reader
    from wasm2oci.engine.binary.types import TypeReader

__all__ = ["extern_desc", "extern_name", "results", "type_definition", "value_type"]

_RESOURCE, _FUNC, _ASYNC_FUNC = 0x3F, 0x40, 0x43
_FIXED_LIST = 0x67


def extern_name(reader: Reader) -> syntax.ExternName:
    """The name of an import or export, with its attributes."""
    return syntax.ExternName(*read_name(reader))


def extern_desc(reader: Reader) -> syntax.ExternDesc:
    """The type of an import or export."""
    offset = reader.pos
    sort = read_sort(reader)
    if sort in {"core module", "func", "component", "instance"}:
        return syntax.ExternDesc(sort, reader.u32())
    if sort == "value":
        return syntax.ExternDesc(sort, value_type(reader))
    if sort == "type":
        bound = reader.byte()
        if bound > 1:
            raise MalformedError("malformed type bound", reader.pos - 1)
        return syntax.ExternDesc(sort, None if bound else reader.u32())
    raise MalformedError("malformed import or export type", offset)


def value_type(reader: Reader) -> syntax.ValType:
    """A value type: an index, or a primitive type."""
    offset = reader.pos
    number = reader.s33()
    if number >= 0:
        return number
    primitive = syntax.PRIMITIVES.get(number & 0x7F)
    if primitive is None or number < -64:
        raise MalformedError("malformed value type", offset)
    return primitive


def type_definition(
    reader: Reader, code: int, core_types: TypeReader
) -> syntax.DefinedType | syntax.FunctionType | syntax.ResourceType:
    """A type after its code, unless it is that of a component or an instance."""
    if code in syntax.PRIMITIVES:
        return syntax.DefinedType(syntax.PRIMITIVES[code])
    if code in {_FUNC, _ASYNC_FUNC}:
        labels, params = _labelled(reader, "parameters")
        return syntax.FunctionType(labels, params, results(reader), code == _ASYNC_FUNC)
    if code == _RESOURCE:
        rep = core_types.value(reader)
        return syntax.ResourceType(rep, reader.u32() if reader.flag("destructor of a resource") else None)
    kind = syntax.COMPOSITE_CODES.get(code)
    if kind is None:
        raise MalformedError(f"malformed type {code:#x}", reader.pos - 1)
    return _composite(reader, code, kind)


def _composite(reader: Reader, code: int, kind: str) -> syntax.DefinedType:
    """A value type that is made of others."""
    if kind == "record":
        return syntax.DefinedType(kind, *_labelled(reader, "fields"))
    if kind == "variant":
        cases = [_case(reader) for _ in range(reader.count(limits.MAX_TYPES, "cases", 3))]
        return syntax.DefinedType(kind, tuple([label for label, _ in cases]), tuple([type_ for _, type_ in cases]))
    if kind == "tuple":
        count = reader.count(limits.MAX_TYPES, "types")
        return syntax.DefinedType(kind, (), tuple([value_type(reader) for _ in range(count)]))
    if kind in {"flags", "enum"}:
        count = reader.count(limits.MAX_TYPES, "labels")
        return syntax.DefinedType(kind, tuple([reader.name(limits.MAX_STRING_SIZE) for _ in range(count)]))
    if kind == "result":
        return syntax.DefinedType(kind, (), (_optional(reader), _optional(reader)))
    if kind in {"own", "borrow"}:
        return syntax.DefinedType(kind, (), (reader.u32(),))
    if kind in {"stream", "future"}:
        return syntax.DefinedType(kind, (), (_optional(reader),))
    if kind == "map":
        return syntax.DefinedType(kind, (), (value_type(reader), value_type(reader)))
    element = value_type(reader)  # list, option
    return syntax.DefinedType(kind, (), (element,), reader.u32() if code == _FIXED_LIST else None)


def _labelled(reader: Reader, what: str) -> tuple[tuple[str, ...], tuple[syntax.ValType, ...]]:
    count = reader.count(limits.MAX_TYPES, what, 2)
    both = [(reader.name(limits.MAX_STRING_SIZE), value_type(reader)) for _ in range(count)]
    return tuple([label for label, _ in both]), tuple([type_ for _, type_ in both])


def _case(reader: Reader) -> tuple[str, syntax.CaseType]:
    label, type_ = reader.name(limits.MAX_STRING_SIZE), _optional(reader)
    if reader.byte():
        raise MalformedError("malformed case: zero byte expected", reader.pos - 1)
    return label, type_


def _optional(reader: Reader) -> syntax.CaseType:
    return value_type(reader) if reader.flag("type that may be left out") else None


def results(reader: Reader) -> syntax.CaseType:
    """The result of a function: a type, or none."""
    offset = reader.pos
    form = reader.byte()
    if form == 0:
        return value_type(reader)
    if form > 1 or reader.byte():
        raise MalformedError("malformed results", offset)
    return None
