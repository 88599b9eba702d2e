"""A look into every module of an artifact: of each platform of an index, each layer, and each file of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.content.graph import explore
from wasm2oci.errors import InvalidInputError, UnsupportedError
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.manifest import Manifest
from wasm2oci.oci.wire import ARTIFACT_MAX
from wasm2oci.operations.copy_legacy import LegacyTags
from wasm2oci.packager.choice import NoModuleError
from wasm2oci.packager.every_module import every_module
from wasm2oci.packager.recognise import no_module_in
from wasm2oci.packager.tarball import archive_budget

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.content.target import ReadTarget
    from wasm2oci.errors import Wasm2OciError
    from wasm2oci.oci.descriptor import Descriptor

__all__ = ["look_at_modules"]


def look_at_modules(
    source: ReadTarget,
    root: Descriptor,
    look: Callable[[bytes], None],
    unknown: Callable[[Wasm2OciError], None],
    *,
    recursive: bool = False,
    size_max: int = ARTIFACT_MAX,
) -> None:
    """Gives each module of an artifact to `look`, and to `unknown` why one cannot be looked into or that there is none.

    A manifest without a module, such as an attestation beside the modules of an index, is no reason where another one
    has a module. `recursive` looks at what refers to the artifact too, by a subject or by a legacy tag.

    Raises:
        ArtifactTooLargeError: it has more content than `size_max`; no blob was read.
        Wasm2OciError: what `look` and `unknown` raise; the artifact cannot be read.
    """
    # An index may name thousands of manifests of the same layers: they are read once, and one budget is for all.
    seen: set[Digest | tuple[Digest, ...]] = set()
    modules: set[Digest] = set()
    budget = archive_budget()
    without: NoModuleError | None = None
    looked = False
    graphs = [explore(source, root, recursive=recursive)]
    if recursive:
        legacy, manifests = LegacyTags(source), graphs[0].manifests
        for node in manifests:
            tagged = legacy.of(node.descriptor.digest, len(manifests)).values()
            graphs += [explore(source, descriptor) for descriptor, _ in tagged]
    for graph in graphs:
        graph.check_size(size_max, "no module in it was looked into")
    for node in (node for graph in graphs for node in graph.manifests):
        if not isinstance(node.document, Manifest):
            continue
        found = every_module(source, node.document, seen, budget)
        while True:
            try:
                data = next(found, None)
            except (InvalidInputError, UnsupportedError) as error:
                looked = True
                unknown(error)
                break
            if data is None:
                break
            looked = True
            digest = Digest.of(data)  # one module may be in several images
            if digest not in modules:
                modules.add(digest)
                look(data)
        without = no_module_in(node.document)
    if not looked:
        unknown(without or NoModuleError("the index is empty"))
