"""What happens only in a process that has not imported the HTTP library yet.

pytest has it imported, and so has every server of these tests; the command line has not, and several of its threads
may be the first to need it. So each test here starts the command line as a process of its own, against a TLS server
in this process: an https address is not probed first, so no request comes before those of the threads.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.certificates import make_authority
from tests.support.registry_server import registry_server
from tests.support.serve_process import ROOT
from wasm2oci.oci.digest import Digest
from wasm2oci.server.exposure import tls_context

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.registry_server import RunningRegistry

MIB = 1 << 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fresh")


@pytest.fixture(scope="module")
def registry(folder: Path) -> Iterator[RunningRegistry]:
    certificate = make_authority(folder).issue("registry")
    with registry_server(tls=tls_context(certificate.certificate_file, certificate.key_file)) as running:
        yield running


def tool(folder: Path, *arguments: str | Path) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "wasm2oci", *map(str, arguments), "--ca-file", str(folder / "authority.pem")]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
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
