"""Types of components, from binary to text. Spec: component model, Binary.md, type definitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.binary.component_names import read_name, read_sort
from wasm2oci.engine.errors import MalformedError
from wasm2oci.engine.syntax import limits
from wasm2oci.engine.syntax.component import PRIMITIVES
from wasm2oci.engine.syntax.sorts import EXPORTED_BY_CORE
from wasm2oci.engine.text.printing.identifiers import Identifiers, quoted
from wasm2oci.engine.text.printing.scopes import PrintScope
from wasm2oci.engine.text.printing.types import Composite, TypePrinter

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.binary.reader import Reader

__all__ = ["alias", "core_type", "extern_name", "extern_type", "type_definition", "value_type"]

_KINDS: Final = ("func", "table", "memory", "global", "tag")
_MANY: Final = limits.MAX_TYPES
_TYPES_AT_ONCE: Final = 1_000_000


def extern_name(reader: Reader) -> str:
    """The name of an import or export as a string, with its attributes."""
    name, attributes = read_name(reader)
    return " ".join([quoted(name), *[f"({keyword} {quoted(text)})" for keyword, text in attributes.items()]])


def value_type(reader: Reader, scope: PrintScope) -> str:
    """A value type."""
    offset = reader.pos
    number = reader.s33()
    if number >= 0:
        return scope.use("type", number)
    primitive = PRIMITIVES.get(number & 0x7F)
    if primitive is None or number < -64:
        raise MalformedError("malformed value type", offset)
    return primitive


def extern_type(reader: Reader, scope: PrintScope) -> tuple[str, str]:
    """The type of an import or export: its sort, and its text."""
    offset = reader.pos
    sort = read_sort(reader)
    if sort == "core module":
        return sort, f"(type {scope.use('core type', reader.u32())})"
    if sort in {"func", "component", "instance"}:
        return sort, f"(type {scope.use('type', reader.u32())})"
    if sort == "value":
        written = value_type(reader, scope)
        return sort, written if written in PRIMITIVES.values() else f"(type {written})"
    if sort == "type":
        bound = reader.byte()
        if bound > 1:
            raise MalformedError("malformed type bound", reader.pos - 1)
        return sort, "(sub resource)" if bound else f"(eq {scope.use('type', reader.u32())})"
    raise MalformedError("malformed import or export type", offset)


def alias(reader: Reader, scope: PrintScope) -> str:
    """An alias."""
    sort, offset = read_sort(reader), reader.pos
    form = reader.byte()
    exported = sort in EXPORTED_BY_CORE if form == 1 else sort == "core module" or not sort.startswith("core ")
    if form < 2 and not exported:
        raise MalformedError("malformed alias: an instance has no such exports", offset)
    if form == 0:
        target = f"export {scope.use('instance', reader.u32())} {quoted(reader.name(limits.MAX_STRING_SIZE))}"
    elif form == 1:
        instance = scope.use("core instance", reader.u32())
        target = f"core export {instance} {quoted(reader.name(limits.MAX_STRING_SIZE))}"
    elif form == 2:
        target = f"outer {reader.u32()} {reader.u32()}"
    else:
        raise MalformedError("malformed alias", offset)
    return f"(alias {target} ({sort} {scope.declare(sort).rstrip()}))"


def type_definition(reader: Reader, scope: PrintScope, depth: int = 0) -> list[str]:
    """What a type is, in lines."""
    if depth > limits.MAX_COMPONENT_NESTING:
        raise MalformedError(
            f"types nested too deep: this engine's limit is {limits.MAX_COMPONENT_NESTING}", reader.pos
        )
    offset = reader.pos
    byte = reader.byte()
    if byte in {0x41, 0x42}:
        inner = PrintScope({})
        lines = ["(component" if byte == 0x41 else "(instance"]
        for _ in range(reader.count(_TYPES_AT_ONCE, "declarations", 2)):
            lines += [f"  {line}" for line in _declaration(reader, inner, depth, component=byte == 0x41)]
        return [*lines, ")"]
    if byte in {0x40, 0x43}:
        return [_function(reader, scope, "async" if byte == 0x43 else "")]
    if byte == 0x3F:
        rep = scope.core_types.value(reader)
        destructor = f" (dtor (func {scope.use('core func', reader.u32())}))" if _flag(reader) else ""
        return [f"(resource (rep {rep}){destructor})"]
    if byte in PRIMITIVES:
        return [PRIMITIVES[byte]]
    composite = _DEFINED.get(byte)
    if composite is None:
        raise MalformedError("malformed type", offset)
    return [f"({' '.join(composite(reader, scope))})"]


def _flag(reader: Reader) -> bool:
    byte = reader.byte()
    if byte > 1:
        raise MalformedError("malformed option", reader.pos - 1)
    return byte == 1


def _function(reader: Reader, scope: PrintScope, word: str) -> str:
    parts = ["func", *([word] if word else [])]
    for _ in range(reader.count(_MANY, "parameters", 2)):
        label = quoted(reader.name(limits.MAX_STRING_SIZE))
        parts.append(f"(param {label} {value_type(reader, scope)})")
    offset = reader.pos
    form = reader.byte()
    if form == 0:
        parts.append(f"(result {value_type(reader, scope)})")
    elif form > 1 or reader.byte():
        raise MalformedError("malformed results", offset)
    return f"({' '.join(parts)})"


def _declaration(reader: Reader, scope: PrintScope, depth: int, *, component: bool) -> list[str]:
    offset = reader.pos
    kind = reader.byte()
    if kind == 0:
        return core_type(reader, scope)
    if kind == 1:
        lines = type_definition(reader, scope, depth + 1)
        lines[0] = f"(type {scope.declare('type')}{lines[0]}"
        lines[-1] += ")"
        return lines
    if kind == 2:
        return [alias(reader, scope)]
    if kind == 4 or (kind == 3 and component):
        text = extern_name(reader)
        sort, written = extern_type(reader, scope)
        keyword = "import" if kind == 3 else "export"
        return [f"({keyword} {text} ({sort} {scope.declare(sort)}{written}))"]
    raise MalformedError("malformed declaration", offset)


def core_type(reader: Reader, scope: PrintScope) -> list[str]:
    """`(core type ...)` or `(core rec ...)`, in lines."""
    byte = reader.data[reader.pos] if reader.pos < reader.end else 0
    if byte == 0x50:
        reader.pos += 1
        declared = scope.declare("core type")
        lines = [f"(core type {declared}(module"]
        lines += [f"  {line}" for line in _module_type(reader)]
        return [*lines, "))"]
    if byte == 0 and reader.pos + 1 < reader.end and reader.data[reader.pos + 1] == 0x50:
        reader.pos += 1
    lines = scope.core_types.group(reader)
    scope.declare_core_types()
    return [f"(core {lines[0][1:]}", *lines[1:]]


def _module_type(reader: Reader) -> list[str]:
    """The declarations of a module's type."""
    types = TypePrinter(Identifiers("type", {}, 0), {}, {})
    lines: list[str] = []
    for _ in range(reader.count(_TYPES_AT_ONCE, "declarations", 2)):
        offset = reader.pos
        kind = reader.byte()
        if kind == 0:
            module, text = reader.name(limits.MAX_STRING_SIZE), reader.name(limits.MAX_STRING_SIZE)
            lines.append(f"(import {quoted(module)} {quoted(text)} ({_core_extern(reader, types)}))")
        elif kind == 1:
            lines += types.group(reader)
        elif kind == 2:
            if reader.byte() != 0x10 or reader.byte() != 1:
                raise MalformedError("malformed alias", offset)
            lines.append(f"(alias outer {reader.u32()} {reader.u32()} (type (;{len(types.composites)};)))")
            types.composites.append(Composite())
        elif kind == 3:
            text = reader.name(limits.MAX_STRING_SIZE)
            lines.append(f"(export {quoted(text)} ({_core_extern(reader, types)}))")
        else:
            raise MalformedError("malformed declaration of a module", offset)
    return lines


