"""The first pass over a module's fields: what there is, and what it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wasm2oci.engine.text.context import Context
    from wasm2oci.engine.text.cursor import Cursor

__all__ = ["Heads"]

_OTHERS: Final = frozenset({"export", "start", "(@custom", "(@producers"})


class Heads:
    """Reads the heads of a module's fields.

    Args:
        context: whose index spaces are filled.
        cursor: at the first field.
    """

    def __init__(self, context: Context, cursor: Cursor) -> None:
        self._context = context
        self._cursor = cursor
        self._defined: str | None = None  # the first definition's keyword: no import may follow

    def read(self) -> list[tuple[int, str]]:
        """The token at which each field starts, and its keyword; the cursor is left after the last one."""
        cursor = self._cursor
        places = []
        while cursor.peek() == "(":
            start = cursor.pos
            keyword = cursor.head_at(start)
            cursor.open(keyword)
            self._head(keyword)
            cursor.pos, cursor.left = start + 1, []
            cursor.skip()
            places.append((start, keyword))
        return places

    def _head(self, keyword: str) -> None:
        context, cursor = self._context, self._cursor
        if keyword == "type":
            context.types.space.add(cursor)
        elif keyword == "rec":
            while cursor.open("type"):
                context.types.space.add(cursor)
                cursor.left = []
                cursor.skip()
        elif keyword == "import":
            self._import()
        elif keyword in context.sorts:
            self._definition(keyword)
        elif keyword == "elem":
            context.elems.add(cursor)
        elif keyword == "data":
            context.datas.add(cursor)
        elif keyword not in _OTHERS:
            raise cursor.error_before(
                f"unexpected token {keyword}, expected a module field"
                if keyword
                else "unexpected token, expected a module field"
            )

    def _import(self) -> None:
        cursor = self._cursor
        if self._defined:
            raise cursor.error_before(f"import after {self._defined}")
        cursor.string()
        cursor.string()
        keyword = cursor.open(*self._context.sorts)
        if not keyword:
            raise cursor.error("unexpected token, expected func, table, memory, global or tag")
        self._context.sorts[keyword].add(cursor)

    def _definition(self, keyword: str) -> None:
        context, cursor = self._context, self._cursor
        start = cursor.mark_before()
        context.sorts[keyword].add(cursor)
        while cursor.open("export"):
            cursor.string()
            cursor.close()
        if cursor.at_form("import"):
            if self._defined:
                raise cursor.error_at(start, f"import after {self._defined}")
            return
        self._defined = self._defined or {"func": "function"}.get(keyword, keyword)
        if keyword not in {"memory", "table"}:
            return
        # An inline segment takes an index of its own.
        for word in ("i32", "i64"):
            if cursor.accept(word):
                break
        if keyword == "memory":
            context.types.page_size(cursor)
            if cursor.at_form("data"):
                context.datas.count += 1
        elif context.types.at_reference(cursor):
            context.types.reference(cursor)
            if cursor.at_form("elem"):
                context.elems.count += 1
