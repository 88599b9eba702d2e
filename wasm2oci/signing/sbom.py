"""A bill of materials of a module: what its own sections say, and nothing that they do not.

Listed are the file, the modules and components nested in it, and the crates that cargo-auditable wrote down. Which
tools made it, and which interfaces it imports, are properties. Without `.dep-v0` there are no crates: the list is then
marked as incomplete. The same bytes always give the same document; a time is only in it when it is given.

A package URL is written for crates of Rust's public registry only: for another crate it would name another package.

Spec: CycloneDX 1.5 (JSON); SPDX 2.3 (JSON).
"""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from wasm2oci.signing.auditable import Package
    from wasm2oci.signing.parts import Part

__all__ = ["SBOM_FORMATS", "SbomFormat", "cyclonedx", "spdx"]

_NAMESPACE: Final = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
"""RFC 9562's namespace for URLs; the name is `urn:sha256:` and the digest of the document without its number."""
_EPOCH: Final = "1970-01-01T00:00:00Z"


class SbomFormat(NamedTuple):
    """A format.

    Args:
        name: on the command line.
        media_type: of the document.
        predicate_type: of an attestation that holds it.
        make: the document: from the parts, the file's name, the tool's version and the time, or None.
    """

    name: str
    media_type: str
    predicate_type: str
    make: Callable[[Part, str, str, str | None], bytes]


class _Item(NamedTuple):
    """A line of the list: a part, or a crate of a part."""

    ref: str
    part: Part | None
    package: Package | None
    uses: tuple[str, ...]


def _items(part: Part, ref: str = "module") -> Iterator[_Item]:
    children = [(child, f"{ref}/{number}") for number, child in enumerate(part.children)]
    uses = [name for _, name in children]
    if part.dependencies is not None:
        uses.append(f"{ref}/crate-{part.dependencies.root}")
    yield _Item(ref, part, None, tuple(uses))
    for child, name in children:
        yield from _items(child, name)
    if part.dependencies is not None:
        for number, package in enumerate(part.dependencies.packages):
            used = tuple(f"{ref}/crate-{other}" for other in package.dependencies)
            yield _Item(f"{ref}/crate-{number}", None, package, used)


def _purl(package: Package) -> str | None:
    if package.source != "CratesIo":
        return None
    return f"pkg:cargo/{quote(package.name, safe='')}@{quote(package.version, safe='')}"


def _properties(part: Part) -> list[dict[str, str]]:
    found = [("wasm:kind", part.kind), ("wasm:size", str(part.size))]
    for field, values in sorted(part.producers.items()):
        found += [(f"wasm:producers:{field}", f"{name} {version}".strip()) for name, version in sorted(values.items())]
    found += [("wasm:import", name) for name in part.imports]
    found += [("wasm:export", name) for name in part.exports]
    return [{"name": name, "value": value} for name, value in found]


def cyclonedx(part: Part, name: str, version: str, created: str | None) -> bytes:
    """The CycloneDX document.

    Args:
        part: the module.
        name: of its file.
        version: of this tool.
        created: when, RFC 3339; None leaves it out.
    """
    items = list(_items(part))
    entries = [_component(item, name) for item in items]
    tool = {"type": "application", "name": "wasm2oci", "version": version}
    metadata: dict[str, Any] = {"tools": {"components": [tool]}, "component": entries[0]}
    if created is not None:
        metadata = {"timestamp": created, **metadata}
    value = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": metadata,
        "components": entries[1:],
        "dependencies": [{"ref": item.ref, "dependsOn": list(item.uses)} for item in items],
        "compositions": [
            {"aggregate": "unknown" if part.crates else "incomplete", "assemblies": [items[0].ref]},
        ],
    }
    return _encoded({**value, "serialNumber": _urn(value)})


