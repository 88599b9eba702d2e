"""Instantiation: imports are matched, everything is allocated, segments are copied, the start function runs.

The order is the specification's and can be observed. No check of an import has an effect. After the allocations, a
trap (a segment that does not fit, the start function) leaves what was written before it in memories and tables that
other instances share.

Spec: core, Execution, Modules, Instantiation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from wasm2oci.base.machine import check_processor
from wasm2oci.engine.errors import UnlinkableError
from wasm2oci.engine.runtime.constant import evaluate
from wasm2oci.engine.runtime.function import Function, Global, Tag
from wasm2oci.engine.runtime.instance import ModuleInstance
from wasm2oci.engine.runtime.memory import Memory
from wasm2oci.engine.runtime.table import Table
from wasm2oci.engine.runtime.trap import Trap
from wasm2oci.engine.syntax.matching import matches_global, matches_memory, matches_table
from wasm2oci.engine.syntax.module import SegmentMode
from wasm2oci.engine.syntax.types import DefType, ExternKind, GlobalType, MemoryType, TableType, extern_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wasm2oci.engine.runtime.instance import Extern
    from wasm2oci.engine.runtime.limits import ResourceLimits
    from wasm2oci.engine.syntax.module import Import, Module

__all__ = ["Prepare", "allocate", "initialise", "match_imports"]

Prepare = Callable[[ModuleInstance], None]
"""Gives every function a module defines its `call`; the translator's part."""


def match_imports(module: Module, offered: Mapping[tuple[str, str], Extern]) -> list[Extern]:
    """Finds what a module imports and checks its type.

    Args:
        module: validated.
        offered: by module name and item name.

    Returns:
        One item for each import, in order.

    Raises:
        UnlinkableError: "unknown import ..." or "incompatible import type ...".
    """
    found: list[Extern] = []
    for wanted in module.imports:
        item = offered.get((wanted.module, wanted.name))
        if item is None:
            raise UnlinkableError(
                f'unknown import "{wanted.module}" "{wanted.name}"',
                hint="the module expects its host to define it",
            )
        if not _matches(item, wanted, module):
            indices = module.type_indices()
            raise UnlinkableError(
                f'incompatible import type for "{wanted.module}" "{wanted.name}": '
                f"{extern_text(item.type, indices)} is offered where {extern_text(wanted.type, indices)} is wanted",
            )
        found.append(item)
    return found


def _matches(item: Extern, wanted: Import, module: Module) -> bool:
    type_ = wanted.type
    if isinstance(type_, DefType):
        return isinstance(item, Function) and type_.id in item.above
    if isinstance(type_, TableType):
        return isinstance(item, Table) and matches_table(item.type, type_)
    if isinstance(type_, MemoryType):
        return isinstance(item, Memory) and matches_memory(item.type, type_)
    if isinstance(type_, GlobalType):
        return isinstance(item, Global) and matches_global(item.type, type_, {**module.defs, **item.defs})
    return isinstance(item, Tag) and item.type.type.id == type_.type.id


def allocate(
    module: Module, imported: Sequence[Extern], prepare: Prepare, limits: ResourceLimits | None = None
) -> ModuleInstance:
    """Makes the instance with everything in it and its exports; no code has run yet.

    Args:
        module: validated.
        imported: what `match_imports` found.
        prepare: gives the functions their code.
        limits: ceilings for the memories and tables it defines.

    Raises:
        ResourceLimitError: a memory or table starts above its ceiling.
        UnsupportedError: see `check_processor`.
    """
    check_processor()
    instance = ModuleInstance(module, limits)
    for wanted, item in zip(module.imports, imported, strict=True):
        instance.space(wanted.kind).append(item)
    types = module.types
    instance.funcs += [
        Function(types[type_index], _unprepared, instance=instance, index=index, stand_in=True)
        for index, type_index in enumerate(module.func_types[module.imported_funcs :], module.imported_funcs)
    ]
    instance.mems += [Memory(type_, limits) for type_ in module.mems[module.imported_mems :]]
    instance.tags += [Tag(type_) for type_ in module.tags[module.imported_tags :]]
    for defined in module.globals[module.imported_globals :]:
        value = evaluate(defined.init, instance) if defined.init else None
        instance.globals.append(Global(defined.type, value, module.defs))
    for table in module.tables[module.imported_tables :]:
        initial = evaluate(table.init, instance) if table.init else None
        instance.tables.append(Table(table.type, initial, limits))
    for segment in module.elements:
        if segment.mode is SegmentMode.DECLARATIVE:
            instance.elems.append([])
        elif segment.funcs is not None:
            instance.elems.append([instance.funcs[index] for index in segment.funcs])
        else:
            instance.elems.append([evaluate(expression, instance) for expression in segment.exprs or ()])
    instance.datas += [b""] * len(module.datas)  # plain segments are copied straight into the memory
    for index, data in module.datas.others.items():
        start, end = data.content
        instance.datas[index] = module.data[start:end]
    for export in module.exports:
        instance.exports[export.name] = instance.space(export.kind)[export.index]
        if export.kind is ExternKind.FUNC:
            function = instance.funcs[export.index]
            function.name = function.name or export.name
    prepare(instance)
    return instance


def initialise(instance: ModuleInstance) -> None:
    """Copies the active segments and runs the start function.

    Raises:
        Trap: a segment does not fit, or the start function trapped.
        WasmException: the start function threw.
    """
    module = instance.module
    for index, segment in enumerate(module.elements):
        if segment.start is not None:
            references = instance.elems[index]
            instance.tables[segment.table].init(evaluate(segment.start, instance), references, 0, len(references))
            instance.elems[index] = []
    _copy_datas(instance)
    if module.start is not None:
        instance.funcs[module.start].invoke()


def _copy_datas(instance: ModuleInstance) -> None:
    module = instance.module
    content, others = module.data, module.datas.others
    numbers = iter(module.datas.plain)
    init = instance.mems[0].init if instance.mems else None
    index = 0
    try:
        # The same iterator five times: five numbers for each segment.
        for index, (_, _, address, start, end) in enumerate(zip(*[numbers] * module.datas.WIDTH, strict=True)):
            data = others.get(index)
            if data is None and init is not None:
                init(address, content, start, end - start)
            elif data is not None and data.start is not None:
                segment = instance.datas[index]
                instance.mems[data.memory].init(evaluate(data.start, instance), segment, 0, len(segment))
                instance.datas[index] = b""
    except Trap:
        # What was not copied is not dropped, and functions in another's table may still ask for it.
        for left in range(index, len(instance.datas)):
            first, last = module.datas[left].content
            instance.datas[left] = content[first:last]
        raise


def _unprepared(*_: object) -> NoReturn:
    raise AssertionError("the function has no code yet")
