"""The one way to move content: push, pull, copy, mirror, export and import are this function on different targets.

The rules:

1. The graph of the artifact is read from the source first (`graph.explore`, which bounds it).
2. A destination where every question is a round trip is asked for authorization while another such source is read.
   Then it is asked for the root first: if that is there, so is all that it names. Meanwhile small blobs are read.
3. Blobs move in parallel, the largest first: skipped when they exist, mounted when the destination can do that, else
   transferred. Small ones are sent unasked where that costs no more than asking.
4. Manifests follow one after another, children first and the root last, with its tags. One after another, because two
   referrers pushed at once would overwrite each other's line in a fallback tag's index.
5. A destination that refuses a manifest because something is missing gets that manifest's subject first, by digest and
   without a tag (GitLab takes no referrer before its subject); then its children again, once, whatever the destination
   claimed before: registries have been seen to claim blobs that they then could not find.
6. A referrer that the destination stores and cannot list is copied anyway, and the result says so.
7. Every error says which side it came from.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Final

from wasm2oci.base.records import NamedTuple
from wasm2oci.content.graph import explore
from wasm2oci.content.pool import never_stops, run_all
from wasm2oci.content.progress import SILENT, Outcome
from wasm2oci.content.target import ChildMissingError, Distant, Mounter, Neighbour, UnlistedReferrerError, open_manifest
from wasm2oci.content.verify import (
    BytesContent,
    DigestMismatchError,
    SelfVerifying,
    VerifiedContent,
    read_all,
    verified,
)
from wasm2oci.errors import InvalidInputError, NotFoundError, Wasm2OciError
from wasm2oci.oci.descriptor import Descriptor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from wasm2oci.content.graph import Graph, GraphNode
    from wasm2oci.content.progress import Progress
    from wasm2oci.content.target import ReadTarget, Target
    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.reference import Name

__all__ = ["WORKERS", "CopyResult", "Moved", "NotAManifestError", "copy"]

WORKERS: Final = 4
"""Transfers at once, each on a thread and a connection of its own."""


_SMALL_MANY: Final = 6
"""Small blobs that are sent unasked, each on a connection of its own; where there are more, asking is cheaper."""


class NotAManifestError(InvalidInputError):
    """The source of a copy is neither a manifest nor an index of a supported type."""


class CopyResult(NamedTuple):
    """What a copy did.

    Args:
        root: the descriptor of the manifest that was asked for.
        nodes: everything that belongs to it and how it got there, in the order of the walk: root last.
        unlisted: for each referrer that the destination has and does not list, why it does not.
    """

    root: Descriptor
    nodes: tuple[tuple[Descriptor, Outcome], ...]
    unlisted: tuple[UnlistedReferrerError, ...] = ()

    @property
    def transferred(self) -> int:
        """Bytes of the content that really moved."""
        return sum(descriptor.size for descriptor, outcome in self.nodes if outcome is Outcome.COPIED)


def copy(
    source: ReadTarget,
    reference: Name | Descriptor,
    destination: Target,
    tag: str | Iterable[str] | None = None,
    *,
    pinned: Digest | None = None,
    recursive: bool = False,
    size_max: int | None = None,
    workers: int = WORKERS,
    progress: Progress = SILENT,
    moved: Moved | None = None,
) -> CopyResult:
    """Copy an artifact from one place to another, byte for byte, verified on the way.

    Args:
        source: where it is.
        reference: its tag or digest, or the descriptor of its manifest.
        destination: where it goes.
        tag: what it is called there: one tag, several, or none (then only its digest names it).
        pinned: the digest that the root has to have, or None for any.
        recursive: take along what refers to it: signatures, attestations, and what refers to those.
        size_max: bytes of all content together; None for any number.
        workers: transfers at once.
        progress: called with what moves.
        moved: shared by several copies from one place to another, so that none moves what another one has moved.

    Raises:
        ArtifactTooLargeError: it is larger; nothing was written.
        DigestMismatchError: the root is not the pinned one; nothing was written.
        NotAManifestError: the root is of a media type that is not understood.
        GraphError: the artifact is too deep, too large or circular.
        Wasm2OciError: what either side raised, with `side` set to "source" or "destination".
    """
    tags = (tag,) if isinstance(tag, str) else tuple(tag or ())
    graphs: list[Graph] = []

    def read() -> None:
        with _blame("source", source):
            root = reference if isinstance(reference, Descriptor) else open_manifest(source, reference)
            if not root.is_manifest:
                raise NotAManifestError(
                    f"{root.digest} is of type {root.media_type}, not a manifest or an index",
                    hint="old image formats are not read; push it again with a current tool",
                )
            if pinned is not None and root.digest != pinned:
                raise DigestMismatchError(
                    f"{source} has {root.digest}, not {pinned}", hint="nothing was copied; leave the digest out"
                )
            graphs.append(explore(source, root, recursive=recursive))
            if size_max is not None:
                graphs[0].check_size(size_max, "nothing was copied")

    def authorize() -> None:
        if isinstance(source, Distant) and isinstance(destination, Distant):
            with _blame("destination", destination):
                destination.authorize()

    both = isinstance(source, Distant) and isinstance(destination, Distant)
    run_all(lambda job, _: job(), [read, authorize], 2 if both else 1)
    shared = moved or Moved()
    copying = _Copy(source, destination, graphs[0], tags, progress=progress, moved=shared, recursive=recursive)
    return copying.run(workers)


class Moved:
    """The blobs that copies from one place to another have moved or found there, each by one of them."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._turns: dict[Digest, Lock] = {}
        self._there: set[Digest] = set()
        self._read: dict[Digest, bytes] = {}

    @contextmanager
    def turn(self, digest: Digest) -> Iterator[bool]:
        """Be the only copy to move this blob while the block runs, after which it is there; whether it is already."""
        with self._guard:
            turn = self._turns.setdefault(digest, Lock())
        with turn:
            yield digest in self._there
            self._there.add(digest)

    def read(self, digest: Digest, read: Callable[[], bytes]) -> None:
        """Read a small blob ahead, unless another copy did or it is there."""
        with self._guard:
            turn = self._turns.setdefault(digest, Lock())
        with turn:
            if digest not in self._there and digest not in self._read:
                self._read[digest] = read()

    def take(self, digest: Digest) -> bytes | None:
        """What was read ahead, once."""
        return self._read.pop(digest, None)


