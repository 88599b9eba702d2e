"""The part of `Client` that is about what scripts need below artifacts, and the cache; see `wasm2oci.client`."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from wasm2oci.client_modules import location_of, no_progress
from wasm2oci.client_repositories import RepositoryMethods

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import BinaryIO

    from wasm2oci.content.progress import Progress
    from wasm2oci.operations.attach import AttachedArtifact
    from wasm2oci.operations.blobs import DeletedBlob, GotBlob, PutBlob
    from wasm2oci.operations.cache import CachedBlob, CacheState, PrunedCache
    from wasm2oci.operations.discover import Discovered
    from wasm2oci.operations.fetch_module import Pull
    from wasm2oci.operations.manifests import PutManifest
    from wasm2oci.operations.serve_http import ServedHttp
    from wasm2oci.operations.trust import TrustOptions
    from wasm2oci.runtime.request import EngineChoice
    from wasm2oci.wasi.context import Preopen
    from wasm2oci.wasi.network import NetworkRule

__all__ = ["PartMethods"]

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class PartMethods(RepositoryMethods):
    """What `Client` does with parts of artifacts, with what refers to them, and with the cache."""

    def attach(
        self,
        reference: str,
        artifact_type: str,
        files: Sequence[str | Path | tuple[str | Path, str]] = (),
        *,
        annotations: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> AttachedArtifact:
        """Push an artifact of files that refers to another artifact.

        Args:
            reference: the artifact that it refers to.
            artifact_type: a media type that says what it is.
            files: each a path, or a path and its media type.
            annotations: of the manifest.
            progress: called with what moves, from several threads.

        Raises:
            NotFoundError: there is no such artifact, or no such file.
            InvalidInputError: a media type or an annotation is malformed.
            Wasm2OciError: a file cannot be read, or the place failed.
        """
        from wasm2oci.oci.media_type import OCTET_STREAM
        from wasm2oci.operations.attach import AttachRequest, attach

        pairs = [file if isinstance(file, tuple) else (file, OCTET_STREAM) for file in files]
        typed = [(Path(path), media_type) for path, media_type in pairs]
        request = AttachRequest(location_of(reference), artifact_type, typed, dict(annotations or {}))
        return attach(request, self.environment, progress or no_progress())

    def discover(self, reference: str, *, artifact_type: str | None = None, depth: int | None = None) -> Discovered:
        """What refers to an artifact, and what refers to that.

        Args:
            reference: where it is.
            artifact_type: only what has this type, with all that refers to it.
            depth: how far to go; by default, and at most, as deep as artifacts nest.

        Raises:
            NotFoundError: nothing is named so.
            Wasm2OciError: the place cannot be read, or lists no referrers.
        """
        from wasm2oci.operations.discover import discover

        return discover(location_of(reference), self.environment, artifact_type=artifact_type, depth=depth)

    def get_blob(
        self, reference: str, output: str | Path | BinaryIO | None = None, *, progress: Progress | None = None
    ) -> GotBlob:
        """Fetch a blob, every byte verified, into a file or a binary stream; without one only look what it is.

        Raises:
            UsageError: the reference has no digest.
            NotFoundError: there is no such blob.
            IntegrityError: the bytes are not those of the digest; nothing was written.
            Wasm2OciError: the place cannot be read, or the output cannot be written.
        """
        from wasm2oci.operations.blobs import get_blob

        place = Path(output) if isinstance(output, str) else output
        return get_blob(location_of(reference), place, self.environment, progress or no_progress())

    def put_blob(self, source: str | Path | bytes, reference: str, *, progress: Progress | None = None) -> PutBlob:
        """Push a file or bytes as a blob of a repository, unless it is there.

        Raises:
            IntegrityError: the reference has another digest; nothing was pushed.
            Wasm2OciError: the file cannot be read, or the place failed.
        """
        from wasm2oci.operations.blobs import put_blob

        content = Path(source) if isinstance(source, str) else source
        return put_blob(content, location_of(reference), self.environment, progress or no_progress())

    def delete_blob(self, reference: str) -> DeletedBlob:
        """Remove a blob, whether or not manifests name it.

        Raises:
            UsageError: the reference has no digest.
            NotFoundError: there is no such blob.
            Wasm2OciError: the place does not delete, or failed.
        """
        from wasm2oci.operations.blobs import delete_blob

        return delete_blob(location_of(reference), self.environment)

    def put_manifest(
        self, raw: bytes | Path, reference: str, *, media_type: str | None = None, overwrite: bool = True
    ) -> PutManifest:
        """Push a manifest or an index, exactly these bytes; what it names has to be there already.

        Args:
            raw: the bytes, or the file that holds them.
            reference: where they go; several tags are written `HOST/NAME:TAG,TAG`.
            media_type: of the manifest; by default what it says itself.
            overwrite: whether a tag that means something else there is moved.

        Raises:
            InvalidInputError: it is no manifest.
            IntegrityError: it does not have the digest in the reference, or a tag is taken; nothing was pushed.
            Wasm2OciError: the place failed.
        """
        from wasm2oci.operations.manifests import put_manifest
        from wasm2oci.operations.names import split_tags

        place, further = split_tags(reference)
        return put_manifest(
            raw, place, self.environment, further_tags=further, media_type=media_type, overwrite=overwrite
        )

    def config(self, reference: str, *, platform: str | None = None) -> bytes:
        """The bytes of an artifact's config, verified; of an index that of the entry for the platform.

        Raises:
            NotFoundError: nothing is named so.
            Wasm2OciError: the place cannot be read.
        """
        from wasm2oci.operations.manifests import read_config

        return read_config(location_of(reference), self.environment, platform=platform)

    # --- the cache ---------------------------------------------------------------------------
    def cache_state(self) -> CacheState:
        """Where the cache is, and how many bytes it uses."""
        from wasm2oci.operations.cache import cache_state

        return cache_state(self.environment)

    def cached_blobs(self) -> tuple[CachedBlob, ...]:
        """The blobs of the cache, the one that was used last first."""
        from wasm2oci.operations.cache import cached_blobs

        return cached_blobs(self.environment)

    def prune_cache(self, limit: int, *, dry_run: bool = False) -> PrunedCache:
        """Remove what was used longest ago until blobs take at most so many bytes; 0 removes everything.

        With `dry_run` nothing is removed, and the result says what would be.

        Raises:
            LocalIOError: the folder cannot be read.
        """
        from wasm2oci.operations.cache import prune_cache

        return prune_cache(limit, self.environment, dry_run=dry_run)

    @contextmanager
    def serve_http(
        self,
        subject: str | Path | bytes,
        listen: str = "127.0.0.1:0",
        *,
        hosts: Sequence[str] = (),
        environment: Mapping[str, str] = _NOTHING,
        directories: Sequence[Preopen] = (),
        network: Sequence[NetworkRule] = (),
        output: int | Callable[[bytes], object] = 2,
        reuse: bool = False,
        concurrency: int = 8,
        timeout: float | None = 60.0,
        max_memory: int | None = None,
        engine: EngineChoice | str = "auto",
        pull: Pull | str = "auto",
        digest: str | None = None,
        module: str | None = None,
        platform: str | None = None,
        trace: Callable[[str], object] | None = None,
        cached: bool = True,
        trust: TrustOptions | None = None,
        log: Callable[[str], None] | None = None,
    ) -> Iterator[ServedHttp]:
        """A server on this machine whose requests a component answers, for as long as the block runs.

        Args:
            subject: a reference, a file, or the bytes.
            listen: `HOST:PORT`; port 0 takes a free one.
            hosts: names, beside addresses and `localhost`, that the server may be called by.
            environment: the component's variables.
            directories: what it may use of the file system.
            network: the hosts it may send HTTP requests to.
            output: what takes what it prints, or a descriptor of this process.
            reuse: whether an instance answers one request after the other; else each has one of its own.
            concurrency: requests that are answered at once.
            timeout: seconds that a guest may take for a request.
            max_memory: bytes for the memories, tables and objects of each instance; 1 GiB by default.
            engine: `auto` or `embedded`; wasmtime's Python binding cannot do this.
            pull: when the registry is asked, as for `run`.
            digest: take only this component, or that of this manifest.
            module: which one, if an artifact holds several.
            platform: which entry of an index.
            trace: takes a line for each WASI call, from several threads.
            cached: keep and use code that was made from the component.
            trust: whose signature it must have, besides what policy files ask for.
            log: takes a line for each request and for what went wrong, from several threads.

        Raises:
            NotFoundError: there is no such file or artifact, or it answers no HTTP requests.
            UnsupportedError: the engine that is asked for cannot do this.
            Wasm2OciError: it could not be fetched or started, or the address is taken.
        """
        from wasm2oci.base.text import encoded
        from wasm2oci.oci.digest import Digest
        from wasm2oci.operations.fetch_module import FetchPolicy, Pull
        from wasm2oci.operations.serve_http import ServeHttpRequest, serving_http
        from wasm2oci.operations.subject import parse_subject
        from wasm2oci.operations.trust import TrustOptions
        from wasm2oci.runtime.request import DEFAULT_MAX_MEMORY, EngineChoice, RunLimits, RunRequest

        guest = RunRequest(
            environment=tuple((encoded(name), encoded(value)) for name, value in environment.items()),
            preopens=tuple(directories),
            network=tuple(network),
            stdout=output,
            stderr=output,
            limits=RunLimits(timeout_s=timeout, max_memory=DEFAULT_MAX_MEMORY if max_memory is None else max_memory),
            engine=EngineChoice(engine),
            trace=trace,
        )
        request = ServeHttpRequest(
            parse_subject(subject),
            guest,
            listen,
            tuple(hosts),
            reuse,
            concurrency,
            FetchPolicy(
                Pull(pull), None if digest is None else Digest.parse(digest), module, platform, trust or TrustOptions()
            ),
            cached,
        )
        with serving_http(request, self.environment, log or (lambda _: None)) as served:
            yield served
