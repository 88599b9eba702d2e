"""What all parts of a module's text share while it is assembled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.engine.text.spaces import IndexSpace
from wasm2oci.engine.text.types import Types

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Context"]


class Context:
    """Index spaces and types of one module, and the instructions assembled so far.

    Args:
        memo: the instructions that are known from the start.

    Attributes:
        types: the type section.
        funcs, tables, memories, globals, tags, elems, datas: the other index spaces.
        memo: what each run of atoms that is one whole instruction assembles to.
        needs_data_count: an instruction refers to a data segment.
    """

    def __init__(self, memo: Mapping[str, bytes]) -> None:
        self.types = Types()
        self.funcs = IndexSpace("func")
        self.tables = IndexSpace("table")
        self.memories = IndexSpace("memory")
        self.globals = IndexSpace("global")
        self.tags = IndexSpace("tag")
        self.elems = IndexSpace("elem")
        self.datas = IndexSpace("data")
        self.memo: dict[str, bytes] = dict(memo)
        self.needs_data_count = False

    @property
    def sorts(self) -> dict[str, IndexSpace]:
        """The index spaces of what can be imported and exported, by keyword, in the order of the binary format."""
        return {
            "func": self.funcs,
            "table": self.tables,
            "memory": self.memories,
            "global": self.globals,
            "tag": self.tags,
        }
