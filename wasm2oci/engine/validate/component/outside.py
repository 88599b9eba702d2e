"""The type of a component: what it imports and exports, with all types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.binary import decode_module
from wasm2oci.engine.binary.definitions import decode_definitions
from wasm2oci.engine.errors import ModuleError
from wasm2oci.engine.syntax.features import parse_features
from wasm2oci.engine.validate import ModuleValidator
from wasm2oci.engine.validate.component.definitions import validate_component

if TYPE_CHECKING:
    from wasm2oci.engine.syntax.features import Feature
    from wasm2oci.engine.syntax.module import Module, Span
    from wasm2oci.engine.validate.component.types import Component

__all__ = ["component_type"]

_ALL: Final = parse_features("all")


def component_type(data: bytes) -> Component:
    """The type of the component in these bytes. Bodies of functions in core modules are not validated.

    Raises:
        ModuleError: it is no component, malformed, or its types are invalid.
    """
    features: dict[Feature, int] = {}
    definitions = decode_definitions(data, features)
    modules: dict[Span, Module] = {}
    for start, end in definitions.all_modules():
        try:
            modules[start, end] = module = decode_module(data[start:end])
            ModuleValidator(module, _ALL).definitions()
        except ModuleError as error:
            raise error.moved(start) from error
    return validate_component(definitions, modules, features)
