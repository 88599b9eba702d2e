"""Getting a module's bytes: those given, a file's, or by reference through the cache, with or without the network.

    auto      the registry says with one request what a tag means now; when it cannot be reached, what the tag meant the
              last time, with a warning; a digest means the same for ever, so the cache answers for it
    always    the registry is asked, for a digest too
    missing   what was fetched before is not asked for again; without it, as always
    never     only what was fetched before; no request is sent

What a reference meant is remembered by the cache, and blobs come from there. Every byte is still checked against its
digest. Where a signature is asked for, the registry is asked for it; where that must not be, or the registry cannot be
reached, the signatures of the last time are verified again.
"""

from __future__ import annotations

from contextlib import suppress
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from wasm2oci.base.records import NamedTuple
from wasm2oci.errors import (
    IntegrityError,
    InvalidInputError,
    LocalIOError,
    NotFoundError,
    Remedy,
    RemedyKind,
    UsageError,
)
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.reference import LayoutReference
from wasm2oci.operations.subject import subject_name
from wasm2oci.operations.trust import guard_for

if TYPE_CHECKING:
    from wasm2oci.content.cache import Cache
    from wasm2oci.content.target import ReadTarget
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.reference import Location, Reference
    from wasm2oci.operations.environment import Environment, Places
    from wasm2oci.operations.guard import Guard
    from wasm2oci.operations.trust import TrustOptions

__all__ = [
    "FetchPolicy",
    "FetchedModule",
    "ModuleFileError",
    "NotAComponentError",
    "NotCachedError",
    "Pull",
    "SignaturesNotAskedForError",
    "UnexpectedDigestError",
    "fetch",
]

_UNNAMED = "module.wasm"
"""What a program is called whose bytes are given."""


class Pull(StrEnum):
    """When the registry is asked."""

    AUTO = "auto"
    ALWAYS = "always"
    MISSING = "missing"
    NEVER = "never"


class NotCachedError(NotFoundError):
    """The registry must not be asked, and the module is not in the cache."""


class SignaturesNotAskedForError(IntegrityError):
    """A signature is required, none is in the cache, and the registry must not be asked."""


class ModuleFileError(NotFoundError):
    """There is no such file."""


class NotAComponentError(InvalidInputError):
    """A core module was given where a component is required."""


class UnexpectedDigestError(IntegrityError):
    """The module does not have the digest that was asked for."""


class FetchPolicy(NamedTuple):
    """How a module is fetched.

    Attributes:
        pull: when the registry is asked.
        digest: the only digest to accept, of the module or of the manifest that names it.
        wanted: which module, when the artifact holds several.
        platform: which entry of an index.
        trust: whose signature an artifact must have, besides what policy files ask for; None does not ask, not even
            policy files.
    """

    pull: Pull = Pull.AUTO
    digest: Digest | None = None
    wanted: str | None = None
    platform: str | None = None
    trust: TrustOptions | None = None


class FetchedModule(NamedTuple):
    """A module at hand.

    Attributes:
        data: its bytes; text is assembled already.
        name: what a program made from it is called: the file's name, or the repository's last part.
        digest: of the bytes as they were fetched.
        assembled: whether they were text, and `data` is what was made from it.
        shown: what errors call it, where that is not its name.
    """

    data: bytes
    name: str
    digest: Digest
    assembled: bool = False
    shown: str | None = None

    def checked(self, *, component: bool = False) -> Self:
        """Itself, if its bytes begin as those of WebAssembly (`component`: of a component).

        Raises:
            NotWasmError: they do not; the message names the file or repository.
            NotAComponentError: it is a core module, and has to be a component.
        """
        from wasm2oci.engine.binary import ModuleKind, preamble
        from wasm2oci.engine.errors import MalformedError
        from wasm2oci.packager.module_source import NotWasmError

        shown = self.shown or self.name
        try:
            kind = preamble(self.data[:64])
        except MalformedError as error:
            raise NotWasmError(f"{shown} is not WebAssembly: {error.message}", hint=error.hint) from error
        if component and kind is not ModuleKind.COMPONENT:
            raise NotAComponentError(f"{shown} is a core module, not a component")
        return self

    @property
    def sha256(self) -> str | None:
        """The SHA-256 of `data` in hexadecimal, where it is known."""
        return self.digest.encoded if self.digest.algorithm == "sha256" and not self.assembled else None


def fetch(subject: Path | Location | bytes, policy: FetchPolicy, environment: Environment) -> FetchedModule:
    """Get a module's bytes; text is assembled.

    Raises:
        NotFoundError: there is no such file or artifact, or not in the cache where only that may be asked.
        UnexpectedDigestError: it is another module than the one asked for.
        Wasm2OciError: as pulling raises.
    """
    if isinstance(subject, Path | bytes):
        if policy.trust is not None and policy.trust.asks:
            name = subject_name(subject)
            raise UsageError(f"{name} is not an artifact: only artifacts in a registry or layout have signatures")
        if isinstance(subject, Path):
            return _from_file(subject, policy)
        return _from_bytes(subject, _UNNAMED, policy)._replace(shown=subject_name(subject))
    guard = None if policy.trust is None else guard_for(policy.trust, environment)
    if isinstance(subject, LayoutReference):
        with environment.places() as places:
            target = places.read(subject)
            root = target.resolve(places.identifier(subject))
            return _guarded(_Source(subject, target, root, subject.name), policy, guard, places)
    return _from_registry(subject, policy, guard, environment)


