"""The third pass over a module's fields: everything but types. Spec: core, text format, modules (6.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.text.code import Code
from wasm2oci.engine.text.encode import name, sized, uleb, vector
from wasm2oci.engine.text.spaces import IndexSpace, named

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.text.context import Context
    from wasm2oci.engine.text.cursor import Cursor
    from wasm2oci.engine.text.custom import Customs

__all__ = ["FIELDS", "Fields"]

_PAGE: Final = 16  # the binary logarithm of a page's size
_EXACT_FUNC: Final = b"\x20"
_FUNCREF: Final = b"\x70"
_I32_ZERO, _I64_ZERO = b"\x41\0\x0b", b"\x42\0\x0b"


class Fields:
    """Reads the fields of a module, each after its keyword and up to its closing parenthesis.

    Args:
        context: with all identifiers and types.
        cursor: where it reads.
        customs: where custom sections go.

    Attributes:
        imports, funcs, tables, memories, tags, globals, exports, elems, datas, codes: the contents of the sections.
        start: the start function, or None.
        locals, labels: what the name section says: function index, and the names in it.
        hints: branch hints: function index, and the hints in it.
    """

    def __init__(self, context: Context, cursor: Cursor, customs: Customs) -> None:
        self.imports: list[bytes] = []
        self.funcs: list[bytes] = []
        self.tables: list[bytes] = []
        self.memories: list[bytes] = []
        self.tags: list[bytes] = []
        self.globals: list[bytes] = []
        self.exports: list[bytes] = []
        self.elems: list[bytes] = []
        self.datas: list[bytes] = []
        self.codes: list[bytes] = []
        self.start: int | None = None
        self.locals: list[tuple[int, list[tuple[int, str]]]] = []
        self.labels: list[tuple[int, list[tuple[int, str]]]] = []
        self.hints: list[tuple[int, list[bytes]]] = []
        self._context = context
        self._cursor = cursor
        self._customs = customs
        self._sorts = list(context.sorts)
        self._read = dict.fromkeys(self._sorts, 0)  # how many of each sort were read

    # --- imports and exports ------------------------------------------------------------------------------------

    def import_(self) -> None:
        """`(import "module" "name" (sort ...))`."""
        cursor = self._cursor
        module, item = cursor.name(), cursor.name()
        sort = cursor.open(*self._sorts)
        named(cursor)
        index = self._next(sort)
        self.imports.append(name(module) + name(item) + self._extern_type(sort, index))
        cursor.close()

    def export(self) -> None:
        """`(export "name" (sort index))`."""
        cursor = self._cursor
        item = cursor.name()
        sort = cursor.open(*self._sorts)
        if not sort:
            raise cursor.error("unexpected token, expected func, table, memory, global or tag")
        self._export(item, sort, self._context.sorts[sort].index(cursor))
        cursor.close()

    def _export(self, item: str, sort: str, index: int) -> None:
        self.exports.append(name(item) + bytes([self._sorts.index(sort)]) + uleb(index))

    def _next(self, sort: str) -> int:
        self._read[sort] += 1
        return self._read[sort] - 1

    def _extern_type(self, sort: str, index: int) -> bytes:
        types, cursor = self._context.types, self._cursor
        if sort == "func":
            exact = cursor.open("exact")  # custom descriptors proposal
            use = types.use(cursor)
            self._name_locals(index, [(number, text) for number, _, text in use.ids if text is not None])
            if exact:
                cursor.close()
            return (_EXACT_FUNC if exact else b"\0") + uleb(use.type)
        if sort == "table":
            return b"\1" + types.table(cursor)
        if sort == "memory":
            return b"\2" + types.limits(cursor)
        if sort == "global":
            return b"\3" + types.global_(cursor)
        return b"\4\0" + uleb(types.use(cursor).type)

    def _head(self, sort: str) -> tuple[int, bool]:
        """The head of a definition, with inline exports and import.

        Returns:
            Its index, and whether it is an import, which is then read whole.
        """
        cursor = self._cursor
        index = self._next(sort)
        named(cursor)
        while cursor.open("export"):
            self._export(cursor.name(), sort, index)
            cursor.close()
        if not cursor.open("import"):
            return index, False
        module, item = cursor.name(), cursor.name()
        cursor.close()
        self.imports.append(name(module) + name(item) + self._extern_type(sort, index))
        return index, True

    # --- definitions --------------------------------------------------------------------------------------------

    def func(self) -> None:
        """`(func $f (export "f") (type $t) (param i32) (local i32) ...)`."""
        index, imported = self._head("func")
        if imported:
            return
        context, cursor = self._context, self._cursor
        use = context.types.use(cursor)
        self.funcs.append(uleb(use.type))
        space = IndexSpace("local")
        for number, id_, _ in use.ids:
            if id_ is not None and space.ids.setdefault(id_, number) != number:
                raise cursor.error(f"duplicate identifier: local {id_} is defined already")
        space.names = [(number, text) for number, _, text in use.ids if text is not None]
        space.count = use.params
        groups = self._locals(space)
        code = Code(context, cursor, space, body=True)
        declared = uleb(len(groups)) + b"".join([uleb(count) + type_ for count, type_ in groups])
        body = declared + code.expression()
        self.codes.append(sized(body))
        self._name_locals(index, space.names)
        if code.labels.names:
            self.labels.append((index, code.labels.names))
        hints = [uleb(len(declared) + offset) + sized(hint) for offset, hint in code.hints()]
        if hints:
            self.hints.append((index, hints))

    def _locals(self, space: IndexSpace) -> list[tuple[int, bytes]]:
        """Declared locals, those of one type that stand together counted."""
        cursor, types = self._cursor, self._context.types
        groups: list[tuple[int, bytes]] = []
        while cursor.open("local"):
            if cursor.peek()[:1] == "$" or cursor.at_form("(@name"):
                space.add(cursor)
                declared = [types.value(cursor)]
            else:
                declared = []
                while cursor.peek() != ")":
                    declared.append(types.value(cursor))
                space.count += len(declared)
            cursor.close()
            for type_ in declared:
                if groups and groups[-1][1] == type_:
                    groups[-1] = (groups[-1][0] + 1, type_)
                else:
                    groups.append((1, type_))
        return groups

    def _name_locals(self, index: int, names: list[tuple[int, str]]) -> None:
        if names:
            self.locals.append((index, names))

    def table(self) -> None:
        """`(table $t 0 funcref)`, with an initial value or elements."""
        index, imported = self._head("table")
        if imported:
            return
        types, cursor = self._context.types, self._cursor
        wide = cursor.accept("i64") or (cursor.accept("i32") and False)
        if types.at_reference(cursor):
            element = types.reference(cursor)
            if not cursor.open("elem"):
                raise cursor.error("unexpected token, expected elem")
            items, expressions = self._elements()
            cursor.close()
            if not expressions and element != _FUNCREF:
                items, expressions = [b"\xd2" + item + b"\x0b" for item in items], True
            limits = types.encoded_limits(len(items), len(items), wide=wide)
            self.tables.append(element + limits)
            kind = b"\6" if expressions else b"\2"
            head = kind + uleb(index) + (_I64_ZERO if wide else _I32_ZERO) + (element if expressions else b"\0")
            self.elems.append(head + vector(items))
            return
        minimum = cursor.unsigned(64)
        maximum = cursor.unsigned(64) if cursor.at_index() else None
        shared = cursor.accept("shared")
        type_ = types.reference(cursor) + types.encoded_limits(minimum, maximum, wide=wide, shared=shared)
        if cursor.peek() != ")":
            type_ = b"\x40\0" + type_ + self._expression()
        self.tables.append(type_)

    def memory(self) -> None:
        """`(memory $m 1 2)`, or with inline data."""
        index, imported = self._head("memory")
        if imported:
            return
        types, cursor = self._context.types, self._cursor
        start, left = cursor.pos, list(cursor.left)
        wide = cursor.accept("i64") or (cursor.accept("i32") and False)
        page_bits = types.page_size(cursor)
        if not cursor.open("data"):
            cursor.pos, cursor.left = start, left
            self.memories.append(types.limits(cursor))
            return
        data = cursor.strings()
        cursor.close()
        pages = -(-len(data) >> (_PAGE if page_bits is None else page_bits))
        self.memories.append(types.encoded_limits(pages, pages, page_bits, wide=wide))
        head = b"\0" if not index else b"\2" + uleb(index)
        self.datas.append(head + (_I64_ZERO if wide else _I32_ZERO) + sized(data))

    def global_(self) -> None:
        """`(global $g (mut i32) (i32.const 0))`."""
        if not self._head("global")[1]:
            self.globals.append(self._context.types.global_(self._cursor) + self._expression())

    def tag(self) -> None:
        """`(tag $e (param i32))`."""
        if not self._head("tag")[1]:
            self.tags.append(b"\0" + uleb(self._context.types.use(self._cursor).type))

    def start_(self) -> None:
        """`(start $f)`."""
        if self.start is not None:
            raise self._cursor.error_before("multiple start sections")
        self.start = self._context.funcs.index(self._cursor)

    # --- segments -----------------------------------------------------------------------------------------------

    def data(self) -> None:
        """`(data $d (memory $m) (offset ...) "...")`."""
        cursor, memories = self._cursor, self._context.memories
        named(cursor)
        memory = memories.index(cursor) if cursor.at_index() else 0
        if cursor.open("memory"):
            memory = memories.index(cursor)
            cursor.close()
        head = b"\1"
        if cursor.peek() == "(":
            head = (b"\0" if not memory else b"\2" + uleb(memory)) + self._offset()
        self.datas.append(head + sized(cursor.strings()))

    def elem(self) -> None:
        """`(elem $e (table $t) (offset ...) func $f ...)`, or passive, or declarative."""
        cursor, types, tables = self._cursor, self._context.types, self._context.tables
        named(cursor)
        table: int | None = None
        offset: bytes | None = None
        declared = cursor.accept("declare")
        if not declared and (cursor.at_index() or (cursor.peek() == "(" and not cursor.at_form("ref"))):
            if cursor.open("table"):
                table = tables.index(cursor)
                cursor.close()
            elif cursor.at_index():
                table = tables.index(cursor)
            offset = self._offset()
        plain = cursor.accept("func") or not (types.at_reference(cursor) or cursor.peek() == "(")
        if plain and offset is None and not declared and cursor.tokens[cursor.pos - 1] is None:
            raise cursor.error("unexpected token")
        element = _FUNCREF if plain else types.reference(cursor)
        items, expressions = self._functions() if plain else (self._expressions(), True)
        kind = 0 if offset is not None else 3 if declared else 1
        explicit = kind == 0 and (table is not None or (expressions and element != _FUNCREF))
        flags = kind | explicit << 1 | expressions << 2
        head = bytes([flags])
        if explicit:
            head += uleb(table or 0)
        if offset is not None:
            head += offset
        if kind or explicit:
            head += element if expressions else b"\0"
        self.elems.append(head + vector(items))

    def _elements(self) -> tuple[list[bytes], bool]:
        """Function indices or expressions, and whether they are expressions."""
        return (self._expressions(), True) if self._cursor.peek() == "(" else self._functions()

    def _functions(self) -> tuple[list[bytes], bool]:
        cursor, funcs = self._cursor, self._context.funcs
        out = []
        while cursor.peek() != ")":
            out.append(uleb(funcs.index(cursor)))
        return out, False

    def _expressions(self) -> list[bytes]:
        cursor = self._cursor
        out = []
        while cursor.peek() == "(":
            if cursor.open("item"):
                out.append(self._expression())
                cursor.close()
            else:
                out.append(self._folded())
        return out

    def _offset(self) -> bytes:
        cursor = self._cursor
        if not cursor.open("offset"):
            return self._folded()
        out = self._expression()
        cursor.close()
        return out

    def _expression(self) -> bytes:
        return Code(self._context, self._cursor).expression()

    def _folded(self) -> bytes:
        return Code(self._context, self._cursor).folded()

    # --- custom sections ----------------------------------------------------------------------------------------

    def custom(self) -> None:
        """`(@custom "name" (after code) "...")`."""
        self._customs.read(self._cursor)

    def producers(self) -> None:
        """`(@producers (language "C" "17"))`."""
        self._customs.read_producers(self._cursor)


FIELDS: Final[dict[str, Callable[[Fields], None]]] = {
    "import": Fields.import_,
    "export": Fields.export,
    "func": Fields.func,
    "table": Fields.table,
    "memory": Fields.memory,
    "global": Fields.global_,
    "tag": Fields.tag,
    "start": Fields.start_,
    "elem": Fields.elem,
    "data": Fields.data,
    "(@custom": Fields.custom,
    "(@producers": Fields.producers,
}
