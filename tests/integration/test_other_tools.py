"""Tools that nobody here wrote: skopeo and PyPI's oras read what we write, and we read what they write."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.artifacts import WASM, Stash, component, tar
from tests.support.docker_registry import docker_registry, missing_reason
from tests.support.invariants import check_artifact
from tests.support.registry_server import registry_server
from wasm2oci.content.archive import ArchiveWriter, OciArchive
from wasm2oci.content.copy import copy
from wasm2oci.content.layout import OciLayout
from wasm2oci.content.target import Target
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.reference import Reference
from wasm2oci.packager.build import ArtifactLabels, build
from wasm2oci.packager.module_source import ModuleSource
from wasm2oci.packager.profiles import PROFILES
from wasm2oci.packager.recognise import recognise
from wasm2oci.registry.connect import ConnectOptions, Connector

FIXTURES = Path(__file__).parents[2] / "fixtures" / "oci"

skopeo_is_here = pytest.mark.skipif(
    shutil.which("skopeo") is None, reason="skopeo is not installed: apt-get install skopeo"
)


def skopeo(*arguments: str, home: Path) -> str:
    """Run skopeo with nothing of this machine's: no credentials, no record of where blobs were seen."""
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(home), "XDG_RUNTIME_DIR": str(home), "TMPDIR": str(home)}
    done = subprocess.run(["skopeo", *arguments], check=False, env=environ, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def artifacts(stash: Stash) -> dict[str, Descriptor]:
    """One artifact of each profile and shape, tagged by its name."""
    for profile in PROFILES.values():
        for kind, data in {"module": WASM, "component": component(exports=["run"])}.items():
            labels = ArtifactLabels(title=f"{kind}.wasm")
            built = build(ModuleSource.of_bytes(data), profile, labels)
            copy(built.target(), built.root, stash.target, f"{profile.name}-{kind}")
    config = {"architecture": "wasm", "os": "wasip1", "rootfs": {"type": "layers", "diff_ids": []}}
    stash.image(tar({"plugin.wasm": WASM}), config=config, tag="image")
    names = [*(f"{name}-{kind}" for name in PROFILES for kind in ("module", "component")), "image"]
    return {name: stash.target.resolve(name) for name in names}


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if (reason := missing_reason()) is not None:
        pytest.skip(reason)
    with docker_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry.host


@pytest.fixture
def connector(tmp_path: Path) -> Iterator[Connector]:
    with Connector(ConnectOptions(plain_http=True, environ={}, home=tmp_path)) as made:
        yield made


def repository(connector: Connector, host: str, name: str) -> Target:
    return connector.repository(Reference(host, name), writes=True)


@pytest.mark.registry
@skopeo_is_here
def test_skopeo_reads_our_archives_and_we_read_its(tmp_path: Path) -> None:
    ours = ArchiveWriter(tmp_path / "ours.tar")
    for name, root in artifacts(Stash(ours)).items():
        ours.commit()
        source, theirs = f"oci-archive:{tmp_path}/ours.tar:{name}", tmp_path / f"{name}.tar"
        skopeo("copy", "-q", source, f"oci-archive:{theirs}:{name}", home=tmp_path)
        assert OciArchive(theirs).resolve(name).digest == root.digest
        check_artifact(OciArchive(theirs), root)
        ours = ArchiveWriter(tmp_path / "ours.tar")
    ours.discard()


@pytest.mark.registry
@skopeo_is_here
def test_skopeo_moves_our_layouts_unchanged(tmp_path: Path) -> None:
    ours = OciLayout.create(tmp_path / "ours")
    for name, root in artifacts(Stash(ours)).items():
        skopeo("copy", "-q", f"oci:{ours.folder}:{name}", f"oci:{tmp_path}/theirs:{name}", home=tmp_path)
        theirs = OciLayout(tmp_path / "theirs")
        assert theirs.resolve(name).digest == root.digest
        assert check_artifact(theirs, root) == check_artifact(ours, root)
        skopeo("copy", "-q", f"oci:{ours.folder}:{name}", f"dir:{tmp_path}/{name}", home=tmp_path)
        assert (tmp_path / name / "manifest.json").read_bytes() == Stash(ours).get(root)


@pytest.mark.registry
@skopeo_is_here
def test_skopeo_reads_a_layout_of_one_without_a_name(tmp_path: Path) -> None:
    ours = OciLayout.create(tmp_path / "ours")
    root = Stash(ours).index(Stash(ours).module())
    out = skopeo("inspect", "--raw", f"oci:{ours.folder}", home=tmp_path)
    assert out.encode() == Stash(ours).get(root)


@pytest.mark.registry
@skopeo_is_here
def test_our_layout_and_skopeos_grow_together(tmp_path: Path, connector: Connector, debian: str) -> None:
    layout = OciLayout.create(tmp_path / "both")
    roots = artifacts(Stash(layout))
    repo = repository(connector, debian, "grow/together")
    root = Stash(repo).module(WASM + b"\0\x02\x01x", tag="theirs")
    source = f"docker://{debian}/grow/together:theirs"
    skopeo("copy", "-q", "--src-tls-verify=false", source, f"oci:{layout.folder}:theirs", home=tmp_path)
    assert layout.resolve("theirs").digest == root.digest
    Stash(layout).module(WASM + b"\0\x02\x01y", tag="ours")
    assert sorted(layout.tags()) == sorted([*roots, "theirs", "ours"])
    for name in layout.tags():
        check_artifact(layout, layout.resolve(name))


@pytest.mark.registry
@skopeo_is_here
def test_skopeo_carries_our_artifacts_out_of_a_registry_and_back(
    tmp_path: Path, connector: Connector, debian: str
) -> None:
    ours, back = repository(connector, debian, "team/ours"), repository(connector, debian, "team/back")
    for name, root in artifacts(Stash(ours)).items():
        away = f"oci:{tmp_path}/away:{name}"
        skopeo("copy", "-q", "--src-tls-verify=false", f"docker://{debian}/team/ours:{name}", away, home=tmp_path)
        there = f"docker://{debian}/team/back:{name}"
        skopeo("copy", "-q", "--dest-tls-verify=false", away, there, home=tmp_path)
        assert back.resolve(name).digest == root.digest
        layout = OciLayout(tmp_path / "away")
        assert check_artifact(back, root) == check_artifact(ours, root) == check_artifact(layout, root)
        found = recognise(back, root)
        assert b"".join(found.content)[:4] == b"\0asm"


def test_oras_pulls_what_we_push(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client_of = pytest.importorskip("oras.client", reason="optional: oras is not installed").OrasClient
    monkeypatch.setenv("HOME", str(tmp_path))
    with registry_server() as server, Connector(ConnectOptions(environ={}, home=tmp_path)) as connector:
        artifacts(Stash(repository(connector, server.address, "team/app")))
        for name in (name for name, profile in PROFILES.items() if profile.is_raw):
            folder = tmp_path / name
            client = client_of(hostname=server.address, insecure=True)
            pulled = client.pull(target=f"{server.address}/team/app:{name}-module", outdir=str(folder))
            assert [Path(path).name for path in pulled] == ["module.wasm"]
            assert (folder / "module.wasm").read_bytes() == WASM


def test_we_pull_what_oras_pushes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client_of = pytest.importorskip("oras.client", reason="optional: oras is not installed").OrasClient
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hello.wasm").write_bytes(WASM)
    with registry_server() as server, Connector(ConnectOptions(environ={}, home=tmp_path)) as connector:
        repo = repository(connector, server.address, "team/app")
        for tag, file in {"typed": "hello.wasm:application/wasm", "untyped": "hello.wasm"}.items():
            client = client_of(hostname=server.address, insecure=True)
            client.push(target=f"{server.address}/team/app:{tag}", files=[file])
            found = recognise(repo, repo.resolve(tag))
            assert b"".join(found.content) == WASM
            assert found.file_name("team/app") == "hello.wasm"


def test_the_kept_layout_of_skopeo_is_read() -> None:
    """`fixtures/oci/skopeo-layout` was written by skopeo 1.9.3 from an artifact of ours."""
    layout = OciLayout(FIXTURES / "skopeo-layout")
    assert layout.tags() == ["v1"]
    root = layout.resolve("v1")
    check_artifact(layout, root)
    assert b"".join(recognise(layout, root).content) == WASM


@pytest.mark.parametrize("name", ["wasi-http-0.2.0", "wasm-to-oci-hello"])
def test_kept_manifests_are_what_their_names_say(name: str) -> None:
    kept: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_bytes())
    raw = kept["manifest"].encode()
    assert str(Descriptor.of(mt.OCI_MANIFEST, raw).digest) == kept["digest"]
    config = kept["config"].encode()
    assert str(Descriptor.of(mt.OCI_CONFIG, config).digest) == json.loads(raw)["config"]["digest"]
