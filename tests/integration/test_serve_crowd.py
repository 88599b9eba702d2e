"""An honest client among a crowd of hostile ones, each in a process of its own: it is served, in bounded memory.

How long it waits is measured by `tests/benchmarks/bench_hostile.py`.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.artifacts import WASM
from tests.support.crowd import KINDS
from tests.support.serve_process import ROOT, serve_process
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import EMPTY_JSON, Descriptor
from wasm2oci.oci.digest import Digest

if TYPE_CHECKING:
    from pathlib import Path

_HOSTILE: Final = [kind for kind in KINDS if kind not in {"idle", "login"}]


def ask(address: str, method: str, target: str, body: bytes = b"", **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request(method, target, body, headers)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


def push(address: str, name: str, content: bytes) -> None:
    for blob in (content, b"{}"):
        location = ask(address, "POST", f"/v2/{name}/blobs/uploads/").headers["Location"]
        assert ask(address, "PUT", f"{location}?digest={Digest.of(blob)}", blob).status == 201
    value = {
        "schemaVersion": 2,
        "mediaType": mt.OCI_MANIFEST,
        "config": EMPTY_JSON.to_json(),
        "layers": [Descriptor.of("application/wasm", content).to_json()],
    }
    raw = json.dumps(value).encode()
    assert ask(address, "PUT", f"/v2/{name}/manifests/v1", raw, Content_Type=mt.OCI_MANIFEST).status == 201


@pytest.mark.slow
def test_an_honest_client_is_served_among_256_idle_and_200_hostile_ones(tmp_path: Path) -> None:
    counts = ["idle=256", *(f"{kind}={200 // len(_HOSTILE) + 1}" for kind in _HOSTILE)]
    with serve_process(folder=tmp_path) as served:
        push(served.address, "hostile", WASM)
        command = [sys.executable, "-m", "tests.support.crowd", served.address, *counts]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as crowd:
            assert crowd.stdin is not None
            assert crowd.stdout is not None
            assert crowd.stdout.readline() == b"ready\n"
            for number in range(3):
                assert ask(served.address, "GET", "/v2/").status == 200
                content = WASM + b"\0" + bytes([number]) * (1 << 20)
                push(served.address, f"honest{number}", content)
            crowd.stdin.close()
            crowd.wait(60)
        assert served.peak_memory() < 300 << 20
        code, said = served.stop()
    assert code == 0
    assert "Traceback" not in said
