"""The name section. Spec: core, name section (A.4.1), and the extended-name-section proposal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.engine.text.encode import name, sized, uleb, vector

if TYPE_CHECKING:
    from wasm2oci.engine.text.context import Context
    from wasm2oci.engine.text.fields import Fields

__all__ = ["name_section"]

_Names = list[tuple[int, str]]


def name_section(context: Context, fields: Fields, module_name: str | None) -> bytes:
    """The contents of the name section after its name; empty where nothing has one."""
    out = b"" if module_name is None else _subsection(0, name(module_name))
    structs = [(index, space.names) for index, space in sorted(context.types.fields.items()) if space.names]
    for id_, names in (
        (1, context.funcs.names),
        (2, fields.locals),
        (3, fields.labels),
        (4, context.types.space.names),
        (5, context.tables.names),
        (6, context.memories.names),
        (7, context.globals.names),
        (8, context.elems.names),
        (9, context.datas.names),
        (10, structs),
        (11, context.tags.names),
        (12, context.types.params),
    ):
        if names:
            out += _subsection(id_, vector([_association(*each) for each in names]))
    return out


def _association(index: int, value: str | _Names) -> bytes:
    if isinstance(value, str):
        return uleb(index) + name(value)
    return uleb(index) + vector([_association(*each) for each in value])


def _subsection(id_: int, contents: bytes) -> bytes:
    return bytes([id_]) + sized(contents)
