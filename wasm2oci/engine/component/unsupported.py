"""What of the component model is not run here; found before any code of the component runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.engine.syntax import component as syntax
from wasm2oci.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ComponentUnsupportedError", "check_supported"]

_SYNCHRONOUS = frozenset({"lift", "lower", "resource.new", "resource.drop", "resource.rep"})
_ASYNC_KINDS = frozenset({"stream", "future", "error-context"})


class ComponentUnsupportedError(UnsupportedError):
    """A component uses a feature that this engine does not support."""


def check_supported(definitions: Iterable[syntax.Definition]) -> bool:
    """Refuses a component that could not be run as it means to be.

    Returns:
        Whether it uses asynchronous functions, streams or futures, so that its calls are tasks (`concurrency`).

    Raises:
        ComponentUnsupportedError: it uses threads of its own, values or start functions of components, or types of the
            garbage collector for values.
    """
    found = False
    for definition in definitions:
        if isinstance(definition, syntax.ComponentDefinition):
            found |= check_supported(definition.definitions)
        elif isinstance(definition, syntax.TypeDefinition):
            found |= _is_asynchronous(definition.type)
        elif isinstance(definition, syntax.CanonFunction):
            found |= _check_function(definition)
        elif isinstance(definition, syntax.Start) or _of_value(definition):
            raise _refusal("values and start functions of components", definition.offset)
    return found


def _is_asynchronous(type_: object) -> bool:
    if isinstance(type_, syntax.DeclaredType):
        return check_supported(type_.declarations)
    if isinstance(type_, syntax.FunctionType):
        return type_.is_async or "error-context" in {*type_.params, type_.result}
    return isinstance(type_, syntax.DefinedType) and (type_.kind in _ASYNC_KINDS or "error-context" in type_.types)


def _check_function(definition: syntax.CanonFunction) -> bool:
    keyword, given = definition.keyword, dict(definition.options.given)
    if keyword.startswith("thread.") and keyword != "thread.yield":
        raise _refusal(f"threads of its own ({keyword})", definition.offset)
    if "gc" in given:
        raise _refusal("values of garbage-collected types", definition.offset)
    return keyword not in _SYNCHRONOUS or "async" in given


def _of_value(definition: syntax.Definition) -> bool:
    if isinstance(definition, syntax.Import | syntax.ExportDeclaration):
        return definition.desc.sort == "value"
    return isinstance(definition, syntax.Export | syntax.Alias) and definition.sort == "value"


def _refusal(what: str, offset: int) -> ComponentUnsupportedError:
    return ComponentUnsupportedError(
        f"the component uses {what} (at offset {offset:#x}), which the embedded engine does not run"
    )
