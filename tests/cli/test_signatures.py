"""Signing and verifying as a user does it: commands, against a registry on a socket."""

from __future__ import annotations

import json
import shutil
import threading
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.cli.support import invoke
from tests.cli.transcripts import HELLO
from tests.support.registry_server import registry_server
from tests.support.signing_tool import make_keys, make_tool
from tests.support.wasm_sections import custom, dependencies, module
from wasm2oci.errors import ExitCode
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.digest import Digest
from wasm2oci.server.messages import BytesBody, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.signing_tool import Tool
    from wasm2oci.server.messages import Request

    Handle = Callable[[Request], Response]

EVIL = HELLO + custom("evil", b"x")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def tool(tmp_path: Path, keys: Path) -> Iterator[Tool]:
    with registry_server() as registry:
        yield make_tool(tmp_path, keys, registry)


SIGNED = ("--sign", "--key", "ours.key")
OURS = '[[rule.all_of]]\nkind = "key"\npath = "ours.pub"\n'


def test_key_files_are_private_and_are_not_written_over(tool: Tool) -> None:
    assert (tool.folder / "ours.key").stat().st_mode & 0o777 == 0o644  # a copy of this test's
    tool("key", "generate")
    assert (tool.folder / "cosign.key").stat().st_mode & 0o777 == 0o600
    assert "already exists" in tool("key", "generate", code=ExitCode.LOCAL_IO).stderr
    before = (tool.folder / "cosign.pub").read_bytes()
    assert tool("key", "public", "cosign.key").stdout.encode() == before
    assert tool("key", "public", "env://KEY", env={"KEY": before.decode()}).stdout.encode() == before
    assert (
        "does not open"
        in tool("key", "public", "cosign.key", code=ExitCode.INVALID, env={"COSIGN_PASSWORD": "no"}).stderr
    )
    tool("key", "generate", "--force")
    for folder in (".", "/", ".."):
        assert f"{folder} is a folder" in tool("key", "generate", "-o", folder, code=ExitCode.USAGE).stderr
    assert (tool.folder / "cosign.pub").read_bytes() != before


def test_a_new_key_takes_its_password_from_standard_input(tool: Tool) -> None:
    assert invoke("key", "generate", "-o", "piped", stdin=b"secret\n", cwd=tool.folder).code == 0
    ran = invoke("key", "public", "piped.key", env={"COSIGN_PASSWORD": "secret"}, cwd=tool.folder)
    assert ran.stdout.encode() == (tool.folder / "piped.pub").read_bytes()
    empty = invoke("key", "generate", "-o", "open", cwd=tool.folder)
    assert empty.code == 0
    assert "empty password" in empty.stderr


def test_the_password_may_come_on_standard_input(tool: Tool) -> None:
    ran = invoke("key", "public", "ours.key", stdin=b"pw\n", cwd=tool.folder)
    assert ran.stdout.encode() == (tool.folder / "ours.pub").read_bytes()


@pytest.mark.parametrize("form", ["both", "bundle", "legacy"])
def test_what_is_signed_verifies_and_what_is_not_does_not(tool: Tool, form: str) -> None:
    digest = tool.push()
    assert "is not signed" in tool("verify", tool.ref, "--key", "ours.pub", code=ExitCode.INTEGRITY).stderr
    signed = json.loads(
        tool("sign", tool.ref, "--key", "ours.key", "--signature-format", form, "--format", "json").stdout
    )
    assert signed["manifest"]["digest"] == digest
    assert (signed["referrer"] is not None) == (form != "legacy")
    assert signed["tag"] == (None if form == "bundle" else f"{digest.replace(':', '-')}.sig")
    assert "Signed by: key" in tool("verify", tool.ref, "--key", "ours.pub").stdout
    refused = tool("verify", tool.ref, "--key", "theirs.pub", code=ExitCode.INTEGRITY)
    assert "not signed by the key" in refused.stderr
    assert tool("tags", f"{tool.registry.address}/team/app").stdout == "v1\n"


