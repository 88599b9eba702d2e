"""What a WebAssembly binary says about itself: kind, imports, exports, features, tools that made it."""

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wasm2oci.engine.syntax.module import Module
    from wasm2oci.engine.syntax.types import ExternKind, ExternType
    from wasm2oci.oci.digest import Digest

__all__ = ["Extern", "ModuleFacts", "look_at"]


class Extern(NamedTuple):
    """An import or export.

    Args:
        name: `module.name` for an import of a core module, else the name as written.
        kind: func, table, memory, global, tag, instance, ...
        type: its type as the text format writes it, or None for components.
    """

    name: str
    kind: str
    type: str | None = None

    def to_json(self) -> dict[str, str]:
        """The JSON object, without a type that is not known."""
        value = {"name": self.name, "kind": self.kind}
        return value if self.type is None else {**value, "type": self.type}


class ModuleFacts(NamedTuple):
    """A module or component in outline.

    Args:
        kind: `module` or `component`.
        digest: of its bytes.
        size: in bytes.
        imports: in order.
        exports: in order.
        functions: how many it defines (0 for a component).
        features: that its declarations use and that its `target_features` section names; bodies are not read.
        producers: language, processed-by and sdk, as the tools that made it say.
    """

    kind: str
    digest: "Digest"
    size: int
    imports: tuple[Extern, ...]
    exports: tuple[Extern, ...]
    functions: int
    features: tuple[str, ...]
    producers: "Mapping[str, Mapping[str, str]]"

    def to_json(self) -> dict[str, Any]:
        """The JSON object."""
        return {
            "kind": self.kind,
            "digest": str(self.digest),
            "size": self.size,
            "imports": [extern.to_json() for extern in self.imports],
            "exports": [extern.to_json() for extern in self.exports],
            "functions": self.functions,
            "features": list(self.features),
            "producers": {field: dict(values) for field, values in self.producers.items()},
        }


def look_at(data: bytes) -> ModuleFacts:
    """Decode the outline of a module or component; function bodies are not read and nothing is validated.

    Raises:
        InvalidInputError: it is neither, or its outline is malformed.
    """
    from wasm2oci.engine.binary import (
        ModuleKind,
        decode_component,
        decode_module,
        decode_producers,
        decode_target_features,
        preamble,
    )
    from wasm2oci.engine.syntax.features import feature_names
    from wasm2oci.oci.digest import Digest

    digest, size = Digest.of(data), len(data)
    if preamble(data) is ModuleKind.COMPONENT:
        component = decode_component(data)
        return ModuleFacts(
            kind="component",
            digest=digest,
            size=size,
            imports=tuple(Extern(extern.name, extern.kind) for extern in component.imports),
            exports=tuple(Extern(extern.name, extern.kind) for extern in component.exports),
            functions=0,
            features=(),
            producers={},
        )
    module = decode_module(data, segments=False)
    named = [name for name, mark in decode_target_features(module).items() if mark in "+="]
    seen = feature_names(sum(module.features))
    return ModuleFacts(
        kind="module",
        digest=digest,
        size=size,
        imports=tuple(
            Extern(f"{item.module}.{item.name}", item.kind.name.lower(), _type_text(item.type, module))
            for item in module.imports
        ),
        exports=tuple(
            Extern(item.name, item.kind.name.lower(), _export_type(module, item.kind, item.index))
            for item in module.exports
        ),
        functions=len(module.codes),
        features=tuple(dict.fromkeys((*seen, *sorted(named)))),
        producers=decode_producers(module),
    )


def _export_type(module: "Module", kind: "ExternKind", index: int) -> str | None:
    try:
        return _type_text(module.extern_type(kind, index), module)
    except IndexError:  # invalid, and validation's to say
        return None


def _type_text(type_: "ExternType", module: "Module") -> str:
    from wasm2oci.engine.syntax.types import DefType, FuncType, GlobalType, MemoryType, TableType, type_text

    indices = module.type_indices()
    match type_:
        case DefType(composite=FuncType(params=params, results=results)):
            left, right = ([type_text(value, indices) for value in side] for side in (params, results))
            return f"({', '.join(left)}) -> ({', '.join(right)})"
        case TableType(element=element, limits=limits):
            return f"{_limits(limits.minimum, limits.maximum)} {type_text(element, indices)}"
        case MemoryType(limits=limits, page_bits=page_bits, shared=shared):
            pages = f"{_limits(limits.minimum, limits.maximum)} pages of {1 << page_bits:,} bytes"
            return pages + (", shared" if shared else "") + (", i64" if limits.is64 else "")
        case GlobalType(value=value, mutable=mutable):
            return f"{'mut ' if mutable else ''}{type_text(value, indices)}"
        case _:
            return _type_text(type_.type, module) if hasattr(type_, "type") else "not a function"


def _limits(minimum: int, maximum: int | None) -> str:
    return f"{minimum}.." if maximum is None else f"{minimum}..{maximum}"
