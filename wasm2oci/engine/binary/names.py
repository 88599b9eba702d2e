"""The custom sections tools agree on: `name`, `producers`, `target_features`.

Spec: core, custom sections (A.4); tool-conventions, ProducersSection.md and Linking.md. Custom sections are not part of
the semantics: one that is malformed is as good as absent from where it stops making sense, and never an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wasm2oci.engine.binary.reader import Reader
from wasm2oci.engine.errors import MalformedError
from wasm2oci.engine.syntax.module import Names

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.syntax.module import CustomSection, Module

__all__ = ["decode_names", "decode_producers", "decode_target_features", "names_in"]

_MAX_NAMES = 1_000_000  # as many as there may be functions


def decode_names(module: Module) -> Names:
    """Reads the `name` section, as far as it is well-formed; without one all names are absent."""
    section = _find(module, "name")
    return Names() if section is None else names_in(module.data, section.start, section.end)


def names_in(data: bytes, start: int, end: int) -> Names:
    """Reads the contents of a `name` section, as far as they are well-formed."""
    found: dict[str, Any] = {}
    reader = Reader(data, start, end)
    try:
        while reader.pos < reader.end:
            id_ = reader.byte()
            size = reader.count(1 << 32, "bytes")
            inner = Reader(data, reader.pos, reader.pos + size)
            reader.pos += size
            if id_ in _SUBSECTIONS:
                field, read = _SUBSECTIONS[id_]
                found.setdefault(field, read(inner))
    except MalformedError:
        pass
    return Names(**found)


def decode_producers(module: Module) -> dict[str, dict[str, str]]:
    """Reads the `producers` section: field (`language`, `processed-by`, `sdk`) to name to version."""
    section = _find(module, "producers")
    fields: dict[str, dict[str, str]] = {}
    if section is None:
        return fields
    reader = Reader(module.data, section.start, section.end)
    try:
        for _ in range(reader.count(_MAX_NAMES, "fields", 2)):
            values = fields.setdefault(reader.name(), {})
            for _ in range(reader.count(_MAX_NAMES, "values", 2)):
                name = reader.name()
                values[name] = reader.name()
    except MalformedError:
        pass
    return fields


def decode_target_features(module: Module) -> dict[str, str]:
    """Reads the `target_features` section: feature to `+` (used), `-` (disallowed) or `=` (required)."""
    section = _find(module, "target_features")
    features: dict[str, str] = {}
    if section is None:
        return features
    reader = Reader(module.data, section.start, section.end)
    try:
        for _ in range(reader.count(_MAX_NAMES, "features", 2)):
            prefix = chr(reader.byte())
            features[reader.name()] = prefix
    except MalformedError:
        pass
    return features


def _find(module: Module, name: str) -> CustomSection | None:
    return next((section for section in module.customs if section.name == name), None)


def _text(reader: Reader) -> str:
    return reader.name()


def _map(reader: Reader) -> dict[int, str]:
    names: dict[int, str] = {}
    try:
        for _ in range(reader.count(_MAX_NAMES, "names", 2)):
            index = reader.u32()
            names[index] = reader.name()
    except MalformedError:
        pass
    return names


def _indirect(reader: Reader) -> dict[int, dict[int, str]]:
    names: dict[int, dict[int, str]] = {}
    try:
        for _ in range(reader.count(_MAX_NAMES, "names", 2)):
            index = reader.u32()
            inner = names[index] = {}
            for _ in range(reader.count(_MAX_NAMES, "names", 2)):
                place = reader.u32()
                inner[place] = reader.name()
    except MalformedError:
        pass
    return names


_SUBSECTIONS: dict[int, tuple[str, Callable[[Reader], object]]] = {
    0: ("module", _text),
    1: ("functions", _map),
    2: ("locals", _indirect),
    3: ("labels", _indirect),
    4: ("types", _map),
    5: ("tables", _map),
    6: ("memories", _map),
    7: ("globals", _map),
    8: ("elements", _map),
    9: ("datas", _map),
    10: ("fields", _indirect),
    11: ("tags", _map),
    12: ("params", _indirect),
}