@pytest.mark.parametrize("command", [("pull", "-o", "out.wasm"), ("run", "--invoke", "run"), ("copy",)])
def test_pull_run_and_copy_want_the_signature_that_is_asked_for(tool: Tool, command: tuple[str, ...]) -> None:
    tool.push(HELLO, "", *SIGNED)
    to = ("oci-layout:copied:v1",) if command[0] == "copy" else ()
    name, *options = command
    refused = tool(name, *options, "--verify-key", "theirs.pub", tool.ref, *to, code=ExitCode.INTEGRITY)
    assert "not signed by the key" in refused.stderr
    assert not (tool.folder / "out.wasm").exists()
    assert not (tool.folder / "copied").exists()
    tool(name, *options, "--verify-key", "ours.pub", tool.ref, *to)


def test_an_unsigned_artifact_is_used_as_before_where_nothing_is_asked(tool: Tool) -> None:
    tool.push()
    tool("pull", tool.ref, "-o", "out.wasm")
    assert (tool.folder / "out.wasm").read_bytes() == HELLO


@pytest.mark.parametrize("lie", ["tags", "everything"])
def test_a_tag_that_moves_after_any_request_never_brings_other_bytes(tmp_path: Path, keys: Path, lie: str) -> None:
    """From one request on, the registry answers for the tag (or for any manifest) with another artifact."""
    evil: dict[str, Any] = {}
    count, at = [0], [0]
    guard = threading.Lock()

    def wrap(handle: Handle) -> Handle:
        def answered(request: Request) -> Response:
            if not evil or "/manifests/" not in request.target:
                return handle(request)
            with guard:
                count[0] += 1
                moved = count[0] >= at[0]
            about_tag = request.target.endswith("/manifests/v1")
            if not moved or (lie == "tags" and not about_tag) or ".sig" in request.target:
                return handle(request)
            headers = (
                ("Content-Type", mt.OCI_MANIFEST),
                ("Docker-Content-Digest", str(Digest.of(evil["raw"]))),
                ("Content-Length", str(len(evil["raw"]))),
            )
            return Response(200, headers, BytesBody(b"" if request.method == "HEAD" else evil["raw"]))

        return answered

    with registry_server(wrap=wrap) as registry:
        tool = make_tool(tmp_path, keys, registry)
        tool.push(HELLO, "", *SIGNED)
        digest = tool.push(EVIL, f"{registry.address}/team/app:evil")
        raw = tool("inspect", "--raw", f"{registry.address}/team/app@{digest}").stdout_bytes
        evil["raw"] = raw
        commands = (
            ("pull", "-o", "out.wasm", "--no-cache"),
            ("run", "--pull", "always", "--invoke", "run"),
            ("copy", "-r"),
            ("copy", "--tags", "v1"),
        )
        for number, (name, *options) in product(range(1, 13), commands):
            count[0], at[0] = 0, number
            source = tool.ref.removesuffix(":v1") if "--tags" in options else tool.ref
            place = f"oci-layout:to{number}"
            to = (place,) if name == "copy" else ()
            ran = invoke(
                *(name, *options, "--verify-key", "ours.pub", source, *to),
                env={"HOME": str(tmp_path / "home")},
                cwd=tmp_path,
            )
            assert ran.code in {0, ExitCode.INTEGRITY, ExitCode.REGISTRY, ExitCode.NOT_FOUND}, ran.stderr
            if name == "copy" and ran.code == 0:
                tool("pull", f"{place}:v1", "-o", "out.wasm")
            out = tmp_path / "out.wasm"
            if out.exists():
                assert out.read_bytes() == HELLO
                out.unlink()
            shutil.rmtree(tmp_path / f"to{number}", ignore_errors=True)
        # The tag moves before it is asked for: then the other artifact is refused, because it is not signed.
        count[0] = 100
        assert tool("pull", tool.ref, "--verify-key", "ours.pub", code=ExitCode.INTEGRITY).stderr


def test_a_signature_is_there_before_its_tag(tmp_path: Path, keys: Path) -> None:
    order: list[str] = []

    def wrap(handle: Handle) -> Handle:
        def noted(request: Request) -> Response:
            if request.method == "PUT" and "/manifests/" in request.target:
                order.append(request.target.rpartition("/")[2])
            return handle(request)

        return noted

    with registry_server(wrap=wrap) as registry:
        digest = make_tool(tmp_path, keys, registry).push(HELLO, "", *SIGNED)
    assert order[-1] == "v1"
    assert f"{digest.replace(':', '-')}.sig" in order
    assert len(order) == 3


