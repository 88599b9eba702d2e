"""Inspect: what an artifact holds, or what a module file says about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.base.records import NamedTuple
from wasm2oci.content.target import ReferrerLister, open_manifest
from wasm2oci.errors import (
    AccessError,
    IntegrityError,
    InvalidInputError,
    NotFoundError,
    RegistryError,
    UnsupportedError,
)
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.reference import LayoutReference
from wasm2oci.operations.listed_once import listed_once
from wasm2oci.operations.module_info import ModuleInfo
from wasm2oci.operations.names import pinned

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wasm2oci.content.target import Content, ReadTarget
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment
    from wasm2oci.operations.signature_state import SignatureSummary

__all__ = ["Inspected", "InspectedFile", "inspect", "inspect_bytes", "inspect_file", "read_raw"]

_MODULE_MAX: Final = 256 << 20
"""Bytes of a module that is looked into."""
_SIGNATURE_STARTS: Final = 32
"""Bytes of a module within which its own signature begins: that is its first section."""


class Inspected(NamedTuple):
    """An artifact.

    Attributes:
        reference: where it is.
        pinned: the same by digest.
        manifest: its root's descriptor.
        artifact_type: its type: what its manifest names, else the type of its config.
        format: what it was recognised as, or None.
        annotations: of its manifest.
        parts: what its manifest names: config and layers, or the manifests of an index.
        referrers: what refers to it: signatures, attestations; None when the place cannot list them.
        module: its module; None when there is no single one, or it was not wanted.
        problem: why there is no module, or None.
        signatures: who signed it, as far as is known here; None when that cannot be found out.
        embedded_keys: ids of the keys that signed the module, by the signature that it holds itself; not verified.
    """

    reference: str
    pinned: str
    manifest: Descriptor
    artifact_type: str
    format: str | None
    annotations: Mapping[str, str]
    parts: tuple[Descriptor, ...]
    referrers: tuple[Descriptor, ...] | None
    module: ModuleInfo | None
    problem: str | None
    signatures: SignatureSummary | None
    embedded_keys: tuple[str, ...] = ()


class InspectedFile(NamedTuple):
    """A module file, or the bytes of one.

    Attributes:
        file: its name.
        module: what it is.
        embedded_keys: ids of the keys that signed it, by the signature that it holds itself; not verified.
    """

    file: str
    module: ModuleInfo
    embedded_keys: tuple[str, ...] = ()


def inspect_file(path: Path) -> InspectedFile:
    """Look at a module file; one in the text format is assembled first, and what is shown is the binary."""
    from wasm2oci.content.verify import FileContent

    return inspect_bytes(_joined(FileContent(path), str(path)), str(path))


def inspect_bytes(data: bytes, name: str) -> InspectedFile:
    """Look at a module in memory; `name` is what errors call it."""
    from wasm2oci.engine.errors import ModuleError
    from wasm2oci.engine.facts import described
    from wasm2oci.engine.text import binary

    try:
        data = binary(data)
        module = ModuleInfo(Digest.of(data), len(data), described(data))
        return InspectedFile(name, module, _embedded_keys(data))
    except ModuleError as error:
        raise error.about(f"{name} cannot be looked into") from error


def inspect(source: Location, environment: Environment, *, look_inside: bool = True) -> Inspected:
    """Look at an artifact; with `look_inside` its module is fetched through the cache, and looked into as well."""
    from wasm2oci.content.cache import CachedTarget
    from wasm2oci.content.graph import read_manifest
    from wasm2oci.content.pool import run_jobs
    from wasm2oci.packager.recognise import recognise

    with environment.places() as places:
        target: ReadTarget = places.read(source)
        root = open_manifest(target, places.identifier(source))
        document = read_manifest(target, root)
        listed = listed_once(places.read(source, apart=True))
        referring: list[tuple[Descriptor, ...] | None] = []
        signed: list[SignatureSummary | None] = []
        run_jobs(
            [
                lambda: referring.append(_referrers(listed, root, environment)),
                lambda: signed.append(_signatures(listed, source, root, environment)),
            ],
            2,
        )
        if not isinstance(source, LayoutReference):
            target = CachedTarget(target, environment.cache())
        found_format: str | None = None
        module: ModuleInfo | None = None
        problem: str | None = None
        embedded_keys: tuple[str, ...] = ()
        try:
            found = recognise(target, root)
            found_format = found.format
            if look_inside:
                from wasm2oci.engine.facts import described

                data = _joined(found.content, "the module")
                module = ModuleInfo.of(found.module, described(data))
                embedded_keys = _embedded_keys(data)
        except (InvalidInputError, UnsupportedError) as error:
            problem = error.message
    return Inspected(
        reference=str(source),
        pinned=pinned(source, root.digest),
        manifest=root,
        artifact_type=document.effective_type,
        format=found_format,
        annotations=document.annotations,
        parts=tuple(document.children),
        referrers=referring[0],
        module=module,
        problem=problem,
        signatures=signed[0],
        embedded_keys=embedded_keys,
    )


def _signatures(
    target: ReadTarget, source: Location, root: Descriptor, environment: Environment
) -> SignatureSummary | None:
    from wasm2oci.operations.signature_state import summarize_signatures
    from wasm2oci.operations.trust import TrustOptions

    try:
        return summarize_signatures(target, source, root, environment, TrustOptions())
    except (AccessError, IntegrityError, InvalidInputError, NotFoundError, RegistryError, UnsupportedError) as error:
        environment.warn(f"its signatures cannot be read: {error.message}")
        return None


def _embedded_keys(data: bytes) -> tuple[str, ...]:
    if b"signature" not in data[:_SIGNATURE_STARTS]:
        return ()
    from wasm2oci.operations.embedded_signature import embedded_key_ids

    return embedded_key_ids(data)


def read_raw(location: Location, environment: Environment) -> bytes:
    """The bytes of a manifest, as they are."""
    from wasm2oci.content.graph import read_manifest

    with environment.places() as places:
        target = places.read(location)
        return read_manifest(target, open_manifest(target, places.identifier(location))).raw


def _referrers(target: ReadTarget, root: Descriptor, environment: Environment) -> tuple[Descriptor, ...] | None:
    if not isinstance(target, ReferrerLister):
        return None
    from wasm2oci.operations.tagged_referrers import tagged_referrers_or_warning

    try:
        referrers = tuple(target.referrers(root))
    except (NotFoundError, UnsupportedError):
        return None
    except (RegistryError, AccessError, IntegrityError, InvalidInputError) as error:  # harbor#18305, cosign#2973
        environment.warn(f"its referrers cannot be listed: {error.message}")
        return None
    tagged = tagged_referrers_or_warning(target, root, environment, ("sbom",))  # the others are signatures
    return (*referrers, *(one.manifest for one in tagged))


def _joined(content: Content, what: str) -> bytes:
    chunks, size = [], 0
    for chunk in content:
        size += len(chunk)
        if size > _MODULE_MAX:
            raise InvalidInputError(f"{what} is larger than {_MODULE_MAX:,} bytes, the limit of inspect")
        chunks.append(chunk)
    return b"".join(chunks)
