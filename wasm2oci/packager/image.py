"""Find a module among the files of a container image.

Layers are read from the top one down; what an upper layer replaces or whites out does not count.
Spec: image-spec, layer.md (Whiteouts), config.md.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.base.text import is_visible
from wasm2oci.content.verify import VerifiedContent, read_all, verified
from wasm2oci.errors import InvalidInputError, NotFoundError, Remedy, RemedyKind
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Hasher
from wasm2oci.oci.wire import CONFIG_MAX, MODULE_MAX, load_object
from wasm2oci.packager.choice import MAGIC, ChoiceNeededError, NoModuleError
from wasm2oci.packager.tarball import (
    EntryKind,
    InvalidArchiveError,
    archive_budget,
    decompressed,
    normal_path,
    read_tar,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wasm2oci.base.budget import Budget
    from wasm2oci.content.target import ReadTarget
    from wasm2oci.content.verify import SelfVerifying
    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.manifest import Manifest

__all__ = ["NAMES_MAX", "SEARCH_MAX", "modules_in", "search"]

SEARCH_MAX: Final = 64 << 20
"""Bytes of layers that are read in search of a module when nothing says that there is one (64 MiB)."""

NAMES_MAX: Final = 128 << 20
"""Bytes that the file names of an image may take together while it is searched (128 MiB: more than a million files)."""
_NAME_COST: Final = 64
_FOLDER_COST: Final = 400

_COMPAT: Final = ("module.wasm.image/variant", "run.oci.handler")
_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"
_PLUGIN: Final = "plugin.wasm"


@dataclass(frozen=True, slots=True)
class _Candidate:
    layer: Descriptor
    module: Descriptor
    path: str | None
    position: int
    """Number of the entry in its layer: a path may come twice there."""


class _Tree:
    """A set of folders. Whether a path is below one of them takes a step for each part of the path."""

    __slots__ = ("children", "member")

    def __init__(self) -> None:
        self.children: dict[str, _Tree] = {}
        self.member = False

    def add(self, path: str) -> None:
        node = self
        for part in path.split("/") if path else ():
            node = node.children.setdefault(part, _Tree())
        node.member = True

    def covers(self, path: str) -> bool:
        """Whether a proper part of the path, from its start, is a member."""
        node = self
        for part in path.split("/"):
            if node.member:
                return True
            following = node.children.get(part)
            if following is None:
                return False
            node = following
        return False


@dataclass(slots=True)
class _Search:
    """What was seen in the layers so far.

    Attributes:
        budget: for the content of all layers.
        found: candidates by their layer's digest and their path there (None for a bare module).
        hidden: paths that an upper layer has or takes away.
        opaque: folders of whose content below nothing counts.
        links: the first link that is named like a module.
        room: bytes that file names may still take.
    """

    budget: Budget
    found: dict[tuple[Digest, str | None], _Candidate] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    opaque: _Tree = field(default_factory=_Tree)
    links: list[str] = field(default_factory=list)
    room: int = field(default_factory=lambda: NAMES_MAX)

    def charge(self, path: str) -> None:
        """Charge a path for the memory and the time that it takes.

        Raises:
            InvalidArchiveError: all paths together take more room than those of any image.
        """
        self.room -= len(path) + _NAME_COST
        if self.room < 0:
            raise InvalidArchiveError(f"image has file names of more than {NAMES_MAX:,} bytes")

    def is_hidden(self, path: str) -> bool:
        return path in self.hidden or self.opaque.covers(path)

    def add_opaque(self, path: str) -> None:
        self.room -= _FOLDER_COST * (path.count("/") + 1)
        self.charge(path)
        self.opaque.add(path)


def search(
    target: ReadTarget,
    manifest: Manifest,
    archives: Sequence[Descriptor],
    wanted: str | None,
    budget: Budget | None = None,
) -> tuple[Descriptor, Descriptor, str | None, SelfVerifying]:
    """Look for the module in the archives of an image.

    Args:
        target: where the image is.
        manifest: its manifest.
        archives: its layers, the lowest first.
        wanted: a path in it, the last part of one, or a digest; None when there should be one module only.
        budget: what looking into it may cost, and reading the module again after that.

    Returns:
        The layer, the module's own descriptor, its path (None when the layer is a bare module), and its content.

    Raises:
        NoModuleError: there is none.
        ChoiceNeededError: there are several.
        InvalidArchiveError: a layer is not an archive.
    """
    config = _config(target, manifest)
    entrypoint, platform = _entrypoint(config), _platform(config)
    total = sum(layer.size for layer in archives)
    if wanted is None and total > SEARCH_MAX and not _promises_wasm(manifest, config, entrypoint):
        raise NoModuleError(
            f"this is a container image{platform} of {total:,} bytes, and nothing in it mentions WebAssembly",
            hint="if it contains a module, name the path of the module",
        )
    seen = _searched(target, archives, budget or archive_budget())
    candidate = _choose(seen, entrypoint, wanted, platform)
    content = VerifiedContent(candidate.module, _Extract(target, candidate, budget))
    return candidate.layer, candidate.module, candidate.path, content


def modules_in(target: ReadTarget, archives: Sequence[Descriptor], budget: Budget) -> Iterator[bytes]:
    """The bytes of every module in the archives of an image, each once.

    Raises:
        InvalidArchiveError: a layer is not an archive, or looking into it costs more than `budget`.
        ContentTooLargeError: a module has more than `MODULE_MAX` bytes.
    """
    found = {one.module.digest: one for one in _searched(target, archives, budget).found.values()}
    for one in found.values():
        yield read_all(VerifiedContent(one.module, _Extract(target, one, budget)), one.module, MODULE_MAX)


def _searched(target: ReadTarget, archives: Sequence[Descriptor], budget: Budget) -> _Search:
    """The modules that unpacking the image would write."""
    seen = _Search(budget)
    # A layer that comes again further down holds nothing that the upper one did not have or hide.
    for layer in {(layer.digest, layer.size): layer for layer in reversed(archives)}.values():
        _look_into(target, layer, seen)
    return seen


def _config(target: ReadTarget, manifest: Manifest) -> dict[str, Any]:
    """The image config. It only gives hints, so that one that is absent or malformed counts as empty."""
    if manifest.config.size > CONFIG_MAX:
        return {}
    try:
        return load_object(read_all(target.fetch(manifest.config), manifest.config, CONFIG_MAX), "config")
    except (InvalidInputError, NotFoundError):
        return {}


def _entrypoint(config: dict[str, Any]) -> str | None:
    inner = config.get("config")
    if not isinstance(inner, dict):
        return None
    for key in ("Entrypoint", "Cmd"):
        words = inner.get(key)
        if isinstance(words, list) and words and isinstance(words[0], str):
            # The shims allow a function after the path.
            return normal_path(words[0].partition("#")[0])
    return None


def _platform(config: dict[str, Any]) -> str:
    parts = [str(config.get(key) or "?")[:40] for key in ("os", "architecture")]
    shown = "/".join("".join(char for char in part if is_visible(char)) for part in parts)
    return "" if shown == "?/?" else f" for {shown}"


def _promises_wasm(manifest: Manifest, config: dict[str, Any], entrypoint: str | None) -> bool:
    return (
        str(config.get("architecture", "")).startswith("wasm")
        or (entrypoint or "").lower().endswith(".wasm")
        or any(key in manifest.annotations for key in _COMPAT)
        or any((layer.title or "").lower().endswith(".wasm") for layer in manifest.layers)
    )


def _look_into(target: ReadTarget, layer: Descriptor, seen: _Search) -> None:
    """Add the modules of a layer that no upper layer hides."""
    hidden: set[str] = set()
    opaque: list[str] = []
    with _opened(target, layer, seen.budget) as entries:
        for position, (path, kind, body) in enumerate(entries):
            if path is None:
                _add(seen, layer, None, position, body)
                continue
            seen.charge(path)
            folder, slash, base = path.rpartition("/")
            if base == _OPAQUE:
                opaque.append(folder)
            elif base.startswith(_WHITEOUT):
                gone = f"{folder}{slash}{base.removeprefix(_WHITEOUT)}"
                hidden.add(gone)
                opaque.append(gone)
            elif not seen.is_hidden(path):
                hidden.add(path)
                # The last of two entries with one path is the one that would be unpacked.
                seen.found.pop((layer.digest, path), None)
                if kind is EntryKind.FILE:
                    _add(seen, layer, path, position, body)
                elif kind is EntryKind.LINK and path.lower().endswith(".wasm") and not seen.links:
                    seen.links.append(path)
    seen.hidden |= hidden
    for folder in opaque:
        seen.add_opaque(folder)


def _add(seen: _Search, layer: Descriptor, path: str | None, position: int, body: Iterable[bytes]) -> None:
    """Add this content if its first bytes are those of a module."""
    hasher, head = Hasher(), b""
    for piece in body:
        if len(head) < len(MAGIC):
            head += piece
            if len(head) >= len(MAGIC) and not head.startswith(MAGIC):
                return
        hasher.update(piece)
    if head.startswith(MAGIC):
        module = Descriptor("application/wasm", hasher.digest(), hasher.size)
        seen.found[layer.digest, path] = _Candidate(layer, module, path, position)


_Entries = Iterator[tuple[str | None, EntryKind, Iterable[bytes]]]


@contextmanager
def _opened(target: ReadTarget, layer: Descriptor, budget: Budget) -> Iterator[_Entries]:
    """The entries of a layer; a single one without a path when the layer is a bare module.

    Whatever happens, the layer is then read to its end: so all of it is verified, and damage shows as damage rather
    than as a bad format.
    """
    chunks = iter(verified(target.fetch(layer), layer))
    try:
        yield _entries(chunks, budget)
    except InvalidArchiveError:
        for _ in chunks:
            pass
        raise
    for _ in chunks:
        pass


def _entries(chunks: Iterator[bytes], budget: Budget) -> _Entries:
    plain = decompressed(chunks, budget)
    head = next(plain, b"")
    while 0 < len(head) < len(MAGIC) and (more := next(plain, b"")):
        head += more
    whole = itertools.chain((head,), plain)
    if head.startswith(MAGIC):
        yield None, EntryKind.FILE, whole
        return
    for entry, body in read_tar(whole, budget):
        yield entry.path, entry.kind, body


def _choose(seen: _Search, entrypoint: str | None, wanted: str | None, platform: str) -> _Candidate:
    found = list(seen.found.values())
    listed = ", ".join(str(one.path or one.module.digest) for one in found[:8])
    if wanted is not None:
        words = {normal_path(wanted), wanted}
        fitting = [
            one
            for one in found
            if str(one.module.digest) == wanted
            or (one.path is not None and (one.path in words or one.path.rpartition("/")[2] in words))
        ]
        if not fitting:
            raise NoModuleError(f"there is no module {wanted!r} in it", hint=f"it has {listed or 'no modules'}")
        return _only(fitting, listed)
    if not found:
        link = f"; {seen.links[0]} is a link, which is not followed" if seen.links else ""
        raise NoModuleError(
            f"this is a container image{platform} with no WebAssembly module in it{link}",
            remedy=Remedy(RemedyKind.INSPECT),
        )
    started = [one for one in found if one.path is not None and one.path == entrypoint]
    if started:
        return started[0]
    if len({one.module.digest for one in found}) > 1:
        plugins = [one for one in found if one.path is not None and one.path.rpartition("/")[2] == _PLUGIN]
        return _only(plugins or found, listed)
    return found[0]


def _only(candidates: Sequence[_Candidate], listed: str) -> _Candidate:
    if len({one.module.digest for one in candidates}) > 1:
        raise ChoiceNeededError(
            f"there are {len(candidates)} modules in it: {listed}", hint="choose one by its path or digest"
        )
    return candidates[0]


class _Extract:
    """The bytes of one file of a layer, which is read to its end so that it is verified as a whole."""

    def __init__(self, target: ReadTarget, candidate: _Candidate, budget: Budget | None) -> None:
        self._target = target
        self._candidate = candidate
        self._budget = budget

    def __iter__(self) -> Iterator[bytes]:
        wanted = self._candidate
        with _opened(self._target, wanted.layer, self._budget or archive_budget()) as entries:
            for position, (_, _, body) in enumerate(entries):
                if position == wanted.position:
                    yield from body
