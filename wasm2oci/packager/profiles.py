"""The table of profiles: how a module becomes an artifact, one row each.

Everything that differs between the layouts in use is in the row. `build` reads it, and so do `recognise` (which layers
hold a module, what an artifact's layout is called), the command line's help and completion, and docs/profiles.md: a new
row is all that a new profile takes. No single row suits every consumer: Krustlet refuses a manifest that holds its own
media type, wkg and oci-wasm refuse one that does not.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from wasm2oci.base.records import NamedTuple
from wasm2oci.errors import InvalidInputError
from wasm2oci.oci import media_type as mt
from wasm2oci.packager.config import cncf_config, empty_config, image_config, runwasi_config
from wasm2oci.packager.json_bytes import canonical_json, go_json
from wasm2oci.packager.layer import image_layer, plugin_layer, raw_layer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wasm2oci.packager.config import ConfigFacts
    from wasm2oci.packager.layer import Layer
    from wasm2oci.packager.module_source import ModuleSource

__all__ = ["CNCF", "PROFILES", "WASM_TO_OCI", "Profile", "UnknownProfileError", "find_profile"]


_NO_ANNOTATIONS: Final[Mapping[str, str]] = MappingProxyType({})


class UnknownProfileError(InvalidInputError):
    """There is no profile of this name."""


class Profile(NamedTuple):
    """One way to lay out a module in a registry.

    Args:
        name: what `--profile` takes.
        summary: one line for people.
        consumers: who pulls it.
        config_type: media type of the config.
        config: makes the config's bytes.
        takes_author: the config has a place for an author.
        layer_type: media type of the layer.
        has_media_type: the manifest holds its own media type.
        encode: makes the manifest's bytes.
        pack: makes the layer, for the file name that the module has; by default the module's bytes as they are.
        annotations: of the manifest, unless others are given for the same keys.
    """

    name: str
    summary: str
    consumers: tuple[str, ...]
    config_type: str
    config: Callable[[ConfigFacts], bytes]
    takes_author: bool
    layer_type: str
    has_media_type: bool
    encode: Callable[[Mapping[str, object]], bytes]
    pack: Callable[[ModuleSource, str], Layer] = raw_layer
    annotations: Mapping[str, str] = _NO_ANNOTATIONS

    @property
    def is_raw(self) -> bool:
        """Whether the layer is the module's bytes as they are."""
        return self.pack is raw_layer


_VARIANT: Final = MappingProxyType({"module.wasm.image/variant": "compat"})
"""By which crun, podman and Harbor know that an image holds WebAssembly."""

_ROWS: Final = (
    Profile(
        name="cncf",
        summary="the Wasm OCI Artifact layout v0, which current tools share",
        consumers=("wkg", "wash", "Spin", "runwasi shims on Kubernetes", "wassette"),
        config_type="application/vnd.wasm.config.v0+json",
        config=cncf_config,
        takes_author=True,
        layer_type="application/wasm",
        has_media_type=True,
        encode=canonical_json,
    ),
    Profile(
        name="wasm-to-oci",
        summary="byte for byte what engineerd/wasm-to-oci writes",
        consumers=("wasm-to-oci", "Krustlet", "kwctl and Kubewarden", "Harbor", "GitLab"),
        config_type="application/vnd.wasm.config.v1+json",
        config=empty_config,
        takes_author=False,
        layer_type="application/vnd.wasm.content.layer.v1+wasm",
        has_media_type=False,
        encode=go_json,
    ),
    Profile(
        name="image",
        summary="a container image for `wasi/wasm` with the module as its one file, which is its entrypoint",
        consumers=("podman and crun", "youki", "Docker with containerd's image store", "runwasi shims"),
        config_type=mt.OCI_CONFIG,
        config=image_config,
        takes_author=True,
        layer_type=mt.OCI_LAYER_TAR_GZIP,
        has_media_type=True,
        encode=canonical_json,
        pack=image_layer,
        annotations=_VARIANT,
    ),
    Profile(
        name="istio",
        summary="a container image whose one file is `plugin.wasm`, where proxies look for it",
        consumers=("Istio", "Envoy Gateway", "Higress", "OpenShift Service Mesh"),
        config_type=mt.OCI_CONFIG,
        config=image_config,
        takes_author=True,
        layer_type=mt.OCI_LAYER_TAR_GZIP,
        has_media_type=True,
        encode=canonical_json,
        pack=plugin_layer,
        annotations=_VARIANT,
    ),
    Profile(
        name="runwasi",
        summary="a container image whose layer is the module itself, as runwasi's own tool makes it",
        consumers=("runwasi shims by containerd or Kubernetes, without a command in the pod",),
        config_type=mt.OCI_CONFIG,
        config=runwasi_config,
        takes_author=True,
        layer_type="application/vnd.bytecodealliance.wasm.component.layer.v0+wasm",
        has_media_type=True,
        encode=canonical_json,
    ),
)

PROFILES: Final[Mapping[str, Profile]] = {row.name: row for row in _ROWS}
"""Every profile by its name. Artifacts are recognised by the types of config and layer; of two rows that have the same,
the first gives the name."""

CNCF: Final = PROFILES["cncf"]
WASM_TO_OCI: Final = PROFILES["wasm-to-oci"]


def find_profile(name: str | None) -> Profile:
    """The profile of this name; the first one without a name.

    Raises:
        UnknownProfileError: there is none; the hint lists them.
    """
    profile = PROFILES.get(name) if name is not None else _ROWS[0]
    if profile is None:
        raise UnknownProfileError(f"there is no profile {name!r}", hint=f"profiles are {', '.join(PROFILES)}")
    return profile
