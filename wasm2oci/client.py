"""The front door of the library: `Client`, and the types that its methods take and return.

    from wasm2oci import Client

    with Client() as client:
        pushed = client.push("hello.wasm", "localhost:5000/hello:v1")
        client.pull(pushed.pinned, "copy.wasm")

What is listed in `__all__` is public and stable; docs/api.md describes it. Everything is imported when it is used.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self

from wasm2oci.client_signatures import SignatureMethods

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import BinaryIO

    from wasm2oci.content.progress import SILENT, Outcome, Progress
    from wasm2oci.engine.facts import CoreModule, Extern, ModuleFacts
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.reference import LayoutReference, Location, Reference
    from wasm2oci.operations.attestations import Attestation, Attestations
    from wasm2oci.operations.copy import Copied
    from wasm2oci.operations.delete import Deleted
    from wasm2oci.operations.documents import document, failure
    from wasm2oci.operations.fetch_module import Pull
    from wasm2oci.operations.inspect import Inspected, InspectedFile
    from wasm2oci.operations.keys import KeyFiles, KeyInfo
    from wasm2oci.operations.login import LoggedIn, LoggedOut
    from wasm2oci.operations.module_info import ModuleInfo
    from wasm2oci.operations.policy import ExplainedDecision, ExplainedRequirement, Explanation, FoundSignature
    from wasm2oci.operations.pull import Pulled
    from wasm2oci.operations.push import AttachedSignature, Pushed
    from wasm2oci.operations.resolve import Resolved
    from wasm2oci.operations.run import Ran, TrapInfo
    from wasm2oci.operations.sbom import Document
    from wasm2oci.operations.serve import Served
    from wasm2oci.operations.sign import Signed
    from wasm2oci.operations.signature_state import SignatureState, SignatureSummary, SignedItem
    from wasm2oci.operations.subject import find_subject
    from wasm2oci.operations.tag import Tagged
    from wasm2oci.operations.tags import Tags
    from wasm2oci.operations.tree import Tree, TreePart
    from wasm2oci.operations.trust import SignatureFormat, TrustOptions
    from wasm2oci.operations.validate import Validated
    from wasm2oci.operations.verify import RefusedSignature, Verified
    from wasm2oci.packager.annotations import parse_annotation
    from wasm2oci.packager.profiles import PROFILES
    from wasm2oci.registry.options import ConnectOptions
    from wasm2oci.runtime.request import Ending, EngineChoice, ProfileRow
    from wasm2oci.signing.statement import COSIGN_SIGNATURE
    from wasm2oci.wasi.context import Preopen

__all__ = [
    "COSIGN_SIGNATURE",
    "PROFILES",
    "SILENT",
    "AttachedSignature",
    "Attestation",
    "Attestations",
    "Client",
    "ConnectOptions",
    "Copied",
    "CoreModule",
    "Deleted",
    "Descriptor",
    "Digest",
    "Document",
    "Ending",
    "EngineChoice",
    "ExplainedDecision",
    "ExplainedRequirement",
    "Explanation",
    "Extern",
    "FoundSignature",
    "Inspected",
    "InspectedFile",
    "KeyFiles",
    "KeyInfo",
    "LayoutReference",
    "LoggedIn",
    "LoggedOut",
    "ModuleFacts",
    "ModuleInfo",
    "Outcome",
    "Preopen",
    "ProfileRow",
    "Progress",
    "Pull",
    "Pulled",
    "Pushed",
    "Ran",
    "Reference",
    "RefusedSignature",
    "Resolved",
    "Served",
    "SignatureFormat",
    "SignatureState",
    "SignatureSummary",
    "Signed",
    "SignedItem",
    "Tagged",
    "Tags",
    "TrapInfo",
    "Tree",
    "TreePart",
    "TrustOptions",
    "Validated",
    "Verified",
    "document",
    "failure",
    "find_subject",
    "parse_annotation",
]

_HOMES: Final[Mapping[str, tuple[str, ...]]] = {
    "content.progress": ("SILENT", "Outcome", "Progress"),
    "engine.facts": ("CoreModule", "Extern", "ModuleFacts"),
    "oci.descriptor": ("Descriptor",),
    "oci.digest": ("Digest",),
    "oci.reference": ("LayoutReference", "Reference"),
    "operations.attestations": ("Attestation", "Attestations"),
    "operations.copy": ("Copied",),
    "operations.delete": ("Deleted",),
    "operations.documents": ("document", "failure"),
    "operations.fetch_module": ("Pull",),
    "operations.inspect": ("Inspected", "InspectedFile"),
    "operations.keys": ("KeyFiles", "KeyInfo"),
    "operations.login": ("LoggedIn", "LoggedOut"),
    "operations.module_info": ("ModuleInfo",),
    "operations.policy": ("ExplainedDecision", "ExplainedRequirement", "Explanation", "FoundSignature"),
    "operations.pull": ("Pulled",),
    "operations.push": ("AttachedSignature", "Pushed"),
    "operations.resolve": ("Resolved",),
    "operations.run": ("Ran", "TrapInfo"),
    "operations.sbom": ("Document",),
    "operations.serve": ("Served",),
    "operations.signature_state": ("SignatureState", "SignatureSummary", "SignedItem"),
    "operations.sign": ("Signed",),
    "operations.subject": ("find_subject",),
    "operations.tag": ("Tagged",),
    "operations.tags": ("Tags",),
    "operations.tree": ("Tree", "TreePart"),
    "operations.trust": ("SignatureFormat", "TrustOptions"),
    "operations.validate": ("Validated",),
    "operations.verify": ("RefusedSignature", "Verified"),
    "packager.annotations": ("parse_annotation",),
    "packager.profiles": ("PROFILES",),
    "registry.options": ("ConnectOptions",),
    "runtime.request": ("Ending", "EngineChoice", "ProfileRow"),
    "signing.statement": ("COSIGN_SIGNATURE",),
    "wasi.context": ("Preopen",),
}

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            from importlib import import_module

            value = globals()[name] = getattr(import_module(f"wasm2oci.{home}"), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class Client(SignatureMethods):
    """Pushes, pulls, copies, inspects, verifies and runs WebAssembly modules in registries, layouts and files.

    A reference is text: `HOST/NAME:TAG`, `HOST/NAME@DIGEST` or `oci-layout:DIR:TAG`. A file is a `Path`, where either
    may be given. Nothing is printed, and no error names an option of the command line: its `remedy` is what to do, as
    data.

    Connections and tokens are kept until `close`, which the end of a `with` block calls. All methods but `close` may be
    called from several threads at once.

    Args:
        options: how registries are reached, and as whom; by default as docker's configuration has it.
        environ: environment variables (proxies, credential files, cache); this process's by default.
        home: the user's home folder; by default from the variables.
        warn: takes sentences that may need attention, each once.
        note: takes sentences that explain what was done, and why.
        log: takes a line for each request, without secrets.

    Raises:
        UsageError: the options contradict each other.
    """

    def __init__(
        self,
        options: ConnectOptions | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        home: Path | None = None,
        warn: Callable[[str], None] | None = None,
        note: Callable[[str], None] | None = None,
        log: Callable[[str], None] | None = None,
    ) -> None:
        from wasm2oci.operations.environment import Connections, Environment
        from wasm2oci.registry.options import ConnectOptions

        options = options or ConnectOptions()
        options.check()
        environ = os.environ if environ is None else environ
        self._connections = Connections()
        self.environment: Environment = Environment(
            variables=environ,
            home=home or _home(environ),
            options=options,
            warn=warn or _ignore,
            note=note or _ignore,
            log=log,
            connections=self._connections,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection. The client can still be used, and connects anew."""
        self._connections.close()

    # --- modules -----------------------------------------------------------------------------
    def push(
        self,
        module: str | Path | bytes,
        reference: str,
        *,
        profile: str = "cncf",
        title: str | None = None,
        annotations: Mapping[str, str] = _NOTHING,
        annotation_file: Path | None = None,
        created: str | None = None,
        author: str | None = None,
        force: bool = False,
        key: str | None = None,
        signature_format: SignatureFormat | str = "both",
        signature_annotations: Mapping[str, str] = _NOTHING,
        ask_password: Callable[[str], str] | None = None,
        progress: Progress | None = None,
    ) -> Pushed:
        """Put a module into a registry or a layout.

        Args:
            module: the file, or its bytes.
            reference: where it goes; several tags are written `HOST/NAME:TAG,TAG`.
            profile: how the artifact is laid out; a name in `PROFILES`.
            title: the file name that a pull gives it; the file's own by default, none for bytes.
            annotations: of the manifest.
            annotation_file: JSON with more of them; `annotations` go before it.
            created: when it was made (RFC 3339, or seconds since 1970); else `SOURCE_DATE_EPOCH`, else no date.
            author: who made it, if the profile has a place for that.
            force: push it even if it is not WebAssembly.
            key: the private key that signs it before it gets its tags: a file, or `env://NAME`.
            signature_format: how the signature is kept: `bundle`, `legacy` or `both`.
            signature_annotations: what the signer states besides.
            ask_password: gives the password of the key for a question; `COSIGN_PASSWORD` goes before it.
            progress: called with what moves, from several threads.

        Raises:
            InvalidInputError: it is not WebAssembly, or the reference, date or an annotation is malformed.
            IntegrityError: the artifact does not have the digest in the reference; nothing was pushed.
            Wasm2OciError: the file cannot be read, or the registry failed.
        """
        from wasm2oci.operations.names import split_tags
        from wasm2oci.operations.push import PushRequest, push
        from wasm2oci.operations.trust import SignatureFormat

        destination, further = split_tags(reference)
        source = Path(module) if isinstance(module, str) else module
        request = PushRequest(
            module=source,
            destination=destination,
            further_tags=further,
            profile=profile,
            title=source.name if title is None and isinstance(source, Path) else title,
            annotations=annotations,
            annotation_file=annotation_file,
            created=created,
            author=author,
            force=force,
            key=None if key is None else self._private_key(key, ask_password),
            signature_format=SignatureFormat(signature_format),
            signature_annotations=signature_annotations,
        )
        return push(request, self.environment, progress or _silent())

    def pull(
        self,
        reference: str,
        output: str | Path | BinaryIO | None = None,
        *,
        module: str | None = None,
        platform: str | None = None,
        force: bool = False,
        cached: bool = True,
        mode: int = 0o666,
        trust: TrustOptions | None = None,
        progress: Progress | None = None,
    ) -> Pulled:
        """Get a module back, every byte verified before the file has its name or the stream its first byte.

        Args:
            reference: where it is.
            output: the file or binary stream it goes to. A folder gets a file named by the artifact's title, else by
                the repository; None means the current folder.
            module: which one, if there are several: a title, a path in an archive, or a digest.
            platform: which entry of an index: `OS/ARCHITECTURE`.
            force: take what is not a WebAssembly module, too.
            cached: use what was downloaded before.
            mode: permission bits of the file, before the umask.
            trust: whose signature it must have, besides what policy files ask for.
            progress: called with what moves.

        Raises:
            NotFoundError: nothing is named so.
            IntegrityError: bytes are not what the manifest says; nothing was written.
            InvalidInputError: the artifact holds no module, or several.
            Wasm2OciError: the output cannot be written, or the registry failed.
        """
        from wasm2oci.operations.pull import PullRequest, pull
        from wasm2oci.operations.trust import TrustOptions

        path = Path(output) if isinstance(output, str) else output
        into = isinstance(path, Path) and path.is_dir()
        request = PullRequest(
            source=_location(reference),
            output=None if into else path,
            folder=path if into and isinstance(path, Path) else Path(),
            wanted=module,
            platform=platform,
            cached=cached,
            force=force,
            mode=mode,
            trust=trust or TrustOptions(),
        )
        return pull(request, self.environment, progress or _silent())

    def verify(
        self,
        reference: str,
        file: str | Path | None = None,
        *,
        module: str | None = None,
        platform: str | None = None,
        trust: TrustOptions | None = None,
        module_key: Path | None = None,
        notation: bool = False,
        progress: Progress | None = None,
    ) -> Verified:
        """Read every manifest and blob of an artifact where it is, and check it; see too that a file is its module.

        Args:
            reference: where it is.
            file: a local file that should be its module.
            module: which one, if there are several.
            platform: which entry of an index.
            trust: whose signature it must have, besides what policy files ask for.
            module_key: a public key whose signature the module itself must hold.
            notation: ask for a Notation signature that meets notation's own trust policy.
            progress: called with what is checked.

        Raises:
            NotFoundError: nothing is named so, or a part is missing.
            IntegrityError: bytes are not what they should be, or the file is not the module.
            Wasm2OciError: the place or the file cannot be read.
        """
        from wasm2oci.operations.trust import TrustOptions
        from wasm2oci.operations.verify import VerifyRequest, verify

        path = None if file is None else Path(file)
        trust = trust or TrustOptions()
        request = VerifyRequest(_location(reference), path, module, platform, trust, module_key, notation)
        return verify(request, self.environment, progress or _silent())

    def inspect(self, reference: str, *, look_inside: bool = True) -> Inspected:
        """Look at an artifact: its parts, annotations and referrers, and (`look_inside`) what its module declares.

        Raises:
            NotFoundError: nothing is named so.
            Wasm2OciError: the place cannot be read.
        """
        from wasm2oci.operations.inspect import InspectRequest, inspect

        return inspect(InspectRequest(_location(reference), look_inside), self.environment)

    def inspect_file(self, module: Path | bytes) -> InspectedFile:
        """Look at a module file, or at the bytes of one.

        Raises:
            NotFoundError: there is no such file.
            InvalidInputError: it is not WebAssembly.
            LocalIOError: it cannot be read.
        """
        from wasm2oci.operations.inspect import inspect_bytes, inspect_file

        return inspect_bytes(module, "the module") if isinstance(module, bytes) else inspect_file(module)

    def manifest(self, reference: str) -> bytes:
        """The bytes of a manifest or index, exactly as they are.

        Raises:
            NotFoundError: nothing is named so.
            Wasm2OciError: the place cannot be read.
        """
        from wasm2oci.operations.inspect import read_raw

        return read_raw(_location(reference), self.environment)

    def validate(
        self,
        subject: str | Path | bytes,
        *,
        features: str | None = None,
        module: str | None = None,
        platform: str | None = None,
    ) -> Validated:
        """Check that a module is valid WebAssembly, every function of it.

        Args:
            subject: a reference, a file, or the bytes.
            features: what it may use: `wasm1`, `wasm2`, `wasm3`, `+gc,-simd128`, ...; by default what the engine runs.
            module: which one, if an artifact holds several.
            platform: which entry of an index.

        Raises:
            ModuleError: it is malformed or invalid; `offset` and `reason` tell where and why.
            UsageError: there is no such feature.
            Wasm2OciError: it cannot be read or fetched.
        """
        from wasm2oci.engine.syntax.features import DEFAULT, parse_features
        from wasm2oci.operations.validate import ValidateRequest, validate

        allowed = DEFAULT if features is None else parse_features(features)
        return validate(ValidateRequest(_subject(subject), allowed, module, platform), self.environment)

    def run(
        self,
        subject: str | Path,
        args: Sequence[str] = (),
        *,
        environment: Mapping[str, str] = _NOTHING,
        directories: Sequence[Preopen] = (),
        stdin: int | bytes = b"",
        stdout: int | Callable[[bytes], object] = 1,
        stderr: int | Callable[[bytes], object] = 2,
        invoke: str | None = None,
        timeout: float | None = None,
        fuel: int | None = None,
        max_memory: int | None = None,
        max_stack: int | None = None,
        engine: EngineChoice | str = "auto",
        pull: Pull | str = "auto",
        digest: str | None = None,
        module: str | None = None,
        platform: str | None = None,
        trap_missing: bool = False,
        trace: Callable[[str], object] | None = None,
        profile: bool = False,
        cached: bool = True,
        trust: TrustOptions | None = None,
        isolated: bool = False,
    ) -> Ran:
        """Fetch a module, verify it and run it to its end, with nothing but what it is given here.

        Args:
            subject: a reference or a file.
            args: its arguments; with `invoke` the typed values of the function, as text.
            environment: its variables.
            directories: what it may use of the file system.
            stdin: bytes, or a descriptor of this process.
            stdout: what takes its bytes, or a descriptor of this process.
            stderr: the same.
            invoke: the exported function to call instead of the program's start.
            timeout: seconds after which it is stopped.
            fuel: about how many instructions after which it is stopped.
            max_memory: bytes for its memories, tables, objects and generated code; 1 GiB by default.
            max_stack: bytes of its call stack, from 64 KiB to 1 GiB.
            engine: `auto`, `embedded` or `wasmtime`.
            pull: when the registry is asked: `auto` (for a tag, if it can be reached), `always`, `missing` or `never`.
            digest: run only this module, or the module of this manifest.
            module: which one, if an artifact holds several.
            platform: which entry of an index.
            trap_missing: start it although imports are missing; calling one traps.
            trace: takes a line for each WASI call.
            profile: measure where time went (embedded engine).
            cached: keep and use code that was made from the module.
            trust: whose signature it must have, besides what policy files ask for.
            isolated: run it in a forked child process (Linux, with descriptors as streams): the limits on time and
                memory then hold whatever the guest does. Not for a process with threads.

        Raises:
            NotFoundError: there is no such file or artifact, or no such function in it.
            IntegrityError: it is not the module asked for; nothing of it was run.
            Wasm2OciError: it could not be fetched, or not be started. What the guest does is not an error: see `Ran`.
        """
        from wasm2oci.oci.digest import Digest
        from wasm2oci.operations.fetch_module import FetchPolicy, Pull
        from wasm2oci.operations.run import FetchAndRun, run
        from wasm2oci.operations.trust import TrustOptions
        from wasm2oci.runtime.request import DEFAULT_MAX_MEMORY, DEFAULT_MAX_STACK, EngineChoice, Limits, RunRequest

        request = RunRequest(
            args=tuple(map(_encoded, args)),
            environment=tuple((_encoded(name), _encoded(value)) for name, value in environment.items()),
            preopens=tuple(directories),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            invoke=invoke,
            limits=Limits(
                timeout_s=timeout,
                fuel=fuel,
                max_memory=DEFAULT_MAX_MEMORY if max_memory is None else max_memory,
                max_stack=DEFAULT_MAX_STACK if max_stack is None else max_stack,
            ),
            engine=EngineChoice(engine),
            missing_as_traps=trap_missing,
            trace=trace,
            profile=profile,
            isolated=isolated,
        )
        policy = FetchPolicy(
            Pull(pull),
            None if digest is None else Digest.parse(digest),
            module,
            platform,
            trust or TrustOptions(),
        )
        source = subject if isinstance(subject, Path) else _location(subject)
        return run(FetchAndRun(source, request, policy, cached), self.environment)

    # --- repositories ------------------------------------------------------------------------
    def resolve(self, reference: str) -> Resolved:
        """Which digest a tag means, without downloading anything where the place allows that.

        Raises:
            NotFoundError: nothing is named so.
            Wasm2OciError: the place cannot be read.
        """
        from wasm2oci.operations.resolve import resolve

        return resolve(_location(reference), self.environment)

    def tree(self, reference: str, *, trust: TrustOptions | None = None) -> Tree:
        """An artifact with all that belongs to it: parts, attestations, signatures, and what else refers to it.

        Args:
            reference: where it is.
            trust: what is verified, besides what policy files ask for.

        Raises:
            NotFoundError: nothing is named so.
            Wasm2OciError: the place cannot be read.
        """
        from wasm2oci.operations.tree import tree
        from wasm2oci.operations.trust import TrustOptions

        return tree(_location(reference), trust or TrustOptions(), self.environment)

    def tags(self, repository: str, *, everything: bool = False) -> Tags:
        """The tags of a repository or layout; `everything`: those of signatures and referrers, too.

        Raises:
            NotFoundError: there is no such repository.
            Wasm2OciError: the place cannot be read.
        """
        from wasm2oci.operations.tags import TagsRequest, tags

        return tags(TagsRequest(_location(repository), everything), self.environment)

    def tag(self, reference: str, *tags: str) -> Tagged:
        """Give an artifact further tags where it is.

        Raises:
            InvalidReferenceError: one of them is not a tag; nothing was done.
            NotFoundError: nothing is named so.
            Wasm2OciError: the place cannot be read or written.
        """
        from wasm2oci.operations.tag import TagRequest, tag

        return tag(TagRequest(_location(reference), tags), self.environment)

    def copy(
        self,
        source: str,
        destination: str,
        *,
        recursive: bool = False,
        trust: TrustOptions | None = None,
        destination_options: ConnectOptions | None = None,
        progress: Progress | None = None,
    ) -> Copied:
        """Copy an artifact between registries and layouts, byte for byte.

        Args:
            source: where it is.
            destination: where it goes; without a tag, the source's tag is kept.
            recursive: take along signatures and all else that refers to it.
            trust: whose signature the source must have, besides what policy files ask for.
            destination_options: how the destination is reached, if not like the source.
            progress: called with what moves, from several threads.

        Raises:
            NotFoundError: the source names nothing.
            IntegrityError: bytes are not what a manifest says.
            Wasm2OciError: either place failed; `side` says which.
        """
        from wasm2oci.operations.copy import CopyRequest, copy
        from wasm2oci.operations.trust import TrustOptions

        if destination_options is not None:
            destination_options.check()
        request = CopyRequest(
            _location(source),
            _location(destination),
            recursive=recursive,
            trust=trust or TrustOptions(),
            destination_options=destination_options,
        )
        return copy(request, self.environment, progress or _silent())

    def delete(self, reference: str, *, tag_only: bool = False) -> Deleted:
        """Remove an artifact with all its tags, or (`tag_only`) one tag.

        Raises:
            NotFoundError: nothing is named so.
            UnsupportedError: the place does not delete, or cannot remove a tag alone.
            Wasm2OciError: the place cannot be read or written.
        """
        from wasm2oci.operations.delete import DeleteRequest, delete

        return delete(DeleteRequest(_location(reference), tag_only), self.environment)

    # --- registries --------------------------------------------------------------------------
    def login(self, registry: str) -> LoggedIn:
        """Check the credentials in this client's options with a registry, and keep them where docker keeps its own.

        Raises:
            AccessError: the registry refuses them; nothing was kept.
            UsageError: there are none in the options.
            Wasm2OciError: the registry cannot be asked, or they cannot be kept.
        """
        from wasm2oci.operations.login import login

        return login(registry, self.environment)

    def logout(self, registry: str) -> LoggedOut:
        """Forget the credentials of a registry.

        Raises:
            NotLoggedInError: there were none.
            LocalIOError: a file or a credential helper failed, and may still keep them.
        """
        from wasm2oci.operations.login import logout

        return logout(registry, self.environment)

    @contextmanager
    def serve(
        self,
        listen: str = "127.0.0.1:0",
        *,
        root: Path | None = None,
        user: str | None = None,
        password: str | None = None,
        htpasswd: Path | None = None,
        tls_cert: Path | None = None,
        tls_key: Path | None = None,
        read_only: bool = False,
        hosts: Sequence[str] = (),
        log: Callable[[str], None] | None = None,
    ) -> Iterator[Served]:
        """A registry on this machine for as long as the block runs; requests under way are finished at its end.

        Args:
            listen: `HOST:PORT`; port 0 takes a free one.
            root: the folder that keeps everything; None for one that is removed at the end.
            user: the only user there is.
            password: of that user; made up when None.
            htpasswd: file of users and bcrypt hashes.
            tls_cert: PEM certificate chain; https when given.
            tls_key: its PEM key, if the certificate's file does not hold it.
            read_only: refuse pushes and deletes.
            hosts: names, beside addresses and `localhost`, that it may be called by without a user.
            log: takes a line for each request, from several threads.

        Raises:
            UsageError: the options contradict each other, or it would be open to a network.
            InvalidInputError: the address, the folder, the user file or the certificate is not usable.
            LocalIOError: the address or the folder is taken.
        """
        from wasm2oci.operations.serve import ServeRequest, serving

        request = ServeRequest(listen, root, htpasswd, user, password, tls_cert, tls_key, read_only, tuple(hosts))
        with serving(request, log) as served:
            yield served


def _location(reference: str) -> Location:
    from wasm2oci.oci.reference import parse_location

    return parse_location(reference)


def _subject(subject: str | Path | bytes) -> Location | Path | bytes:
    return _location(subject) if isinstance(subject, str) else subject


def _silent() -> Progress:
    from wasm2oci.content.progress import SILENT

    return SILENT


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _ignore(text: str) -> None:
    del text


def _home(environ: Mapping[str, str]) -> Path:
    # HOME may be unset (a service), and the user unknown (a container with a number for a user): then nothing is kept.
    if environ.get("HOME"):
        return Path(environ["HOME"])
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")
