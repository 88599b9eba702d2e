"""What of the component model is not run here; found before any code of the component runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.engine.syntax import component as syntax
from wasm2oci.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ComponentUnsupportedError", "check_supported"]

_RUN = frozenset({"lift", "lower", "resource.new", "resource.drop", "resource.rep"})
_ASYNC_KINDS = frozenset({"stream", "future", "error-context"})
_WASI_3 = "(WASI 0.3)"


class ComponentUnsupportedError(UnsupportedError):
    """A component uses what this engine does not run."""


def check_supported(definitions: Iterable[syntax.Definition]) -> None:
    """Refuses a component that could not be run as it means to be.

    Raises:
        ComponentUnsupportedError: it uses asynchronous functions, values or start functions of components, or types of
            the garbage collector for values.
    """
    for definition in definitions:
        if isinstance(definition, syntax.ComponentDefinition):
            check_supported(definition.definitions)
        elif isinstance(definition, syntax.TypeDefinition):
            _check_type(definition)
        elif isinstance(definition, syntax.CanonFunction):
            _check_function(definition)
        elif isinstance(definition, syntax.Start) or _of_value(definition):
            raise _refusal("values and start functions of components", definition.offset)


def _check_type(definition: syntax.TypeDefinition) -> None:
    type_ = definition.type
    if isinstance(type_, syntax.DeclaredType):
        check_supported(type_.declarations)
    elif isinstance(type_, syntax.FunctionType):
        if type_.is_async or "error-context" in {*type_.params, type_.result}:
            raise _refusal(f"asynchronous functions {_WASI_3}", definition.offset)
    elif isinstance(type_, syntax.DefinedType) and (type_.kind in _ASYNC_KINDS or "error-context" in type_.types):
        raise _refusal(f"streams, futures and error contexts {_WASI_3}", definition.offset)


def _check_function(definition: syntax.CanonFunction) -> None:
    if definition.keyword not in _RUN:
        raise _refusal(f"{definition.keyword} {_WASI_3}", definition.offset)
    given = dict(definition.options.given)
    if "async" in given:
        raise _refusal(f"asynchronous functions {_WASI_3}", definition.offset)
    if "gc" in given:
        raise _refusal("values of garbage-collected types", definition.offset)


def _of_value(definition: syntax.Definition) -> bool:
    if isinstance(definition, syntax.Import | syntax.ExportDeclaration):
        return definition.desc.sort == "value"
    return isinstance(definition, syntax.Export | syntax.Alias) and definition.sort == "value"


def _refusal(what: str, offset: int) -> ComponentUnsupportedError:
    return ComponentUnsupportedError(
        f"the component uses {what} (at offset {offset:#x}), which the embedded engine does not run",
        hint="build it for WASI 0.2 (target wasm32-wasip2)" if what.endswith(_WASI_3) else None,
    )
