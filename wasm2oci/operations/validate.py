"""Whether a module is valid, and what it uses: bytes in, facts out. Spec: core, validation (ch. 3).

A component is checked in outline, and each core module in it, however deep, in full.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from wasm2oci.engine.binary import ModuleKind, decode_component, decode_module, preamble
from wasm2oci.engine.errors import ModuleError
from wasm2oci.engine.syntax.features import DEFAULT, Feature, feature_names
from wasm2oci.engine.syntax.types import ExternKind, extern_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wasm2oci.engine.syntax.module import Module

__all__ = ["ValidExtern", "ValidModule", "Validation", "validate"]


class ValidExtern(NamedTuple):
    """An import or export.

    Attributes:
        name: as written; for an import of a core module `module.name`.
        kind: `func`, `table`, `memory`, `global`, `tag`; for components also `instance`, `component`, `type`, ...
        type: its type in the words of the text format; None for components.
    """

    name: str
    kind: str
    type: str | None = None


class ValidModule(NamedTuple):
    """A core module that is valid.

    Attributes:
        offset: where it starts in the file: 0, unless it lies within a component.
        size: in bytes.
        imports: in order.
        exports: in order.
        counts: how many it has of `types`, `functions`, `tables`, `memories`, `globals`, `tags`, `elements`, `datas`,
            imported ones included, and of `bodies` and `customs`.
        features: what it uses beyond version 1, each with the offset in the file where it does first.
    """

    offset: int
    size: int
    imports: tuple[ValidExtern, ...]
    exports: tuple[ValidExtern, ...]
    counts: "Mapping[str, int]"
    features: "Mapping[str, int]"


class Validation(NamedTuple):
    """A file that is valid.

    Attributes:
        kind: `module` or `component`.
        size: in bytes.
        imports: in order; of a component its own.
        exports: in order; of a component its own.
        modules: the module itself, or the core modules in a component.
    """

    kind: str
    size: int
    imports: tuple[ValidExtern, ...]
    exports: tuple[ValidExtern, ...]
    modules: tuple[ValidModule, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """The features used by any of its modules, in the order of `engine.syntax.features`."""
        used = {name for module in self.modules for name in module.features}
        return tuple(name for name in feature_names(-1) if name in used)

    def to_json(self) -> dict[str, Any]:
        """The JSON object."""
        return {
            "kind": self.kind,
            "checked": "outline and core modules" if self.kind == ModuleKind.COMPONENT else "all",
            "size": self.size,
            "features": list(self.features),
            "imports": [_extern_json(extern) for extern in self.imports],
            "exports": [_extern_json(extern) for extern in self.exports],
            "modules": [
                {
                    "offset": module.offset,
                    "size": module.size,
                    "counts": dict(module.counts),
                    "features": dict(module.features),
                }
                for module in self.modules
            ],
        }


def validate(source: "bytes | Path", features: Feature = DEFAULT) -> Validation:
    """Validates a core module, or a component in outline with every core module in it.

    Args:
        source: the bytes, or the file that has them.
        features: what it may use; `engine.syntax.features.parse_features` reads them from a command line.

    Raises:
        MalformedError: it does not decode. Like the next ones with `reason`, and `offset` in the whole file.
        InvalidModuleError: it does not type-check.
        FeatureError: it uses a feature that is not in `features`.
        OSError: the file cannot be read.
    """
    data = source if isinstance(source, bytes) else source.read_bytes()
    if preamble(data) is ModuleKind.MODULE:
        module = _validate_module(data, 0, features)
        return Validation(str(ModuleKind.MODULE), len(data), module.imports, module.exports, (module,))
    component = decode_component(data)
    modules = []
    for start, end in component.all_modules():
        try:
            modules.append(_validate_module(data[start:end], start, features))
        except ModuleError as error:
            raise error.moved(start) from error
    return Validation(
        str(ModuleKind.COMPONENT),
        len(data),
        tuple(ValidExtern(item.name, item.kind) for item in component.imports),
        tuple(ValidExtern(item.name, item.kind) for item in component.exports),
        tuple(modules),
    )


def _validate_module(data: bytes, offset: int, features: Feature) -> ValidModule:
    from wasm2oci.engine.validate import validate_module

    module = decode_module(data)
    valid = validate_module(module, features)
    indices = module.type_indices()
    return ValidModule(
        offset=offset,
        size=len(data),
        imports=tuple(
            ValidExtern(
                f"{item.module}.{item.name}", item.kind.name.lower(), _type(module, item.kind, item.index, indices)
            )
            for item in module.imports
        ),
        exports=tuple(
            ValidExtern(item.name, item.kind.name.lower(), _type(module, item.kind, item.index, indices))
            for item in module.exports
        ),
        counts={
            "types": len(module.types),
            "functions": len(module.func_types),
            "tables": len(module.tables),
            "memories": len(module.mems),
            "globals": len(module.globals),
            "tags": len(module.tags),
            "elements": len(module.elements),
            "datas": len(module.datas),
            "bodies": len(module.codes),
            "customs": len(module.customs),
        },
        features={feature_names(feature)[0]: offset + place for feature, place in valid.offsets.items()},
    )


def _type(module: "Module", kind: ExternKind, index: int, indices: "Mapping[int, int]") -> str:
    """The type of an item in the words of the text format, without the kind; `indices` names the module's own types."""
    return extern_text(module.extern_type(kind, index), indices).partition(" ")[2]


def _extern_json(extern: ValidExtern) -> dict[str, str]:
    value = {"name": extern.name, "kind": extern.kind}
    return value if extern.type is None else {**value, "type": extern.type}
