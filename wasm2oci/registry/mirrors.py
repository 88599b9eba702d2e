"""A repository that is read from mirrors, as `registries.conf` says.

The sources are tried in order. The first that gives a manifest gives everything after it, so that an artifact does not
come partly from one place and partly from another. When a source fails, whatever the reason (files of certificates for
it, too), a warning says so and the next one is asked; the error of the last one, which is the location itself, is
raised. A mirror that is silent is not asked again.

Everything is verified by digest as usual; a tag names what the first source says. What is short is verified before it
is handed on, so that the next source is asked when a mirror has wrong bytes; of long content they are found at its end,
and a warning names the mirrors that bytes came from.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from wasm2oci.content.verify import VerifiedContent
from wasm2oci.errors import IntegrityError, NotFoundError, Wasm2OciError
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.reference import parse_name
from wasm2oci.registry.problems import TimedOutError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from wasm2oci.content.target import Content
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.reference import Name
    from wasm2oci.registry.repository import Repository

__all__ = ["Mirrored", "MirroredSource"]

T = TypeVar("T")
_SHORT: Final = 1 << 20
"""Bytes of content that is held until it is verified."""


class MirroredSource(NamedTuple):
    """A repository that may be read, and for which names."""

    repository: Repository
    tags: bool = True
    digests: bool = True


class Mirrored:
    """A repository to read from, which several places have; a `ReadTarget` that lists referrers and tags.

    Args:
        sources: in the order in which they are asked; the last is the location itself.
        own: the repository that the user named; what is deleted is deleted there.
        warn: takes a sentence for the user.
    """

    def __init__(self, sources: Sequence[MirroredSource], own: Repository, warn: Callable[[str], None]) -> None:
        self._sources = tuple(sources)
        self._own = own
        self._warn = warn
        self._guard = Lock()
        self._chosen: Repository | None = None
        self._silent: set[Repository] = set()

    def __str__(self) -> str:
        return str(self._own)

    def resolve(self, name: Name) -> Descriptor:
        """See `ReadTarget`."""
        name = parse_name(name)
        return self._first(lambda source: source.resolve(name), name)

    def open_manifest(self, name: Name) -> Descriptor:
        """See `ManifestOpener`."""
        name = parse_name(name)
        return self._first(lambda source: source.open_manifest(name), name)

    def fetch_manifest(self, name: Name) -> tuple[Descriptor, bytes]:
        """See `Repository.fetch_manifest`."""
        name = parse_name(name)
        return self._first(lambda source: source.fetch_manifest(name), name)

    def exists(self, descriptor: Descriptor) -> bool:
        """See `ReadTarget`."""
        return self._first(lambda source: source.exists(descriptor), descriptor.digest)

    def fetch(self, descriptor: Descriptor) -> Content:
        """See `ReadTarget`."""
        return _Verified(descriptor, _Rest(self, descriptor, 0))

    def fetch_rest(self, descriptor: Descriptor, start: int) -> Content:
        """See `Resumer`."""
        return _Rest(self, descriptor, start)

    def referrers(self, subject: Descriptor, artifact_type: str | None = None) -> Iterable[Descriptor]:
        """See `ReferrerLister`."""
        return self._first(lambda source: list(source.referrers(subject, artifact_type)), subject.digest)

    def tags(self) -> Iterable[str]:
        """See `TagLister`; mirrors may lack some, so the location itself is asked."""
        return self._sources[-1].repository.tags()

    def delete(self, descriptor: Descriptor) -> None:
        """See `Deleter`."""
        self._own.delete(descriptor)

    def untag(self, tag: str) -> None:
        """See `Deleter`."""
        self._own.untag(tag)

    def read_on(self, descriptor: Descriptor, start: int, gave: dict[Repository, None]) -> Iterator[bytes]:
        """The bytes of some content from `start` on; where a source breaks off, the next one goes on.

        `gave` gets the sources of bytes that nothing verified yet, in order.
        """
        at = start
        asked = self._for(descriptor.digest)
        whole = descriptor.is_manifest or descriptor.data is not None
        held = start == 0 and descriptor.size <= _SHORT
        for source in asked:
            last = source is asked[-1]
            try:
                if held and not last:
                    pieces = list(source.fetch(descriptor))
                    yield from pieces
                    return
                for chunk in source.fetch(descriptor) if whole else source.fetch_rest(descriptor, at):
                    gave[source] = None
                    at += len(chunk)
                    yield chunk
            except Wasm2OciError as error:
                if last or (whole and at > start):
                    raise
                self._failed(source, error)
            else:
                return

    def blame(self, gave: Collection[Repository]) -> None:
        """Name the mirrors among these sources, whose bytes together turned out to be wrong."""
        for source in gave:
            if source is not self._sources[-1].repository:
                self._warn(f"the mirror {source} {'sent' if len(gave) == 1 else 'may have sent'} wrong bytes")

    def _first(self, ask: Callable[[Repository], T], name: Name) -> T:
        asked = self._for(name)
        for source in asked:
            try:
                answer = ask(source)
            except Wasm2OciError as error:
                if source is asked[-1]:
                    raise
                self._failed(source, error)
            else:
                with self._guard:
                    self._chosen = self._chosen or source
                return answer
        raise AssertionError("the location itself is asked last")

    def _for(self, name: Name) -> list[Repository]:
        """The repositories to ask for a name: the one that answered before comes first, the location itself last."""
        with self._guard:
            chosen, silent = self._chosen, frozenset(self._silent)
        if chosen is self._sources[-1].repository:
            return [chosen]  # no mirror had what was asked for first, or none is for its name
        by_digest = isinstance(name, Digest)
        asked = [
            source.repository
            for source in self._sources
            if source is self._sources[-1]
            or ((source.digests if by_digest else source.tags) and source.repository not in silent)
        ]
        return sorted(asked, key=lambda source: source is not chosen)

    def _failed(self, source: Repository, error: Exception) -> None:
        if isinstance(error, TimedOutError):
            with self._guard:
                self._silent.add(source)
                self._chosen = None if self._chosen is source else self._chosen
        if not isinstance(error, NotFoundError):  # what a mirror lacks is read elsewhere, as is meant
            self._warn(f"the mirror {source} is passed over: {error}")


class _Verified(VerifiedContent):
    """Content of mirrors, all of it."""

    __slots__ = ("_rest",)

    def __init__(self, descriptor: Descriptor, rest: _Rest) -> None:
        super().__init__(descriptor, rest)
        self._rest = rest

    def __iter__(self) -> Iterator[bytes]:
        """See `VerifiedContent`."""
        try:
            yield from super().__iter__()
        except IntegrityError:
            self._rest.mirrored.blame(self._rest.gave)
            raise


class _Rest:
    """Content from a byte on, read where it can be.

    Attributes:
        mirrored: the places.
        gave: see `Mirrored.read_on`; of the last pass.
    """

    __slots__ = ("_descriptor", "_start", "gave", "mirrored")

    def __init__(self, mirrored: Mirrored, descriptor: Descriptor, start: int) -> None:
        self._descriptor = descriptor
        self._start = start
        self.mirrored = mirrored
        self.gave: dict[Repository, None] = {}

    def __iter__(self) -> Iterator[bytes]:
        self.gave.clear()
        return self.mirrored.read_on(self._descriptor, self._start, self.gave)
