"""Settings of hosts in the files of containers' tools and of docker, each in a process of its own, over TLS."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.certificates import make_authority
from tests.support.registry_server import registry_server
from tests.support.serve_process import ROOT
from wasm2oci.server.exposure import tls_context

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.certificates import Authority

MODULE = b"\0asm\1\0\0\0"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return make_authority(tmp_path)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    (tmp_path / "m.wasm").write_bytes(MODULE)
    return tmp_path / "home"


def tool(home: Path, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, "-m", "wasm2oci", *map(str, arguments)]
    return subprocess.run(
        command, cwd=home.parent, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def server_context(authority: Authority, *, asks: bool = False) -> ssl.SSLContext:
    certificate = authority.issue("registry")
    context = tls_context(certificate.certificate_file, certificate.key_file)
    if asks:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.ca_file)
    return context


@pytest.mark.parametrize("tools", ["containers", "docker"])
def test_the_authority_of_a_host_is_trusted_for_that_host(home: Path, authority: Authority, tools: str) -> None:
    with registry_server(tls=server_context(authority)) as registry:
        reference = f"{registry.address}/a:v1"
        folder = home / ".config" / tools / "certs.d" / registry.address
        folder.mkdir(parents=True)
        shutil.copy(authority.ca_file, folder / "ca.crt")
        pushed = tool(home, "push", "m.wasm", reference)
        assert pushed.returncode == 0, pushed.stderr
        off = tool(home, "resolve", reference, WASM2OCI_CERTS_D="off")
        assert "certificate is not trusted" in off.stderr or off.returncode != 0
        folder.rename(folder.with_name("other.example"))
        assert tool(home, "resolve", reference).returncode != 0
        moved = tool(home, "resolve", f"localhost:{registry.address.partition(':')[2]}/a:v1")
        assert moved.returncode != 0


def test_a_host_that_asks_for_a_certificate_gets_the_one_in_its_folder(home: Path, authority: Authority) -> None:
    client = authority.issue("client", client=True)
    with registry_server(tls=server_context(authority, asks=True)) as registry:
        folder = home / ".config/containers/certs.d" / registry.address
        folder.mkdir(parents=True)
        shutil.copy(authority.ca_file, folder / "ca.crt")
        without = tool(home, "push", "m.wasm", f"{registry.address}/a:v1")
        assert "certificate required" in without.stderr
        assert "--cert-file" in without.stderr
        shutil.copy(client.certificate_file, folder / "client.cert")
        missing = tool(home, "push", "m.wasm", f"{registry.address}/a:v1")
        assert "client.cert needs client.key beside it" in missing.stderr
        shutil.copy(client.key_file, folder / "client.key")
        pushed = tool(home, "push", "m.wasm", f"{registry.address}/a:v1")
        assert pushed.returncode == 0, pushed.stderr


def test_a_module_comes_from_a_mirror_while_its_registry_is_away(home: Path, authority: Authority) -> None:
    with registry_server(tls=server_context(authority)) as mirror:
        conf = home / ".config/containers/registries.conf"
        certificates = home / ".config/containers/certs.d" / mirror.address
        certificates.mkdir(parents=True)
        shutil.copy(authority.ca_file, certificates / "ca.crt")
        assert tool(home, "push", "m.wasm", f"{mirror.address}/copies/app:v1").returncode == 0
        conf.write_text(
            f'[[registry]]\nlocation = "127.0.0.1:9/team"\n[[registry.mirror]]\nlocation = "{mirror.address}/copies"\n'
        )
        for command in (["pull", "-o", "back.wasm"], ["resolve"], ["inspect"], ["tags"], ["validate"]):
            name = "127.0.0.1:9/team/app" + ("" if command == ["tags"] else ":v1")
            done = tool(home, *command, name)
            assert (done.returncode == 0) == (command != ["tags"]), (command, done.stderr)
        assert (home.parent / "back.wasm").read_bytes() == MODULE
        conf.write_text('[[registry]]\nlocation = "127.0.0.1:9"\nblocked = true\n')
        blocked = tool(home, "pull", "127.0.0.1:9/team/app:v1")
        assert "127.0.0.1:9/team/app is blocked" in blocked.stderr
        assert str(conf) in blocked.stderr
        assert blocked.returncode == 5


def test_login_does_what_registries_conf_says(home: Path, authority: Authority) -> None:
    """`login`, `whoami` and `repos` reach an insecure registry, and not a blocked one."""
    conf = home / ".config/containers/registries.conf"
    conf.parent.mkdir(parents=True)
    with registry_server(tls=server_context(authority)) as registry:
        commands = (
            ["login", registry.address, "-u", "alice", "-p", "secret"],
            ["whoami", registry.address],
            ["whoami", f"{registry.address}/team"],
            ["repos", registry.address],
        )
        for command in commands:
            done = tool(home, *command, WASM2OCI_CERTS_D="off")
            assert done.returncode == 7, done.stderr
        conf.write_text(f'[[registry]]\nlocation = "{registry.address}"\ninsecure = true\n')
        for command in commands:
            done = tool(home, *command)
            assert done.returncode == 0, done.stderr
        conf.write_text(f'[[registry]]\nlocation = "{registry.address}"\nblocked = true\n')
        for command in commands:
            done = tool(home, *command)
            assert (done.returncode, str(conf) in done.stderr) == (5, True), done.stderr


def test_a_hosts_toml_of_containerd(home: Path, authority: Authority) -> None:
    """The authority and the client certificate of a mirror, and a registry whose certificate is not checked."""
    client = authority.issue("client", client=True)
    with (
        registry_server(tls=server_context(authority, asks=True)) as mirror,
        registry_server(tls=server_context(authority)) as registry,
    ):
        folder = home / ".config/containerd/certs.d"
        for host, text in {
            mirror.address: f'[host."https://{mirror.address}"]\nca = "ca.pem"\nclient = [["c.pem", "k.pem"]]\n',
            registry.address: f'[host."https://{registry.address}"]\nskip_verify = true\n',
            "registry.example": f'[host."https://{mirror.address}"]\nca = "ca.pem"\nclient = [["c.pem", "k.pem"]]\n',
        }.items():
            (folder / host).mkdir(parents=True)
            (folder / host / "hosts.toml").write_text(text)
            for name, path in {
                "ca.pem": authority.ca_file,
                "c.pem": client.certificate_file,
                "k.pem": client.key_file,
            }.items():
                shutil.copy(path, folder / host / name)
        for reference in (f"{mirror.address}/a:v1", f"{registry.address}/a:v1"):
            pushed = tool(home, "push", "m.wasm", reference)
            assert pushed.returncode == 0, pushed.stderr
        pulled = tool(home, "pull", "registry.example/a:v1", "-o", "back.wasm")
        assert pulled.returncode == 0, pulled.stderr
        assert (home.parent / "back.wasm").read_bytes() == MODULE
        assert tool(home, "resolve", f"{registry.address}/a:v1", WASM2OCI_CERTS_D="off").returncode == 7


def test_a_certificate_of_a_host_that_is_a_pipe_is_refused_without_waiting(home: Path) -> None:
    """It was waited for without end."""
    folder = home / ".config" / "containers" / "certs.d" / "127.0.0.1:1"
    folder.mkdir(parents=True)
    for name in ("ca.crt", "client.cert"):
        os.mkfifo(folder / name)
        (folder / "client.key").write_bytes(b"")
        asked = tool(home, "resolve", "127.0.0.1:1/a:v1")
        assert asked.returncode == 9
        assert f"{name} is not a regular file" in asked.stderr
        (folder / name).unlink()
