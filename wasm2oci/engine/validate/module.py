"""Validation of a whole module. Spec: core, modules (3.5).

Everything outside bodies is checked first, in the order of the specification, then each body. A body goes to `fast`
first, which says yes or "not sure"; what it is not sure about goes to `body`, which decides. Bodies may also be checked
one by one, each before it is first executed: see decision 34.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wasm2oci.engine.errors import FeatureError, InvalidModuleError
from wasm2oci.engine.syntax.features import DEFAULT, Feature, feature_names
from wasm2oci.engine.syntax.limits import MAX_MEMORIES, MAX_TABLES
from wasm2oci.engine.syntax.matching import matches_composite, matches_value
from wasm2oci.engine.syntax.module import SectionId, SegmentMode
from wasm2oci.engine.syntax.types import I32, I64, ExternKind, is_defaultable
from wasm2oci.engine.validate.body import validate_body, validate_expression
from wasm2oci.engine.validate.context import Context
from wasm2oci.engine.validate.fast import FastPath
from wasm2oci.engine.validate.limits import check_memory, check_table

if TYPE_CHECKING:
    from wasm2oci.engine.syntax.module import ConstExpr, Module
    from wasm2oci.engine.syntax.types import MemoryType

__all__ = ["ModuleValidator", "ValidatedModule", "validate_module"]

_INDEX_TYPES = frozenset({I32, I64})
_REF_FUNC, _GLOBAL_GET, _I32_CONST, _I64_CONST = 0xD2, 0x23, 0x41, 0x42


@dataclass(frozen=True, slots=True)
class ValidatedModule:
    """What validation learned about a valid module.

    Attributes:
        features: what it uses.
        offsets: where it uses each of them first.
        slow_bodies: how many bodies the fast path did not settle.
    """

    features: Feature
    offsets: dict[Feature, int]
    slow_bodies: int

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the features it uses."""
        return feature_names(self.features)


def validate_module(module: Module, allowed: Feature = DEFAULT) -> ValidatedModule:
    """Validates a decoded module, bodies included.

    Args:
        module: what `decode_module` gave.
        allowed: the features it may use.

    Raises:
        MalformedError: a body does not decode.
        InvalidModuleError: the module is invalid; a `FeatureError` where it uses a feature that is not allowed.
    """
    validator = ModuleValidator(module, allowed)
    validator.definitions()
    slow = sum([not validator.body(index) for index in range(module.imported_funcs, len(module.func_types))])
    found = validator.features()
    features = Feature.MVP
    for feature in found:
        features |= feature
    return ValidatedModule(features, dict(sorted(found.items())), slow)


class ModuleValidator:
    """Validation in parts: `definitions`, unless that was done before, then each `body`, in any order.

    All raise as `validate_module` does; `features` has to be asked for in the end, for it refuses some.

    Args:
        module: what `decode_module` gave.
        allowed: the features it may use.
    """

    def __init__(self, module: Module, allowed: Feature) -> None:
        self._context = Context(module, allowed)
        _collect_refs(self._context)
        self._fast: FastPath | None = None
        self._seen = 0

    def definitions(self) -> None:
        """Checks everything outside bodies."""
        context = self._context
        _types(context)
        _imports_and_definitions(context)
        _exports(context)
        _start(context)
        _elements(context)
        _datas(context)

    def body(self, index: int) -> bool:
        """Checks the body of a defined function; whether the fast path settled it.

        Args:
            index: in the function index space.
        """
        context = self._context
        module = context.module
        if self._fast is None:
            self._fast = FastPath(module, context.signatures)
        start, end = module.codes[index - module.imported_funcs]
        type_ = context.signatures[module.func_types[index]]
        used = self._fast.settles(type_, start, end)
        if used >= 0 and not used & ~self._seen and not used & ~context.allowed:
            return True
        # The first body to use a feature is looked at twice: only there the offset is of interest.
        self._seen |= max(used, 0)
        validate_body(context, type_, start, end)
        return False

    def features(self) -> dict[Feature, int]:
        """The features that were seen, each with the offset where it was seen first.

        Raises:
            FeatureError: one is not allowed that types use, in a body or elsewhere.
        """
        context = self._context
        module = context.module
        if module.tags and Feature.LEGACY_EXCEPTIONS not in context.features:  # tags belong to either kind
            offset = _section(module, SectionId.TAG) or module.imports[-1].offset
            context.features.setdefault(Feature.EXCEPTIONS, offset)
        _features(context)
        return context.features


def _features(context: Context) -> None:
    """Refuses the first use of a feature that is not allowed."""
    refused = [(offset, feature) for feature, offset in context.features.items() if feature & ~context.allowed]
    if refused:
        offset, feature = min(refused)
        raise FeatureError(feature_names(feature)[0], offset)


def _types(context: Context) -> None:
    _features(context)
    module = context.module
    offset = _section(module, SectionId.TYPE)
    for index, supers in enumerate(module.supers):
        if not supers:
            continue
        type_, parent = module.types[index], module.types[supers[0]]
        if parent.final:
            raise InvalidModuleError(f"sub type {index} does not match super type: that is final", offset)
        if not matches_composite(type_.composite, parent.composite, module.defs):
            raise InvalidModuleError(f"sub type {index} does not match super type", offset)


def _section(module: Module, id_: SectionId) -> int:
    return next((section.start for section in module.sections if section.id is id_), 0)


