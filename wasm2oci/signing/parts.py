"""The parts of a module or component: itself, and the modules and components nested in it, with what each says.

Only section headers and a few custom sections are read, so a module with features that the engine does not know is
listed as well as any other.

Spec: core, modules (5.5); component model, Binary.md; tool-conventions, ProducersSection.md; wasm-metadata's sections
`authors`, `description`, `homepage`, `licenses`, `revision`, `source`, `version`.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from wasm2oci.base.budget import Budget
from wasm2oci.engine.binary.component import decode_component
from wasm2oci.engine.binary.preamble import PREAMBLE_SIZE, ModuleKind, preamble
from wasm2oci.engine.binary.reader import Reader
from wasm2oci.engine.errors import MalformedError
from wasm2oci.signing import auditable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from wasm2oci.engine.binary.component import Component

__all__ = ["Part", "read_parts"]

METADATA: Final = ("authors", "description", "homepage", "licenses", "revision", "source", "version")
_METADATA_MAX: Final = 16 * 1024
_PRODUCERS_MAX: Final = 1024
_Section = tuple[str, bytes]


class Part(NamedTuple):
    """A module or component.

    Args:
        kind: `module` or `component`.
        sha256: of its bytes, in hex.
        size: in bytes.
        metadata: name of a metadata section -> its text.
        producers: field (`language`, `processed-by`, `sdk`) -> name -> version.
        dependencies: that cargo-auditable wrote into it, or None.
        imports: interfaces that a component imports.
        exports: interfaces that a component exports.
        children: the parts nested in it, in order.
    """

    kind: str
    sha256: str
    size: int
    metadata: Mapping[str, str]
    producers: Mapping[str, Mapping[str, str]]
    dependencies: auditable.Dependencies | None
    imports: tuple[str, ...]
    exports: tuple[str, ...]
    children: tuple[Part, ...]

    @property
    def crates(self) -> int:
        """How many crates are listed in it and in what is nested."""
        own = len(self.dependencies.packages) if self.dependencies is not None else 0
        return own + sum(child.crates for child in self.children)


def read_parts(data: bytes) -> Part:
    """Reads a module or component.

    Raises:
        MalformedError: it is neither, or its sections do not fit.
        InvalidDependenciesError: a list of dependencies in it is damaged.
    """
    # Each list may be small when it is packed and large when it is read, and a component may hold thousands.
    budget = Budget("the lists of dependencies", auditable.InvalidDependenciesError, size=auditable.INFLATED_MAX)
    if preamble(data[:PREAMBLE_SIZE]) is ModuleKind.MODULE:
        return _module(data, 0, len(data), budget)
    return _component(data, decode_component(data), budget)


def _module(data: bytes, start: int, end: int, budget: Budget) -> Part:
    return _part("module", memoryview(data)[start:end], _custom_sections(data, start, end), budget)


def _component(data: bytes, outline: Component, budget: Budget) -> Part:
    customs = ((one.name, data[one.start : one.end]) for one in outline.customs)
    nested: list[tuple[int, Part]] = [(start, _module(data, start, end, budget)) for start, end in outline.modules]
    nested += [(one.span[0], _component(data, one, budget)) for one in outline.components]
    children = tuple(part for _, part in sorted(nested, key=lambda item: item[0]))
    imports = tuple(one.name for one in outline.imports)
    exports = tuple(one.name for one in outline.exports)
    start, end = outline.span
    body = memoryview(data)[start:end]
    return _part("component", body, customs, budget, imports=imports, exports=exports, children=children)


def _custom_sections(data: bytes, start: int, end: int) -> Iterator[_Section]:
    reader = Reader(data, start + PREAMBLE_SIZE, end)
    while reader.pos < end:
        section = reader.byte()
        size = reader.u32()
        if size > end - reader.pos:
            raise MalformedError("length out of bounds: the section is longer than the module", reader.pos)
        if section == 0:
            inner = Reader(data, reader.pos, reader.pos + size)
            name = inner.name()
            yield name, data[inner.pos : inner.end]
        reader.pos += size


def _part(
    kind: str,
    body: memoryview,
    customs: Iterable[_Section],
    budget: Budget,
    *,
    imports: tuple[str, ...] = (),
    exports: tuple[str, ...] = (),
    children: tuple[Part, ...] = (),
) -> Part:
    metadata: dict[str, str] = {}
    producers: dict[str, dict[str, str]] = {}
    dependencies: auditable.Dependencies | None = None
    for name, content in customs:
        if name == auditable.SECTION and dependencies is None:
            dependencies = auditable.read_dependencies(content, budget)
        elif name == "producers" and not producers:
            producers = _producers(content)
        elif name in METADATA and name not in metadata and len(content) <= _METADATA_MAX:
            text = content.decode("utf-8", "replace")
            if text.isprintable() and text:
                metadata[name] = text
    digest = hashlib.sha256(body).hexdigest()
    return Part(kind, digest, len(body), metadata, producers, dependencies, imports, exports, children)


def _producers(content: bytes) -> dict[str, dict[str, str]]:
    # A malformed custom section is as good as absent from where it stops making sense.
    reader = Reader(content)
    fields: dict[str, dict[str, str]] = {}
    try:
        for _ in range(reader.count(_PRODUCERS_MAX, "fields", 2)):
            values = fields.setdefault(reader.name(), {})
            for _ in range(reader.count(_PRODUCERS_MAX, "values", 2)):
                name = reader.name()
                values[name] = reader.name()
    except MalformedError:
        pass
    return fields
