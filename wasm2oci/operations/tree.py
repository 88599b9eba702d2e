"""Tree: an artifact, its parts, what is signed about it, and what else refers to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wasm2oci.content.graph import explore
from wasm2oci.content.pool import run_jobs
from wasm2oci.content.target import ReferrerLister, open_manifest
from wasm2oci.errors import (
    AccessError,
    IntegrityError,
    InvalidInputError,
    NotFoundError,
    RegistryError,
    UnsupportedError,
)
from wasm2oci.operations.listed_once import listed_once
from wasm2oci.operations.names import pinned
from wasm2oci.operations.signature_state import summarize_signatures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasm2oci.content.graph import Graph
    from wasm2oci.content.target import ReadTarget
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment
    from wasm2oci.operations.signature_state import SignatureSummary
    from wasm2oci.operations.trust import TrustOptions

__all__ = ["Tree", "TreePart", "tree"]


class TreePart(NamedTuple):
    """A manifest or blob.

    Attributes:
        depth: 1 for what the root names, 2 for what that names, and so on. A manifest that is named several times has
            its parts behind the first.
        content: what it is.
    """

    depth: int
    content: Descriptor


class Tree(NamedTuple):
    """An artifact with all that belongs to it.

    Attributes:
        reference: where it is.
        pinned: the same by digest.
        manifest: its root.
        parts: what the root names, and what that names, each below what names it.
        signatures: who signed it, and what is attested; None where that cannot be listed.
        referrers: what refers to it besides.
    """

    reference: str
    pinned: str
    manifest: Descriptor
    parts: tuple[TreePart, ...]
    signatures: SignatureSummary | None
    referrers: tuple[Descriptor, ...]


def tree(source: Location, trust: TrustOptions, environment: Environment) -> Tree:
    """Look at an artifact and all that belongs to it."""
    with environment.places() as places:
        target = places.read(source)
        root = open_manifest(target, places.identifier(source))
        graph = explore(target, root)
        listed = listed_once(target)
        signed: list[SignatureSummary] = []
        others: list[Descriptor] = []
        try:
            run_jobs(
                [
                    lambda: signed.append(summarize_signatures(listed, source, root, environment, trust)),
                    lambda: others.extend(_referrers(listed, root)),
                ],
                2,
            )
        except (
            AccessError,
            IntegrityError,
            InvalidInputError,
            RegistryError,
            UnsupportedError,
        ) as error:  # harbor#18305, cosign#2973: the artifact is shown all the same
            if trust.asks:
                raise
            environment.warn(f"what is signed about it and its referrers cannot be listed: {error.message}")
            signed, others = [], []
    signatures = signed[0] if signed else None
    shown = {one.origin.partition(" ")[0] for one in signatures.items} if signatures is not None else set()
    referrers = tuple(one for one in others if str(one.digest) not in shown)
    parts = tuple(_parts(graph))
    return Tree(str(source), pinned(source, root.digest), root, parts, signatures, referrers)


def _parts(graph: Graph) -> Iterator[TreePart]:
    """What the root names, each manifest followed by its own parts where it is named first.

    Not where it is named again: indexes that name the next one twice have as many paths as 2 to the power of them.
    """
    shown: set[Digest] = set()
    known = {node.descriptor.digest: node.document for node in graph.manifests}

    def below(of: Descriptor, depth: int) -> Iterator[TreePart]:
        if not of.is_manifest or of.digest in shown:
            return
        shown.add(of.digest)
        for child in known[of.digest].children:
            yield TreePart(depth, child)
            yield from below(child, depth + 1)

    return below(graph.root.descriptor, 1)


def _referrers(target: ReadTarget, root: Descriptor) -> list[Descriptor]:
    if not isinstance(target, ReferrerLister):
        return []
    from wasm2oci.operations.tagged_referrers import tagged_referrers

    tagged = [one.manifest for one in tagged_referrers(target, root, ("sbom",))]  # the others are among the signatures
    try:
        return [*target.referrers(root), *tagged]
    except (NotFoundError, UnsupportedError):
        return tagged
