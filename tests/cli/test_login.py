"""What login says about credentials that the next command would use instead."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.cli.support import invoke
from tests.support.registry_server import registry_server

if TYPE_CHECKING:
    from pathlib import Path

OLD = {"auth": "b2xkOm9sZA=="}


def test_credentials_of_paths_that_go_before_a_login_are_named(tmp_path: Path) -> None:
    """podman writes entries for namespaces; they stay when one logs in at the host, and are used below the path."""
    with registry_server() as registry:
        host = registry.address
        file = tmp_path / ".config" / "containers" / "auth.json"
        file.parent.mkdir(parents=True)
        keys = (f"{host}/team/a", f"{host}/team", f"https://{host}/v1/", "other.example/team")
        file.write_text(json.dumps({"auths": dict.fromkeys(keys, OLD)}))

        def run(line: str) -> str:
            ran = invoke(*line.split(), cwd=tmp_path, env={"HOME": str(tmp_path)})
            assert ran.code == 0, ran.stderr
            return ran.stdout + ran.stderr

        said = run(f"login {host} -u me -p new")
        for path in ("team", "team/a"):
            assert f"other credentials are stored for {host}/{path}, and are used there" in said
        assert "other.example" not in said
        assert "/v1" not in said.replace("auth.json", "")
        run(f"logout {host}/team/a")
        document = json.loads(run(f"login {host}/team -u me -p new --format json").partition("\n}")[0] + "\n}")
        assert document["narrower"] == []
        assert "other credentials" not in run(f"login {host} -u me -p new")


def test_a_registry_that_asks_for_no_credentials_did_not_check_them(tmp_path: Path) -> None:
    with registry_server() as registry:
        env = {"HOME": str(tmp_path)}
        done = invoke("login", registry.address, "-u", "me", "-p", "x", "--format", "json", cwd=tmp_path, env=env)
    assert (done.code, json.loads(done.stdout)["checked"]) == (0, False)
    assert f"{registry.address} asked for no credentials, so these were not checked" in done.stderr


def test_of_many_paths_some_are_named_and_none_that_cannot_be_a_repository(tmp_path: Path) -> None:
    """Each path costs reading the files: 8,000 took 27 seconds."""
    with registry_server() as registry:
        file = tmp_path / ".docker" / "config.json"
        file.parent.mkdir()
        keys = ["v2/", "Upper", "a b", *(f"team{number}" for number in range(2000))]
        file.write_text(json.dumps({"auths": {f"{registry.address}/{key}": OLD for key in keys}}))
        done = invoke("login", registry.address, "-u", "me", "-p", "new", cwd=tmp_path, env={"HOME": str(tmp_path)})
    assert done.code == 0, done.stderr
    assert done.stderr.count("other credentials are stored for") == 16
    assert not any(f"{registry.address}/{key}," in done.stderr for key in keys[:3])
