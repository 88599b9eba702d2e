"""Modules, from text to binary. Spec: core, text format, modules (6.6).

Three passes over the fields: the first gives everything its index and identifier, the second reads the types, the
third all else, so that a field may refer to what is defined after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.text.context import Context
from wasm2oci.engine.text.custom import Customs
from wasm2oci.engine.text.encode import name, section, uleb, vector
from wasm2oci.engine.text.fields import FIELDS, Fields
from wasm2oci.engine.text.heads import Heads
from wasm2oci.engine.text.instructions import PLAIN
from wasm2oci.engine.text.names import name_section

if TYPE_CHECKING:
    from wasm2oci.engine.text.cursor import Cursor

__all__ = ["module_fields"]

PREAMBLE: Final = b"\0asm\1\0\0\0"


def module_fields(cursor: Cursor, module_name: str | None = None) -> bytes:
    """Reads the fields of a module up to the parenthesis that closes it, or the end, which is left.

    Args:
        cursor: at the first field.
        module_name: for the name section.

    Returns:
        The module in binary.

    Raises:
        TextError: the text is no module.
    """
    context, customs = Context(PLAIN), Customs()
    heads = Heads(context, cursor)
    places = heads.read()
    after, left = cursor.pos, cursor.left
    for place, keyword in places:
        if keyword in {"type", "rec"}:
            cursor.pos, cursor.left = place, []
            cursor.open(keyword)
            if keyword == "type":
                context.types.define(cursor)
            else:
                context.types.define_group(cursor)
    fields = Fields(context, cursor, customs)
    for place, keyword in places:
        if keyword not in {"type", "rec"}:
            cursor.pos, cursor.left = place, []
            cursor.open(keyword)
            FIELDS[keyword](fields)
            cursor.close()
    cursor.pos, cursor.left = after, left
    return _module(context, fields, customs, module_name)


def _module(context: Context, fields: Fields, customs: Customs, module_name: str | None) -> bytes:
    datas = uleb(len(fields.datas)) if context.needs_data_count else None
    start = None if fields.start is None else uleb(fields.start)
    contents: list[tuple[str, int, bytes | None]] = [
        ("type", 1, _vector(context.types.groups)),
        ("import", 2, _vector(fields.imports)),
        ("func", 3, _vector(fields.funcs)),
        ("table", 4, _vector(fields.tables)),
        ("memory", 5, _vector(fields.memories)),
        ("tag", 13, _vector(fields.tags)),
        ("global", 6, _vector(fields.globals)),
        ("export", 7, _vector(fields.exports)),
        ("start", 8, start),
        ("elem", 9, _vector(fields.elems)),
        ("datacount", 12, datas),
        ("code", 10, _vector(fields.codes)),
        ("data", 11, _vector(fields.datas)),
    ]
    out = [PREAMBLE, *customs.at("before first")]
    for keyword, id_, content in contents:
        out += customs.at(f"before {keyword}")
        if keyword == "code" and fields.hints:
            hints = vector([uleb(index) + vector(each) for index, each in fields.hints])
            out.append(section(0, name("metadata.code.branch_hint") + hints))
        if content is not None:
            out.append(section(id_, content))
        out += customs.at(f"after {keyword}")
    out += customs.at("after last")
    names = name_section(context, fields, module_name)
    if names:
        out.append(section(0, name("name") + names))
    return b"".join(out)


def _vector(items: list[bytes]) -> bytes | None:
    return vector(items) if items else None