def _core_extern(reader: Reader, types: TypePrinter) -> str:
    offset = reader.pos
    code = reader.byte()
    if code >= len(_KINDS):
        raise MalformedError("malformed import kind", offset)
    kind = _KINDS[code]
    if kind == "table":
        return f"table {types.table(reader)}"
    if kind == "memory":
        return f"memory {types.limits(reader)}"
    if kind == "global":
        return f"global {types.global_(reader)}"
    if kind == "tag" and reader.byte():
        raise MalformedError("malformed tag attribute", reader.pos - 1)
    return f"{kind} (type {reader.u32()})"


# --- value types that are made of others --------------------------------------------------------------------------


def _labels(keyword: str) -> Callable[[Reader, PrintScope], list[str]]:
    return lambda reader, _: [
        keyword,
        *[quoted(reader.name(limits.MAX_STRING_SIZE)) for _ in range(reader.count(_MANY, "labels"))],
    ]


def _values(keyword: str, count: int) -> Callable[[Reader, PrintScope], list[str]]:
    return lambda reader, scope: [keyword, *[value_type(reader, scope) for _ in range(count)]]


def _optional(keyword: str) -> Callable[[Reader, PrintScope], list[str]]:
    return lambda reader, scope: [keyword, *([value_type(reader, scope)] if _flag(reader) else [])]


def _handle(keyword: str) -> Callable[[Reader, PrintScope], list[str]]:
    return lambda reader, scope: [keyword, scope.use("type", reader.u32())]


def _record(reader: Reader, scope: PrintScope) -> list[str]:
    out = ["record"]
    for _ in range(reader.count(_MANY, "fields", 2)):
        label = quoted(reader.name(limits.MAX_STRING_SIZE))
        out.append(f"(field {label} {value_type(reader, scope)})")
    return out


def _variant(reader: Reader, scope: PrintScope) -> list[str]:
    out = ["variant"]
    for _ in range(reader.count(_MANY, "cases", 3)):
        parts = ["case", quoted(reader.name(limits.MAX_STRING_SIZE))]
        if _flag(reader):
            parts.append(value_type(reader, scope))
        if reader.byte():
            raise MalformedError("malformed case", reader.pos - 1)
        out.append(f"({' '.join(parts)})")
    return out


def _tuple(reader: Reader, scope: PrintScope) -> list[str]:
    return ["tuple", *[value_type(reader, scope) for _ in range(reader.count(_MANY, "types"))]]


def _result(reader: Reader, scope: PrintScope) -> list[str]:
    good = [value_type(reader, scope)] if _flag(reader) else []
    bad = [f"(error {value_type(reader, scope)})"] if _flag(reader) else []
    return ["result", *good, *bad]


def _fixed_list(reader: Reader, scope: PrintScope) -> list[str]:
    return ["list", value_type(reader, scope), str(reader.u32())]


_DEFINED: Final[dict[int, Callable[[Reader, PrintScope], list[str]]]] = {
    0x72: _record,
    0x71: _variant,
    0x70: _values("list", 1),
    0x6F: _tuple,
    0x6E: _labels("flags"),
    0x6D: _labels("enum"),
    0x6B: _values("option", 1),
    0x6A: _result,
    0x69: _handle("own"),
    0x68: _handle("borrow"),
    0x67: _fixed_list,
    0x66: _optional("stream"),
    0x65: _optional("future"),
    0x63: _values("map", 2),
}
