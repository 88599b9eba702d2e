"""What a WebAssembly binary declares: the one model of a module, for `inspect`, `validate`, the page of `serve`, JSON.

`outline` decodes declarations only, `described` what is in a component's interfaces as well; `validated` type-checks
every function. Types are written as the text format, or WIT, writes them. A module of a few hundred kilobytes may
declare gigabytes of such text (many exports of one long type), so each text is cut at `TYPE_MAX` characters, and after
`TYPES_MAX` characters in all no more are made.
Spec: core, modules (2.5); tool-conventions, ProducersSection.md and Linking.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, overload

from wasm2oci.base.records import NamedTuple
from wasm2oci.engine.binary import (
    ModuleKind,
    decode_component,
    decode_module,
    decode_producers,
    decode_target_features,
    preamble,
)
from wasm2oci.engine.binary.preamble import PREAMBLE_SIZE
from wasm2oci.engine.binary.reader import Reader
from wasm2oci.engine.errors import FeatureError, MalformedError, ModuleError
from wasm2oci.engine.syntax.features import DEFAULT, feature_names
from wasm2oci.engine.syntax.limits import MAX_STRING_SIZE
from wasm2oci.engine.syntax.types import extern_text
from wasm2oci.engine.wit import Member

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wasm2oci.engine.syntax.features import Feature
    from wasm2oci.engine.syntax.module import Module, Span
    from wasm2oci.engine.syntax.types import ExternKind, ExternType
    from wasm2oci.engine.wit.items import Item

__all__ = [
    "TYPES_MAX",
    "TYPE_MAX",
    "CoreModule",
    "Extern",
    "Member",
    "ModuleFacts",
    "ValidModule",
    "declared_size",
    "described",
    "outline",
    "validated",
]

TYPE_MAX: Final = 1_000
"""Characters of the text of one type; a longer one ends in `...`."""
TYPES_MAX: Final = 4 << 20
"""Characters of the texts of all types of one module together; what follows has the type None."""


_SECTION_COST: Final = 8
_CUSTOM, _NESTED_MODULE, _NESTED_COMPONENT = 0, 1, 4
_DECODED_CUSTOMS: Final = {"producers", "target_features"}
_PASSED_OVER: Final = {ModuleKind.MODULE: {9, 10, 11}, ModuleKind.COMPONENT: {_NESTED_MODULE}}
"""Sections by number: element, code and data of a module; the core modules of a component."""


class Extern(NamedTuple):
    """An import or an export.

    Attributes:
        name: as it is written.
        kind: `func`, `table`, `memory`, `global` or `tag`; of a component also `instance`, `component`, `type`, ...
        type: its type in the text format without the kind, such as `(param i32) (result i64)`, which is empty for a
            function that takes and returns nothing; of a component as WIT writes it, `(a: u32) -> string`. None for
            interfaces, for types that are not valid, and past `TYPES_MAX`.
        module: of an import of a core module, the module's name; else None.
        members: what is in an interface or a world; empty where that is not known.
    """

    name: str
    kind: str
    type: str | None = None
    module: str | None = None
    members: tuple[Member, ...] = ()

    @property
    def full_name(self) -> str:
        """`MODULE.NAME` for an import of a core module, else the name."""
        return self.name if self.module is None else f"{self.module}.{self.name}"


class ModuleFacts(NamedTuple):
    """A core module or a component, as it describes itself.

    Attributes:
        kind: `module` or `component`.
        size: bytes.
        imports: in order.
        exports: in order.
        functions: how many it defines; 0 for a component.
        features: beyond WebAssembly 1.0, by name. An outline has those that its declarations use and its
            `target_features` section names; a validated module has those that it uses.
        producers: field (`language`, `processed-by`, `sdk`) to name to version, as the tools that made it recorded.
    """

    kind: str
    size: int
    imports: tuple[Extern, ...]
    exports: tuple[Extern, ...]
    functions: int
    features: tuple[str, ...]
    producers: Mapping[str, Mapping[str, str]]

    @property
    def made_by(self) -> tuple[str, ...]:
        """The producers as texts: `clang 17.0.6`."""
        return tuple(
            f"{name} {version}".strip() for values in self.producers.values() for name, version in values.items()
        )


class CoreModule(NamedTuple):
    """A valid core module: the file itself, or one within a component.

    Attributes:
        offset: where it starts in the file, bytes.
        size: bytes.
        counts: how many it has of `types`, `functions`, `tables`, `memories`, `globals`, `tags`, `elements`, `datas`,
            imported ones included, and of `bodies` and `customs`.
        features: what it uses beyond WebAssembly 1.0, each with the offset in the file where it does first.
    """

    offset: int
    size: int
    counts: Mapping[str, int]
    features: Mapping[str, int]


class ValidModule(NamedTuple):
    """A file that is valid.

    Attributes:
        facts: what it declares.
        modules: the core modules that were type-checked.
    """

    facts: ModuleFacts
    modules: tuple[CoreModule, ...]


def outline(data: bytes) -> ModuleFacts:
    """Decode the declarations of a module or component; function bodies are not read and nothing is validated.

    Raises:
        MalformedError: it is neither, or its declarations do not decode.
    """
    if preamble(data) is ModuleKind.COMPONENT:
        return _component(data)
    module = decode_module(data, segments=False)
    seen = feature_names(sum(module.features))
    named = sorted(name for name, mark in decode_target_features(module).items() if mark in "+=")
    return _facts(module, tuple(dict.fromkeys((*seen, *named))))


def described(data: bytes) -> ModuleFacts:
    """The outline; of a component also the functions of its interfaces, where its types are valid and not too large.

    Raises:
        MalformedError: see `outline`.
    """
    facts = outline(data)
    if facts.kind != ModuleKind.COMPONENT:
        return facts
    from wasm2oci.engine.wit.items import items  # noqa: PLC0415 - only for components

    try:
        imports, exports = items(data, TYPES_MAX)
    except ModuleError:
        return facts
    return facts._replace(
        imports=tuple(_with_members(extern, imports) for extern in facts.imports),
        exports=tuple(_with_members(extern, exports) for extern in facts.exports),
    )


def _with_members(extern: Extern, found: Mapping[str, Item]) -> Extern:
    item = found.get(extern.name)
    if item is None:
        return extern
    members = tuple(Member(one.name, one.kind, _cut(one.type)) for one in item.members)
    return extern._replace(type=_cut(item.type), members=members)


def declared_size(data: bytes, *, modules: bool = False) -> int:
    """About how many bytes `outline` decodes one by one: what bounds its time and memory, found in a moment.

    Code, data, elements and most custom sections are passed over; each section counts some bytes of its own.

    Args:
        data: the module or component.
        modules: count the core modules within a component as well, which `described` decodes.

    Raises:
        MalformedError: the sections are not as long as they say.
    """
    size, spans = 0, [(PREAMBLE_SIZE, len(data), preamble(data))]
    while spans:
        pos, end, kind = spans.pop()
        while pos < end:
            reader = Reader(data, pos)
            reader.end = end
            section, length = reader.byte(), reader.u32()
            start, pos = reader.pos, reader.pos + length
            if pos > end:
                raise MalformedError("length out of bounds: the section is longer than what holds it", start)
            size += _SECTION_COST
            if section == _CUSTOM:
                name = reader.name(MAX_STRING_SIZE)
                size += length if name in _DECODED_CUSTOMS else reader.pos - start
            elif kind is ModuleKind.COMPONENT and section == _NESTED_COMPONENT:
                spans.append((min(start + PREAMBLE_SIZE, pos), pos, kind))
            elif modules and kind is ModuleKind.COMPONENT and section == _NESTED_MODULE:
                spans.append((min(start + PREAMBLE_SIZE, pos), pos, ModuleKind.MODULE))
            elif section not in _PASSED_OVER[kind]:
                size += length
    return size


def validated(data: bytes, features: Feature = DEFAULT) -> ValidModule:
    """Validate a core module, or a component and every core module in it.

    Args:
        data: the bytes.
        features: what it may use; `engine.syntax.features.parse_features` reads them from text.

    Raises:
        MalformedError: it does not decode. Like the next ones with `reason`, and `offset` in the whole file.
        InvalidModuleError: it does not type-check.
        FeatureError: it uses a feature that is not in `features`.
    """
    if preamble(data) is ModuleKind.MODULE:
        module, core = _validated_core(data, 0, features)
        return ValidModule(_facts(module, _used((core,))), (core,))
    return _validated_component(data, features)


def _validated_component(data: bytes, features: Feature) -> ValidModule:
    from wasm2oci.engine.binary.definitions import decode_definitions  # noqa: PLC0415 - see `_validated_core`
    from wasm2oci.engine.validate.component.definitions import validate_component  # noqa: PLC0415

    used: dict[Feature, int] = {}
    component = decode_definitions(data, used)
    modules: dict[Span, Module] = {}
    valid = []
    for span in component.all_modules():
        try:
            modules[span], core = _validated_core(data[slice(*span)], span[0], features)
        except ModuleError as error:
            raise error.moved(span[0]) from error
        valid.append(core)
    validate_component(component, modules, used)
    refused = [(offset, feature) for feature, offset in used.items() if feature & ~features]
    if refused:
        offset, feature = min(refused)
        raise FeatureError(feature_names(feature)[0], offset)
    its_own = {feature_names(feature)[0] for feature in used}
    return ValidModule(_component(data)._replace(features=_used(valid, its_own)), tuple(valid))


def _validated_core(data: bytes, offset: int, features: Feature) -> tuple[Module, CoreModule]:
    from wasm2oci.engine.validate import validate_module  # noqa: PLC0415 - an outline does not need it

    module = decode_module(data)
    valid = validate_module(module, features)
    counts = {
        "types": len(module.types),
        "functions": len(module.func_types),
        "tables": len(module.tables),
        "memories": len(module.mems),
        "globals": len(module.globals),
        "tags": len(module.tags),
        "elements": len(module.elements),
        "datas": len(module.datas),
        "bodies": len(module.codes),
        "customs": len(module.customs),
    }
    used = {feature_names(feature)[0]: offset + place for feature, place in valid.offsets.items()}
    return module, CoreModule(offset, len(data), counts, used)


def _used(modules: tuple[CoreModule, ...] | list[CoreModule], its_own: Iterable[str] = ()) -> tuple[str, ...]:
    used = {name for module in modules for name in module.features}.union(its_own)
    return tuple(name for name in feature_names(-1) if name in used)


def _facts(module: Module, features: tuple[str, ...]) -> ModuleFacts:
    texts = _TypeTexts(module)
    return ModuleFacts(
        kind=str(ModuleKind.MODULE),
        size=len(module.data),
        imports=tuple(
            Extern(item.name, item.kind.name.lower(), texts.of(item.kind, item.index), item.module)
            for item in module.imports
        ),
        exports=tuple(
            Extern(item.name, item.kind.name.lower(), texts.of(item.kind, item.index)) for item in module.exports
        ),
        functions=len(module.codes),
        features=features,
        producers=decode_producers(module),
    )


def _component(data: bytes) -> ModuleFacts:
    component = decode_component(data)
    return ModuleFacts(
        kind=str(ModuleKind.COMPONENT),
        size=len(data),
        imports=tuple(Extern(item.name, item.kind) for item in component.imports),
        exports=tuple(Extern(item.name, item.kind) for item in component.exports),
        functions=0,
        features=(),
        producers={},
    )


class _TypeTexts:
    """The texts of a module's types, each made once, and bounded in all."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._indices = module.type_indices()
        self._known: dict[ExternType, str] = {}
        self._left = TYPES_MAX

    def of(self, kind: ExternKind, index: int) -> str | None:
        """The text of one item's type; None where there is none to show."""
        try:
            type_ = self._module.extern_type(kind, index)
        except IndexError:  # invalid, which is for validation to report
            return None
        if type_ not in self._known:
            self._known[type_] = self._text(type_)
        text = self._known[type_]
        if len(text) > self._left:
            return None
        self._left -= len(text)
        return text

    def _text(self, type_: ExternType) -> str:
        return _cut(extern_text(type_, self._indices).partition(" ")[2])


@overload
def _cut(text: str) -> str: ...
@overload
def _cut(text: None) -> None: ...
@overload
def _cut(text: str | None) -> str | None: ...
def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= TYPE_MAX else f"{text[: TYPE_MAX - 3]}..."
