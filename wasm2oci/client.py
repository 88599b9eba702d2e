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
from typing import TYPE_CHECKING, Any, Final, Self

from wasm2oci.client_parts import PartMethods

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from wasm2oci.content.progress import SILENT, Outcome, Progress
    from wasm2oci.engine.facts import CoreModule, Extern, Member, ModuleFacts
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.reference import LayoutReference, Reference
    from wasm2oci.oci.wire import MANIFEST_MAX, MODULE_MAX
    from wasm2oci.operations.assemble import Assembled
    from wasm2oci.operations.attach import AttachedArtifact
    from wasm2oci.operations.attestations import Attestation, Attestations
    from wasm2oci.operations.blobs import DeletedBlob, GotBlob, PutBlob
    from wasm2oci.operations.cache import CachedBlob, CacheState, PrunedCache
    from wasm2oci.operations.copy import Copied
    from wasm2oci.operations.copy_tags import CopiedTag, CopiedTags, TagState
    from wasm2oci.operations.delete import Deleted
    from wasm2oci.operations.discover import Discovered, FoundReferrer
    from wasm2oci.operations.documents import document, failure
    from wasm2oci.operations.fetch_module import Pull
    from wasm2oci.operations.inspect import Inspected, InspectedFile
    from wasm2oci.operations.keys import KeyFiles, KeyInfo
    from wasm2oci.operations.login import KnownCredential, LoggedIn, LoggedOut, UsedCredential
    from wasm2oci.operations.manifests import PutManifest
    from wasm2oci.operations.module_info import ModuleInfo
    from wasm2oci.operations.policy import ExplainedDecision, ExplainedRequirement, Explanation, FoundSignature
    from wasm2oci.operations.print_module import Printed
    from wasm2oci.operations.pull import Pulled
    from wasm2oci.operations.push import AttachedSignature, Pushed
    from wasm2oci.operations.repositories import Repositories
    from wasm2oci.operations.resolve import Resolved
    from wasm2oci.operations.run import Ran, TrapInfo
    from wasm2oci.operations.sbom import Document
    from wasm2oci.operations.serve import Served
    from wasm2oci.operations.serve_http import ServedHttp
    from wasm2oci.operations.sign import Signed
    from wasm2oci.operations.sign_file import SignedFile, VerifiedFile
    from wasm2oci.operations.signature_state import SignatureState, SignatureSummary, SignedItem
    from wasm2oci.operations.subject import find_subject
    from wasm2oci.operations.tag import Tagged
    from wasm2oci.operations.tags import TagOrder, Tags
    from wasm2oci.operations.tree import Tree, TreePart
    from wasm2oci.operations.trust import SignatureFormat, TrustOptions
    from wasm2oci.operations.validate import Validated
    from wasm2oci.operations.verify import Verified
    from wasm2oci.operations.wit import Wit
    from wasm2oci.packager.annotations import parse_annotation, parse_annotations
    from wasm2oci.packager.profiles import PROFILES
    from wasm2oci.registry.options import ConnectOptions, RetryPolicy, parse_header
    from wasm2oci.runtime.request import Ending, EngineChoice, FunctionTime
    from wasm2oci.signing.candidate import RefusedSignature
    from wasm2oci.signing.statement import COSIGN_SIGNATURE
    from wasm2oci.wasi.context import Preopen
    from wasm2oci.wasi.network import NetworkRule

__all__ = [
    "COSIGN_SIGNATURE",
    "MANIFEST_MAX",
    "MODULE_MAX",
    "PROFILES",
    "SILENT",
    "Assembled",
    "AttachedArtifact",
    "AttachedSignature",
    "Attestation",
    "Attestations",
    "CacheState",
    "CachedBlob",
    "Client",
    "ConnectOptions",
    "Copied",
    "CopiedTag",
    "CopiedTags",
    "CoreModule",
    "Deleted",
    "DeletedBlob",
    "Descriptor",
    "Digest",
    "Discovered",
    "Document",
    "Ending",
    "EngineChoice",
    "ExplainedDecision",
    "ExplainedRequirement",
    "Explanation",
    "Extern",
    "FoundReferrer",
    "FoundSignature",
    "FunctionTime",
    "GotBlob",
    "Inspected",
    "InspectedFile",
    "KeyFiles",
    "KeyInfo",
    "KnownCredential",
    "LayoutReference",
    "LoggedIn",
    "LoggedOut",
    "Member",
    "ModuleFacts",
    "ModuleInfo",
    "NetworkRule",
    "Outcome",
    "Preopen",
    "Printed",
    "Progress",
    "PrunedCache",
    "Pull",
    "Pulled",
    "Pushed",
    "PutBlob",
    "PutManifest",
    "Ran",
    "Reference",
    "RefusedSignature",
    "Repositories",
    "Resolved",
    "RetryPolicy",
    "Served",
    "ServedHttp",
    "SignatureFormat",
    "SignatureState",
    "SignatureSummary",
    "Signed",
    "SignedFile",
    "SignedItem",
    "TagOrder",
    "TagState",
    "Tagged",
    "Tags",
    "TrapInfo",
    "Tree",
    "TreePart",
    "TrustOptions",
    "UsedCredential",
    "Validated",
    "Verified",
    "VerifiedFile",
    "Wit",
    "document",
    "failure",
    "find_subject",
    "parse_annotation",
    "parse_annotations",
    "parse_header",
]

