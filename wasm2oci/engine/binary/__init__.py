"""The binary format (core specification, chapter 5), and components as far as their outline.

    preamble(data)           a core module or a component
    decode_module(data)      a core module; bodies and data are left as spans, so this takes milliseconds
    decode_component(data)   a component's imports, exports and nested modules
    decode_names(module)     the name section; also decode_producers, decode_target_features

What a module *is* lives in `engine.syntax`; whether it is valid, in `engine.validate`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wasm2oci.engine.binary.module import decode_module
from wasm2oci.engine.binary.names import decode_names, decode_producers, decode_target_features
from wasm2oci.engine.binary.preamble import ModuleKind, preamble

if TYPE_CHECKING:
    from wasm2oci.engine.binary.component import Component, decode_component

__all__ = [
    "Component",
    "ModuleKind",
    "decode_component",
    "decode_module",
    "decode_names",
    "decode_producers",
    "decode_target_features",
    "preamble",
]


def __getattr__(name: str) -> Any:
    # Those who run core modules need no components.
    if name in {"Component", "decode_component"}:
        from wasm2oci.engine.binary import component  # noqa: PLC0415 - see above

        return getattr(component, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
