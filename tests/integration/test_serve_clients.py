"""Clients on our registry as people start it (a process, a folder): our own tool, skopeo, PyPI's oras, 64 at once."""

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.serve_process import ROOT, ServeProcess, serve_process
from wasm2oci.content.copy import copy
from wasm2oci.content.verify import read_all
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.media_type import OCI_MANIFEST
from wasm2oci.oci.reference import Reference
from wasm2oci.packager.build import ArtifactLabels, build
from wasm2oci.packager.module_source import ModuleSource
from wasm2oci.packager.profiles import CNCF
from wasm2oci.registry.connect import ConnectOptions, Connector

WASM = b"\0asm\1\0\0\0"
MIB = 1 << 20


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeProcess]:
    folder = tmp_path_factory.mktemp("serve")
    with serve_process("--root", folder / "registry", "-q", folder=folder) as running:
        yield running


def run(*command: str | Path, folder: Path, code: int = 0) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
    arguments = [str(part) for part in command]
    done = subprocess.run(
        arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == code, done.stderr
    return done.stdout


def tool(*arguments: str | Path, folder: Path, code: int = 0) -> str:
    return run(sys.executable, "-m", "wasm2oci", *arguments, folder=folder, code=code)


def module(size: int, seed: int) -> bytes:
    """A module of so many bytes: one custom section of noise."""
    noise = random.Random(seed).randbytes(size)
    length, left = bytearray(), len(noise) + 2
    while left > 127:
        length.append(left & 127 | 128)
        left >>= 7
    length.append(left)
    return WASM + b"\0" + bytes(length) + b"\1n" + noise


def test_our_tool_pushes_lists_mounts_pulls_and_deletes(served: ServeProcess, tmp_path: Path) -> None:
    source = tmp_path / "a.wasm"
    source.write_bytes(module(50_000, 1))
    name = f"{served.address}/own/one"
    tool("push", source, f"{name}:v1,latest", folder=tmp_path)
    assert tool("tags", name, folder=tmp_path).split() == ["latest", "v1"]
    tool("copy", f"{name}:v1", f"{served.address}/own/two:v1", folder=tmp_path)
    tool("pull", f"{served.address}/own/two:v1", "-o", "back.wasm", folder=tmp_path)
    assert (tmp_path / "back.wasm").read_bytes() == source.read_bytes()
    tool("delete", "--yes", f"{name}:v1", folder=tmp_path)
    tool("pull", f"{name}:v1", "-o", "again.wasm", folder=tmp_path, code=4)
    assert not (tmp_path / "again.wasm").exists()


@pytest.mark.registry
def test_skopeo_copies_in_and_out_lists_inspects_and_deletes(served: ServeProcess, tmp_path: Path) -> None:
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed: apt-get install skopeo")
    source = tmp_path / "a.wasm"
    source.write_bytes(module(50_000, 2))
    name = f"{served.address}/skopeo/one"
    tool("push", source, f"{name}:v1", folder=tmp_path)
    plain = ("--src-tls-verify=false", "--dest-tls-verify=false")
    layout = tmp_path / "layout"
    skopeo = ("skopeo", "--insecure-policy")
    run(*skopeo, "copy", "-q", plain[0], f"docker://{name}:v1", f"oci:{layout}:v1", folder=tmp_path)
    run(*skopeo, "copy", "-q", plain[1], f"oci:{layout}:v1", f"docker://{name}:v2", folder=tmp_path)
    run(
        *skopeo,
        "copy",
        "-q",
        *plain,
        f"docker://{name}:v1",
        f"docker://{served.address}/skopeo/two:v1",
        folder=tmp_path,
    )
    listed = run(*skopeo, "list-tags", "--tls-verify=false", f"docker://{name}", folder=tmp_path)
    assert json.loads(listed)["Tags"] == ["v1", "v2"]
    raw = [
        run(*skopeo, "inspect", "--raw", "--tls-verify=false", f"docker://{reference}", folder=tmp_path)
        for reference in (f"{name}:v1", f"{name}:v2", f"{served.address}/skopeo/two:v1")
    ]
    assert raw[0] == raw[1] == raw[2]
    tool("verify", f"{served.address}/skopeo/two:v1", source, folder=tmp_path)
    run(*skopeo, "delete", "--tls-verify=false", f"docker://{served.address}/skopeo/two:v1", folder=tmp_path)
    tool("resolve", f"{served.address}/skopeo/two:v1", folder=tmp_path, code=4)


@pytest.mark.registry
def test_skopeo_logs_in_over_tls(tmp_path: Path) -> None:
    from tests.support.certificates import make_authority

    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed: apt-get install skopeo")
    authority = make_authority(tmp_path)
    issued = authority.issue("server")
    trust = tmp_path / "trust"
    trust.mkdir()
    shutil.copy(authority.ca_file, trust / "ca.crt")
    source = tmp_path / "a.wasm"
    source.write_bytes(module(1000, 3))
    options = ("--user", "me", "--tls-cert", issued.certificate_file, "--tls-key", issued.key_file)
    with serve_process(*options, folder=tmp_path) as served:
        password = str(served.said["password"])
        name = f"{served.address}/a:v1"
        access = ("--ca-file", authority.ca_file, "-u", "me")
        tool("push", source, name, *access, "-p", password, folder=tmp_path)
        tool("push", source, name, *access, "-p", "wrong", folder=tmp_path, code=5)
        copied = ("copy", "-q", f"--src-cert-dir={trust}", f"docker://{name}", f"oci:{tmp_path}/layout:v1")
        run("skopeo", "--insecure-policy", *copied, f"--src-creds=me:{password}", folder=tmp_path)
        run("skopeo", "--insecure-policy", *copied, "--src-creds=me:wrong", folder=tmp_path, code=1)


@pytest.mark.registry
def test_pypi_oras_pushes_lists_pulls_and_deletes(
    served: ServeProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = pytest.importorskip("oras.client", reason="PyPI's oras is not installed: pip install oras")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    data = module(50_000, 4)
    (tmp_path / "a.wasm").write_bytes(data)
    oras = client.OrasClient(insecure=True)
    name = f"{served.address}/oras/one"
    oras.push(target=f"{name}:v1", files=["a.wasm:application/wasm"], disable_path_validation=True)
    oras.push(target=f"{name}:v2", files=["a.wasm:application/wasm"], do_chunked=True, chunk_size=10_000)
    assert sorted(oras.get_tags(name)) == ["v1", "v2"]
    for tag in ("v1", "v2"):
        (path,) = oras.pull(target=f"{name}:{tag}", outdir=str(tmp_path / tag))
        assert Path(path).read_bytes() == data
    tool("pull", f"{name}:v2", "-o", "mine.wasm", folder=tmp_path)
    assert (tmp_path / "mine.wasm").read_bytes() == data
    oras.delete_tags(name, ["v1"])
    assert oras.get_tags(name) in ([], ["v2"])


def test_64_clients_at_once_push_and_pull_200_modules(served: ServeProcess, tmp_path: Path) -> None:
    options = ConnectOptions(plain_http=True, environ={}, home=tmp_path)
    modules = [module(1000 + 997 * number, number) for number in range(200)]
    ready = threading.Barrier(64)

    def client(number: int) -> int:
        done = 0
        with Connector(options) as connector:
            ready.wait(60)
            for index in range(number, 200, 64):
                data = modules[index]
                own = connector.repository(Reference(served.address, f"crowd/m{index % 50}"), writes=True)
                built = build(ModuleSource.of_bytes(data), CNCF, ArtifactLabels(title="m.wasm"))
                copy(built.target(), built.root, own, f"t{index}")
                found = own.resolve(f"t{index}")
                assert found.digest == built.root.digest
                layer = Descriptor.of("application/wasm", data)
                assert read_all(own.fetch(layer), layer, len(data)) == data
                done += 1
        return done

    with ThreadPoolExecutor(64) as pool:
        assert sum(pool.map(client, range(64))) == 200
    with Connector(options) as connector:
        for index in random.Random(1).sample(range(200), 40):
            shared = connector.repository(Reference(served.address, f"crowd/m{index % 50}"))
            descriptor = shared.resolve(f"t{index}")
            assert descriptor.media_type == OCI_MANIFEST
            layer = Descriptor.of("application/wasm", modules[index])
            assert read_all(shared.fetch(layer), layer, layer.size) == modules[index]


@pytest.mark.slow
def test_a_gibibyte_goes_in_and_out_within_100_mib_of_memory(tmp_path: Path) -> None:
    size = 1024
    source = tmp_path / "large.wasm"
    block = random.Random(1).randbytes(MIB - 8)
    hasher = hashlib.sha256()
    with source.open("wb") as file:
        for number in range(size):
            piece = (WASM if number == 0 else number.to_bytes(8, "little")) + block
            file.write(piece)
            hasher.update(piece)
    with serve_process("-q", folder=tmp_path) as served:
        name = f"{served.address}/large:v1"
        tool("push", "--force", source, name, folder=tmp_path)
        source.unlink()
        tool("pull", "--force", name, "-o", "back.wasm", folder=tmp_path)
        peak = served.peak_memory()
    with (tmp_path / "back.wasm").open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == hasher.hexdigest()
    (tmp_path / "back.wasm").unlink()
    assert peak < 100 * MIB, f"{peak / MIB:.0f} MiB"
