"""What a function body is checked against: the specification's context C, resolved to ints.

Spec: core, contexts (3.1.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.engine.binary.reader import Reader
from wasm2oci.engine.binary.types import TypeReader
from wasm2oci.engine.errors import FeatureError, InvalidModuleError
from wasm2oci.engine.syntax.features import Feature, feature_names
from wasm2oci.engine.syntax.types import I32, FuncType, is_defaultable, type_text, unpacked

if TYPE_CHECKING:
    from wasm2oci.engine.syntax.module import Module
    from wasm2oci.engine.syntax.types import StructType

__all__ = ["Context"]


class Context:
    """The module, as bodies and constant expressions see it.

    Args:
        module: the decoded module.
        allowed: the features it may use.

    Attributes:
        refs: functions that occur outside bodies, which `ref.func` may name.
        features: the features seen, each with the offset where it was seen first.
        type_reader: reads types in bodies, which may name any type of the module.
    """

    def __init__(self, module: Module, allowed: Feature) -> None:
        self.module = module
        self.allowed = int(allowed)
        self.features = dict(module.features)
        self.types = module.types
        self.defs = module.defs
        self.funcs = module.func_types
        self.signatures: list[FuncType] = [
            type_.composite if isinstance(type_.composite, FuncType) else FuncType((), ()) for type_ in module.types
        ]
        self.mem_addresses = [memory.limits.address for memory in module.mems]
        self.table_addresses = [table.type.limits.address for table in module.tables]
        self.refs: set[int] = set()
        self.type_reader = TypeReader(self.features)
        self.type_reader.types = list(module.types)
        self._indices: dict[int, int] | None = None
        self._fields: dict[int, tuple[int, ...]] = {}
        self._defaultable: dict[int, bool] = {}

    def use(self, feature: int, offset: int) -> None:
        """Records that a feature is used here, and refuses it where it is not allowed."""
        if feature & ~self.allowed:
            missing = feature & ~self.allowed
            raise FeatureError(feature_names(missing & -missing)[0], offset)
        for bit in Feature(feature):
            self.features.setdefault(bit, offset)

    def text(self, type_: int) -> str:
        """A value type for a message, with defined types by their index."""
        if self._indices is None:
            self._indices = self.module.type_indices()
        return type_text(type_, self._indices)

    def signature(self, index: int, offset: int) -> FuncType:
        """The function type at a type index that came with an instruction."""
        if index >= len(self.types):
            raise InvalidModuleError(f"unknown type {index}", offset)
        composite = self.types[index].composite
        if not isinstance(composite, FuncType):
            raise InvalidModuleError(f"type mismatch: type {index} is not a function type", offset)
        return composite

    def memory(self, index: int, offset: int) -> int:
        """The index type of a memory."""
        if index >= len(self.mem_addresses):
            raise InvalidModuleError(f"unknown memory {index}", offset)
        if index:
            self.use(Feature.MULTI_MEMORY, offset)
        return self.mem_addresses[index]

    def table(self, index: int, offset: int) -> int:
        """The index type of a table."""
        if index >= len(self.table_addresses):
            raise InvalidModuleError(f"unknown table {index}", offset)
        return self.table_addresses[index]

    def field_values(self, id_: int, type_: StructType) -> tuple[int, ...]:
        """The value types a structure's fields are made from; kept, since a structure may have thousands."""
        values = self._fields.get(id_)
        if values is None:
            values = self._fields[id_] = tuple([unpacked(field.storage) for field in type_.fields])
        return values

    def all_defaultable(self, id_: int, type_: StructType) -> bool:
        """Whether each field of a structure has a default value; kept for the same reason."""
        known = self._defaultable.get(id_)
        if known is None:
            known = self._defaultable[id_] = all(is_defaultable(field.storage) for field in type_.fields)
        return known

    @staticmethod
    def narrower(a: int, b: int) -> int:
        """The index type for a length that must fit both of two index types."""
        return I32 if I32 in {a, b} else a

    def reader(self, start: int, end: int) -> Reader:
        """A cursor over part of the module."""
        return Reader(self.module.data, start, end)
