"""The part of `Client` that is about modules: push, pull, verify, inspect, validate, run; see `wasm2oci.client`."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from wasm2oci.client_text import TextMethods

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import BinaryIO

    from wasm2oci.content.progress import Progress
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.fetch_module import Pull
    from wasm2oci.operations.inspect import Inspected, InspectedFile
    from wasm2oci.operations.pull import Pulled
    from wasm2oci.operations.push import Pushed
    from wasm2oci.operations.run import Ran
    from wasm2oci.operations.trust import SignatureFormat, TrustOptions
    from wasm2oci.operations.validate import Validated
    from wasm2oci.operations.verify import Verified
    from wasm2oci.runtime.request import EngineChoice
    from wasm2oci.wasi.context import Preopen
    from wasm2oci.wasi.network import NetworkRule

__all__ = ["ModuleMethods", "location_of", "no_progress"]

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class ModuleMethods(TextMethods):
    """What `Client` does with modules."""

    def push(
        self,
        module: str | Path | bytes,
        reference: str,
        *,
        profile: str | None = None,
        title: str | None = None,
        annotations: Mapping[str, str] = _NOTHING,
        annotation_file: Path | None = None,
        annotate_from: Sequence[str] = (),
        created: str | None = None,
        author: str | None = None,
        force: bool = False,
        overwrite: bool = True,
        key: str | None = None,
        signature_format: SignatureFormat | str = "both",
        signature_annotations: Mapping[str, str] = _NOTHING,
        ask_password: Callable[[str], str] | None = None,
        keyless: bool = False,
        trust_config: Path | None = None,
        progress: Progress | None = None,
    ) -> Pushed:
        """Put a module into a registry or a layout.

        Args:
            module: the file, or its bytes.
            reference: where it goes; several tags are written `HOST/NAME:TAG,TAG`.
            profile: how the artifact is laid out; a name in `PROFILES`, by default the first.
            title: the file name that a pull gives it; by default the file's own (of text with `.wasm`), none for bytes.
            annotations: of the manifest.
            annotation_file: JSON with more of them; `annotations` go before it.
            annotate_from: where more of them come from, after both: `module` (its own metadata), `git`, or the file of
                a package (`Cargo.toml`, `package.json` and their like).
            created: when it was made (RFC 3339, or seconds since 1970); else `SOURCE_DATE_EPOCH`, else no date.
            author: who made it, if the profile has a place for that.
            force: push it even if it is not WebAssembly.
            overwrite: whether a tag that means something else there is moved.
            key: the private key that signs it before it gets its tags: a file, or `env://NAME`.
            signature_format: how the signature is kept: `bundle`, `legacy` or `both`.
            signature_annotations: what the signer states besides.
            ask_password: gives the password of the key for a question; `COSIGN_PASSWORD` goes before it.
            keyless: sign with the identity of this CI job instead of a key; see `sign_keyless`.
            trust_config: with `keyless`, Sigstore's services and root; None for the public instance.
            progress: called with what moves, from several threads.

        Raises:
            InvalidInputError: it is not WebAssembly, or the reference, profile, date or an annotation is malformed.
            UsageError: the reference has neither tag nor digest.
            IntegrityError: the artifact has not the digest in the reference, or a tag is taken; nothing was pushed.
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
            title=_title(source, force=force) if title is None and isinstance(source, Path) else title,
            annotations=annotations,
            annotation_file=annotation_file,
            annotate_from=tuple(annotate_from),
            created=created,
            author=author,
            force=force,
            signer=self._job_identity(key, trust_config) if keyless else self._signing_key(key, ask_password),
            signature_format=SignatureFormat(signature_format),
            signature_annotations=signature_annotations,
            overwrite=overwrite,
        )
        return push(request, self.environment, progress or no_progress())

    def pull(
        self,
        reference: str,
        output: str | Path | BinaryIO | None = None,
        *,
        module: str | None = None,
        platform: str | None = None,
        force: bool = False,
        overwrite: bool = True,
        cached: bool = True,
        mode: int = 0o666,
        trust: TrustOptions | None = None,
        progress: Progress | None = None,
    ) -> Pulled:
        """Get a module back, every byte verified before the file has its name or the stream its first byte.

        Args:
            reference: where it is.
            output: the file or binary stream it goes to. A folder gets a file named by the artifact's title, else by
                the repository; text that ends in `/` names a folder, which is made if it is not there. None means the
                current folder.
            module: which one, if there are several: a title, a path in an archive, or a digest.
            platform: which entry of an index: `OS/ARCHITECTURE`.
            force: take what is not a WebAssembly module, too.
            overwrite: whether a file that is there and is not this module is replaced. A name that the artifact chose
                replaces nothing without `force`.
            cached: use what was downloaded before.
            mode: permission bits of the file, before the umask.
            trust: whose signature it must have, besides what policy files ask for.
            progress: called with what moves.

        Raises:
            NotFoundError: no artifact has this name.
            IntegrityError: bytes are not what the manifest says, or a signature is missing; nothing was written.
            InvalidInputError: the artifact holds no module, or several.
            Wasm2OciError: the output cannot be written, or the registry failed.
        """
        from wasm2oci.base.probe import is_folder
        from wasm2oci.operations.pull import PullRequest, pull
        from wasm2oci.operations.trust import TrustOptions

        path = Path(output) if isinstance(output, str) else output
        made = isinstance(output, str) and output.endswith("/")
        into = isinstance(path, Path) and (made or is_folder(path))
        request = PullRequest(
            source=location_of(reference),
            output=None if into else path,
            folder=path if into and isinstance(path, Path) else Path(),
            wanted=module,
            platform=platform,
            cached=cached,
            force=force,
            overwrite=overwrite,
            mode=mode,
            trust=trust or TrustOptions(),
        )
        return pull(request, self.environment, progress or no_progress())

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
        max_size: int | None = None,
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
            max_size: bytes of all content of the artifact together; 64 GiB by default.
            progress: called with what is checked.

        Raises:
            NotFoundError: no artifact has this name, or a part is missing.
            ArtifactTooLargeError: it has more content than it may have; no blob was read.
            IntegrityError: bytes are not what they should be, a signature is missing, or the file is not the module.
            InvalidInputError: it holds no module, or several, and a file or a rule of a policy file is about one.
            Wasm2OciError: the place or the file cannot be read.
        """
        from wasm2oci.oci.wire import ARTIFACT_MAX
        from wasm2oci.operations.trust import TrustOptions
        from wasm2oci.operations.verify import VerifyRequest, verify

        path = None if file is None else Path(file)
        trust = trust or TrustOptions()
        most = ARTIFACT_MAX if max_size is None else max_size
        request = VerifyRequest(location_of(reference), path, module, platform, trust, module_key, notation, most)
        return verify(request, self.environment, progress or no_progress())

    def inspect(self, reference: str, *, look_inside: bool = True) -> Inspected:
        """Look at an artifact: its parts, annotations and referrers, and (`look_inside`) what its module declares.

        Raises:
            NotFoundError: no artifact has this name.
            IntegrityError: bytes are not what they should be.
            Wasm2OciError: the place cannot be read.
        """
        from wasm2oci.operations.inspect import inspect

        return inspect(location_of(reference), self.environment, look_inside=look_inside)

    def inspect_file(self, module: Path | bytes) -> InspectedFile:
        """Look at a module file, or at the bytes of one.

        Raises:
            NotFoundError: there is no such file.
            InvalidInputError: it is not WebAssembly.
            LocalIOError: it cannot be read.
        """
        from wasm2oci.operations.inspect import inspect_bytes, inspect_file
        from wasm2oci.operations.subject import subject_name

        return inspect_bytes(module, subject_name(module)) if isinstance(module, bytes) else inspect_file(module)

    def manifest(self, reference: str) -> bytes:
        """The bytes of a manifest or index, exactly as they are.

        Raises:
            NotFoundError: no artifact has this name.
            Wasm2OciError: the place cannot be read.
        """
        from wasm2oci.operations.inspect import read_raw

        return read_raw(location_of(reference), self.environment)

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
        from wasm2oci.operations.fetch_module import FetchPolicy, Pull
        from wasm2oci.operations.subject import parse_subject
        from wasm2oci.operations.validate import validate

        allowed = DEFAULT if features is None else parse_features(features)
        policy = FetchPolicy(Pull.ALWAYS, None, module, platform)
        return validate(parse_subject(subject), policy, self.environment, allowed)

    def run(
        self,
        subject: str | Path | bytes,
        args: Sequence[str] = (),
        *,
        environment: Mapping[str, str] = _NOTHING,
        directories: Sequence[Preopen] = (),
        network: Sequence[NetworkRule] = (),
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
        timings: bool = False,
        cached: bool = True,
        trust: TrustOptions | None = None,
        isolated: bool = False,
    ) -> Ran:
        """Fetch a module, verify it and run it to its end, with nothing but what it is given here.

        Args:
            subject: a reference, a file, or the bytes.
            args: its arguments; with `invoke` the typed values of the function, as text.
            environment: its variables.
            directories: what it may use of the file system.
            network: the hosts it may send HTTP requests to (components).
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
            timings: measure how long each function takes (embedded engine).
            cached: keep and use code that was made from the module.
            trust: whose signature it must have, besides what policy files ask for.
            isolated: run it in a forked child process (Linux, with descriptors as streams): the limits on time and
                memory then hold whatever the guest does. Refused in a process that has other threads.

        Raises:
            NotFoundError: there is no such file or artifact, or no such function in it.
            IntegrityError: it is not the module asked for; nothing of it was run.
            Wasm2OciError: it could not be fetched, or not be started. What the guest does is not an error: see `Ran`.
            TypeError: an argument or a variable is no `str`.
            ValueError: a limit is not more than 0, or there is no such engine.
        """
        from wasm2oci.base.text import encoded, encoded_args
        from wasm2oci.oci.digest import Digest
        from wasm2oci.operations.fetch_module import FetchPolicy, Pull
        from wasm2oci.operations.run import FetchAndRun, run
        from wasm2oci.operations.subject import parse_subject
        from wasm2oci.operations.trust import TrustOptions
        from wasm2oci.runtime.request import DEFAULT_MAX_MEMORY, DEFAULT_MAX_STACK, EngineChoice, RunLimits, RunRequest

        request = RunRequest(
            args=encoded_args(args),
            environment=tuple((encoded(name), encoded(value)) for name, value in environment.items()),
            preopens=tuple(directories),
            network=tuple(network),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            invoke=invoke,
            limits=RunLimits(
                timeout_s=timeout,
                fuel=fuel,
                max_memory=DEFAULT_MAX_MEMORY if max_memory is None else max_memory,
                max_stack=DEFAULT_MAX_STACK if max_stack is None else max_stack,
            ),
            engine=EngineChoice(engine),
            missing_as_traps=trap_missing,
            trace=trace,
            timings=timings,
            isolated=isolated,
        )
        policy = FetchPolicy(
            Pull(pull), None if digest is None else Digest.parse(digest), module, platform, trust or TrustOptions()
        )
        return run(FetchAndRun(parse_subject(subject), request, policy, cached), self.environment)


def location_of(reference: str) -> Location:
    """The place that a reference names.

    Raises:
        InvalidReferenceError: it breaks the grammar; a hint says how a folder here is written.
    """
    from wasm2oci.operations.subject import parse_place

    return parse_place(reference)


def _title(source: Path, *, force: bool) -> str:
    """The file name that a pull gives a module: the file's own; that of text, which is assembled, ends in `.wasm`."""
    text = source.suffix in {".wat", ".wast"} and not force
    return source.with_suffix(".wasm").name if text else source.name


def no_progress() -> Progress:
    """A progress that shows nothing."""
    from wasm2oci.content.progress import SILENT

    return SILENT