def _component(item: _Item, name: str) -> dict[str, Any]:
    if item.package is not None:
        package = item.package
        properties = [{"name": "wasm:crate:source", "value": package.source}]
        if package.build:
            properties.append({"name": "cdx:rustc:dependency_kind", "value": "build"})
        value = {
            "type": "application" if package.root else "library",
            "bom-ref": item.ref,
            "name": package.name,
            "version": package.version,
        }
        purl = _purl(package)
        return {**value, **({"purl": purl} if purl else {}), "properties": properties}
    part = item.part
    if part is None:
        raise AssertionError("an item is a part or a package")
    value = {"type": "application" if item.ref == "module" else "library", "bom-ref": item.ref}
    value["name"] = name if item.ref == "module" else item.ref
    described: dict[str, Any] = {
        "version": part.metadata.get("version"),
        "description": part.metadata.get("description"),
        "author": part.metadata.get("authors"),
    }
    found: dict[str, Any] = {**value, **{key: text for key, text in described.items() if text}}
    found["hashes"] = [{"alg": "SHA-256", "content": part.sha256}]
    if "licenses" in part.metadata:
        found["licenses"] = [{"license": {"name": part.metadata["licenses"]}}]
    links = {"homepage": "website", "source": "vcs"}
    references = [{"type": kind, "url": part.metadata[key]} for key, kind in links.items() if key in part.metadata]
    if references:
        found["externalReferences"] = references
    found["properties"] = _properties(part)
    return found


def spdx(part: Part, name: str, version: str, created: str | None) -> bytes:
    """The SPDX document; see `cyclonedx` for the arguments. SPDX needs a time: without one it is 1970."""
    items = list(_items(part))
    ids = {item.ref: "SPDXRef-" + item.ref.replace("/", "-") for item in items}
    info: dict[str, Any] = {"created": created or _EPOCH, "creators": [f"Tool: wasm2oci-{version}"]}
    if created is None:
        info["comment"] = "No time is known; the one given makes the document reproducible."
    relationships = [_relationship("SPDXRef-DOCUMENT", "DESCRIBES", ids["module"])]
    for item in items:
        for used in item.uses:
            kind = "CONTAINS" if item.part is not None else "DEPENDS_ON"
            relationships.append(_relationship(ids[item.ref], kind, ids[used]))
    value = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "creationInfo": info,
        "packages": [_package(item, ids[item.ref], name) for item in items],
        "relationships": relationships,
    }
    return _encoded({**value, "documentNamespace": _urn(value)})


def _relationship(left: str, kind: str, right: str) -> dict[str, str]:
    return {"spdxElementId": left, "relationshipType": kind, "relatedSpdxElement": right}


def _package(item: _Item, identifier: str, name: str) -> dict[str, Any]:
    value: dict[str, Any] = {"SPDXID": identifier, "downloadLocation": "NOASSERTION", "filesAnalyzed": False}
    if item.package is not None:
        package = item.package
        value |= {"name": package.name, "versionInfo": package.version}
        comments = [f"source: {package.source}", *(["build dependency"] if package.build else [])]
        value["comment"] = "; ".join(comments)
        purl = _purl(package)
        if purl:
            reference = {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}
            value["externalRefs"] = [reference]
        return value
    part = item.part
    if part is None:
        raise AssertionError("an item is a part or a package")
    value["name"] = name if item.ref == "module" else item.ref
    if "version" in part.metadata:
        value["versionInfo"] = part.metadata["version"]
    if "description" in part.metadata:
        value["description"] = part.metadata["description"]
    value["checksums"] = [{"algorithm": "SHA256", "checksumValue": part.sha256}]
    value["comment"] = "; ".join(f"{one['name']}={one['value']}" for one in _properties(part))
    return value


def _urn(value: Mapping[str, Any]) -> str:
    return f"urn:uuid:{uuid.uuid5(_NAMESPACE, 'urn:sha256:' + hashlib.sha256(_encoded(value)).hexdigest())}"


def _encoded(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True).encode() + b"\n"


SBOM_FORMATS: Final = (
    SbomFormat("cyclonedx", "application/vnd.cyclonedx+json", "https://cyclonedx.org/bom", cyclonedx),
    SbomFormat("spdx", "application/spdx+json", "https://spdx.dev/Document", spdx),
)
"""A row a format."""
