"""Core types within components: defined types, and the types of modules.

Spec: component model, Binary.md, `core:type`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.binary.externs import ExternReader
from wasm2oci.engine.binary.types import TypeReader
from wasm2oci.engine.errors import InvalidModuleError, MalformedError
from wasm2oci.engine.syntax import limits
from wasm2oci.engine.syntax.component import ModuleType
from wasm2oci.engine.syntax.matching import matches_composite
from wasm2oci.engine.syntax.types import DefType, FuncType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wasm2oci.engine.binary.reader import Reader
    from wasm2oci.engine.syntax.features import Feature
    from wasm2oci.engine.syntax.types import ExternType

__all__ = ["CoreTypeReader"]

_MODULE, _SUB = 0x50, 0x00
_CORE_TYPE_SORT, _OUTER = 0x10, 0x01
_NO_TYPE: Final = DefType(0, FuncType((), ()), None, final=True)  # keeps the place of a module's type


class _CheckedTypeReader(TypeReader):
    def checked_group(self, reader: Reader) -> list[DefType]:
        """Reads a recursion group, and checks that its types may have the supertypes that they state."""
        offset = reader.pos
        group = self.group(reader)
        for type_ in group:
            if type_.parent is None:
                continue
            if type_.parent.final:
                raise InvalidModuleError("sub type cannot have a final super type", offset)
            if not matches_composite(type_.composite, type_.parent.composite, self.defs):
                raise InvalidModuleError("sub type does not match super type", offset)
        return group


class CoreTypeReader(_CheckedTypeReader):
    """Reads the core types of a component, or of the type of one.

    Attributes:
        entries: the core type of each index: a defined type, or the type of a module.
    """

    def __init__(self, features: dict[Feature, int]) -> None:
        super().__init__(features)
        self.entries: list[DefType | ModuleType] = []

    def defined(self, index: int, offset: int) -> DefType:
        """The defined type of an index that exists; a module's type is none."""
        type_ = self.types[index]
        if type_ is _NO_TYPE:
            raise InvalidModuleError(f"type index {index} is a module type", offset)
        return type_

    def declare(self, type_: DefType | ModuleType) -> None:
        """Adds a type that is defined elsewhere."""
        self.entries.append(type_)
        if isinstance(type_, ModuleType):
            type_ = _NO_TYPE
        else:
            self.defs[type_.id] = type_
        self.types.append(type_)

    def core_type(
        self, reader: Reader, scopes: Sequence[TypeReader]
    ) -> tuple[tuple[DefType | ModuleType, ...], dict[int, DefType]]:
        """Reads a core type, or the core types of a recursion group.

        Args:
            reader: at its first byte.
            scopes: what an alias may refer to, the outermost first, this one last.

        Returns:
            The types, and every type that they mention, by id.
        """
        offset = reader.pos
        first = reader.byte()
        if first == _MODULE:
            inner = _ModuleTypeReader(scopes)
            module = inner.read(reader)
            self.declare(module)
            return (module,), inner.defs
        if first == _SUB:  # a subtype that is not final: its own code is that of a module's type
            if reader.byte() != _MODULE:
                raise MalformedError("malformed subtype", reader.pos - 1)
            reader.pos -= 1
        else:
            reader.pos = offset
        group = self.checked_group(reader)
        self.entries += group
        return tuple(group), {type_.id: type_ for type_ in group}


class _ModuleTypeReader(_CheckedTypeReader):
    """Reads the declarations of a module's type."""

    def __init__(self, scopes: Sequence[TypeReader]) -> None:
        super().__init__(scopes[-1].features)
        self._scopes = [*scopes, self]
        self._externs = ExternReader(self)

    def read(self, reader: Reader) -> ModuleType:
        """Reads them all."""
        imports: dict[tuple[str, str], ExternType] = {}
        exports: dict[str, ExternType] = {}
        for _ in range(reader.count(limits.MAX_TYPES, "declarations", 2)):
            offset = reader.pos
            kind = reader.byte()
            if kind == 0:
                name = reader.name(limits.MAX_STRING_SIZE), reader.name(limits.MAX_STRING_SIZE)
                if name in imports:
                    raise InvalidModuleError(f"duplicate import name `{name[0]}:{name[1]}`", offset)
                imports[name] = self._extern(reader)
            elif kind == 1:
                self.checked_group(reader)
            elif kind == 2:
                self._alias(reader)
            elif kind == 3:
                export = reader.name(limits.MAX_STRING_SIZE)
                if export in exports:
                    raise InvalidModuleError(f"export name `{export}` already defined", offset)
                exports[export] = self._extern(reader)
            else:
                raise MalformedError("malformed declaration of a module type", offset)
        return ModuleType(imports, exports)

    def _alias(self, reader: Reader) -> None:
        offset = reader.pos
        if reader.byte() != _CORE_TYPE_SORT or reader.byte() != _OUTER:
            raise MalformedError("malformed alias in a module type", offset)
        count, index = reader.u32(), reader.u32()
        if count >= len(self._scopes):
            raise InvalidModuleError(f"invalid outer alias count of {count}", offset)
        scope = self._scopes[-1 - count]
        if index >= len(scope.types):
            raise InvalidModuleError(f"type index out of bounds: there is no core type {index}", offset)
        type_ = scope.defined(index, offset)
        self.types.append(type_)
        self.defs[type_.id] = type_

    def _extern(self, reader: Reader) -> ExternType:
        offset = reader.pos
        kind = reader.byte()
        if kind == 0:
            type_ = self.types[self.index(reader)]
            if not isinstance(type_.composite, FuncType):
                raise InvalidModuleError("type mismatch: the type is not a function type", offset)
            return type_
        if kind == 1:
            return self._externs.table(reader)
        if kind == 2:
            return self._externs.memory(reader)
        if kind == 3:
            return self._externs.global_(reader)
        if kind == 4:
            return self._externs.tag(reader)
        raise MalformedError("malformed import kind", offset)
