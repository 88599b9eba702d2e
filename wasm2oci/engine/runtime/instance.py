"""Module instances: what a module becomes when its imports are filled in.

Spec: core, Execution, Runtime structure, Module instances.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wasm2oci.engine.runtime.function import Function, Global, Tag
from wasm2oci.engine.runtime.gc import aggregate_class
from wasm2oci.engine.runtime.limits import ResourceLimits
from wasm2oci.engine.runtime.memory import Memory
from wasm2oci.engine.runtime.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.runtime.trap import Trap
    from wasm2oci.engine.syntax.module import Module
    from wasm2oci.engine.syntax.types import ExternKind

__all__ = ["Extern", "ModuleInstance"]

Extern = Function | Table | Memory | Global | Tag
"""What is exported and imported."""


class ModuleInstance:
    """One instance of a module; `instantiate` makes them.

    Args:
        module: validated.
        limits: upper bounds of its resources.

    Attributes:
        funcs, tables, mems, globals, tags: the index spaces, imported items first.
        elems: the references of each element segment; empty once dropped.
        datas: the bytes of each data segment; empty once dropped.
        exports: by name, in the module's order.
        namespace: the globals of the generated code of its functions; theirs to fill.
        explain: says which trap a Python exception raised by generated code means, or None for a host's own.
    """

    __slots__ = (
        "__weakref__",
        "_classes",
        "datas",
        "elems",
        "explain",
        "exports",
        "funcs",
        "globals",
        "limits",
        "mems",
        "module",
        "namespace",
        "tables",
        "tags",
    )

    def __init__(self, module: Module, limits: ResourceLimits | None = None) -> None:
        self.module = module
        self.limits = limits or ResourceLimits()
        self.funcs: list[Function] = []
        self.tables: list[Table] = []
        self.mems: list[Memory] = []
        self.globals: list[Global] = []
        self.tags: list[Tag] = []
        self.elems: list[list[Any]] = []
        self.datas: list[bytes] = []
        self.exports: dict[str, Extern] = {}
        self.namespace: dict[str, Any] = {}
        self.explain: Callable[[Exception], Trap | None] | None = None
        self._classes: dict[int, Callable[..., Any]] = {}

    def class_of(self, type_index: int) -> Callable[..., Any]:
        """The class that makes structures or arrays of a type; see `gc.aggregate_class`."""
        type_ = self.module.types[type_index]
        class_ = self._classes.get(type_.id)
        if class_ is None:
            class_ = self._classes[type_.id] = aggregate_class(type_, self.limits)
        return class_

    def space(self, kind: ExternKind) -> list[Any]:
        """The index space of a kind."""
        spaces: tuple[list[Any], ...] = (self.funcs, self.tables, self.mems, self.globals, self.tags)
        return spaces[kind]
