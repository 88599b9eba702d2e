"""Push: a module becomes an artifact and goes to a registry or a layout."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from wasm2oci.base.records import NamedTuple
from wasm2oci.content.progress import SILENT
from wasm2oci.content.target import EarlyTaker
from wasm2oci.content.verify import DigestMismatchError
from wasm2oci.oci.reference import Reference
from wasm2oci.operations.environment import missing_tag
from wasm2oci.operations.module_info import ModuleInfo
from wasm2oci.operations.names import pinned
from wasm2oci.operations.trust import SignatureFormat

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wasm2oci.content.progress import Progress
    from wasm2oci.content.target import Content, Target
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment, Places
    from wasm2oci.operations.pending import Pending
    from wasm2oci.packager.annotations import Annotations
    from wasm2oci.signing.keys import PrivateKey

__all__ = ["AttachedSignature", "JobIdentity", "PushRequest", "Pushed", "push"]


_NO_ANNOTATIONS: Final[Mapping[str, str]] = MappingProxyType({})


class JobIdentity(NamedTuple):
    """The identity of the CI job that runs this, which signs instead of a key; see `Client.sign_keyless`."""

    trust_config: bytes | None = None


class PushRequest(NamedTuple):
    """What is pushed, where to, and with which annotations: the arguments of `Client.push`.

    `destination` has a tag, or a digest that the artifact must come out with; `further_tags` are names besides.
    `signer` is the key that signs, or the identity of this CI job; None for no signature.
    """

    module: Path | bytes
    destination: Location
    further_tags: tuple[str, ...] = ()
    profile: str | None = None
    title: str | None = None
    annotations: Mapping[str, str] = _NO_ANNOTATIONS
    annotation_file: Path | None = None
    created: str | None = None
    author: str | None = None
    force: bool = False
    signer: PrivateKey | JobIdentity | None = None
    signature_format: SignatureFormat = SignatureFormat.BOTH
    signature_annotations: Mapping[str, str] = _NO_ANNOTATIONS
    overwrite: bool = True
    annotate_from: tuple[str, ...] = ()


class AttachedSignature(NamedTuple):
    """Where a signature is.

    Attributes:
        key_id: SHA-256 of the public key, in hexadecimal; None for an identity.
        referrer: the manifest that holds the bundle, or None.
        tag: of the legacy signature, or None.
        identity: who signed, where that was not a key.
        issuer: who vouched for the identity.
    """

    key_id: str | None
    referrer: Descriptor | None
    tag: str | None
    identity: str | None = None
    issuer: str | None = None


class Pushed(NamedTuple):
    """What was pushed, by its two digests.

    Attributes:
        reference: where it is.
        pinned: the same by digest.
        tags: what it is called there.
        profile: how it is laid out.
        kind: `module`, `component`, or `unknown` (forced).
        manifest: the artifact's descriptor.
        module: the file itself.
        transferred_bytes: how much moved; what was there already did not.
        signature: what was attached, or None.
    """

    reference: str
    pinned: str
    tags: tuple[str, ...]
    profile: str
    kind: str
    manifest: Descriptor
    module: ModuleInfo
    transferred_bytes: int
    signature: AttachedSignature | None = None


def push(request: PushRequest, environment: Environment, progress: Progress = SILENT) -> Pushed:
    """Build the artifact of a module and push it, its tags last."""
    from wasm2oci.content.copy import copy
    from wasm2oci.oci.reference import check_tag
    from wasm2oci.packager.build import ArtifactLabels, build
    from wasm2oci.packager.config import source_date
    from wasm2oci.packager.module_source import ModuleSource
    from wasm2oci.packager.profiles import find_profile

    profile = find_profile(request.profile)
    destination = request.destination
    if destination.identifier is None:
        raise missing_tag(destination)
    tags = (*((destination.tag,) if destination.tag else ()), *request.further_tags)
    for tag in tags:
        check_tag(tag)
    labels = ArtifactLabels(
        title=request.title,
        annotations=_annotations(request),
        created=source_date(request.created, environment.variables),
        author=request.author,
    )
    with environment.places() as places:
        if isinstance(request.module, Path):
            large = _ahead(places, destination) if profile.is_raw else None
            source = ModuleSource.of_file(request.module, force=request.force, large=large)
        else:
            source = ModuleSource.of_bytes(request.module, force=request.force)
        if request.annotate_from:
            from wasm2oci.operations.annotate import annotated_from

            folder = request.module.absolute().parent if isinstance(request.module, Path) else Path.cwd()
            more = annotated_from(request.annotate_from, labels.annotations, source.content, folder, environment)
            labels = labels._replace(annotations=more)
        artifact = build(source, profile, labels)
        if destination.digest is not None and artifact.root.digest != destination.digest:
            raise DigestMismatchError(
                f"the artifact is {artifact.root.digest}, not {destination.digest}",
                hint="push to a tag, or build the same bytes with the same profile, title and annotations",
            )
        target = places.write(destination)
        if not request.overwrite:
            from wasm2oci.operations.tag_state import check_tags_free

            check_tags_free(target, destination, tags, artifact.root.digest)
        attaching = None
        if request.signer is not None:
            from wasm2oci.operations.push_signed import SignedFirst

            apart = places.write(destination, apart=True)
            attaching = _begin_to_sign(request, request.signer, artifact.root, apart, environment)
            places.before_closing(attaching.end)
            target = SignedFirst(target, artifact.root, attaching)
        result = copy(artifact.target(), artifact.root, target, tags, progress=progress)
        signature = attaching.wait() if attaching is not None else None
    return Pushed(
        reference=str(destination),
        pinned=pinned(destination, result.root.digest),
        tags=tags,
        profile=profile.name,
        kind=source.kind.value,
        manifest=result.root,
        module=ModuleInfo.of(artifact.module),
        transferred_bytes=result.transferred,
        signature=signature,
    )


def _begin_to_sign(
    request: PushRequest, signer: PrivateKey | JobIdentity, root: Descriptor, target: Target, environment: Environment
) -> Pending[AttachedSignature]:
    from wasm2oci.operations.pending import Pending

    if isinstance(signer, JobIdentity):
        from wasm2oci.operations.sign_keyless import KeylessRequest, begin_keyless

        asked = KeylessRequest(request.destination, request.signature_annotations, trust_config=signer.trust_config)
        sign = begin_keyless(asked, root, environment)

        def as_job() -> AttachedSignature:
            made, attached = sign(target)
            return AttachedSignature(None, *attached, made.identity.subject, made.identity.issuer)

        return Pending(as_job)
    from wasm2oci.operations.sign import SignRequest, prepare_signature

    signing = SignRequest(request.destination, signer, request.signature_annotations, request.signature_format)
    prepared = prepare_signature(signing, root, environment)
    return Pending(lambda: AttachedSignature(signer.public.id, *prepared.attach(target, root)))


def _ahead(places: Places, destination: Location) -> Callable[[Content, int], None] | None:
    # A registry begins to take a large module while it is hashed. A layout does not: it may have to be made first.
    if not isinstance(destination, Reference) or destination.digest is not None:
        return None

    def large(content: Content, size: int) -> None:
        target = places.write(destination)
        if isinstance(target, EarlyTaker):
            target.send_ahead(content, size)

    return large


def _annotations(request: PushRequest) -> Annotations:
    from wasm2oci.base.reading import read_named
    from wasm2oci.oci.wire import CONFIG_MAX
    from wasm2oci.packager.annotations import Annotations, InvalidAnnotationError, read_annotation_file

    annotations = Annotations()
    path = request.annotation_file
    if path is not None:
        raw = read_named(path, CONFIG_MAX, InvalidAnnotationError)
        annotations = read_annotation_file(raw, request.title or "")
    return Annotations({**annotations.manifest, **request.annotations}, annotations.config, annotations.layer)
