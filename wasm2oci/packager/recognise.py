"""Find the module in an artifact of any tool.

The rules, first match wins:

1. An index: the one entry for a wasm platform, else its only entry (`platforms.choose_manifest`).
2. Layers of a raw wasm type: the only one, whatever the config's type.
3. A layer of an unknown type with a title `*.wasm` counts as raw.
4. Layers that are archives: the files that begin as a module does; the entrypoint's file, else the only one, else
   the only one called `plugin.wasm`. A layer labelled as an archive that is a bare module is that module.

Where several remain, the caller is asked to choose (`wanted`). Media types: see the reference table in docs/profiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.base.records import NamedTuple
from wasm2oci.content.graph import read_manifest
from wasm2oci.content.verify import SelfVerifying, read_all, verified
from wasm2oci.errors import Remedy, RemedyKind
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.manifest import Index, Manifest
from wasm2oci.oci.wire import MODULE_MAX
from wasm2oci.packager.choice import MAGIC, ChoiceNeededError, NoModuleError, NotAModuleError, file_name
from wasm2oci.packager.profiles import PROFILES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wasm2oci.base.budget import Budget
    from wasm2oci.content.target import Content, ReadTarget
    from wasm2oci.oci.descriptor import Descriptor

__all__ = [
    "ARCHIVE_LAYERS",
    "FoundModule",
    "find_manifest",
    "format_name",
    "no_module_in",
    "raw_layers",
    "recognise",
]

_VERIFIED_FIRST: Final = 16 << 20
"""Bytes of a layer that is read whole before it is said to be no module: wrong bytes are an error of their own."""
_OTHER_RAW_LAYERS: Final = (
    "application/vnd.module.wasm.content.layer.v1+wasm",
    "application/vnd.gadget.wasm.program.v1+binary",
    "application/vnd.wasm.component.v1+wasm",
    "application/vnd.w3c.wasm.module.v1+wasm",
)


ARCHIVE_LAYERS: Final = (
    mt.OCI_LAYER_TAR,
    mt.OCI_LAYER_TAR_GZIP,
    mt.OCI_LAYER_TAR_ZSTD,
    mt.DOCKER_LAYER_TAR_GZIP,
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
)
"""Layer types whose content is a tar archive, compressed or not."""

_OTHER_FORMATS: Final = {
    "application/vnd.module.wasm.config.v1+json": "solo",
    "application/vnd.io.wasm.module.config.v1+json": "solo",
    "application/vnd.wasmcloud.actor.archive.config": "wasmcloud",
    "application/vnd.wasmcloud.provider.archive.config": "wasmcloud-provider",
    "application/vnd.fermyon.spin.application.v1+config": "spin",
    "application/vnd.docker.plugin.v1+json": "docker-plugin",
}
_IMAGE_CONFIGS: Final = frozenset({mt.OCI_CONFIG, mt.DOCKER_CONFIG})

_STRANGERS: Final = {
    "application/vnd.wasmcloud.provider.archive.layer.v1+par": "it is a wasmCloud provider: native programs, no module",
    "application/vnd.dev.cosign.simplesigning.v1+json": "it is a cosign signature; pull the artifact that it signs",
    "application/vnd.dev.sigstore.bundle.v0.3+json": "it is a sigstore bundle; pull the artifact that it is about",
    "application/vnd.in-toto+json": "it is an attestation; pull the artifact that it is about",
    "application/vnd.cncf.helm.chart.content.v1.tar+gzip": "it is a Helm chart",
    "application/vnd.wasm.content.layer.v1+data": "it is part of a Spin application without a module",
}
"""Artifacts that are often pulled by mistake, by the type of a layer."""


class FoundModule(NamedTuple):
    """The module of an artifact.

    Args:
        root: the manifest that holds it; inside of an index, the one that was chosen.
        document: that manifest.
        format: how it was packed: `cncf`, `wasm-to-oci`, `solo`, `wasmcloud`, `spin`, `runwasi`, `image` or `artifact`.
        layer: the layer that it is in.
        module: its own digest and size; the layer itself unless that is an archive.
        entry: its path in that archive, or None.
        content: its bytes, verified while they are read.
    """

    root: Descriptor
    document: Manifest
    format: str
    layer: Descriptor
    module: Descriptor
    entry: str | None
    content: SelfVerifying

    def read(self) -> bytes:
        """The module's bytes, all at once.

        Raises:
            ContentTooLargeError: it has more than `MODULE_MAX`; nothing was read.
            IntegrityError: the bytes are not those of the descriptor.
        """
        return read_all(self.content, self.module, MODULE_MAX)

    def file_name(self, repository: str) -> str:
        """The file name for a pull: the title, else the name in the archive, else the repository's name."""
        return file_name(self.layer.title if self.entry is None else self.entry, repository)


def raw_layers() -> tuple[str, ...]:
    """Layer types whose content is the module itself: those of the profiles, and those of other tools."""
    ours = (profile.layer_type for profile in PROFILES.values() if profile.is_raw)
    return tuple(dict.fromkeys((*ours, *_OTHER_RAW_LAYERS)))


def format_name(manifest: Manifest) -> str:
    """The format of an artifact: the name of its profile, of the tool that packed it, or of its kind."""
    types = [layer.media_type for layer in manifest.layers]
    if any(kind.startswith("application/vnd.fermyon.spin.") for kind in types):
        return "spin"
    if manifest.config.media_type in _IMAGE_CONFIGS:
        return "runwasi" if any(kind in raw_layers() for kind in types) else "image"
    profiles = {profile.config_type: name for name, profile in PROFILES.items()}
    return {**_OTHER_FORMATS, **profiles}.get(manifest.config.media_type, "artifact")