def test_annotations_have_to_be_the_signers(tool: Tool) -> None:
    tool.push(HELLO, "", *SIGNED, "--signature-annotation", "env=prod", "--annotation", "env=dev")
    tool("verify", tool.ref, "--key", "ours.pub", "-a", "env=prod")
    assert "did not add" in tool("verify", tool.ref, "--key", "ours.pub", "-a", "env=dev", code=6).stderr


def test_signatures_of_two_keys_are_side_by_side(tool: Tool) -> None:
    tool.push(HELLO, "", *SIGNED)
    tool("sign", tool.ref, "--key", "theirs.key")
    for key in ("ours.pub", "theirs.pub"):
        tool("verify", tool.ref, "--key", key)
    tool("sign", tool.ref, "--key", "theirs.key", "--signature-format", "legacy")  # a second time adds nothing
    tag = tool("sign", tool.ref, "--key", "ours.key", "--signature-format", "legacy", "--format", "json")
    name = json.loads(tag.stdout)["tag"]
    raw = json.loads(tool("inspect", "--raw", f"{tool.registry.address}/team/app:{name}").stdout)
    assert len(raw["layers"]) == 2


def test_a_copy_takes_signatures_and_attestations_along_and_keeps_those_that_are_there(tool: Tool) -> None:
    tool.push(HELLO, "", *SIGNED)
    tool("sbom", tool.ref, "--attach", "--key", "ours.key")
    (tool.folder / "p.json").write_text("{}")
    attest = ("attest", tool.ref, "--key", "ours.key", "--type", "openvex", "--predicate", "p.json")
    tool(*attest, "--signature-format", "legacy")
    there = f"{tool.registry.address}/mirror/app:v1"
    tool("copy", tool.ref, there)
    tool("sign", there, "--key", "theirs.key")
    tool("copy", "-r", tool.ref, there)
    tool("copy", "-r", tool.ref, "oci-layout:saved:v1")
    for place in (there, "oci-layout:saved:v1"):
        tool("verify", place, "--key", "ours.pub")
        types = tool("attestations", place, "--key", "ours.pub", "-q").stdout.split()
        assert sorted(types) == ["https://cyclonedx.org/bom", "https://openvex.dev/ns"]
    tool("verify", there, "--key", "theirs.pub")


def test_what_a_policy_requires(tool: Tool) -> None:
    tool.push(HELLO, "", *SIGNED)
    other = f"{tool.registry.address}/team/unsigned:v1"
    tool.push(EVIL, other)
    elsewhere = f"{tool.registry.address}/elsewhere/app:v1"
    tool.push(EVIL, elsewhere)
    tool.policy(tool.rule(OURS))
    tool("pull", tool.ref, "-o", "a.wasm")
    tool("run", "--invoke", "run", tool.ref)
    for name, *more in (["pull", "-o", "b.wasm"], ["run"], ["copy"]):
        to = ("oci-layout:x:v1",) if name == "copy" else ()
        assert "is not signed" in tool(name, *more, other, *to, code=ExitCode.INTEGRITY).stderr
    assert not (tool.folder / "b.wasm").exists()
    tool("pull", elsewhere, "-o", "c.wasm")  # no rule, and the default accepts
    tool.policy('default = "require"\n' + tool.rule(OURS))
    assert "no rule" in tool("pull", elsewhere, "-o", "d.wasm", code=ExitCode.INTEGRITY).stderr
    tool.policy('default = "warn"\n' + tool.rule('enforce = "warn"\n' + OURS))
    assert "warning: " in tool("pull", other, "-o", "e.wasm").stderr
    assert "warning: " in tool("pull", elsewhere, "-o", "f.wasm").stderr


