"""Getting a module's bytes for a run: from a file, or by reference through the cache, with or without the network.

    always    the registry says what a tag means now; blobs still come from the cache where they are there
    missing   what was fetched before is not asked for again; without it, as always
    never     only what was fetched before; the registry is not spoken to

What a reference meant is remembered by the cache. Every byte is still checked against its digest.
"""

from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from wasm2oci.errors import IntegrityError, InvalidInputError, LocalIOError, NotFoundError
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.reference import LayoutReference, Location, Reference
from wasm2oci.oci.wire import MODULE_MAX

if TYPE_CHECKING:
    from wasm2oci.content.target import Content, ReadTarget
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.reference import Name
    from wasm2oci.operations.environment import Environment

__all__ = [
    "FetchPolicy",
    "FetchedModule",
    "ModuleFileError",
    "NotCachedError",
    "Pull",
    "UnexpectedDigestError",
    "fetch",
]


_MAGIC: Final = b"\0asm"


class Pull(StrEnum):
    """When the registry is asked."""

    ALWAYS = "always"
    MISSING = "missing"
    NEVER = "never"


class NotCachedError(NotFoundError):
    """The registry must not be asked, and the module was not fetched before."""


class ModuleFileError(NotFoundError):
    """There is no such file."""


class UnexpectedDigestError(IntegrityError):
    """The module is not the one that was asked for by digest."""


class NoModuleTextError(InvalidInputError):
    """A file is neither a binary module nor text."""


class FetchPolicy(NamedTuple):
    """How a module is fetched.

    Attributes:
        pull: when the registry is asked.
        digest: the only digest to accept, of the module or of the manifest that names it.
        wanted: which module, when the artifact holds several.
        platform: which entry of an index.
    """

    pull: Pull = Pull.MISSING
    digest: Digest | None = None
    wanted: str | None = None
    platform: str | None = None


class FetchedModule(NamedTuple):
    """A module at hand.

    Attributes:
        data: its bytes; text is assembled already.
        name: what a program made from it is called: the file's name, or the repository's last part.
        digest: of the bytes as they were fetched.
        assembled: whether they were text, and `data` is what was made from it.
    """

    data: bytes
    name: str
    digest: Digest
    assembled: bool = False

    @property
    def sha256(self) -> str | None:
        """The SHA-256 of `data` in hexadecimal, where it is known."""
        return self.digest.encoded if self.digest.algorithm == "sha256" and not self.assembled else None


def fetch(subject: Path | Location, policy: FetchPolicy, environment: "Environment") -> FetchedModule:
    """Get a module's bytes.

    Raises:
        NotFoundError: there is no such file or artifact, or not in the cache where only that may be asked.
        UnexpectedDigestError: it is another module than the one asked for.
        Wasm2OciError: as pulling raises.
    """
    if isinstance(subject, Path):
        return _from_file(subject, policy)
    if isinstance(subject, LayoutReference):
        with environment.places() as places:
            target = places.read(subject)
            return _read(target, target.resolve(places.identifier(subject)), subject.folder.name, policy)
    return _from_registry(subject, policy, environment)


def _from_file(path: Path, policy: FetchPolicy) -> FetchedModule:
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModuleFileError(f"no such file: {path}") from error
    except OSError as error:
        raise LocalIOError(f"{path}: {error.strerror}") from error
    digest = Digest.of(data)
    _check(policy, digest)
    from wasm2oci.engine.text import is_text

    assembled = not data.startswith(_MAGIC) and is_text(data)
    if assembled:
        from wasm2oci.runtime.text import assemble

        try:
            data = assemble(data.decode())
        except UnicodeDecodeError as error:
            raise NoModuleTextError(f"{path} is neither a module nor text") from error
    return FetchedModule(data, path.name, digest, assembled)


def _from_registry(reference: Reference, policy: FetchPolicy, environment: "Environment") -> FetchedModule:
    from wasm2oci.content.cache import CachedTarget

    name = reference.repository.rpartition("/")[2]
    cache = environment.cache()
    if policy.pull is not Pull.ALWAYS:
        known = cache.recall(reference)
        if known is not None:
            with suppress(_NotHereError):
                return _read(CachedTarget(_Nowhere(), cache), known, name, policy)
        if policy.pull is Pull.NEVER:
            raise NotCachedError(f"{reference} was not fetched before", hint="allow it with --pull missing")
    with environment.places() as places:
        source = places.read(reference)
        root = source.resolve(places.identifier(reference))
        fetched = _read(CachedTarget(source, cache), root, name, policy)
    with suppress(LocalIOError):  # a cache that cannot be written is done without
        cache.remember(reference, root)
    return fetched


def _read(target: "ReadTarget", root: "Descriptor", name: str, policy: FetchPolicy) -> FetchedModule:
    from wasm2oci.content.verify import read_all
    from wasm2oci.packager.recognise import recognise

    found = recognise(target, root, platform=policy.platform, wanted=policy.wanted)
    _check(policy, found.module.digest, found.root.digest, root.digest)
    data = read_all(found.content, found.module, MODULE_MAX)
    return FetchedModule(data, name, found.module.digest)


def _check(policy: FetchPolicy, *digests: Digest) -> None:
    if policy.digest is not None and policy.digest not in digests:
        raise UnexpectedDigestError(
            f"the module's digest is {digests[0]}, not {policy.digest}", hint="nothing was run; see --digest"
        )


class _NotHereError(NotFoundError):
    """The cache lacks something; never seen outside."""


class _Nowhere:
    """A place that has nothing: behind the cache when the registry is not asked."""

    def resolve(self, name: "Name") -> "Descriptor":
        """Nothing is there."""
        raise _NotHereError(str(name))

    def fetch(self, descriptor: "Descriptor") -> "Content":
        """Nothing is there; said when it is read, for the cache may have it."""
        return _Missing(descriptor)

    def exists(self, descriptor: "Descriptor") -> bool:
        """Nothing is there."""
        return descriptor is None


class _Missing:
    """Content that is not there."""

    def __init__(self, descriptor: "Descriptor") -> None:
        self._descriptor = descriptor

    def __iter__(self) -> Iterator[bytes]:
        raise _NotHereError(str(self._descriptor.digest))
