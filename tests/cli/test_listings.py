"""Tags in order, repositories, and who one is at a registry: our registry, and another."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest

from tests.cli.support import invoke
from tests.cli.transcripts import HELLO, _Passwords
from tests.support.docker_registry import PASSWORD, USERNAME, docker_registry, missing_reason
from tests.support.registry_server import registry_server
from wasm2oci.server.access import BasicAccess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.support import Ran


@pytest.fixture(params=["serve", pytest.param("docker-registry", marks=pytest.mark.registry)])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    (tmp_path / "one.wasm").write_bytes(HELLO)
    (tmp_path / "two.wasm").write_bytes(HELLO[:-2] + b"\x2b\x0b")
    if request.param == "serve":
        with registry_server() as registry:
            yield registry.address
        return
    if (reason := missing_reason()) is not None:
        pytest.skip(reason)
    with docker_registry(tmp_path / "registry") as other:
        yield other.host


def run(folder: Path, line: str, *, fails: int = 0, **variables: str) -> Ran:
    ran = invoke(*shlex.split(line), cwd=folder, env={"HOME": str(folder / "home"), **variables})
    assert ran.code == fails, ran.stderr
    return ran


def test_tags_are_sorted_limited_and_found_by_what_they_mean(host: str, tmp_path: Path) -> None:
    run(tmp_path, f"push one.wasm {host}/a/app:v0.2.0,v0.10.0,v0.10.0-rc1,latest")
    run(tmp_path, f"push two.wasm {host}/a/app:v0.9.0")

    def tags(options: str) -> list[str]:
        return run(tmp_path, f"tags {host}/a/app {options}").stdout.split()

    assert tags("") == ["latest", "v0.10.0", "v0.10.0-rc1", "v0.2.0", "v0.9.0"]
    assert tags("--sort version") == ["latest", "v0.2.0", "v0.9.0", "v0.10.0-rc1", "v0.10.0"]
    assert tags("--sort version --reverse --limit 2") == ["v0.10.0", "v0.10.0-rc1"]
    assert tags("--of v0.9.0") == ["v0.9.0"]
    digest = run(tmp_path, f"resolve {host}/a/app:latest").stdout.strip()
    assert tags(f"--of {digest}") == ["latest", "v0.10.0", "v0.10.0-rc1", "v0.2.0"]
    document = json.loads(run(tmp_path, f"tags {host}/a/app --limit 2 --format json").stdout)
    assert (document["tags"], document["more"]) == (["latest", "v0.10.0"], 3)
    assert "3 more tags are not shown" in run(tmp_path, f"tags {host}/a/app --limit 2 -v").stderr
    run(tmp_path, f"tags {host}/a/app --of nothing", fails=4)


def test_the_repositories_of_a_registry_are_listed(host: str, tmp_path: Path) -> None:
    for name in ("a/app", "a/lib/x", "ab/app"):
        run(tmp_path, f"push one.wasm {host}/{name}:v1")
    assert run(tmp_path, f"repos {host}").stdout.split() == [
        f"{host}/{name}" for name in ("a/app", "a/lib/x", "ab/app")
    ]
    assert run(tmp_path, f"repos {host}/a -q").stdout.split() == ["a/app", "a/lib/x"]
    document = json.loads(run(tmp_path, f"repos {host} --limit 1 --format json").stdout)
    assert (document["repositories"], document["more"]) == (["a/app"], True)
    run(tmp_path, "repos nonsense", fails=3)


@pytest.fixture(params=["serve", pytest.param("docker-registry", marks=pytest.mark.registry)])
def private(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str, str]]:
    """A registry that asks for a password: its host, the user and the password."""
    (tmp_path / "one.wasm").write_bytes(HELLO)
    if request.param == "serve":
        with registry_server(access=BasicAccess(_Passwords())) as registry:
            yield registry.address, "alice", "wonderland"
        return
    if (reason := missing_reason()) is not None:
        pytest.skip(reason)
    with docker_registry(tmp_path / "registry", basic=True) as other:
        yield other.host, USERNAME, PASSWORD


def test_whoami_says_which_credential_is_used_and_whether_it_is_taken(
    private: tuple[str, str, str], tmp_path: Path
) -> None:
    host, user, password = private
    assert "anonymous" in run(tmp_path, f"whoami {host}", fails=5).stdout
    assert run(tmp_path, "whoami").stdout == ""
    run(tmp_path, f"login {host} -u {user} -p '{password}'")
    document = json.loads(run(tmp_path, f"whoami {host} --format json").stdout)
    assert (document["user"], document["kind"], document["accepted"]) == (user, "password", True)
    assert document["source"].endswith("/.docker/config.json")
    variables = {
        "WASM2OCI_REGISTRY": host,
        "WASM2OCI_REGISTRY_USER": "other",
        "WASM2OCI_REGISTRY_PASSWORD": "wrong",
    }
    refused = run(tmp_path, f"whoami {host}", fails=5, **variables)
    assert "WASM2OCI_REGISTRY_PASSWORD" in refused.stdout
    assert "Accepted: no" in refused.stdout
    assert "wrong" not in refused.stdout + refused.stderr
    known = json.loads(run(tmp_path, "whoami --format json").stdout)["credentials"]
    assert [(one["registry"], one["user"]) for one in known] == [(host, user)]


def test_credentials_of_a_path_are_for_what_is_below_it_alone(private: tuple[str, str, str], tmp_path: Path) -> None:
    host, user, password = private
    run(tmp_path, f"login {host}/team -u {user} -p '{password}'")
    kept = json.loads((tmp_path / "home" / ".config" / "containers" / "auth.json").read_text())
    assert list(kept["auths"]) == [f"{host}/team"]
    assert not (tmp_path / "home" / ".docker").exists()
    run(tmp_path, f"push one.wasm {host}/team/app:v1")
    run(tmp_path, f"push one.wasm {host}/other/app:v1", fails=5)
    assert f"User:     {user}" in run(tmp_path, f"whoami {host}/team/app").stdout
    assert "anonymous" in run(tmp_path, f"whoami {host}", fails=5).stdout
    run(tmp_path, f"logout {host}", fails=4)
    assert f"{host}/team" in run(tmp_path, f"logout {host}/team").stdout
    run(tmp_path, f"push one.wasm {host}/team/app:v2", fails=5)
    run(tmp_path, f"logout {host}/team", fails=4)


@pytest.mark.parametrize("name", ["HOST/Team", "HOST/team:v1", "HOST/../x"])
def test_a_path_that_no_repository_can_have_is_refused(tmp_path: Path, name: str) -> None:
    ran = run(tmp_path, f"login {name.replace('HOST', 'localhost:5')} -u a -p b", fails=3)
    assert "^" in ran.stderr
