"""Verify: is this artifact whole, and is this local file its module?"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wasm2oci.content.progress import SILENT, Outcome
from wasm2oci.errors import IntegrityError
from wasm2oci.oci.wire import ARTIFACT_MAX
from wasm2oci.operations.module_info import ModuleInfo
from wasm2oci.operations.names import pinned
from wasm2oci.operations.trust import TrustOptions, guard_for

if TYPE_CHECKING:
    from pathlib import Path

    from wasm2oci.content.progress import Progress
    from wasm2oci.content.target import ReadTarget
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment
    from wasm2oci.operations.guard import Guard
    from wasm2oci.packager.recognise import FoundModule
    from wasm2oci.signing.candidate import RefusedSignature

__all__ = ["FileMismatchError", "Verified", "VerifyRequest", "verify"]


class FileMismatchError(IntegrityError):
    """The local file is not the module of the artifact."""

    def __init__(self, path: Path, local: Digest, remote: Digest) -> None:
        super().__init__(f"{path} is not the module of this artifact", hint="pull it again, or push this file")
        self.local = local
        self.remote = remote

    @property
    def detail(self) -> str:
        """Both digests, one under the other."""
        return f"the file:     {self.local}\nthe artifact: {self.remote}"


class VerifyRequest(NamedTuple):
    """What is verified, with the arguments of `Client.verify`; every byte is read where it is, never from the cache.

    `path` is its `file`, `wanted` its `module`.
    """

    source: Location
    path: Path | None = None
    wanted: str | None = None
    platform: str | None = None
    trust: TrustOptions = TrustOptions()
    module_key: Path | None = None
    notation: bool = False
    max_size: int = ARTIFACT_MAX


class Verified(NamedTuple):
    """What was found whole.

    Attributes:
        reference: where it is.
        pinned: the same by digest.
        verified: True; a result that is not is an error.
        format: what the artifact was recognised as, or None.
        manifest: the artifact's root.
        parts: every manifest and blob of it; all of their bytes have their digests.
        module: the module, or None when the artifact holds no single one.
        file: the local file that is the module, if one was given.
        signers: whose signatures counted.
        refused: signatures that do not count; empty when none was asked for.
    """

    reference: str
    pinned: str
    verified: bool
    format: str | None
    manifest: Descriptor
    parts: tuple[Descriptor, ...]
    module: ModuleInfo | None
    file: Path | None
    signers: tuple[str, ...] = ()
    refused: tuple[RefusedSignature, ...] = ()


def verify(request: VerifyRequest, environment: Environment, progress: Progress = SILENT) -> Verified:
    """Read all of an artifact and check it."""
    from wasm2oci.content.graph import explore
    from wasm2oci.content.target import open_manifest
    from wasm2oci.content.verify import FileContent
    from wasm2oci.content.verify import verified as checked
    from wasm2oci.errors import InvalidInputError, UnsupportedError
    from wasm2oci.oci.digest import Hasher
    from wasm2oci.packager.recognise import recognise

    # The file first: a wrong path should not cost a download.
    local = Hasher().consume(FileContent(request.path)).digest() if request.path is not None else None
    guard = guard_for(request.trust, environment)
    with environment.places() as places:
        target = places.read(request.source)
        root = open_manifest(target, places.identifier(request.source))
        pending = guard.begin(places, request.source, root) if guard is not None else None
        graph = explore(target, root)
        graph.check_size(request.max_size, "none of its blobs was read")
        for blob in graph.blobs:
            progress.planned(blob)
        for blob in graph.blobs:
            for chunk in checked(target.fetch(blob), blob):
                progress.advanced(blob, len(chunk))
            progress.finished(blob, Outcome.COPIED)
        module: ModuleInfo | None = None
        found_format: str | None = None
        try:
            found = recognise(target, root, platform=request.platform, wanted=request.wanted, force=True)
        except (InvalidInputError, UnsupportedError) as error:
            if local is not None or request.module_key is not None:
                raise
            if guard is not None:
                guard.check_no_module(request.source, error)
        else:
            module = ModuleInfo.of(found.module)
            found_format = found.format
            if local is not None and local.algorithm != module.digest.algorithm and request.path is not None:
                local = module.digest.hasher().consume(FileContent(request.path)).digest()
            _check_module(request, guard, found)
        outcome = pending.wait() if pending is not None else None
        notary = _notation(places.read(request.source), request.source, root, environment) if request.notation else ()
    if local is not None and request.path is not None and module is not None and local != module.digest:
        raise FileMismatchError(request.path, local, module.digest)
    parts = tuple(node.descriptor for node in graph.manifests) + graph.blobs
    return Verified(
        reference=str(request.source),
        pinned=pinned(request.source, root.digest),
        verified=True,
        format=found_format,
        manifest=root,
        parts=parts,
        module=module,
        file=request.path,
        signers=(*(signer.name for signer in outcome.signers), *notary) if outcome is not None else notary,
        refused=outcome.refusals if outcome is not None else (),
    )


def _notation(target: ReadTarget, source: Location, root: Descriptor, environment: Environment) -> tuple[str, ...]:
    """Who made the Notation signature that counts; what was not checked is a warning."""
    from wasm2oci.operations.notation import verify_notation

    outcome = verify_notation(target, source, root, environment)
    if outcome is None:
        environment.warn("notation's trust policy skips this repository: its signatures were not looked at")
        return ()
    for text in outcome.logged:
        environment.warn(f"notation: {text}")
    for text in outcome.unchecked:
        environment.warn(f"notation: not checked: {text}")
    return (f"{outcome.signer} (notation)",)


def _check_module(request: VerifyRequest, guard: Guard | None, found: FoundModule) -> None:
    """What policies say about the module, and the signature that it holds itself."""
    limited = guard is not None and guard.limits_modules(request.source)
    if not limited and request.module_key is None:
        return
    data = found.read()
    if guard is not None and limited:
        guard.check_module(request.source, data)
    if request.module_key is not None:
        from wasm2oci.operations.embedded_signature import check_embedded

        check_embedded(data, request.module_key)