_HOMES: Final[Mapping[str, tuple[str, ...]]] = {
    "content.progress": ("SILENT", "Outcome", "Progress"),
    "engine.facts": ("CoreModule", "Extern", "Member", "ModuleFacts"),
    "oci.descriptor": ("Descriptor",),
    "oci.digest": ("Digest",),
    "oci.reference": ("LayoutReference", "Reference"),
    "oci.wire": ("MANIFEST_MAX", "MODULE_MAX"),
    "operations.assemble": ("Assembled",),
    "operations.attestations": ("Attestation", "Attestations"),
    "operations.attach": ("AttachedArtifact",),
    "operations.blobs": ("DeletedBlob", "GotBlob", "PutBlob"),
    "operations.cache": ("CacheState", "CachedBlob", "PrunedCache"),
    "operations.discover": ("Discovered", "FoundReferrer"),
    "operations.manifests": ("PutManifest",),
    "operations.copy": ("Copied",),
    "operations.copy_tags": ("CopiedTag", "CopiedTags", "TagState"),
    "operations.delete": ("Deleted",),
    "operations.documents": ("document", "failure"),
    "operations.fetch_module": ("Pull",),
    "operations.inspect": ("Inspected", "InspectedFile"),
    "operations.keys": ("KeyFiles", "KeyInfo"),
    "operations.login": ("UsedCredential", "KnownCredential", "LoggedIn", "LoggedOut"),
    "operations.repositories": ("Repositories",),
    "operations.module_info": ("ModuleInfo",),
    "operations.policy": ("ExplainedDecision", "ExplainedRequirement", "Explanation", "FoundSignature"),
    "operations.print_module": ("Printed",),
    "operations.pull": ("Pulled",),
    "operations.push": ("AttachedSignature", "Pushed"),
    "operations.resolve": ("Resolved",),
    "operations.run": ("Ran", "TrapInfo"),
    "operations.sbom": ("Document",),
    "operations.serve": ("Served",),
    "operations.serve_http": ("ServedHttp",),
    "operations.signature_state": ("SignatureState", "SignatureSummary", "SignedItem"),
    "operations.sign": ("Signed",),
    "operations.sign_file": ("SignedFile", "VerifiedFile"),
    "operations.subject": ("find_subject",),
    "operations.tag": ("Tagged",),
    "operations.tags": ("TagOrder", "Tags"),
    "operations.tree": ("Tree", "TreePart"),
    "operations.trust": ("SignatureFormat", "TrustOptions"),
    "operations.validate": ("Validated",),
    "operations.verify": ("Verified",),
    "operations.wit": ("Wit",),
    "packager.annotations": ("parse_annotation", "parse_annotations"),
    "packager.profiles": ("PROFILES",),
    "registry.options": ("ConnectOptions", "RetryPolicy", "parse_header"),
    "runtime.request": ("Ending", "EngineChoice", "FunctionTime"),
    "signing.candidate": ("RefusedSignature",),
    "signing.statement": ("COSIGN_SIGNATURE",),
    "wasi.context": ("Preopen",),
    "wasi.network": ("NetworkRule",),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            from importlib import import_module

            value = globals()[name] = getattr(import_module(f"wasm2oci.{home}"), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class Client(PartMethods):
    """Pushes, pulls, copies, inspects, verifies and runs WebAssembly modules in registries, layouts and files.

    A reference is text: `HOST/NAME:TAG`, `HOST/NAME@DIGEST` or `oci-layout:DIR:TAG`. A file is a `Path`, where either
    may be given. Nothing is printed, and no error names an option of the command line: its `remedy` is what to do, as
    data.

    Connections and tokens are kept until `close`, which the end of a `with` block calls. All methods but `close` may be
    called from several threads at once.

    Args:
        options: how registries are reached, and with which credentials; by default those of docker's configuration.
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
        from wasm2oci.base.homes import home_folder
        from wasm2oci.operations.environment import Connections, Environment
        from wasm2oci.registry.options import ConnectOptions

        options = options or ConnectOptions()
        options.check()
        environ = os.environ if environ is None else environ
        self._connections = Connections()
        self.environment: Environment = Environment(
            variables=environ,
            home=home or home_folder(environ),
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
        """Close every connection. The client can still be used, and connects again."""
        self._connections.close()

    # --- registries --------------------------------------------------------------------------
    def login(self, registry: str) -> LoggedIn:
        """Check the credentials in this client's options with a registry, and keep them where docker keeps its own.

        For `HOST/PATH` they are kept for the repositories below that path, where podman and skopeo keep them.

        Raises:
            AccessError: the registry refuses them; nothing was kept.
            UsageError: there are none in the options.
            Wasm2OciError: the registry cannot be asked, or they cannot be kept.
        """
        from wasm2oci.operations.login import login

        return login(registry, self.environment)

    def logout(self, registry: str) -> LoggedOut:
        """Forget the credentials of a registry; for `HOST/PATH` those of that path alone.

        Raises:
            NotLoggedInError: there were none.
            LocalIOError: a file or a credential helper failed, and may still keep them.
        """
        from wasm2oci.operations.login import logout

        return logout(registry, self.environment)

    def whoami(self, registry: str) -> UsedCredential:
        """Which credential is used at a registry, where it comes from, and whether the registry takes it.

        Raises:
            BlockedRegistryError: a `registries.conf` blocks it.
            Wasm2OciError: the registry cannot be asked.
        """
        from wasm2oci.operations.login import whoami

        return whoami(registry, self.environment)

    def known_credentials(self) -> tuple[KnownCredential, ...]:
        """The registries that credential files have an entry or a helper for; nothing is sent, no helper is asked."""
        from wasm2oci.operations.login import known_credentials

        return known_credentials(self.environment)

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


def _ignore(text: str) -> None:
    del text