def test_a_policy_applies_to_what_was_fetched_before_it_was_written(tool: Tool) -> None:
    tool.push()
    tool("run", "--invoke", "run", tool.ref)
    tool.policy(tool.rule(OURS))
    assert "is not signed" in tool("run", "--invoke", "run", tool.ref, code=ExitCode.INTEGRITY).stderr
    offline = tool("run", "--pull", "never", "--invoke", "run", tool.ref, code=6)
    assert "must not be asked" in offline.stderr
    tool.policy('default = "require"\n')
    tool("run", "--pull", "never", "--invoke", "run", tool.ref, code=6)


def test_what_a_policy_says_about_modules(tool: Tool) -> None:
    imports = bytes.fromhex("01040160 0000".replace(" ", "")) + b"\x02\x0d\x01\x03env\x05sleep\x00\x00"
    tool.push(module(imports))
    tool.policy(tool.rule('[rule.module]\ndeny_imports = ["env.*"]\n'))
    for name, *more in (["pull", "-o", "b.wasm"], ["run"], ["copy"], ["verify"]):
        to = ("oci-layout:x:v1",) if name == "copy" else ()
        assert "imports env.sleep" in tool(name, *more, tool.ref, *to, code=ExitCode.INTEGRITY).stderr
    assert not (tool.folder / "b.wasm").exists()
    explained = tool("policy", "explain", tool.ref).stdout
    assert 'deny imports "env.*"' in explained
    assert "refused" in explained
    tool.policy(tool.rule('[rule.module]\ndeny_imports = ["env.wake"]\nmax_size = 1000\n'))
    tool("pull", tool.ref, "-o", "b.wasm")


def test_a_policy_about_modules_explains_an_artifact_without_one(tool: Tool) -> None:
    tool.push()
    (tool.folder / "report.txt").write_text("fine")
    attached = tool("attach", "-q", tool.ref, "report.txt").stdout.strip()
    tool.policy(tool.rule("[rule.module]\nmax_size = 1000\n"))
    explained = json.loads(tool("policy", "explain", attached, "--format", "json").stdout)
    (decision,) = explained["decisions"]
    assert decision["refused"] is True
    assert len(decision["missing"]) == 1


def test_the_files_of_user_and_project_both_have_to_be_met(tool: Tool) -> None:
    tool.push(HELLO, "", *SIGNED)
    user = tool.folder / "home" / ".config" / "wasm2oci"
    user.mkdir(parents=True)
    theirs = OURS.replace("ours.pub", str(tool.folder / "theirs.pub"))
    (user / "policy.toml").write_text("version = 1\n" + tool.rule(theirs))
    tool.policy(tool.rule(OURS))
    assert "not signed by the key" in tool("pull", tool.ref, code=6).stderr
    tool("sign", tool.ref, "--key", "theirs.key")
    tool("pull", tool.ref, "-o", "out.wasm")
    below = tool.folder / "deep" / "er"
    below.mkdir(parents=True)
    (tool.folder / "wasm2oci.policy.toml").write_text("version = 1\nno\n")
    ran = invoke("pull", tool.ref, env={"HOME": str(tool.folder / "home")}, cwd=below)
    assert ran.code == ExitCode.INVALID  # the project's file is found from a folder below it
    only = tool.folder / "only.toml"
    only.write_text("version = 1\n" + tool.rule(OURS))
    tool("pull", tool.ref, "-o", "out.wasm", "--policy", "only.toml")
    tool("pull", tool.ref, "-o", "out.wasm", env={"WASM2OCI_POLICY": str(only)})


def test_policy_check_and_explain(tool: Tool) -> None:
    tool.push(HELLO, "", *SIGNED)
    tool.policy(tool.rule(OURS + OURS.replace("ours", "theirs")))
    checked = tool("policy", "check", tool.ref, code=ExitCode.INTEGRITY).stdout
    assert checked.startswith("refused\nnot signed by the key")
    explained = json.loads(tool("policy", "explain", tool.ref, "--format", "json").stdout)
    (decision,) = explained["decisions"]
    assert [len(one["signers"]) for one in decision["requirements"]] == [1, 0]
    assert decision["refused"] is True
    tool("sign", tool.ref, "--key", "theirs.key")
    assert tool("policy", "check", tool.ref).stdout == "allowed\n"