def _collect_refs(context: Context) -> None:
    """Finds the functions that `ref.func` in bodies may name: those that occur elsewhere."""
    module, refs = context.module, context.refs
    refs.update(export.index for export in module.exports if export.kind is ExternKind.FUNC)
    exprs: list[ConstExpr | None] = [global_.init for global_ in module.globals]
    exprs += [table.init for table in module.tables]
    # Where data goes is a number: no expression for it can name a function and be valid.
    for element in module.elements:
        exprs.append(element.start)
        refs.update(element.funcs or ())
        exprs += element.exprs or ()
    for expr in exprs:
        if expr is not None:
            refs.update(op[1] for op in expr.ops if op[0] == _REF_FUNC)


# --- definitions ------------------------------------------------------------------------------------------------


def _imports_and_definitions(context: Context) -> None:
    module = context.module
    for import_ in module.imports:
        if import_.kind is ExternKind.MEMORY:
            _memory(context, module.mems[import_.index], import_.offset)
        elif import_.kind is ExternKind.TABLE:
            check_table(module.tables[import_.index].type, import_.offset)
        elif import_.kind is ExternKind.TAG and module.tags[import_.index].type.func.results:
            raise InvalidModuleError("non-empty tag result type", import_.offset)
    for index, table in enumerate(module.tables[module.imported_tables :], module.imported_tables):
        check_table(table.type, table.offset)
        if table.init is not None:
            _const(context, table.init, table.type.element, module.imported_globals)
        elif not is_defaultable(table.type.element):
            raise InvalidModuleError(f"type mismatch: table {index} has no default and no initial value", table.offset)
    if len(module.tables) > 1:
        context.use(Feature.REFERENCE_TYPES, module.tables[1].offset)
    if max(len(module.mems) - MAX_MEMORIES, len(module.tables) - MAX_TABLES) > 0:
        raise InvalidModuleError(f"too many: this engine's limit is {MAX_MEMORIES} memories, {MAX_TABLES} tables", 0)
    offset = _section(module, SectionId.MEMORY)
    for memory in module.mems[module.imported_mems :]:
        _memory(context, memory, offset)
    if len(module.mems) > 1:
        context.use(Feature.MULTI_MEMORY, offset or module.imports[-1].offset)
    offset = _section(module, SectionId.TAG)
    for tag in module.tags[module.imported_tags :]:
        if tag.type.func.results:
            raise InvalidModuleError("non-empty tag result type", offset)
    if module.tags and not context.allowed & (Feature.EXCEPTIONS | Feature.LEGACY_EXCEPTIONS):
        raise FeatureError(feature_names(Feature.EXCEPTIONS)[0], offset)
    for index, global_ in enumerate(module.globals):
        if global_.init is not None:
            _const(context, global_.init, global_.type.value, index)


def _memory(context: Context, type_: MemoryType, offset: int) -> None:
    check_memory(type_, offset)
    if type_.shared:
        context.use(Feature.THREADS, offset)


def _const(context: Context, expr: ConstExpr, type_: int, known_globals: int) -> None:
    """Types a constant expression; it may read the globals before `known_globals` that never change."""
    ops = expr.ops
    if len(ops) == 1 and ops[0][0] == (_I32_CONST if type_ == I32 else _I64_CONST) and type_ in _INDEX_TYPES:
        return
    module = context.module
    for op, offset in zip(ops, expr.offsets or (expr.start,), strict=False):
        if op[0] == _GLOBAL_GET:
            if op[1] >= known_globals:
                raise InvalidModuleError(f"unknown global {op[1]}", offset)
            if module.globals[op[1]].type.mutable:
                raise InvalidModuleError("constant expression required: the global may change", offset)
            if op[1] >= module.imported_globals:
                context.use(Feature.GC, offset)
    validate_expression(context, type_, expr.start, expr.end)


# --- exports, start and segments --------------------------------------------------------------------------------


def _exports(context: Context) -> None:
    module = context.module
    counts = {
        ExternKind.FUNC: len(module.func_types),
        ExternKind.TABLE: len(module.tables),
        ExternKind.MEMORY: len(module.mems),
        ExternKind.GLOBAL: len(module.globals),
        ExternKind.TAG: len(module.tags),
    }
    names: set[str] = set()
    for export in module.exports:
        if export.index >= counts[export.kind]:
            kind = "function" if export.kind is ExternKind.FUNC else export.kind.name.lower()
            raise InvalidModuleError(f"unknown {kind} {export.index}", export.offset)
        if export.name in names:
            raise InvalidModuleError(f"duplicate export name {export.name!r}", export.offset)
        names.add(export.name)


def _start(context: Context) -> None:
    module = context.module
    if module.start is None:
        return
    offset = _section(module, SectionId.START)
    if module.start >= len(module.func_types):
        raise InvalidModuleError(f"unknown function {module.start}", offset)
    type_ = module.func_type(module.start)
    if type_.params or type_.results:
        raise InvalidModuleError("start function: it takes or gives values", offset)


def _elements(context: Context) -> None:
    module = context.module
    for element in module.elements:
        if element.mode is SegmentMode.ACTIVE and element.start is not None:
            address = context.table(element.table, element.offset)
            if not matches_value(element.type, module.tables[element.table].type.element, module.defs):
                raise InvalidModuleError(
                    "type mismatch: the segment holds other references than the table", element.offset
                )
            _const(context, element.start, address, len(module.globals))
        if element.funcs and max(element.funcs) >= len(module.func_types):
            raise InvalidModuleError(f"unknown function {max(element.funcs)}", element.offset)
        for expr in element.exprs or ():
            _const(context, expr, element.type, len(module.globals))


def _datas(context: Context) -> None:
    known_globals = len(context.module.globals)
    datas = context.module.datas
    # Plain segments are right or wrong together.
    judged = datas.others.values() if context.mem_addresses[:1] == [I32] else datas
    for data in judged:
        if data.start is not None:
            address = context.memory(data.memory, data.offset)
            _const(context, data.start, address, known_globals)
