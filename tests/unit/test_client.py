"""The front door of the library: a whole life of a module, from several threads, and what is public."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

import wasm2oci
from tests.cli.transcripts import HELLO
from tests.support.data import ROOT
from tests.support.registry_server import registry_server
from wasm2oci import Client, ConnectOptions, Descriptor, Digest, client
from wasm2oci.errors import AccessError, NotFoundError, RemedyKind, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PUBLIC = {
    "wasm2oci": {"Client", "ConnectOptions", "Descriptor", "Digest", "Preopen", "Wasm2OciError", "__version__"},
    "wasm2oci.client": {
        *("Client", "ConnectOptions", "PROFILES", "Preopen", "Progress", "Outcome", "SILENT"),
        *("Pull", "EngineChoice", "Ending", "Reference", "LayoutReference", "Digest", "Descriptor"),
        *("Pushed", "Pulled", "Copied", "Verified", "Validated", "Inspected", "InspectedFile", "Resolved", "Tags"),
        *("Printed", "Assembled", "Wit"),
        *("Tree", "TreePart", "SignatureState", "SignatureSummary", "SignedItem"),
        *("Tagged", "Deleted", "LoggedIn", "LoggedOut", "Ran", "TrapInfo", "FunctionTime", "Served", "ServedHttp"),
        *("ModuleInfo", "ModuleFacts", "Extern", "Member", "CoreModule", "document", "failure", "find_subject"),
        *("AttachedSignature", "RefusedSignature", "SignatureFormat", "TrustOptions"),
        *("parse_annotation", "parse_annotations"),
        *("Attestation", "Attestations", "COSIGN_SIGNATURE", "Document", "ExplainedDecision", "ExplainedRequirement"),
        *("Explanation", "FoundSignature", "KeyFiles", "KeyInfo", "Signed", "SignedFile", "VerifiedFile"),
        *("RetryPolicy", "parse_header", "MANIFEST_MAX", "MODULE_MAX", "NetworkRule"),
        *("CopiedTag", "CopiedTags", "TagState"),
        *("AttachedArtifact", "Discovered", "FoundReferrer", "GotBlob", "PutBlob", "DeletedBlob", "PutManifest"),
        *("CacheState", "CachedBlob", "PrunedCache"),
        *("KnownCredential", "UsedCredential", "Repositories", "TagOrder"),
    },
    "Client": {
        *(
            "sign",
            "sign_keyless",
            "attest",
            "attestations",
            "sbom",
            "provenance",
            "explain_policy",
            "import_policy",
            "generate_key",
            "sign_file",
            "verify_file",
        ),
        *("import_key", "public_key"),
        *("push", "pull", "verify", "inspect", "inspect_file", "manifest", "validate", "run", "resolve", "tags"),
        *("print", "assemble", "assemble_file", "wit"),
        *("tree", "tag", "copy", "copy_tags", "delete", "login", "logout", "serve", "serve_http", "close"),
        *("complete", "complete_host"),
        *("repositories", "whoami", "known_credentials", "attach", "discover", "get_blob", "put_blob", "delete_blob"),
        *("put_manifest", "config", "cache_state", "cached_blobs", "prune_cache"),
    },
}
"""What is public. A name that goes or changes its meaning breaks those who use it: write that into the changelog."""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Client]:
    (tmp_path / "hello.wasm").write_bytes(HELLO)
    with Client(environ={"HOME": str(tmp_path / "home")}) as made:
        yield made


def test_the_public_names_are_these() -> None:
    assert set(wasm2oci.__all__) == PUBLIC["wasm2oci"]
    assert set(client.__all__) == PUBLIC["wasm2oci.client"]
    assert {name for name in dir(Client) if not name.startswith("_")} == PUBLIC["Client"]
    assert all(getattr(wasm2oci, name) is not None for name in wasm2oci.__all__)
    assert all(getattr(client, name) is not None for name in client.__all__)
    with pytest.raises(AttributeError):
        _ = wasm2oci.nothing
    with pytest.raises(AttributeError):
        _ = client.nothing


def test_every_public_name_is_described() -> None:
    page = (ROOT / "docs" / "api.md").read_text()
    words = set(re.findall(r"\w+", page))
    assert not (PUBLIC["wasm2oci"] | PUBLIC["wasm2oci.client"] | PUBLIC["Client"]) - words


def test_a_module_goes_out_and_comes_back(here: Client, tmp_path: Path) -> None:
    with here.serve() as served:
        name = f"{served.address}/hello"
        pushed = here.push(tmp_path / "hello.wasm", f"{name}:v1,latest", annotations={"a": "b"})
        assert (pushed.reference, pushed.tags) == (f"{name}:v1", ("v1", "latest"))
        assert pushed.module.digest == Digest.of(HELLO)
        assert here.resolve(pushed.pinned).manifest == here.resolve(f"{name}:latest").manifest

        stream = io.BytesIO()
        assert here.pull(pushed.pinned, stream).file is None
        assert stream.getvalue() == HELLO
        assert here.pull(f"{name}:v1", tmp_path / "copy.wasm").file == tmp_path / "copy.wasm"
        assert here.verify(f"{name}:v1", tmp_path / "copy.wasm").verified

        seen = here.inspect(f"{name}:v1")
        assert (seen.format, dict(seen.annotations)) == ("cncf", {"a": "b"})
        assert seen.module is not None
        assert seen.module.facts == here.inspect_file(HELLO).module.facts
        assert isinstance(seen.manifest, Descriptor)
        assert Digest.of(here.manifest(f"{name}:v1")) == pushed.manifest.digest
        assert here.validate(f"{name}:v1").valid
        assert here.validate(HELLO, features="wasm1").module.digest == Digest.of(HELLO)

        layout = f"oci-layout:{tmp_path / 'layout'}"
        assert here.copy(f"{name}:v1", layout).reference == f"{layout}:v1"
        assert here.tag(f"{name}:v1", "v2", "v3").tags == ("v2", "v3")
        assert here.tags(name).tags == ("latest", "v1", "v2", "v3")
        ran = here.run(f"{name}:v1", invoke="run", engine="embedded")
        assert (ran.results, ran.exit_code, ran.ending.value) == (("42",), 0, "exited")
        assert here.delete(f"{name}:v3", tag_only=True).tag == "v3"
        here.delete(f"{name}:v1")
        with pytest.raises(NotFoundError):
            here.resolve(f"{name}:v2")


def test_a_guest_gets_text_and_gives_bytes(here: Client) -> None:
    out: list[bytes] = []
    ran = here.run(ROOT / "fixtures" / "wasm" / "hello-c.wasm", ["wörld"], stdout=out.append, engine="embedded")
    assert ran.exit_code == 0
    assert b"".join(out).decode() == "hello wörld from C\n"


def test_one_client_serves_many_threads_over_shared_connections(here: Client, tmp_path: Path) -> None:
    modules = [HELLO + b"\0\x03\x01x" + bytes([number]) for number in range(24)]
    with registry_server() as registry:

        def round_trip(number: int) -> bytes:
            name = f"{registry.address}/module-{number % 3}:v{number}"
            back = io.BytesIO()
            here.push(modules[number], name)
            here.pull(name, back, cached=False)
            return back.getvalue()

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(round_trip, range(24))) == modules


def test_connections_are_kept_until_the_client_is_closed(here: Client) -> None:
    with registry_server() as registry:
        name = f"{registry.address}/hello:v1"
        here.push(HELLO, name)
        before = set(registry.peers)
        for _ in range(3):
            here.resolve(name)
        assert set(registry.peers) == before
        here.close()
        here.resolve(name)
        assert set(registry.peers) > before


def test_an_error_carries_its_remedy_as_data(here: Client, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a module")
    with pytest.raises(UsageError) as missing:
        Client(ConnectOptions(username="me"))
    assert missing.value.remedy == (RemedyKind.GIVE_PASSWORD, "")
    with pytest.raises(wasm2oci.Wasm2OciError) as refused:
        here.push(tmp_path / "text", f"oci-layout:{tmp_path / 'out'}:v1")
    assert refused.value.remedy == (RemedyKind.FORCE_PUSH, "")
    with here.serve(user="me", password="secret") as served:
        with pytest.raises(AccessError) as unknown:
            here.tags(f"{served.address}/hello")
        assert unknown.value.remedy == (RemedyKind.LOG_IN, served.address)
        with Client(ConnectOptions(username="me", password="secret"), environ={"HOME": str(tmp_path)}) as me:
            me.push(HELLO, f"{served.address}/hello:v1")
            assert me.login(served.address).registry == served.address
            assert me.tags(f"{served.address}/hello").tags == ("v1",)
            assert me.logout(served.address).removed


def test_the_password_is_in_no_representation() -> None:
    assert "secret" not in repr(ConnectOptions(username="me", password="secret"))


def test_importing_the_package_imports_next_to_nothing() -> None:
    code = (
        "import sys; before = set(sys.modules)\n"
        "import wasm2oci\n"
        "new = set(sys.modules) - before\n"
        "assert new == {'wasm2oci', 'wasm2oci.version'}, new\n"
        "from wasm2oci import Client\n"
        "assert not {'httpx', 'typer', 'rich', 'wasmtime', 'wasm2oci.engine', 'wasm2oci.cli'} & set(sys.modules)\n"
        "Client(environ={'HOME': '/nonexistent'})\n"
        "assert not {'httpx', 'ssl', 'wasm2oci.registry.connect'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_a_module_is_printed_and_assembled(here: Client, tmp_path: Path) -> None:
    path = tmp_path / "hello.wasm"
    printed = here.print(path)
    assert printed.text is not None
    assert here.assemble(printed.text.encode()) == path.read_bytes()
    written = here.print(path, tmp_path / "hello.wat", folded=True)
    assert (written.file, written.text) == (tmp_path / "hello.wat", None)
    assembled = here.assemble_file(tmp_path / "hello.wat", tmp_path / "again.wasm")
    assert (tmp_path / "again.wasm").read_bytes() == path.read_bytes()
    assert (assembled.module, assembled.size) == (printed.module, len(path.read_bytes()))


def test_a_binary_is_not_assembled(here: Client, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^hello.wasm is in the binary format already"):
        here.assemble_file(tmp_path / "hello.wasm", tmp_path / "again.wasm")


def test_what_is_pushed_as_text_is_pulled_as_a_binary(here: Client, tmp_path: Path) -> None:
    (tmp_path / "f.wat").write_text('(module (func (export "f")))')
    here.push(tmp_path / "f.wat", f"oci-layout:{tmp_path / 'layout'}:v1")
    pulled = here.pull(f"oci-layout:{tmp_path / 'layout'}:v1", tmp_path)
    assert pulled.file == tmp_path / "f.wasm"
    assert (tmp_path / "f.wasm").read_bytes() == here.assemble(tmp_path / "f.wat")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda here: here.push(HELLO, 5), "a reference is a str, not int: 5"),
        (lambda here: here.resolve(None), "a reference is a str, not NoneType: None"),
        (lambda here: here.run(bytearray(b"x")), "a reference is a str, not bytearray: bytearray(b'x')"),
        (lambda here: here.validate(5), "a reference is a str, not int: 5"),
        (lambda here: here.run(HELLO, "abc"), "args is a sequence of str, not a str: 'abc'"),
        (lambda here: here.run(HELLO, [b"x"]), "an argument or a variable is a str, not bytes: b'x'"),
        (lambda here: here.run(HELLO, environment={"A": 1}), "an argument or a variable is a str, not int: 1"),
        (lambda here: here.run(HELLO, timeout="3s"), "timeout_s is a number, not str: '3s'"),
        (lambda here: here.run(HELLO, max_memory=1e9), "max_memory is an int, not float: 1000000000.0"),
        (lambda here: here.run(HELLO, max_stack=1e6), "max_stack is an int, not float: 1000000.0"),
        (lambda here: here.run(HELLO, fuel="many"), "fuel is an int, not str: 'many'"),
    ],
)
def test_a_value_of_another_type_is_refused_where_it_comes_in(
    here: Client, call: Callable[[Any], object], message: str
) -> None:
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        call(here)


@pytest.mark.parametrize("limit", ["timeout", "fuel", "max_memory", "max_stack"])
def test_a_limit_that_is_none_is_refused(here: Client, limit: str) -> None:
    options: dict[str, Any] = {limit: 0}
    with pytest.raises(ValueError, match="is more than 0, not 0"):
        here.run(HELLO, **options)


@pytest.mark.parametrize(
    ("limit", "value"),
    [("timeout", 1e12), ("timeout", float("inf")), ("max_memory", 1 << 64), ("max_stack", 1 << 40)],
)
def test_a_limit_that_the_host_cannot_hold_is_refused(here: Client, limit: str, value: float) -> None:
    options: dict[str, Any] = {limit: value}
    with pytest.raises(ValueError, match=f"^{limit}(_s)? is at most "):
        here.run(HELLO, **options)


def test_a_client_that_was_closed_connects_again(here: Client) -> None:
    here.close()
    with here.serve() as served:
        here.push(HELLO, f"{served.address}/a:v1")
        here.close()
        assert here.tags(f"{served.address}/a").tags == ("v1",)
