"""A component as decoded: its definitions in order, with offsets, unchanged and unjudged.

Indices are as written; what they refer to is found by validation and by instantiation. Offsets and spans count from the
first byte of the outermost file. A *value type* is an `int`, the index of a type, or a `str`, the name of a primitive
type; `None` is a type that is left out, where it may be. A *sort* is written as in `sorts`: `func`, `core memory`, ...

Spec: component model, Binary.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wasm2oci.engine.syntax.module import Span
    from wasm2oci.engine.syntax.types import DefType, ExternType

__all__ = [
    "COMPOSITE_CODES",
    "PRIMITIVES",
    "Alias",
    "CanonFunction",
    "CanonOptions",
    "CaseType",
    "ComponentDefinition",
    "CoreExports",
    "CoreInstantiation",
    "CoreTypes",
    "DeclaredType",
    "DefinedType",
    "Definition",
    "Export",
    "ExportDeclaration",
    "ExternDesc",
    "ExternName",
    "FunctionType",
    "Import",
    "InstanceExports",
    "Instantiation",
    "ModuleDefinition",
    "ModuleType",
    "ResourceType",
    "Start",
    "TypeDefinition",
    "ValType",
]

ValType = int | str
"""A value type: the index of a type, or the name of a primitive type."""

CaseType = ValType | None
"""A value type that may be left out: that of a case, a result, an element of a stream."""

PRIMITIVES: Final = {
    0x7F: "bool",
    0x7E: "s8",
    0x7D: "u8",
    0x7C: "s16",
    0x7B: "u16",
    0x7A: "s32",
    0x79: "u32",
    0x78: "s64",
    0x77: "u64",
    0x76: "f32",
    0x75: "f64",
    0x74: "char",
    0x73: "string",
    0x64: "error-context",
}
"""Primitive value types by code."""

COMPOSITE_CODES: Final = {
    0x72: "record",
    0x71: "variant",
    0x70: "list",
    0x6F: "tuple",
    0x6E: "flags",
    0x6D: "enum",
    0x6B: "option",
    0x6A: "result",
    0x69: "own",
    0x68: "borrow",
    0x67: "list",
    0x66: "stream",
    0x65: "future",
    0x63: "map",
}
"""Kinds of value types that are made of others, by code; 0x67 is the list of fixed length."""


# --- types ------------------------------------------------------------------------------------------------------


class DefinedType(NamedTuple):
    """A type of values.

    Attributes:
        kind: `record`, `variant`, ..., or the name of a primitive type.
        labels: of fields, cases, flags, or of an enum.
        types: of the fields, the cases (None: without one) or the elements; of a result, that of `ok` and of `error`;
            of a map, that of keys and of values; of `own` and `borrow`, the index of the resource type.
        length: of a list of fixed length, else None.
    """

    kind: str
    labels: tuple[str, ...] = ()
    types: tuple[CaseType, ...] = ()
    length: int | None = None


class FunctionType(NamedTuple):
    """A type of functions: labels and types of the parameters, and the type of the result."""

    labels: tuple[str, ...]
    params: tuple[ValType, ...]
    result: CaseType
    is_async: bool


class ResourceType(NamedTuple):
    """A new type of resources: the core value type that represents one, and the core function that destroys it."""

    rep: int
    destructor: int | None


class DeclaredType(NamedTuple):
    """The type of a component or of an instance.

    Attributes:
        kind: `component` or `instance`.
        declarations: core types, types, aliases, imports, declarations of exports.
    """

    kind: str
    declarations: tuple[Definition, ...]


class ModuleType(NamedTuple):
    """The type of a core module: what it imports by module and name, and what it exports by name."""

    imports: Mapping[tuple[str, str], ExternType]
    exports: Mapping[str, ExternType]


class ExternDesc(NamedTuple):
    """The type of an import or export.

    Attributes:
        sort: its sort.
        type: an index; for a value, a value type; for a type, the index of the type it equals, or None for a resource.
    """

    sort: str
    type: CaseType


class ExternName(NamedTuple):
    """The name of an import or export: as written, and the attributes that stand beside it."""

    name: str
    attributes: Mapping[str, str]


# --- definitions ------------------------------------------------------------------------------------------------


class ModuleDefinition(NamedTuple):
    """A core module."""

    span: Span
    offset: int


class ComponentDefinition(NamedTuple):
    """A component: the outermost one, or one within."""

    span: Span
    definitions: tuple[Definition, ...]
    offset: int

    def all_modules(self) -> Iterator[Span]:
        """Where the core modules in it stand, however deep, in order."""
        for definition in self.definitions:
            if isinstance(definition, ModuleDefinition):
                yield definition.span
            elif isinstance(definition, ComponentDefinition):
                yield from definition.all_modules()


class CoreInstantiation(NamedTuple):
    """An instance of a core module: names of arguments, and the core instances they are."""

    module: int
    arguments: tuple[tuple[str, int], ...]
    offset: int


class CoreExports(NamedTuple):
    """A core instance made of items that exist: name, sort, index."""

    exports: tuple[tuple[str, str, int], ...]
    offset: int


class CoreTypes(NamedTuple):
    """Core types: those of one recursion group, or the type of a module; and every one that they mention, by id."""

    types: tuple[DefType | ModuleType, ...]
    defs: Mapping[int, DefType]
    offset: int


class Instantiation(NamedTuple):
    """An instance of a component; arguments are name, sort, index."""

    component: int
    arguments: tuple[tuple[str, str, int], ...]
    offset: int


class InstanceExports(NamedTuple):
    """An instance made of items that exist: name, sort, index."""

    exports: tuple[tuple[ExternName, str, int], ...]
    offset: int


class Alias(NamedTuple):
    """Another index for something.

    Attributes:
        sort: its sort.
        form: `export`, `core export` or `outer`.
        owner: the instance that exports it; for `outer`, how many components to go out.
        target: the export's name; for `outer`, the index there.
    """

    sort: str
    form: str
    owner: int
    target: str | int
    offset: int


class TypeDefinition(NamedTuple):
    """A type."""

    type: DefinedType | FunctionType | ResourceType | DeclaredType
    offset: int


class CanonOptions(NamedTuple):
    """The options of a canonical function, in order: keyword and index (None for a flag)."""

    given: tuple[tuple[str, int | None], ...]


class CanonFunction(NamedTuple):
    """A canonical function.

    Attributes:
        keyword: `lift`, or a row of `canon.BUILTINS`.
        operands: by name, as in the row; `lift` has `core func` and `type`.
        options: what it says of memory, encoding, ...
    """

    keyword: str
    operands: Mapping[str, CaseType | bool]
    options: CanonOptions
    offset: int


class Start(NamedTuple):
    """The start function, indices of the values it takes, and how many it gives."""

    function: int
    arguments: tuple[int, ...]
    results: int
    offset: int


class Import(NamedTuple):
    """An import."""

    name: ExternName
    desc: ExternDesc
    offset: int


class Export(NamedTuple):
    """An export: sort and index of the item, and the type that is declared for it, if any."""

    name: ExternName
    sort: str
    item: int
    desc: ExternDesc | None
    offset: int


class ExportDeclaration(NamedTuple):
    """An export in the type of a component or an instance."""

    name: ExternName
    desc: ExternDesc
    offset: int


Definition = (
    ModuleDefinition
    | ComponentDefinition
    | CoreInstantiation
    | CoreExports
    | CoreTypes
    | Instantiation
    | InstanceExports
    | Alias
    | TypeDefinition
    | CanonFunction
    | Start
    | Import
    | Export
    | ExportDeclaration
)
"""What a component consists of."""
