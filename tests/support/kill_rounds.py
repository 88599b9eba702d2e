"""`kill -9` in the middle of pushes, then a look at what is left. Run as a script, or from a test with few rounds.

    python -m tests.support.kill_rounds [ROUNDS]

Each round starts `wasm2oci serve` as a process of its own, lets threads push modules (blobs in one piece, in chunks,
and mounted; manifests by tag and by digest; tags that move; deletes), kills it at a random moment, opens the store
again and looks: every tag resolves to whole content, and no temporary file stays. All rounds share one store.
"""

import hashlib
import http.client
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from wasm2oci.oci.digest import Digest
from wasm2oci.oci.manifest import parse_manifest
from wasm2oci.oci.media_type import EMPTY_JSON, OCI_MANIFEST
from wasm2oci.server.disk import DiskStorage

__all__ = ["Report", "rounds"]

PUSHERS = 4


@dataclass
class Report:
    """What all rounds together did and found."""

    rounds: int = 0
    pushed: int = 0
    cut: int = 0
    left_before: int = 0
    tags: int = 0
    manifests: int = 0


def rounds(count: int, seed: int = 1) -> Report:
    """Kill so many times; raises AssertionError as soon as something is not whole."""
    chance, report = random.Random(seed), Report()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "registry"
        for _ in range(count):
            _round(root, chance, report)
            _look(root, report)
    return report


def _round(root: Path, chance: random.Random, report: Report) -> None:
    command = [sys.executable, "-m", "wasm2oci", "serve", "--root", str(root), "--listen", "127.0.0.1:0", "-q"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, "the registry did not start"
        stop, first = threading.Event(), threading.Event()
        done = [0] * PUSHERS
        threads = [
            threading.Thread(
                target=_push_on, args=(address, chance.random(), stop, done, number), kwargs={"first": first}
            )
            for number in range(PUSHERS)
        ]
        for thread in threads:
            thread.start()
        if not report.pushed:
            assert first.wait(300), "nothing can be pushed"
        stop.wait(chance.uniform(0.02, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait()
        stop.set()
        for thread in threads:
            thread.join()
        report.rounds += 1
        report.pushed += sum(done)
        report.cut += PUSHERS


def _look(root: Path, report: Report) -> None:
    report.left_before += sum(1 for _ in (root / "_uploads").iterdir())
    storage = DiskStorage(root)
    try:
        report.tags = report.manifests = 0
        for repository in storage.repositories():
            for tag, digest in storage.tags(repository).items():
                stored = storage.manifest(repository, tag)
                assert stored is not None, f"{repository}:{tag} names nothing"
                assert Digest.of(stored.raw, digest.algorithm) == digest
                report.tags += 1
            for digest in storage.manifests(repository):
                stored = storage.manifest(repository, digest)
                assert stored is not None
                report.manifests += 1
                for child in parse_manifest(stored.raw, stored.media_type).children:
                    body = storage.open_blob(repository, child.digest, 0, child.size)
                    assert body is not None, f"{repository}@{digest} lacks {child.digest}"
                    try:
                        assert child.digest.hasher().consume(bytes(piece) for piece in body).digest() == child.digest
                    finally:
                        body.close()
        _look_at_files(root)
    finally:
        storage.close()


def _look_at_files(root: Path) -> None:
    assert not list((root / "_uploads").iterdir()), "temporary files stay"
    for path in root.rglob("*"):
        if path.is_dir():
            continue
        relative = path.relative_to(root).parts
        if relative[-3:-2] in (("blobs",), ("_blobs",)):
            assert hashlib.new(relative[-2], path.read_bytes()).hexdigest() == relative[-1], f"{path} is not whole"
            assert path.stat().st_nlink > 1, f"{path} is not shared with the pool, or is nobody's"
        else:
            assert relative[-1] in ("index.json", "oci-layout", "wasm2oci-registry.json"), f"what is {path}?"


def _push_on(
    address: str, seed: float, stop: threading.Event, done: list[int], number: int, *, first: threading.Event
) -> None:
    """Push until told to stop; what each thread pushes first keeps its tag."""
    chance = random.Random(seed)
    connection = http.client.HTTPConnection(address, timeout=120)
    with closing(connection), suppress(OSError, http.client.HTTPException):
        while not stop.is_set():
            _push(connection, chance, None if done[number] else f"kept{number}")
            done[number] += 1
            first.set()


def _push(connection: http.client.HTTPConnection, chance: random.Random, kept: str | None) -> None:
    repository = chance.choice(("a", "b/c", f"new-{chance.randrange(1000)}"))
    # What keeps its tag has a module of its own, so that nothing else that is pushed and deleted is the same manifest.
    module = b"\0asm\1\0\0\0" + chance.randbytes(chance.choice((100, 300_000) if kept else (0, 100, 300_000)))
    for data in (b"{}", module):
        digest = Digest.of(data)
        way = chance.randrange(3)
        uploads = f"/v2/{repository}/blobs/uploads/"
        if way == 0:
            _ask(connection, "POST", f"{uploads}?digest={digest}", data)
        elif way == 1:
            where = _ask(connection, "POST", uploads)
            half = len(data) // 2
            _ask(connection, "PATCH", where, data[:half])
            _ask(connection, "PUT", f"{where}?digest={digest}", data[half:])
        else:
            where = _ask(connection, "POST", f"{uploads}?mount={digest}&from=a")
            if "/uploads/" in where:
                _ask(connection, "PUT", f"{where}?digest={digest}", data)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": EMPTY_JSON, "digest": str(Digest.of(b"{}")), "size": 2},
            "layers": [{"mediaType": "application/wasm", "digest": str(Digest.of(module)), "size": len(module)}],
        }
    ).encode()
    reference = kept or chance.choice(("latest", f"t{chance.randrange(20)}", str(Digest.of(manifest))))
    _ask(connection, "PUT", f"/v2/{repository}/manifests/{reference}", manifest)
    if not kept and chance.random() < 0.2:
        _ask(connection, "DELETE", f"/v2/{repository}/manifests/{Digest.of(manifest)}")


def _ask(connection: http.client.HTTPConnection, method: str, target: str, body: bytes = b"") -> str:
    connection.request(method, target, body, {"Content-Type": OCI_MANIFEST if "/manifests/" in target else "a/b"})
    response = connection.getresponse()
    response.read()
    return response.headers.get("Location", "")


if __name__ == "__main__":
    print(rounds(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