def test_kubewardens_file_becomes_a_policy(tool: Tool) -> None:
    pytest.importorskip("yaml", reason="PyYAML is part of the extra `dev`")
    pem = (tool.folder / "ours.pub").read_text().replace("\n", "\n      ")
    (tool.folder / "verification.yml").write_text(
        f"apiVersion: v1\nallOf:\n  - kind: pubKey\n    annotations: {{env: prod}}\n    key: |\n      {pem}\n"
        "anyOf:\n  minimumMatches: 1\n  signatures:\n    - kind: githubAction\n      owner: acme\n"
        "    - kind: genericIssuer\n      issuer: https://i.test\n      subject: {urlPrefix: 'https://x.test/y'}\n"
        f"    - kind: pubKey\n      key: |\n        {pem.replace('      ', '        ')}\n"
    )
    text = tool("policy", "import", "verification.yml").stdout
    (tool.folder / "imported.toml").write_text(text)
    tool.push(HELLO, "", *SIGNED, "--signature-annotation", "env=prod")
    assert tool("policy", "check", tool.ref, "--policy", "imported.toml").stdout == "allowed\n"
    for bad in ("apiVersion: v2", "apiVersion: v1", "apiVersion: v1\nallOff: []", "[", "apiVersion: v1\nallOf: [{}]"):
        (tool.folder / "bad.yml").write_text(bad)
        tool("policy", "import", "bad.yml", code=ExitCode.INVALID)


def test_an_sbom_of_a_file_and_of_an_artifact_is_the_same_but_for_its_name(tool: Tool) -> None:
    data = module(dependencies({"name": "app", "version": "1.0.0", "source": "CratesIo", "root": True}))
    tool.push(data)
    of_file = json.loads(tool("sbom", "module.wasm").stdout)
    of_artifact = json.loads(tool("sbom", tool.ref).stdout)
    assert of_file["components"] == of_artifact["components"]
    assert of_file["components"][0]["purl"] == "pkg:cargo/app@1.0.0"
    assert json.loads(tool("sbom", "module.wasm", "--sbom-format", "spdx").stdout)["spdxVersion"] == "SPDX-2.3"
    tool("sbom", tool.ref, "--attach", "--key", "ours.key")
    shown = json.loads(tool("attestations", tool.ref, "--key", "ours.pub", "--format", "json").stdout)
    (one,) = shown["attestations"]
    assert one["predicate"] == of_artifact
    assert one["signer"].startswith("key ")
    assert "only an artifact" in tool("sbom", "module.wasm", "--attach", "--key", "ours.key", code=2).stderr


def test_an_sbom_of_a_file_whose_name_is_no_text_has_a_name_that_is(tool: Tool) -> None:
    (tool.folder / "\udcff.wasm").write_bytes(HELLO)
    assert json.loads(tool("sbom", "\udcff.wasm").stdout)["metadata"]["component"]["name"] == "?.wasm"


def test_provenance_is_attached_and_found_by_its_type(tool: Tool) -> None:
    from tests.unit.signing.test_provenance import GITHUB

    tool.push()
    assert "not one of the supported CI systems" in tool("provenance", code=ExitCode.INVALID).stderr
    tool("provenance", tool.ref, "--key", "ours.key", env=GITHUB)
    tool("verify", tool.ref, "--key", "ours.pub", "--type", "slsaprovenance1")
    wrong = tool("verify", tool.ref, "--key", "ours.pub", "--type", "cyclonedx", code=ExitCode.INTEGRITY)
    assert "of another type" in wrong.stderr
    assert "of another type" in tool("verify", tool.ref, "--key", "ours.pub", code=ExitCode.INTEGRITY).stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("push", "module.wasm", "REF", "--sign"),
        ("push", "module.wasm", "REF", "--key", "ours.key"),
        ("verify", "REF", "--certificate-identity", "me@example.com"),
        ("verify", "REF", "--certificate-oidc-issuer", "https://i.test"),
        ("verify", "REF", "--key", "ours.pub", "--certificate-identity", "x", "--certificate-oidc-issuer", "y"),
        ("verify", "REF", "-a", "env=prod"),
        ("pull", "REF", "--certificate-identity-regexp", "(", "--certificate-oidc-issuer", "y"),
        ("run", "--verify-key", "ours.pub", "./module.wasm"),
        ("key", "public"),
        ("key", "generate", "x"),
        ("sbom", "REF", "--attach"),
        ("provenance", "REF"),
        ("attest", "REF", "--key", "ours.key", "--type", "cyclonedx", "--predicate", "ours.pub"),
    ],
)
def test_options_that_make_no_sense_together_are_refused(tool: Tool, arguments: tuple[str, ...]) -> None:
    tool.push()
    words = [tool.ref if word == "REF" else word for word in arguments]
    tool(*words, code=ExitCode.USAGE)


