"""cosign itself, versions 3 and 2, in both directions: what we sign it verifies, what it signs we verify.

`WASM2OCI_COSIGN3` and `WASM2OCI_COSIGN2` name the programs. They are made by
`go install github.com/sigstore/cosign/v3/cmd/cosign@v3.1.2` and `.../cosign/v2/cmd/cosign@v2.6.4`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from tests.cli.support import invoke
from tests.cli.transcripts import HELLO
from tests.support import docker_registry as docker
from tests.support.registry_server import registry_server
from tests.support.sigstore_instance import Instance

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.cosign, pytest.mark.slow]


def program(major: int) -> str | None:
    """The cosign of this major version, if there is one."""
    named = os.environ.get(f"WASM2OCI_COSIGN{major}")
    if named:
        return named
    found = shutil.which("cosign")
    if found is None:
        return None
    shown = subprocess.run([found, "version"], capture_output=True, text=True, check=False).stderr
    shown += subprocess.run([found, "version"], capture_output=True, text=True, check=False).stdout
    return found if f"v{major}." in shown else None


@dataclass(frozen=True)
class Bench:
    """A cosign, a registry, a folder with keys of both tools, and an artifact."""

    cosign: str
    major: int
    folder: Path
    host: str
    root: Path
    repository: str = "team/app"

    @property
    def ref(self) -> str:
        return f"{self.host}/{self.repository}:v1"

    def ours(self, *arguments: str, code: int = 0) -> str:
        ran = invoke(*arguments, env={"HOME": str(self.folder), "COSIGN_PASSWORD": "ours"}, cwd=self.folder)
        assert ran.code == code, ran.stderr
        return ran.stdout

    def theirs(self, *arguments: str, code: int = 0, password: str = "theirs") -> str:
        ran = subprocess.run(
            [self.cosign, *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(self.folder), "COSIGN_PASSWORD": password},
        )
        assert (ran.returncode == 0) == (code == 0), ran.stderr
        return ran.stdout + ran.stderr

    def verify(self, *arguments: str, code: int = 0) -> str:
        # cosign 2 asks the network for a trusted root, also with a key and without a log.
        offline = ("--trusted-root", str(self.root)) if self.major == 2 else ()
        return self.theirs(*arguments, "--insecure-ignore-tlog=true", *offline, self.ref, code=code)

    def sign(self, *arguments: str, password: str = "theirs") -> None:
        digest = self.ours("resolve", self.ref, "-q").strip()
        pinned = digest if "@" in digest else f"{self.host}/{self.repository}@{digest}"
        config = ("--use-signing-config=false",) if self.major == 3 else ()
        verb, *rest = arguments
        self.theirs(verb, "-y", "--tlog-upload=false", *config, *rest, pinned, password=password)


@pytest.fixture(params=[3, 2], ids=["cosign3", "cosign2"])
def cosign(request: pytest.FixtureRequest) -> tuple[str, int]:
    found = program(request.param)
    if found is None:
        pytest.skip(f"optional: cosign {request.param} is not here; WASM2OCI_COSIGN{request.param} may name it")
    return found, request.param


@pytest.fixture(params=["docker-registry", "serve"])
def bench(request: pytest.FixtureRequest, cosign: tuple[str, int], tmp_path: Path) -> Iterator[Bench]:
    with ExitStack() as stack:
        if request.param == "serve":
            host = stack.enter_context(registry_server()).address
        else:
            reason = docker.missing_reason()
            if reason is not None:
                pytest.skip(reason)
            folder = tmp_path / "registry"
            folder.mkdir()
            host = stack.enter_context(docker.docker_registry(folder)).host
        root = tmp_path / "trusted_root.json"
        root.write_bytes(Instance().trusted_root)
        made = Bench(cosign[0], cosign[1], tmp_path, host, root)
        (tmp_path / "hello.wasm").write_bytes(HELLO)
        (tmp_path / "bom.json").write_text('{"bomFormat":"CycloneDX"}')
        made.ours("key", "generate", "-o", "ours")
        made.theirs("generate-key-pair", "--output-key-prefix", "theirs")
        made.ours("push", "hello.wasm", made.ref)
        yield made


@pytest.mark.parametrize("form", ["bundle", "legacy"])
def test_cosign_verifies_what_we_sign(bench: Bench, form: str) -> None:
    bench.ours("sign", bench.ref, "--key", "ours.key", "-a", "env=prod", "--signature-format", form)
    # Each version finds both formats by itself; cosign 2 ignores annotations in bundles, and cosign 3 does not.
    bench.verify("verify", "--key", "ours.pub")
    bench.verify("verify", "--key", "ours.pub", "-a", "env=prod")
    bench.verify("verify", "--key", "theirs.pub", code=1)


def test_cosign_verifies_what_we_sign_in_both_formats(bench: Bench) -> None:
    bench.ours("push", "hello.wasm", bench.ref, "--sign", "--key", "ours.key")
    bench.verify("verify", "--key", "ours.pub", "--new-bundle-format=true")
    bench.verify("verify", "--key", "ours.pub", "--new-bundle-format=false")


@pytest.mark.parametrize("form", ["bundle", "legacy"])
def test_cosign_verifies_what_we_attest(bench: Bench, form: str) -> None:
    attest = ("attest", bench.ref, "--key", "ours.key", "--type", "cyclonedx", "--predicate", "bom.json")
    bench.ours(*attest, "--signature-format", form)
    new = "true" if form == "bundle" else "false"
    shown = bench.verify("verify-attestation", "--key", "ours.pub", "--type", "cyclonedx", f"--new-bundle-format={new}")
    assert "payload" in shown
    bench.verify("verify-attestation", "--key", "theirs.pub", "--type", "cyclonedx", code=1)


@pytest.mark.parametrize("new", ["true", "false"])
def test_we_verify_what_cosign_signs_and_attests(bench: Bench, new: str) -> None:
    form = f"--new-bundle-format={new}"
    bench.sign("sign", "--key", "theirs.key", "-a", "env=prod", form)
    # cosign 2 leaves annotations out of its bundles.
    annotations = () if bench.major == 2 and new == "true" else ("-a", "env=prod")
    bench.ours("verify", bench.ref, "--key", "theirs.pub", *annotations)
    bench.ours("pull", bench.ref, "-o", "out.wasm", "--verify-key", "theirs.pub")
    bench.ours("verify", bench.ref, "--key", "theirs.pub", "-a", "env=no", code=6)
    bench.ours("verify", bench.ref, "--key", "ours.pub", code=6)
    bench.ours("verify", bench.ref, "--key", "theirs.pub", "--type", "cyclonedx", code=6)
    bench.sign("attest", "--key", "theirs.key", "--type", "cyclonedx", "--predicate", "bom.json", form)
    bench.ours("verify", bench.ref, "--key", "theirs.pub", "--type", "cyclonedx")
    shown = json.loads(bench.ours("attestations", bench.ref, "--key", "theirs.pub", "--format", "json"))
    assert [one["predicate"]["bomFormat"] for one in shown["attestations"]] == ["CycloneDX"]


@pytest.mark.parametrize("new", ["true", "false"])
def test_signatures_of_both_tools_hold_side_by_side(bench: Bench, new: str) -> None:
    # A bundle hides legacy signatures from cosign, so for those there must be none.
    form = ("--signature-format", "both" if new == "true" else "legacy")
    bench.ours("sign", bench.ref, "--key", "ours.key", *form)
    bench.sign("sign", "--key", "theirs.key", f"--new-bundle-format={new}")
    bench.ours("sign", bench.ref, "--key", "ours.key", "-a", "again=1", *form)
    for key in ("ours.pub", "theirs.pub"):
        bench.ours("verify", bench.ref, "--key", key)
        bench.verify("verify", "--key", key, f"--new-bundle-format={new}")


def test_keys_pass_both_ways(bench: Bench) -> None:
    bench.sign("sign", "--key", "ours.key", password="ours")
    bench.ours("verify", bench.ref, "--key", "ours.pub")
    assert bench.theirs("public-key", "--key", "ours.key", password="ours").strip() == (
        (bench.folder / "ours.pub").read_text().strip()
    )
    ran = invoke("key", "public", "theirs.key", env={"COSIGN_PASSWORD": "theirs"}, cwd=bench.folder)
    assert ran.stdout == (bench.folder / "theirs.pub").read_text()
    ran = invoke("sign", bench.ref, "--key", "theirs.key", env={"COSIGN_PASSWORD": "theirs"}, cwd=bench.folder)
    assert ran.code == 0, ran.stderr
    bench.verify("verify", "--key", "theirs.pub")


KINDS = {
    "RSA": ("RSA", "-pkeyopt", "rsa_keygen_bits:3072"),
    "Ed25519": ("ED25519",),
    "P-384": ("EC", "-pkeyopt", "ec_paramgen_curve:P-384"),
    "P-521": ("EC", "-pkeyopt", "ec_paramgen_curve:P-521"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_imported_keys_of_other_kinds_pass_both_ways(bench: Bench, kind: str) -> None:
    made = ["openssl", "genpkey", "-algorithm", *KINDS[kind], "-out", "plain.pem"]
    subprocess.run(made, cwd=bench.folder, check=True, capture_output=True)
    bench.ours("key", "import", "plain.pem", "-o", "imported")
    bench.ours("sign", bench.ref, "--key", "imported.key")
    bench.verify("verify", "--key", "imported.pub")
    other = replace(bench, repository="team/other")
    other.ours("push", "hello.wasm", other.ref)
    other.sign("sign", "--key", "imported.key", password="ours")
    other.ours("verify", other.ref, "--key", "imported.pub")


def test_a_copy_keeps_what_cosign_signed(bench: Bench) -> None:
    bench.sign("sign", "--key", "theirs.key")
    bench.ours("copy", "-r", bench.ref, f"{bench.host}/mirror/app:v1")
    bench.ours("verify", f"{bench.host}/mirror/app:v1", "--key", "theirs.pub")
    replace(bench, repository="mirror/app").verify("verify", "--key", "theirs.pub")


def test_signatures_of_files_hold_both_ways(cosign: tuple[str, int], tmp_path: Path) -> None:
    root = tmp_path / "trusted_root.json"
    root.write_bytes(Instance().trusted_root)
    bench = Bench(*cosign, tmp_path, "", root)
    (tmp_path / "hello.wasm").write_bytes(HELLO)
    bench.ours("key", "generate", "-o", "ours")
    bench.theirs("generate-key-pair", "--output-key-prefix", "theirs")
    bench.ours("sign-file", "hello.wasm", "--key", "ours.key")
    offline = ("--trusted-root", str(root)) if bench.major == 2 else ()
    check = ("verify-blob", "--insecure-ignore-tlog=true", "--new-bundle-format", *offline, "hello.wasm", "--bundle")
    bench.theirs(*check, "hello.wasm.sigstore.json", "--key", "ours.pub")
    bench.theirs(*check, "hello.wasm.sigstore.json", "--key", "theirs.pub", code=1)
    config = ("--use-signing-config=false",) if bench.major == 3 else ()
    sign = ("sign-blob", "-y", "--tlog-upload=false", "--new-bundle-format", *config, "hello.wasm")
    bench.theirs(*sign, "--key", "theirs.key", "--bundle", "theirs.json")
    bench.ours("verify-file", "hello.wasm", "--bundle", "theirs.json", "--key", "theirs.pub")
    bench.ours("verify-file", "hello.wasm", "--bundle", "theirs.json", "--key", "ours.pub", code=6)


def test_cosign_verifies_what_we_sign_without_a_key(bench: Bench) -> None:
    """Fulcio and Rekor are the tests' own; what cosign reads is what the library `sigstore` made of their answers."""
    from tests.support.sigstore_instance import GITHUB_ISSUER
    from tests.support.sigstore_services import WORKFLOW, sigstore_services

    with sigstore_services() as services:
        bench.root.write_bytes(services.instance.trusted_root)
        (bench.folder / "trust.json").write_bytes(services.trust_config)
        env = {"HOME": str(bench.folder), "SIGSTORE_ID_TOKEN": services.token()}
        arguments = ("sign", bench.ref, "--keyless", "--trust-config", "trust.json")
        assert invoke(*arguments, env=env, cwd=bench.folder).code == 0
    who = ("--certificate-oidc-issuer", GITHUB_ISSUER, "--trusted-root", str(bench.root), "--new-bundle-format")
    identity = f"https://github.com/{WORKFLOW}"
    bench.theirs("verify", "--certificate-identity", identity, *who, bench.ref)
    bench.theirs("verify", "--certificate-identity", f"{identity}x", *who, bench.ref, code=1)
