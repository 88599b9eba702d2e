"""What happens only in a process that has not imported the HTTP library yet.

pytest has it imported, and so has every server of these tests; the command line has not, and several of its threads
may be the first to need it. So each test here starts the command line as a process of its own, against a TLS server
in this process: an https address is not probed first, so no request comes before those of the threads.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tests.support.certificates import make_authority
from tests.support.registry_server import registry_server
from tests.support.serve_process import ROOT
from wasm2oci.oci.digest import Digest
from wasm2oci.server.exposure import tls_context
from wasm2oci.server.messages import Response

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.certificates import Authority
    from tests.support.registry_server import Handle, RunningRegistry
    from wasm2oci.server.messages import Request

MIB = 1 << 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fresh")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    """The one authority of the folder: `tool` trusts its file."""
    return make_authority(folder)


@pytest.fixture(scope="module")
def registry(authority: Authority) -> Iterator[RunningRegistry]:
    certificate = authority.issue("registry")
    with registry_server(tls=tls_context(certificate.certificate_file, certificate.key_file)) as running:
        yield running


def tool(folder: Path, *arguments: str | Path) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "wasm2oci", *map(str, arguments), "--ca-file", str(folder / "authority.pem")]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_modules_of_more_than_64_mib_are_pushed_over_tls(folder: Path, registry: RunningRegistry) -> None:
    path = folder / "large.wasm"
    for number in range(5):
        data = b"\0asm\1\0\0\0" + os.urandom(65 * MIB)  # other bytes each time, so that nothing is there already
        path.write_bytes(data)
        reference = f"{registry.address}/large/{number}:v1"
        tool(folder, "push", "--force", path, reference)
        assert registry.core.storage.blob_size(f"large/{number}", Digest.of(data)) == len(data)
        registry.core.storage.delete_blob(f"large/{number}", Digest.of(data))


def test_four_workers_copy_four_blobs_over_tls(folder: Path, registry: RunningRegistry) -> None:
    layout = folder / "layout"
    blobs = [os.urandom(MIB) for _ in range(4)]
    layers = [write(layout, data, "application/wasm") for data in blobs]
    config = write(layout, b"{}", "application/vnd.oci.empty.v1+json")
    media_type = "application/vnd.oci.image.manifest.v1+json"
    manifest = {"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers}
    entry = write(layout, json.dumps(manifest).encode(), media_type)
    entry["annotations"] = {"org.opencontainers.image.ref.name": "v1"}
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    for number in range(10):
        tool(folder, "copy", f"oci-layout:{layout}:v1", f"{registry.address}/copied/{number}:v1")
        for data in blobs:
            assert registry.core.storage.blob_size(f"copied/{number}", Digest.of(data)) == MIB


def write(layout: Path, data: bytes, media_type: str) -> dict[str, object]:
    """Put a blob into a layout; its descriptor."""
    digest = Digest.of(data)
    path = layout / "blobs" / digest.algorithm / digest.encoded
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return {"mediaType": media_type, "digest": str(digest), "size": len(data)}


def test_a_pull_that_ctrl_c_ended_goes_on_in_the_next_process(folder: Path, authority: Authority) -> None:
    """The blob breaks off half-way and stays so; SIGINT ends the process, and the next one asks for the rest."""
    certificate = authority.issue("interrupted")
    data = b"\0asm\1\0\0\0" + os.urandom(6 * MIB)
    half, hanging, over = len(data) // 2, threading.Event(), threading.Event()
    asked: list[str] = []

    class Half:
        length = len(data)

        def __iter__(self) -> Iterator[bytes]:
            yield data[:half]
            hanging.set()
            over.wait(60)

        def close(self) -> None:
            pass

    def interrupted(handle: Handle) -> Handle:
        def answer(request: Request) -> Response:
            if request.method == "GET" and str(Digest.of(data)) in request.target:
                asked.append(request.headers.get("range") or "")
                if len(asked) == 1:
                    return Response(200, (("Content-Length", str(len(data))),), Half())
            return handle(request)

        return answer

    tls = tls_context(certificate.certificate_file, certificate.key_file)
    with registry_server(tls=tls, wrap=interrupted) as registry:
        path, pulled = folder / "m.wasm", folder / "pulled.wasm"
        path.write_bytes(data)
        tool(folder, "push", "--force", path, f"{registry.address}/m:v1")
        arguments = ["pull", "-o", pulled, f"{registry.address}/m:v1", "--ca-file", folder / "authority.pem"]
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "wasm2oci", *map(str, arguments)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert hanging.wait(60)
            while sum(one.stat().st_size for one in folder.glob(".cache/wasm2oci/blobs/sha256/.wasm2oci-*")) < MIB:
                assert process.poll() is None  # what was sent is on its way to the disk
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=300)
        over.set()
        assert not pulled.exists()
        tool(folder, "pull", "-o", pulled, f"{registry.address}/m:v1")
        assert pulled.read_bytes() == data
        assert asked[0] == ""
        assert int(asked[1].removeprefix("bytes=").removesuffix("-")) >= MIB


def test_what_is_cached_by_its_digest_is_pulled_without_a_connection(folder: Path, authority: Authority) -> None:
    certificate = authority.issue("digest")
    with registry_server(tls=tls_context(certificate.certificate_file, certificate.key_file)) as registry:
        path = folder / "d.wasm"
        path.write_bytes(b"\0asm\1\0\0\0")
        pinned = tool(folder, "push", "-q", path, f"{registry.address}/d:v1").strip()
        tool(folder, "pull", "-o", folder / "d1.wasm", pinned)
        asked = len(registry.seen)
    tool(folder, "pull", "-o", folder / "d2.wasm", pinned)
    assert len(registry.seen) == asked
    assert (folder / "d2.wasm").read_bytes() == path.read_bytes()
