"""Pull: an artifact comes back as the module it holds, every byte verified before the file has its name."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from wasm2oci.base.files import local_errors, new_folder
from wasm2oci.base.outputs import write_file
from wasm2oci.base.records import NamedTuple
from wasm2oci.content.progress import SILENT, Outcome
from wasm2oci.errors import InvalidInputError, LocalIOError, Remedy, RemedyKind
from wasm2oci.oci.reference import LayoutReference, Reference
from wasm2oci.operations.deliver import deliver
from wasm2oci.operations.module_info import ModuleInfo
from wasm2oci.operations.names import pinned
from wasm2oci.operations.trust import TrustOptions, guard_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasm2oci.content.progress import Progress
    from wasm2oci.content.target import ReadTarget
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment
    from wasm2oci.operations.guard import Checked, Guard
    from wasm2oci.operations.pending import Pending
    from wasm2oci.packager.recognise import FoundModule

__all__ = ["FileInTheWayError", "ModuleTooLargeError", "PullRequest", "Pulled", "pull"]

_MODULE_MAX: Final = 4 << 30
"""Bytes of a module that is written without being asked twice: sizes in WebAssembly are numbers of 32 bits."""


class FileInTheWayError(LocalIOError):
    """A file of this name exists, and it is to be kept or the artifact chose the name."""


class ModuleTooLargeError(InvalidInputError):
    """The registry says that the module is larger than any module can be."""


class PullRequest(NamedTuple):
    """What is pulled, with the arguments of `Client.pull`, whose `module` is `wanted`.

    Without `output`, a name is made, and put into `folder`.
    """

    source: Location
    output: Path | BinaryIO | None = None
    folder: Path = Path()
    wanted: str | None = None
    platform: str | None = None
    cached: bool = True
    force: bool = False
    mode: int = 0o666
    trust: TrustOptions = TrustOptions()
    overwrite: bool = True


class Pulled(NamedTuple):
    """What came back.

    Attributes:
        reference: where it was.
        pinned: the same by digest.
        manifest: the artifact's descriptor.
        format: what the artifact was recognised as.
        module: the module itself, also when it came in an archive.
        file: where it is now, or None when it went to a stream.
        signers: whose signatures counted; empty when none was asked for.
    """

    reference: str
    pinned: str
    manifest: Descriptor
    format: str
    module: ModuleInfo
    file: Path | None
    signers: tuple[str, ...] = ()


def pull(request: PullRequest, environment: Environment, progress: Progress = SILENT) -> Pulled:
    """Fetch the module of an artifact.

    What was pulled by its digest before, and is in the cache still, is not asked for again.

    A file gets its name only when every byte is verified and on the disk; a stream gets its first byte only when the
    last one is verified.
    """
    from wasm2oci.content.target import Distant, open_manifest

    guard = guard_for(request.trust, environment)
    with environment.places() as places:
        target: ReadTarget = places.read(request.source)
        if isinstance(target, Distant) and places.identifier(request.source) == request.source.tag:
            target.prepare(1)  # connected while the rest is imported; a digest may be in the cache
        from wasm2oci.content.cache import CachedTarget
        from wasm2oci.packager.recognise import recognise

        known_root = None
        if request.cached and isinstance(request.source, Reference) and request.source.digest is not None:
            known_root = environment.cache().recall(request.source)  # a digest means the same for ever
        root = known_root or open_manifest(target, places.identifier(request.source))
        pending = guard.begin(places, request.source, root) if guard is not None else None
        cache = None
        if request.cached and not isinstance(request.source, LayoutReference):
            cache = environment.cache()
            target = CachedTarget(target, cache)
        found = recognise(target, root, platform=request.platform, wanted=request.wanted, force=request.force)
        if found.module.size > _MODULE_MAX and not request.force:
            raise ModuleTooLargeError(
                f"the module has {found.module.size:,} bytes, and no WebAssembly module has more than {_MODULE_MAX:,}",
                remedy=Remedy(RemedyKind.FORCE_PULL),
            )
        known = cache is not None and cache.holds(found.layer)
        gate = _Gate(guard, pending, request.source) if guard is not None and pending is not None else None
        content = _Watched(found, progress, gate)
        path: Path | None = None
        if request.output is None:
            path = request.folder / found.file_name(_repository(request.source))
            with new_folder(request.folder):
                if not request.overwrite:
                    _check_free(path, found.module, RemedyKind.ALLOW_OVERWRITE)
                elif not request.force:
                    _check_free(path, found.module, RemedyKind.GIVE_OUTPUT)
                write_file(path, content, request.mode)
        elif isinstance(request.output, Path):
            path = request.output
            if not request.overwrite:
                _check_free(path, found.module, RemedyKind.ALLOW_OVERWRITE)
            write_file(path, content, request.mode)
        else:
            deliver(content, request.output, "the module")
    if cache is not None and isinstance(request.source, Reference):
        with suppress(LocalIOError):  # a cache that cannot be written is not an error
            cache.remember(request.source, root)
    progress.finished(found.module, Outcome.EXISTED if known else Outcome.COPIED)
    signers = tuple(signer.name for signer in pending.wait().signers) if pending is not None else ()
    return Pulled(
        reference=str(request.source),
        pinned=pinned(request.source, found.root.digest),
        manifest=found.root,
        format=found.format,
        module=ModuleInfo.of(found.module),
        file=path,
        signers=signers,
    )


def _repository(source: Location) -> str:
    return source.name if isinstance(source, LayoutReference) else source.repository


def _check_free(path: Path, module: Descriptor, remedy: RemedyKind) -> None:
    """See that a file replaces nothing but the same module.

    Raises:
        FileInTheWayError: there is something else of this name, and the artifact chose it, or it is to be kept.
    """
    with local_errors(path):
        if not path.exists():
            return
        if path.is_file() and path.stat().st_size == module.size:
            with path.open("rb") as file:
                hasher = module.digest.hasher()
                while chunk := file.read(1 << 20):
                    hasher.update(chunk)
            if hasher.digest() == module.digest:
                return
    raise FileInTheWayError(f"{path} already exists and is not this module", remedy=Remedy(remedy))


class _Gate(NamedTuple):
    """What all bytes of a module have to pass before the last one is given out."""

    guard: Guard
    pending: Pending[Checked]
    source: Location

    def keeps(self) -> bool:
        """Whether the bytes themselves are looked at."""
        return self.guard.limits_modules(self.source)

    def pass_through(self, data: bytes | None) -> None:
        """Wait for the verdict about the artifact, and look at the bytes.

        Raises:
            IntegrityError: it must not be used.
        """
        self.pending.wait()
        if data is not None:
            self.guard.check_module(self.source, data)


class _Watched:
    """The module while it is read: progress is reported, and the last bytes come only when the module may be used."""

    def __init__(self, found: FoundModule, progress: Progress, gate: _Gate | None) -> None:
        self._found = found
        self._progress = progress
        self._gate = gate

    def __iter__(self) -> Iterator[bytes]:
        module = self._found.module
        self._progress.planned(module)
        kept: list[bytes] | None = [] if self._gate is not None and self._gate.keeps() else None
        for chunk in self._found.content:
            if kept is not None:
                kept.append(chunk)
            yield chunk
            self._progress.advanced(module, len(chunk))
        if self._gate is not None:
            self._gate.pass_through(b"".join(kept) if kept is not None else None)
