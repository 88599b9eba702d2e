"""Functions, globals and tags as instances: what modules share with one another and with the host.

Spec: core, Execution, Runtime structure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wasm2oci.engine.runtime.limits import enter_guest, leave_guest
from wasm2oci.engine.runtime.trap import WasmException
from wasm2oci.engine.runtime.values import from_wasm, host_arguments, host_results, to_wasm, wasm_arguments
from wasm2oci.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import MutableMapping, MutableSequence

    from wasm2oci.engine.runtime.instance import ModuleInstance
    from wasm2oci.engine.syntax.types import DefType, DefTypes, GlobalType, TagType

__all__ = ["Callee", "Function", "Global", "Tag"]

Callee = Callable[..., Any]
"""What runs: positional run-time values in; None, the value, or a tuple of several values out."""


class Function:
    """One function instance: the guest's own, or the host's.

    `call` may be a stand-in that makes the real thing at its first use. Code that keeps a copy of `call` for speed (the
    namespace of generated code, a table's list of callables) takes it with `install`, and `become` then replaces every
    copy.

    Args:
        type_: its defined type; `above` of it are the heap types a reference to this function matches.
        call: the callable.
        instance: the module instance that defines it, or None for a host function.
        index: in that module's function index space.
        name: for people, or None.
        stand_in: `call` will be replaced by `become`; only then are the copies remembered.

    Attributes:
        tail: the form generated code calls in tail position, or None where `call` serves.
    """

    __slots__ = ("_places", "above", "call", "index", "instance", "name", "tail", "type_")

    def __init__(
        self,
        type_: DefType,
        call: Callee,
        *,
        instance: ModuleInstance | None = None,
        index: int = -1,
        name: str | None = None,
        stand_in: bool = False,
    ) -> None:
        self.type_ = type_
        self.above = type_.above
        self.call = call
        self.instance = instance
        self.index = index
        self.name = name
        self.tail: Callee | None = None
        self._places: dict[tuple[int, str | int], Any] | None = {} if stand_in else None

    def invoke(self, *values: Any) -> Any:
        """Calls the function from outside, with values as the guest keeps them.

        Raises:
            Trap: it trapped. Generated code lets Python's own exceptions say so (an index out of range, the stack
                exhausted); here, where the host's frames begin, they become the trap they mean.
            WasmException: it threw.
        """
        enter_guest()
        try:
            return self.call(*values)
        except Exception as error:
            instance = self.instance
            trap = instance.explain(error) if instance is not None and instance.explain is not None else None
            if trap is None or trap is error:
                raise
            raise trap from None
        finally:
            leave_guest()

    def __call__(self, *arguments: Any) -> Any:
        """Calls the function with a host's values; see `values` for how they are written.

        Raises:
            ValueTypeError: the arguments do not fit its type.
            Trap: it trapped.
            WasmException: it threw.
        """
        type_ = self.type_.func
        return host_results(type_, self.invoke(*wasm_arguments(type_, arguments)))

    def install(self, container: MutableMapping[str, Any] | MutableSequence[Callee], key: str | int) -> None:
        """Puts the callable at `container[key]`, and puts there, too, what it later becomes."""
        container[key] = self.call  # type: ignore[index] # a mapping comes with a str, a sequence with an int
        if self._places is not None:
            self._places[id(container), key] = container

    def become(self, call: Callee) -> None:
        """Replaces the callable here and wherever the present one is installed now; once for good."""
        stand_in, self.call = self.call, call
        places, self._places = self._places, None
        for (_, key), container in (places or {}).items():
            # A table's list may have been overwritten in between.
            if container[key] is stand_in:
                container[key] = call

    @property
    def type(self) -> DefType:
        """What an import is matched against."""
        return self.type_

    def __repr__(self) -> str:
        return f"<Function {self.name or self.index}>"


class Global:
    """One global instance.

    Args:
        type_: its type.
        value: what it holds, in the representation of run-time values; a host uses `read` and `write`.
        defs: the defined types its type may name.
    """

    __slots__ = ("defs", "type_", "value")

    def __init__(self, type_: GlobalType, value: Any, defs: DefTypes | None = None) -> None:
        self.type_ = type_
        self.value = value
        self.defs = defs or {}

    @property
    def type(self) -> GlobalType:
        """What an import is matched against."""
        return self.type_

    def read(self) -> Any:
        """What it holds, as a host's value."""
        return from_wasm(self.type_.value, self.value)

    def write(self, value: Any) -> None:
        """Sets it to a host's value.

        Raises:
            UsageError: it never changes.
            ValueTypeError: the value is not of its type.
        """
        if not self.type_.mutable:
            raise UsageError("the global is immutable")
        self.value = to_wasm(self.type_.value, value)

    def __repr__(self) -> str:
        return f"<Global {self.value!r}>"


class Tag:
    """One tag instance: what an exception was thrown with; two are the same only by identity."""

    __slots__ = ("type_",)

    def __init__(self, type_: TagType) -> None:
        self.type_ = type_

    @property
    def type(self) -> TagType:
        """What an import is matched against."""
        return self.type_

    def exception(self, *arguments: Any) -> WasmException:
        """An exception with this tag, for a host function to raise; a guest's handlers get the arguments.

        Raises:
            ValueTypeError: they are not what the tag carries.
        """
        return WasmException(self, tuple(wasm_arguments(self.type_.type.func, arguments)))

    def arguments(self, exception: WasmException) -> tuple[Any, ...] | None:
        """What an exception with this tag carries, as a host's values; None where it has another tag."""
        if exception.tag is not self:
            return None
        return tuple(host_arguments(self.type_.type.func, exception.values))