def test_an_option_that_goes_to_the_guest_by_mistake_is_noticed(tool: Tool) -> None:
    tool.push()
    ran = invoke("run", "--invoke", "run", tool.ref, "--verify-key", "ours.pub", cwd=tool.folder)
    assert "goes to the guest" in ran.stderr


def test_what_is_wrong_with_the_words_is_said_before_a_password_is_asked_for(tool: Tool) -> None:
    """No password is given here: with an empty one the error would be about the key."""
    empty = {"COSIGN_PASSWORD": ""}
    tool.push()
    untagged = tool.ref.removesuffix(":v1")
    for words, code, sentence in (
        (("sign", "x/y"), ExitCode.INVALID, "is not a registry host"),
        (("sign", untagged), ExitCode.USAGE, "names neither a tag nor a digest"),
        (("attest", untagged, "--predicate", "ours.pub"), ExitCode.USAGE, "names neither a tag nor a digest"),
        (("attest", tool.ref, "--type", "spdx", "--predicate", "ours.pub"), ExitCode.USAGE, "is not JSON"),
        (("attest", tool.ref, "--predicate", "none.json"), ExitCode.NOT_FOUND, "none.json"),
    ):
        assert sentence in tool(*words, "--key", "ours.key", code=code, env=empty).stderr
    assert (
        "ours.key: the password does not open" in tool("sign", tool.ref, "--key", "ours.key", code=3, env=empty).stderr
    )


def test_a_key_that_cannot_sign_says_what_can(tool: Tool) -> None:
    tool.push()
    for key, code, sentence in (
        ("ours.pub", ExitCode.INVALID, "ours.pub: this is a public key; a private key is needed to sign"),
        ("none.key", ExitCode.NOT_FOUND, "`wasm2oci key generate` makes cosign.key"),
        ("env://NONE", ExitCode.NOT_FOUND, "it has to hold the text of a key file"),
        ("module.wasm", ExitCode.INVALID, "module.wasm: private key cannot be read"),
    ):
        assert sentence in tool("sign", tool.ref, "--key", key, code=code).stderr
    verified = tool("verify", tool.ref, "--key", "ours.key", code=ExitCode.INVALID)
    assert "ours.key: this is a private key; a public key is needed" in verified.stderr


def test_a_key_that_is_imported_gets_a_password_of_its_own(tool: Tool) -> None:
    plain = ec.generate_private_key(ec.SECP256R1())
    how = serialization.BestAvailableEncryption(b"old")
    pem = plain.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)
    (tool.folder / "theirs.pem").write_bytes(pem)
    words = ("key", "import", "theirs.pem", "-o", "mine")
    ran = invoke(*words, stdin=b"old\n", cwd=tool.folder)
    assert ran.code == ExitCode.USAGE
    assert "set COSIGN_PASSWORD to the new one" in ran.stderr
    ran = invoke(*words, stdin=b"old\n", env={"COSIGN_PASSWORD": "new"}, cwd=tool.folder)
    assert ran.code == 0, ran.stderr
    shown = tool("key", "public", "mine.key", env={"COSIGN_PASSWORD": "new"}).stdout_bytes
    assert shown == (tool.folder / "mine.pub").read_bytes()


def test_a_check_without_a_policy_says_so(tool: Tool) -> None:
    tool.push()
    checked = tool("policy", "check", tool.ref)
    assert checked.stdout == "allowed\n"
    assert "no policy file applies" in checked.stderr