def _from_file(path: Path, policy: FetchPolicy) -> FetchedModule:
    from wasm2oci.base.files import FileNotThereError
    from wasm2oci.base.reading import read_named
    from wasm2oci.content.verify import ContentTooLargeError
    from wasm2oci.oci.wire import MODULE_MAX

    try:
        data = read_named(path, MODULE_MAX, ContentTooLargeError)
    except (FileNotThereError, LocalIOError) as error:
        if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
            raise ModuleFileError(f"no such file: {path}") from error
        raise
    return _from_bytes(data, path.name, policy)


def _from_bytes(data: bytes, name: str, policy: FetchPolicy) -> FetchedModule:
    from wasm2oci.engine.text import binary

    digest = Digest.of(data)
    _check(policy, digest)
    module = binary(data)
    return FetchedModule(module, name, digest, module is not data)


class _Source(NamedTuple):
    """An artifact that is about to be read: where it is, and which manifest."""

    location: Location
    target: ReadTarget
    root: Descriptor
    name: str


def _guarded(
    source: _Source, policy: FetchPolicy, guard: Guard | None, places: Places, cache: Cache | None = None
) -> FetchedModule:
    """The module, after what is asked of the artifact was met; the cache, if there is one, keeps its signatures."""
    if guard is None:
        return _read(source.target, source.root, source.name, policy)
    pending = guard.begin(places, source.location, source.root)
    fetched = _read(source.target, source.root, source.name, policy)
    checked = pending.wait()
    guard.check_module(source.location, fetched.data)
    if cache is not None and guard.asks_for_signatures(source.location):
        from wasm2oci.operations.known_signatures import keep_signatures

        with suppress(LocalIOError):
            keep_signatures(cache, source.root.digest, checked.found)
    return fetched


def _from_registry(
    reference: Reference, policy: FetchPolicy, guard: Guard | None, environment: Environment
) -> FetchedModule:
    from wasm2oci.content.cache import CachedTarget
    from wasm2oci.content.target import open_manifest

    name = reference.repository.rpartition("/")[2]
    cache = environment.cache()
    signed = guard is not None and guard.asks_for_signatures(reference)
    settled = policy.pull is Pull.MISSING or (policy.pull is Pull.AUTO and reference.digest is not None)
    if policy.pull is Pull.NEVER or (settled and not signed):
        fetched = _remembered(cache, reference, policy, guard)
        if fetched is not None:
            return fetched
        if policy.pull is Pull.NEVER:
            raise _not_fetched(reference, known=cache.recall(reference) is not None and signed)
    from wasm2oci.registry.problems import ConnectionFailedError, ConnectionLostError, TimedOutError

    with environment.places() as places:
        target = places.read(reference)
        known = cache.recall(reference)
        root = known if settled else None
        fetched = None

        def get(root: Descriptor) -> FetchedModule:
            source = _Source(reference, CachedTarget(target, cache), root, name)
            return _guarded(source, policy, guard, places, cache)

        try:
            if root is not None:
                fetched = get(root)
            else:  # what was fetched before is most likely in the cache; else it is about to be read
                ask = target.resolve if known is not None else partial(open_manifest, target)
                root = ask(places.identifier(reference))
        except (ConnectionFailedError, ConnectionLostError, TimedOutError) as error:
            if policy.pull is Pull.AUTO:
                fetched = _remembered(cache, reference, policy, guard)
            if fetched is None:
                raise
            environment.warn(f"{error.message}; using the artifact that {reference} named when it was last fetched")
            return fetched
        fetched = fetched or get(root)
    with suppress(LocalIOError):  # a cache that cannot be written is not an error
        cache.remember(reference, root)
    return fetched


def _remembered(cache: Cache, reference: Reference, policy: FetchPolicy, guard: Guard | None) -> FetchedModule | None:
    """What the reference meant when it was last fetched, if all of it, with signatures where they count, is cached."""
    from wasm2oci.content.cache import CachedTarget
    from wasm2oci.content.memory import MemoryTarget
    from wasm2oci.content.target import ContentNotFoundError

    known = cache.recall(reference)
    if known is None:
        return None
    name = reference.repository.rpartition("/")[2]
    target = CachedTarget(MemoryTarget(), cache)
    try:
        if guard is None:
            return _read(target, known, name, policy)
        found = None
        if guard.asks_for_signatures(reference):
            from wasm2oci.operations.known_signatures import known_signatures

            found = known_signatures(cache, known.digest)
            if found is None:
                return None
        fetched = _read(target, known, name, policy)
        guard.check(target, reference, known, found)
        guard.check_module(reference, fetched.data)
    except ContentNotFoundError:
        return None
    return fetched


def _not_fetched(reference: Reference, *, known: bool) -> NotCachedError | SignaturesNotAskedForError:
    remedy = Remedy(RemedyKind.ALLOW_FETCH)
    if not known:
        return NotCachedError(f"{reference} was not fetched before", remedy=remedy)
    message = f"{reference} needs a signature, none was fetched before, and the registry must not be asked for it"
    return SignaturesNotAskedForError(message, remedy=remedy)


def _read(target: ReadTarget, root: Descriptor, name: str, policy: FetchPolicy) -> FetchedModule:
    from wasm2oci.packager.recognise import recognise

    found = recognise(target, root, platform=policy.platform, wanted=policy.wanted)
    _check(policy, found.module.digest, found.root.digest, root.digest)
    return FetchedModule(found.read(), name, found.module.digest)


def _check(policy: FetchPolicy, *digests: Digest) -> None:
    if policy.digest is not None and policy.digest not in digests:
        raise UnexpectedDigestError(f"the module's digest is {digests[0]}, not {policy.digest}", hint="nothing was run")
