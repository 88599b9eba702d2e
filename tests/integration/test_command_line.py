"""The command line against the registry that nobody here wrote, in each way it can be set up."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.support import Ran, invoke
from tests.cli.transcripts import HELLO
from tests.support.certificates import make_authority
from tests.support.docker_registry import PASSWORD, USERNAME, DockerRegistry, docker_registry, missing_reason
from tests.support.token_server import TokenServer, token_server
from wasm2oci.oci.digest import Digest

pytestmark = pytest.mark.registry


@dataclass(frozen=True)
class Place:
    """A running registry, and how the command line reaches it."""

    registry: DockerRegistry
    folder: Path
    options: tuple[str, ...]
    env: dict[str, str]

    @property
    def host(self) -> str:
        """Its address."""
        return self.registry.host

    def __call__(self, *arguments: str, stdin: bytes = b"", fails: int = 0) -> Ran:
        """Run `wasm2oci` there; it must end in this exit code."""
        ran = invoke(*arguments, *self.options, stdin=stdin, env=self.env, cwd=self.folder)
        assert ran.code == fails, ran.stderr
        return ran


@pytest.fixture(scope="module", params=["plain", "basic", "tls", "bearer"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if (reason := missing_reason()) is not None:
        pytest.skip(reason)
    kind: str = request.param
    folder = tmp_path_factory.mktemp(kind)
    (folder / "hello.wasm").write_bytes(HELLO)
    env = {"HOME": str(folder / "home"), "XDG_CACHE_HOME": str(folder / "cache")}
    with ExitStack() as stack:
        options: tuple[str, ...] = ()
        if kind in {"tls", "bearer"}:
            (folder / "ca").mkdir()
            authority = make_authority(folder / "ca")
            options = ("--ca-file", str(authority.ca_file))
        if kind == "plain":
            registry = stack.enter_context(docker_registry(folder / "registry"))
        elif kind == "basic":
            registry = stack.enter_context(docker_registry(folder / "registry", basic=True))
        elif kind == "tls":
            certificate = authority.issue("registry")
            registry = stack.enter_context(
                docker_registry(folder / "registry", certificate=certificate, authority=authority)
            )
        else:
            signer = authority.issue("tokens", rsa_key=True)
            tokens = stack.enter_context(token_server(TokenServer(signer, anonymous_pull=False)))
            registry = stack.enter_context(docker_registry(folder / "registry", tokens=tokens))
            options = ()
        place = Place(registry, folder, options, env)
        if registry.username is not None:
            place("login", place.host, "-u", USERNAME, "--password-stdin", stdin=PASSWORD.encode())
        yield place


def test_the_whole_main_job(place: Place) -> None:
    reference = f"{place.host}/team/hello"
    pushed = json.loads(place("push", "hello.wasm", f"{reference}:v1,latest", "--format", "json").stdout)
    assert pushed["module"]["digest"] == str(Digest.of(HELLO))
    assert place("tags", reference).stdout.split() == ["latest", "v1"]
    assert place("resolve", f"{reference}:v1").stdout.strip() == pushed["manifest"]["digest"]
    place("pull", pushed["pinned"], "-o", "back.wasm", "--no-cache")
    assert (place.folder / "back.wasm").read_bytes() == HELLO
    place("verify", f"{reference}:latest", "back.wasm")
    (place.folder / "other.wasm").write_bytes(HELLO + b"\0")
    assert "is not the module" in place("verify", f"{reference}:v1", "other.wasm", fails=6).stderr
    place("tag", f"{reference}:v1", "v1.0")
    assert "v1.0" in place("tags", reference).stdout
    shown = json.loads(place("inspect", f"{reference}:v1", "--format", "json").stdout)
    assert shown["module"]["exports"][0]["name"] == "run"


def test_copies_between_repositories_and_disk(place: Place) -> None:
    reference = f"{place.host}/copies/hello:v1"
    place("push", "hello.wasm", reference)
    digest = place("resolve", reference).stdout
    place("copy", reference, f"{place.host}/copies/second:v1")
    place("copy", f"{place.host}/copies/second:v1", "oci-layout:saved")
    place("copy", "oci-layout:saved:v1", f"{place.host}/copies/third:v9")
    assert place("resolve", f"{place.host}/copies/third:v9").stdout == digest


def test_deletes(place: Place) -> None:
    reference = f"{place.host}/gone/hello:v1"
    place("push", "hello.wasm", reference)
    place("delete", reference, "--yes")
    assert "not found" in place("pull", reference, "-o", "gone.wasm", fails=4).stderr
    assert not (place.folder / "gone.wasm").exists()


def test_wrong_credentials_are_exit_5(place: Place) -> None:
    if place.registry.username is None:
        refused = place("login", place.host, "-u", "x", "--password-stdin", stdin=b"y")
        assert "Logged in" in refused.stdout  # it asks for none, so any are as good
        place_env = {**place.env}
        invoke("logout", place.host, env=place_env)
        return
    ran = place("login", place.host, "-u", USERNAME, "--password-stdin", stdin=b"mistaken", fails=5)
    assert "mistaken" not in ran.stderr
    nobody = invoke(
        "pull", f"{place.host}/team/hello:v1", "-o", "x.wasm", env={"HOME": "/nonexistent"}, cwd=place.folder
    )
    assert nobody.code == 5
    assert "no credentials found" in nobody.stderr
    assert f"wasm2oci login {place.host}" in nobody.stderr


def test_the_drop_in(place: Place) -> None:
    if place.options:
        pytest.skip("optional: the old tool had no flag for a private authority")
    reference = f"{place.host}/old/hello:v1"
    for arguments in (("push", "hello.wasm", reference), ("pull", reference)):
        ran = invoke(*arguments, "--use-http", program="wasm-to-oci", env=place.env, cwd=place.folder)
        assert ran.code == 0, ran.stderr
        assert [line.split(":")[0] for line in ran.stdout.splitlines()] == [
            "Pushed" if arguments[0] == "push" else "Pulled",
            "Size",
            "Digest",
        ]
    assert (place.folder / "module.wasm").read_bytes() == HELLO


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed: apt-get install skopeo")
def test_skopeo_reads_the_layout_that_a_copy_makes(place: Place) -> None:
    reference = f"{place.host}/skopeo/hello:v1"
    place("push", "hello.wasm", reference)
    place("copy", reference, "oci-layout:forskopeo")
    ran = subprocess.run(
        ["skopeo", "inspect", "--raw", f"oci:{place.folder / 'forskopeo'}:v1"], capture_output=True, check=True
    )
    assert str(Digest.of(ran.stdout)) == place("resolve", reference).stdout.strip()
