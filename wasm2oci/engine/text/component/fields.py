"""The fields of a component, from text to binary, in one pass. Spec: component model, Explainer.md and Binary.md.

Nothing may be referred to before it is defined, so each field is written when it was read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.syntax import limits
from wasm2oci.engine.syntax.sorts import CORE, sort_bytes
from wasm2oci.engine.text.component.aliases import Alias, read_alias
from wasm2oci.engine.text.component.canon import builtin, encoded_options, options
from wasm2oci.engine.text.component.coretypes import core_type
from wasm2oci.engine.text.component.instances import core_instance, instance
from wasm2oci.engine.text.component.references import extern_name, item, item_sort, reference
from wasm2oci.engine.text.component.scope import ComponentScope, component_names
from wasm2oci.engine.text.component.types import TypeReader
from wasm2oci.engine.text.custom import Customs
from wasm2oci.engine.text.encode import name, uleb, vector
from wasm2oci.engine.text.module import module_fields
from wasm2oci.engine.text.spaces import named

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.text.component.scope import Reference, Scope
    from wasm2oci.engine.text.cursor import Cursor

__all__ = ["component_fields"]

PREAMBLE: Final = b"\0asm\x0d\0\1\0"
_CORE_MODULE, _CORE_INSTANCE, _CORE_TYPE, _COMPONENT, _INSTANCE = 1, 2, 3, 4, 5
_CANON, _START, _IMPORT, _EXPORT = 8, 9, 10, 11
_CORE_INSTANCE_SORT: Final = b"\x12"

Identity = tuple[str | None, str | None]


def component_fields(
    cursor: Cursor, own: Identity = (None, None), parent: Scope | None = None, depth: int = 0
) -> bytes:
    """Reads the fields of a component up to the parenthesis that closes it, or the end, which is left.

    Args:
        cursor: at the first field.
        own: the component's identifier and name.
        parent: the scope around it.
        depth: how many components are around it.

    Returns:
        The component in binary.

    Raises:
        TextError: the text is no component.
    """
    if depth > limits.MAX_COMPONENT_NESTING:
        raise cursor.error(f"components nested too deep: this engine's limit is {limits.MAX_COMPONENT_NESTING}")
    scope = ComponentScope(parent, own[0])
    fields = Fields(scope, cursor, depth)
    while cursor.peek() == "(":
        fields.field()
    fields.finish()
    names = component_names(scope, own[1])
    if names:
        scope.emit_section(0, name("component-name") + names)
    return PREAMBLE + scope.sections()


class Fields:
    """Reads the fields of one component.

    Args:
        scope: the component.
        cursor: where it reads.
        depth: how many components are around it.
    """

    def __init__(self, scope: ComponentScope, cursor: Cursor, depth: int) -> None:
        self._scope = scope
        self._cursor = cursor
        self._depth = depth
        self._started = False
        self._late: list[tuple[bytes, str, int]] = []  # inline exports: name, sort, index

    def field(self) -> None:
        """Reads one field."""
        cursor = self._cursor
        if cursor.head_at(cursor.pos) == "core":
            self._core()
            return
        keyword = cursor.open(*_FIELDS)
        if not keyword:
            raise cursor.error("unexpected token, expected a component field")
        _FIELDS[keyword](self)
        cursor.close()

    def _declare(self, sort: str, identity: Identity) -> int:
        return self._scope.declare(self._cursor, sort, identity)

    # --- inline imports and exports -------------------------------------------------------------------------------

    def _inline_exports(self) -> list[bytes]:
        """`(export "a")` after an identifier, any number of them."""
        cursor, out = self._cursor, []
        while self._is_inline("export"):
            cursor.open("export")
            out.append(extern_name(cursor))
            cursor.close()
        return out

    def _is_inline(self, keyword: str) -> bool:
        """Whether `(export "a")` or `(import "a")` comes next, with nothing but a name."""
        cursor = self._cursor
        pos, left = cursor.pos, list(cursor.left)
        inline = False
        if cursor.open(keyword) and cursor.peek()[:1] == '"':
            extern_name(cursor)
            inline = cursor.peek() == ")"
        cursor.pos, cursor.left = pos, left
        return inline

    def _export_all(self, names: list[bytes], sort: str, index: int) -> None:
        """Keeps inline exports for the end of the component: they take indices of their own."""
        self._late += [(text, sort, index) for text in names]

    def finish(self) -> None:
        """Writes the inline exports of all fields."""
        for text, sort, index in self._late:
            self._scope.emit(_EXPORT, text + sort_bytes(sort) + uleb(index) + b"\0")
            self._declare(sort, (None, None))

    def _inline_import(self, sort: str, identity: Identity, exports: list[bytes]) -> bool:
        """`(import "a")` after an identifier, and the type after it."""
        cursor = self._cursor
        if not self._is_inline("import"):
            return False
        cursor.open("import")
        text = extern_name(cursor)
        cursor.close()
        encoded = TypeReader(self._scope, cursor).type_of(sort)
        self._scope.emit(_IMPORT, text + encoded)
        self._export_all(exports, sort, self._declare(sort, identity))
        return True

    # --- core things ----------------------------------------------------------------------------------------------

    def _core(self) -> None:
        cursor, scope = self._cursor, self._scope
        start = cursor.pos
        cursor.open("core")
        keyword = cursor.peek()
        if keyword in {"type", "rec"}:
            cursor.pos, cursor.left = start, []
            core_type(scope, cursor)
            return
        cursor.next()
        if keyword == "module":
            self._core_module()
        elif keyword == "instance":
            core_instance(self._scope, cursor)
        elif keyword == "func":
            identity = named(cursor)
            if cursor.open("canon"):
                encoded = builtin(scope, cursor)
                scope.emit(_CANON, encoded)
                self._declare("core func", identity)
            elif cursor.open("alias"):
                self._core_alias("core func", identity)
            else:
                raise cursor.error("unexpected token, expected canon or alias")
            cursor.close()
        elif keyword in CORE:
            identity = named(cursor)
            if not cursor.open("alias"):
                raise cursor.error("unexpected token, expected alias")
            self._core_alias(f"core {keyword}", identity)
            cursor.close()
        else:
            raise cursor.error_before("unexpected token, expected a core item")
        cursor.close()

    def _core_alias(self, sort: str, identity: Identity) -> None:
        cursor = self._cursor
        if cursor.peek() != "core":
            raise cursor.error("expected keyword `core`")
        read_alias(self._scope, cursor).write(self._scope, cursor, sort, identity)

    def _core_module(self) -> None:
        cursor, scope = self._cursor, self._scope
        identity = named(cursor)
        exports = self._inline_exports()
        if self._inline_import("core module", identity, exports):
            return
        data = cursor.strings() if cursor.accept("binary") else module_fields(cursor, identity[1])
        scope.emit_section(_CORE_MODULE, data)
        self._export_all(exports, "core module", self._declare("core module", identity))

    # --- components and instances -----------------------------------------------------------------------------------

    def component(self) -> None:
        """`(component $c ...)`."""
        cursor, scope = self._cursor, self._scope
        identity = named(cursor)
        exports = self._inline_exports()
        if self._inline_import("component", identity, exports):
            return
        if cursor.accept("binary"):
            data = cursor.strings()
        else:
            data = component_fields(cursor, identity, scope, self._depth + 1)
        scope.emit_section(_COMPONENT, data)
        self._export_all(exports, "component", self._declare("component", identity))

    def instance(self) -> None:
        """`(instance $i (instantiate $c ...))`, of exports, or imported."""
        cursor = self._cursor
        identity = named(cursor)
        exports = self._inline_exports()
        if self._inline_import("instance", identity, exports):
            return
        self._export_all(exports, "instance", instance(self._scope, cursor, identity))

    # --- functions --------------------------------------------------------------------------------------------------

    def func(self) -> None:
        """`(func $f (canon lift ...))`, aliased or imported."""
        cursor, scope = self._cursor, self._scope
        identity = named(cursor)
        exports = self._inline_exports()
        if self._inline_import("func", identity, exports):
            return
        if cursor.open("alias"):
            read_alias(scope, cursor).write(scope, cursor, "func", identity)
            cursor.close()
            self._export_all(exports, "func", scope.spaces["func"].count - 1)
            return
        types = TypeReader(scope, cursor)
        given: Reference | None = None
        index = 0
        if cursor.open("type"):
            given = reference(cursor, "type")
            cursor.close()
        else:
            index = types.define(types.function())
        if not cursor.open("canon"):
            raise cursor.error("unexpected token, expected canon")
        cursor.expect("lift")
        function = item(cursor, core=True)
        opts = options(cursor)
        cursor.close()
        if given is not None:
            index = scope.resolve(cursor, given)
        encoded = uleb(scope.resolve(cursor, function)) + encoded_options(scope, cursor, opts)
        scope.emit(_CANON, b"\0\0" + encoded + uleb(index))
        self._export_all(exports, "func", self._declare("func", identity))

    def canon(self) -> None:
        """`(canon lift ... (func $f ...))` or `(canon lower ... (core func $f))`."""
        cursor, scope = self._cursor, self._scope
        if not cursor.accept("lift"):
            encoded = builtin(scope, cursor)
            if item_sort(cursor, core=True) != "core func":
                raise cursor.error_before("unexpected token, expected core func")
            identity = named(cursor)
            cursor.close()
            scope.emit(_CANON, encoded)
            self._declare("core func", identity)
            return
        types = TypeReader(scope, cursor)
        function = item(cursor, core=True)
        opts = options(cursor)
        if not cursor.open("func"):
            raise cursor.error("unexpected token, expected func")
        identity = named(cursor)
        exports = self._inline_exports()
        if cursor.open("type"):
            given = reference(cursor, "type")
            cursor.close()
            index = scope.resolve(cursor, given)
        else:
            index = types.define(types.function())
        cursor.close()
        encoded = uleb(scope.resolve(cursor, function)) + encoded_options(scope, cursor, opts)
        scope.emit(_CANON, b"\0\0" + encoded + uleb(index))
        self._export_all(exports, "func", self._declare("func", identity))

    # --- types, aliases, imports, exports ---------------------------------------------------------------------------

    def type(self) -> None:
        """`(type $t ...)`."""
        cursor = self._cursor
        identity = named(cursor)
        exports = self._inline_exports()
        types = TypeReader(self._scope, cursor)
        self._export_all(exports, "type", types.define(types.definition(identity[0]), identity))

    def alias(self) -> None:
        """`(alias export $i "a" (func $f))`, of a core instance, or of an outer component."""
        cursor, scope = self._cursor, self._scope
        found = read_alias(scope, cursor)
        core = isinstance(found, Alias) and found.core
        sort = item_sort(cursor, core=core)
        if isinstance(found, Alias) and not core and sort.startswith("core ") and sort != "core module":
            raise cursor.error_before("unexpected token, expected `module`")
        identity = named(cursor)
        cursor.close()
        found.write(scope, cursor, sort, identity)

    def import_(self) -> None:
        """`(import "a" (func $f ...))`."""
        cursor, scope = self._cursor, self._scope
        text = extern_name(cursor)
        sort, encoded, identity = TypeReader(scope, cursor).signature()
        scope.emit(_IMPORT, text + encoded)
        self._declare(sort, identity)

    def export(self) -> None:
        """`(export $e "a" (func $f) (func (type $t)))`."""
        cursor, scope = self._cursor, self._scope
        identity = named(cursor)
        text = extern_name(cursor)
        found = item(cursor)
        ascribed = b"\0"
        types = TypeReader(scope, cursor)
        if cursor.peek() == "(":
            _, encoded, _ = types.signature()
            ascribed = b"\1" + encoded
        scope.emit(_EXPORT, text + sort_bytes(found.sort) + uleb(scope.resolve(cursor, found)) + ascribed)
        self._declare(found.sort, identity)

    def start(self) -> None:
        """`(start $f (value $v) (result (value $r)))`."""
        cursor, scope = self._cursor, self._scope
        if self._started:
            raise cursor.error_before("component cannot have more than one start function")
        self._started = True
        function = reference(cursor, "func")
        arguments = []
        while cursor.open("value"):
            arguments.append(reference(cursor, "value"))
            cursor.close()
        results = []
        while cursor.open("result"):
            cursor.open("value")
            results.append((cursor.identifier(), None))
            cursor.close()
            cursor.close()
        encoded = uleb(scope.resolve(cursor, function))
        encoded += vector([uleb(scope.resolve(cursor, argument)) for argument in arguments])
        scope.emit_section(_START, encoded + uleb(len(results)))
        for identity in results:
            self._declare("value", identity)

    def custom(self) -> None:
        """`(@custom "name" "...")`, in its place."""
        self._customs(Customs.read)

    def producers(self) -> None:
        """`(@producers ...)`, in its place."""
        self._customs(Customs.read_producers)

    def _customs(self, read: Callable[[Customs, Cursor], None]) -> None:
        customs = Customs()
        read(customs, self._cursor)
        for contents in customs.contents():
            self._scope.emit_section(0, contents)


_FIELDS: Final[dict[str, Callable[[Fields], None]]] = {
    "component": Fields.component,
    "instance": Fields.instance,
    "func": Fields.func,
    "canon": Fields.canon,
    "type": Fields.type,
    "alias": Fields.alias,
    "import": Fields.import_,
    "export": Fields.export,
    "start": Fields.start,
    "(@custom": Fields.custom,
    "(@producers": Fields.producers,
}
