"""Choosing one manifest of an index, for a platform or for WebAssembly.

Indexes may hold indexes, and entries may lack a `platform` that their manifest's config has. So the entries of the
outermost index are looked at first, then those of the indexes in it, level by level; only when no entry fits by what
indexes say are configs read. An entry without a platform has that of the index that it is in, where that has one.
Attestations, which build tools put beside images, are not candidates. What is read for the search, and what is found
there, is bounded as the graph of an artifact is.

Spec: image-spec, image-index.md (platform) and config.md (os, architecture, variant).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wasm2oci.base.budget import Budget
from wasm2oci.base.text import is_visible
from wasm2oci.content.graph import GraphError, read_manifest
from wasm2oci.content.verify import read_all
from wasm2oci.errors import InvalidInputError, NotFoundError, Remedy, RemedyKind
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.manifest import Index, Manifest
from wasm2oci.oci.wire import CONFIG_MAX, GRAPH_BYTES_MAX, GRAPH_NODES_MAX, load_object
from wasm2oci.packager.choice import ChoiceNeededError, NoModuleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wasm2oci.content.target import ReadTarget
    from wasm2oci.oci.descriptor import Descriptor

__all__ = ["choose_manifest"]

_WASM_ARCHITECTURES: Final = frozenset({"wasm", "wasm32", "wasm64"})
_WASM_SYSTEMS: Final = frozenset({"wasi", "wasip1", "wasip2", "wasip3"})
_DEPTH: Final = 4
"""Indexes in indexes, the outermost included."""
_READ_MAX: Final = 64
"""Nested indexes, and again configs, that are read to find an entry."""
_FIELDS: Final = ("os", "architecture", "variant")
_SAYS_NOTHING: Final = (InvalidInputError, NotFoundError)
"""An entry that is lost, or has a config that is no JSON, says no platform."""


class _Entry(NamedTuple):
    """A manifest or index that an index lists, and its platform as far as that is known."""

    descriptor: Descriptor
    platform: Mapping[str, Any]

    def __str__(self) -> str:
        parts = [self.platform.get(key) for key in _FIELDS]
        shown = [_shown(part) for part in (parts if parts[2] else parts[:2])]
        return "/".join(shown)


def choose_manifest(target: ReadTarget, index: Index, platform: str | None = None) -> Descriptor:
    """The manifest in an index that holds the module.

    Args:
        target: where the index is; asked for nested indexes and for configs when the index alone says too little.
        index: the index.
        platform: `OS/ARCHITECTURE` or `OS/ARCHITECTURE/VARIANT` to look for, or None to look for wasm.

    Raises:
        NoModuleError: the index is empty, has nothing for this platform, or holds indexes too deep.
        ChoiceNeededError: several entries would do.
        GraphError: nested indexes, or configs, are larger than an artifact's are, or have more entries.
        Wasm2OciError: see `graph.read_manifest`.
    """
    budget = Budget("indexes of the artifact", GraphError, size=GRAPH_BYTES_MAX, entries=GRAPH_NODES_MAX)
    leaves: list[_Entry] = []
    level = _entries(index, {})
    fitting: list[_Entry] = []
    for _ in range(_DEPTH):
        leaves += (entry for entry in level if entry.descriptor.media_type not in mt.INDEXES)
        fitting = _fitting(leaves, platform)
        indexes = (entry for entry in level if entry.descriptor.media_type in mt.INDEXES)
        nested = list({(entry.descriptor.digest, str(entry)): entry for entry in indexes}.values())[:_READ_MAX]
        if fitting or not nested:
            break
        level = [found for entry in nested for found in _read_entries(target, entry, budget)]
    else:
        raise NoModuleError(f"indexes are nested more than {_DEPTH} deep")
    if not fitting and (platform is not None or len(leaves) > 1):
        leaves = _with_configs(target, leaves, budget)
        fitting = _fitting(leaves, platform)
    if platform is None:
        fitting = fitting or leaves
    inside = ", ".join(dict.fromkeys(map(str, leaves)))
    if not fitting and platform is not None:
        raise NoModuleError(f"the index has no manifest for platform {platform}", hint=f"it has {inside or 'nothing'}")
    if not fitting:
        holds = "lists nothing that could hold a module" if index.manifests else "is empty"
        raise NoModuleError(f"the index {holds}", hint="push a module to it, or pull another tag")
    if len({entry.descriptor.digest for entry in fitting}) > 1:
        named = ", ".join(dict.fromkeys(map(str, fitting)))
        raise ChoiceNeededError(
            f"the index has {len(fitting)} manifests that match: {named}",
            remedy=Remedy(RemedyKind.CHOOSE_PLATFORM, str(fitting[0].descriptor.digest)),
        )
    return fitting[0].descriptor


def _entries(index: Index, inherited: Mapping[str, Any]) -> list[_Entry]:
    entries = [_Entry(one, _known(one.platform) or inherited) for one in index.manifests if one.is_manifest]
    return [entry for entry in entries if not _is_attestation(entry)]


def _read_entries(target: ReadTarget, entry: _Entry, budget: Budget) -> list[_Entry]:
    budget.charge(size=entry.descriptor.size)
    document = read_manifest(target, entry.descriptor)
    found = _entries(document, entry.platform) if isinstance(document, Index) else []
    budget.charge(entries=len(found))
    return found


def _with_configs(target: ReadTarget, entries: list[_Entry], budget: Budget) -> list[_Entry]:
    """The same entries; those without a platform with that of their config, where it says one."""
    unknown = [entry for entry in entries if not entry.platform][:_READ_MAX]
    said = {entry.descriptor.digest: _config_platform(target, entry.descriptor, budget) for entry in unknown}
    return [entry._replace(platform=said.get(entry.descriptor.digest, entry.platform)) for entry in entries]


def _config_platform(target: ReadTarget, descriptor: Descriptor, budget: Budget) -> Mapping[str, Any]:
    budget.charge(size=descriptor.size)
    try:
        document = read_manifest(target, descriptor)
    except _SAYS_NOTHING:
        return {}
    if not isinstance(document, Manifest) or document.config.size > CONFIG_MAX:
        return {}
    budget.charge(size=document.config.size)
    try:
        return _known(load_object(read_all(target.fetch(document.config), document.config, CONFIG_MAX), "config"))
    except _SAYS_NOTHING:
        return {}


def _known(platform: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The known part of a platform; empty when neither system nor architecture is known."""
    said = {key: platform[key] for key in _FIELDS if isinstance((platform or {}).get(key), str)} if platform else {}
    return {key: value for key, value in said.items() if value} if said.get("os") or said.get("architecture") else {}


def _fitting(entries: Iterable[_Entry], platform: str | None) -> list[_Entry]:
    if platform is None:
        return [entry for entry in entries if _is_wasm(entry)]
    wanted = platform.lower().split("/")
    return [
        entry
        for entry in entries
        if [str(entry.platform.get(key, "")).lower() for key in _FIELDS[: len(wanted)]] == wanted
    ]


def _is_wasm(entry: _Entry) -> bool:
    system, architecture = (str(entry.platform.get(key, "")).lower() for key in _FIELDS[:2])
    return architecture in _WASM_ARCHITECTURES or system in _WASM_SYSTEMS


def _is_attestation(entry: _Entry) -> bool:
    kind = entry.descriptor.annotations.get("vnd.docker.reference.type")
    return kind == "attestation-manifest" or str(entry) == "unknown/unknown"


def _shown(part: object) -> str:
    return "".join(char for char in str(part or "?") if is_visible(char))[:40]