def recognise(
    target: ReadTarget,
    root: Descriptor,
    *,
    platform: str | None = None,
    wanted: str | None = None,
    force: bool = False,
    budget: Budget | None = None,
) -> FoundModule:
    """Find the module of an artifact. Archives are read once here, to look what is in them.

    Args:
        target: where it is. What is read is read again for the module's bytes, so a cache before it pays.
        root: the descriptor of its manifest or index.
        platform: `OS/ARCHITECTURE` of the entry to take from an index.
        wanted: which module, where there are several: a title, a path in an archive, or a digest.
        force: take bytes that are not a module from a layer of a raw type.
        budget: what looking into archives may cost (`tarball.archive_budget`); the usual if None.

    Raises:
        NoModuleError: there is none.
        ChoiceNeededError: there are several, or several platforms.
        NotAModuleError: a raw layer does not begin as a module does (raised when the content is iterated).
        Wasm2OciError: what the target raises, and what is wrong with a manifest or an archive.
    """
    root, manifest = find_manifest(target, root, platform)
    raw = _raw_layers(manifest)
    if raw:
        layer = _choose(raw, wanted)
        content = verified(target.fetch(layer), layer)
        return FoundModule(
            root, manifest, format_name(manifest), layer, layer, None, content if force else _Module(content)
        )
    archives = [layer for layer in manifest.layers if layer.media_type in ARCHIVE_LAYERS]
    if archives:
        from wasm2oci.packager.image import search  # noqa: PLC0415 - images are the rare case

        layer, module, entry, inside = search(target, manifest, archives, wanted, budget)
        return FoundModule(root, manifest, format_name(manifest), layer, module, entry, inside)
    raise no_module_in(manifest)


def find_manifest(target: ReadTarget, root: Descriptor, platform: str | None) -> tuple[Descriptor, Manifest]:
    """The manifest that is meant by a manifest, or by an index and a platform; indexes may hold indexes.

    Raises:
        NoModuleError: an index has nothing for this platform.
        ChoiceNeededError: several entries would do.
        Wasm2OciError: what the target raises, and what is wrong with a manifest.
    """
    document = read_manifest(target, root)
    if isinstance(document, Index):
        from wasm2oci.packager.platforms import choose_manifest  # noqa: PLC0415 - an index is the rare case

        root = choose_manifest(target, document, platform)
        document = read_manifest(target, root)
    if not isinstance(document, Manifest):
        raise NoModuleError(f"{root.digest} is listed as a manifest, and is an index")
    return root, document


def _raw_layers(manifest: Manifest) -> list[Descriptor]:
    raw_types = raw_layers()
    raw = [layer for layer in manifest.layers if layer.media_type in raw_types]
    if raw:
        return raw
    return [
        layer
        for layer in manifest.layers
        if layer.media_type not in ARCHIVE_LAYERS and (layer.title or "").lower().endswith(".wasm")
    ]


def _choose(layers: Sequence[Descriptor], wanted: str | None) -> Descriptor:
    named = [_name(layer) for layer in layers]
    if wanted is not None:
        fitting = [layer for layer in layers if wanted in {layer.title, file_name(layer.title, ""), str(layer.digest)}]
        if not fitting:
            raise NoModuleError(f"there is no module {wanted!r} in it", hint=f"it has {', '.join(named)}")
        layers = fitting
    if len({layer.digest for layer in layers}) > 1:
        raise ChoiceNeededError(
            f"there are {len(layers)} modules in it: {', '.join(named[:8])}", hint="choose one by its name or digest"
        )
    return layers[0]


def _name(layer: Descriptor) -> str:
    return file_name(layer.title, "") if layer.title else str(layer.digest)


def no_module_in(manifest: Manifest) -> NoModuleError:
    """The error for a manifest without a module, which says what is in it."""
    types = list(dict.fromkeys(layer.media_type for layer in manifest.layers))
    hint = next((_STRANGERS[kind] for kind in types if kind in _STRANGERS), None)
    if not types:
        return NoModuleError(
            f"there is no WebAssembly in it: it has no layers (type {manifest.effective_type})",
            hint="pull another tag, or push a module to this one",
        )
    message = f"there is no WebAssembly in it, but {', '.join(types[:4])}"
    return NoModuleError(message, hint=hint, remedy=Remedy(RemedyKind.INSPECT))


class _Module(SelfVerifying):
    """Raw content that has to begin as a module does."""

    __slots__ = ("_content",)

    def __init__(self, content: SelfVerifying) -> None:
        super().__init__(content.descriptor)
        self._content: Content = content

    def __iter__(self) -> Iterator[bytes]:
        head = b""
        checked = False
        pieces = iter(self._content)
        for chunk in pieces:
            if not checked:
                head += chunk
                if len(head) < len(MAGIC):
                    continue
                self._check(head, pieces)
                checked = True
                yield head
            else:
                yield chunk
        if not checked:
            self._check(head, pieces)

    def _check(self, head: bytes, rest: Iterator[bytes]) -> None:
        if not head.startswith(MAGIC):
            if self.descriptor.size <= _VERIFIED_FIRST:
                for _ in rest:  # whose end shows whether these are the bytes that were pushed
                    pass
            raise NotAModuleError(
                f"layer {self.descriptor.digest} has the type {self.descriptor.media_type}, but is not WebAssembly",
                remedy=Remedy(RemedyKind.FORCE_PULL),
            )
