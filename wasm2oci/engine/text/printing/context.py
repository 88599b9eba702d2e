"""What all parts of a module's print share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.engine.syntax import limits
from wasm2oci.engine.text.printing.identifiers import Identifiers
from wasm2oci.engine.text.printing.types import TypePrinter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wasm2oci.engine.syntax.module import Names

__all__ = ["PrintContext"]


class PrintContext:
    """The names and types of one module.

    Args:
        names: what the name section says.
        counts: how many there are of each sort: `type`, `func`, ..., `elem`, `data`.

    Attributes:
        types: the type section, as far as it was read.
        fields: identifiers of the fields of struct types.
        funcs, tables, memories, globals, tags, elems, datas: identifiers of each index space.
        tag_types: the same of each tag.
        texts: texts of short instructions that name no local, by their bytes.
        local_texts: those of the others, in functions whose locals have no names.
        func_types: the type index of each function, imported ones first, as far as they were read.
    """

    def __init__(self, names: Names, counts: Mapping[str, int]) -> None:
        self.fields = _each("field", names.fields)
        types = Identifiers("type", names.types, counts["type"])
        self.types = TypePrinter(types, self.fields, _each("param", names.params))
        self.funcs = Identifiers("func", names.functions, counts["func"])
        self.tables = Identifiers("table", names.tables, counts["table"])
        self.memories = Identifiers("memory", names.memories, counts["memory"])
        self.globals = Identifiers("global", names.globals, counts["global"])
        self.tags = Identifiers("tag", names.tags, counts["tag"])
        self.elems = Identifiers("elem", names.elements, counts["elem"])
        self.datas = Identifiers("data", names.datas, counts["data"])
        self.func_types: list[int] = []
        self.tag_types: list[int] = []
        self.texts: dict[bytes, str] = {}
        self.local_texts: dict[bytes, str] = {}
        self._locals = names.locals
        self._labels = names.labels

    @property
    def sorts(self) -> tuple[tuple[str, Identifiers], ...]:
        """Keyword and identifiers of what can be imported and exported, by its code in the binary format."""
        return (
            ("func", self.funcs),
            ("table", self.tables),
            ("memory", self.memories),
            ("global", self.globals),
            ("tag", self.tags),
        )

    def locals(self, function: int, count: int) -> Identifiers | None:
        """Identifiers of a function's locals, of which there are so many; None where none has one."""
        names = self._locals.get(function)
        return Identifiers("local", names, count) if names else None

    def labels(self, function: int) -> Mapping[int, str]:
        """Names of a function's labels by their number; several may have the same."""
        return self._labels.get(function, {})


def _each(sort: str, names: Mapping[int, Mapping[int, str]]) -> dict[int, Identifiers]:
    return {index: Identifiers(sort, inner, limits.MAX_STRUCT_FIELDS) for index, inner in names.items()}