class _Copy:
    """One running copy."""

    def __init__(
        self,
        source: ReadTarget,
        destination: Target,
        graph: Graph,
        tags: tuple[str, ...],
        *,
        progress: Progress,
        moved: Moved,
        recursive: bool,
    ) -> None:
        self.moved = moved
        self.source = source
        self.destination = destination
        self.graph = graph
        self.tags = tags
        self.progress = progress
        self.recursive = recursive
        self.outcomes: dict[tuple[Digest, bool], Outcome] = {}
        self.manifests = {node.descriptor.digest: node for node in graph.manifests}
        self.unlisted: list[UnlistedReferrerError] = []
        self.sent_again: set[tuple[Digest, bool]] = set()
        self.complete = False
        self.unasked: frozenset[Digest] = frozenset()
        self.mounter = destination if isinstance(destination, Mounter) else None

    def run(self, workers: int) -> CopyResult:
        for descriptor in self.graph.blobs:
            self.progress.planned(descriptor)
        for node in self.graph.manifests:
            self.progress.planned(node.descriptor)
        blobs = sorted(self.graph.blobs, key=lambda descriptor: -descriptor.size)
        self._look(blobs, workers)
        if self.complete:
            for descriptor in blobs:
                self.moved.take(descriptor.digest)
                self._finish(descriptor, Outcome.EXISTED)
        else:
            run_all(self._blob, blobs, workers)
        for node in self.graph.manifests:
            self._manifest(node)
        everything = (*self.graph.blobs, *(node.descriptor for node in self.graph.manifests))
        nodes = tuple((one, self.outcomes[one.digest, one.is_manifest]) for one in everything)
        return CopyResult(self.graph.root.descriptor, nodes, tuple(self.unlisted))

    def _look(self, blobs: Sequence[Descriptor], workers: int) -> None:
        """Ask whether the root is there, and read small blobs meanwhile; see the second rule."""
        if not isinstance(self.destination, Distant):
            return
        small = [blob for blob in blobs if self.destination.takes_unasked(blob)]
        if len(small) > _SMALL_MANY:
            small = []
        self.unasked = frozenset(blob.digest for blob in small)
        self.destination.prepare(min(workers, len(blobs)))
        jobs: list[Callable[[], None]] = [] if self.recursive else [self._ask_for_root]
        beside = isinstance(self.destination, Neighbour) and self.destination.is_beside(self.source)
        if isinstance(self.source, Distant) and not beside:
            self.source.prepare(len(small) - 1)
            jobs += [partial(self._read_small, blob) for blob in small]
        run_all(lambda job, _: job(), jobs, max(workers, len(jobs)))

    def _ask_for_root(self) -> None:
        with _blame("destination", self.destination):
            self.complete = self.destination.exists(self.graph.root.descriptor)

    def _read_small(self, blob: Descriptor) -> None:
        with _blame("source", self.source):
            self.moved.read(blob.digest, lambda: read_all(self.source.fetch(blob), blob, blob.size))

    def _blob(self, descriptor: Descriptor, check: Callable[[], None]) -> None:
        check()
        with _blame("destination", self.destination), self.moved.turn(descriptor.digest) as there:
            unasked = descriptor.digest in self.unasked
            if there or (not unasked and self.destination.exists(descriptor)):
                outcome = Outcome.EXISTED
            elif self.mounter is not None and self.mounter.mount(descriptor, self.source):
                outcome = Outcome.MOUNTED
            else:
                self._transfer(descriptor, check)
                outcome = Outcome.COPIED
        self._finish(descriptor, outcome)

    def _finish(self, descriptor: Descriptor, outcome: Outcome) -> None:
        self.outcomes[descriptor.digest, descriptor.is_manifest] = outcome
        self.progress.finished(descriptor, outcome)

    def _transfer(self, descriptor: Descriptor, check: Callable[[], None]) -> None:
        read = self.moved.take(descriptor.digest)
        with _blame("source", self.source):
            content = verified(self.source.fetch(descriptor) if read is None else BytesContent(read), descriptor)
        self.destination.push(descriptor, _Watched(content, self.source, self.progress, check))

    def _manifest(self, node: GraphNode) -> None:
        tags = self.tags if node is self.graph.root else ()
        key = (node.descriptor.digest, True)
        with _blame("destination", self.destination):
            if not tags and key in self.outcomes:
                outcome = self.outcomes[key]
            elif not tags and (self.complete or self.destination.exists(node.descriptor)):
                outcome = Outcome.EXISTED
            else:
                for tag in tags or (None,):
                    self._push_manifest(node, tag)
                self.progress.advanced(node.descriptor, node.descriptor.size)
                outcome = Outcome.COPIED
        self._finish(node.descriptor, outcome)

    def _push_manifest(self, node: GraphNode, tag: str | None, above: frozenset[Digest] = frozenset()) -> None:
        """Push a manifest; see the fifth rule. `above` are those that wait for it."""
        above |= {node.descriptor.digest}
        try:
            self._send_manifest(node, tag)
        except (ChildMissingError, NotFoundError) as error:
            if self._push_subject(node, above):
                with suppress(ChildMissingError):
                    self._send_manifest(node, tag)
                    return
            elif isinstance(error, NotFoundError):
                raise
            self._push_children(node, above)
            self._send_manifest(node, tag)

    def _send_manifest(self, node: GraphNode, tag: str | None) -> None:
        content = VerifiedContent(node.descriptor, BytesContent(node.document.raw))
        try:
            self.destination.push(node.descriptor, content, tag=tag)
        except UnlistedReferrerError as error:
            if node is self.graph.root:
                raise
            self.unlisted.append(error)

    def _push_subject(self, node: GraphNode, above: frozenset[Digest]) -> bool:
        """Push what a manifest refers to, if that is part of the copy and was not pushed yet."""
        subject = node.document.subject
        first = self.manifests.get(subject.digest) if subject is not None else None
        if first is None or first.descriptor.digest in above or (first.descriptor.digest, True) in self.outcomes:
            return False
        self._push_manifest(first, None, above)
        self.outcomes[first.descriptor.digest, True] = Outcome.COPIED
        return True

    def _push_children(self, node: GraphNode, above: frozenset[Digest]) -> None:
        for child in node.document.children:
            key = child.digest, child.is_manifest
            if child.digest in above or key in self.sent_again:
                continue
            self.sent_again.add(key)
            if child.is_manifest:
                self._push_manifest(self.manifests[child.digest], None, above)
            else:
                self._transfer(child, never_stops)
            self.outcomes[key] = Outcome.COPIED


class _Watched(SelfVerifying):
    """Content of the source on its way to the destination: reported to the progress, and ended when the copy failed."""

    __slots__ = ("_check", "_content", "_passes", "_progress", "_source")

    def __init__(
        self, content: SelfVerifying, source: ReadTarget, progress: Progress, check: Callable[[], None]
    ) -> None:
        super().__init__(content.descriptor)
        self._content = content
        self._source = source
        self._progress = progress
        self._check = check
        self._passes = 0

    def __iter__(self) -> Iterator[bytes]:
        self._passes += 1
        if self._passes > 1:
            self._progress.restarted(self.descriptor)
        with _blame("source", self._source):
            for chunk in self._content:
                self._check()
                yield chunk
                self._progress.advanced(self.descriptor, len(chunk))

    def moved(self, count: int) -> None:
        """Tell the progress what moved on another way."""
        self._passes = 1
        self._check()
        self._progress.advanced(self.descriptor, count)


@contextmanager
def _blame(side: str, target: object) -> Iterator[None]:
    # The inner side wins: a destination's push fails with the source's error when the source breaks under it.
    try:
        yield
    except Wasm2OciError as error:
        if error.side is None:
            error.side = side
            error.add_note(f"the {side} failed: {target}")
        raise
