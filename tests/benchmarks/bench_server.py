"""Our registry beside Debian's docker-registry, in the same run: rates as ratios, and peak memory.

    python tests/benchmarks/bench_server.py [--mib 1024] [--rounds 3] [--folder DIR]

One client for both: raw sockets, the file sent by the kernel, received into one buffer, nothing hashed on its side.
Rounds alternate between the two, and the best of each counts; processor time, which other work on the machine does
not change much, is shown beside it. `small` is 200 pushes (blob and manifest) and 200 pulls over one connection.
"""

import argparse
import hashlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from wasm2oci.oci.digest import Digest
from wasm2oci.oci.media_type import OCI_MANIFEST

SMALL = 200
PULLS = 4
MIB = 1 << 20


@dataclass(frozen=True)
class Running:
    name: str
    port: int
    pid: int

    def peak_mib(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024

    def cpu(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def ours(folder: Path) -> Iterator[Running]:
    command = [sys.executable, "-m", "wasm2oci", "serve", "--root", str(folder), "--listen", "127.0.0.1:0", "-q"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        try:
            yield Running("wasm2oci", int(address.rpartition(":")[2]), process.pid)
        finally:
            process.terminate()


@contextmanager
def debians(folder: Path) -> Iterator[Running]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "config.yml"
    folder.mkdir()
    config.write_text(
        "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    environment = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
    command = ["docker-registry", "serve", str(config)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment) as process:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        try:
            yield Running("docker-registry", port, process.pid)
        finally:
            process.terminate()


def head(connection: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        assert piece, "closed"
        data += piece
    before, _, after = data.partition(b"\r\n\r\n")
    return before, after


def push(registry: Running, source: Path, digest: Digest) -> None:
    api = http.client.HTTPConnection("127.0.0.1", registry.port)
    api.request("POST", "/v2/bench/blobs/uploads/", headers={"Content-Length": "0"})
    answer = api.getresponse()
    answer.read()
    where = answer.headers["Location"].partition(f":{registry.port}")
    target = where[2] or where[0]
    target += f"{'&' if '?' in target else '?'}digest={digest}"
    api.close()
    with socket.create_connection(("127.0.0.1", registry.port)) as connection, source.open("rb") as file:
        size = source.stat().st_size
        lines = ["Host: x", "Content-Type: application/octet-stream", f"Content-Length: {size}", "", ""]
        connection.sendall("\r\n".join([f"PUT {target} HTTP/1.1", *lines]).encode())
        connection.sendfile(file)
        status, _ = head(connection)
        assert b" 201 " in status, status


def pull(registry: Running, digest: Digest, size: int) -> None:
    buffer = bytearray(MIB)
    with socket.create_connection(("127.0.0.1", registry.port)) as connection:
        connection.sendall(f"GET /v2/bench/blobs/{digest} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        status, rest = head(connection)
        assert b" 200 " in status, status
        left = size - len(rest)
        while left:
            count = connection.recv_into(buffer)
            assert count, "closed"
            left -= count


def small(registry: Running, name: str) -> tuple[float, float]:
    api = http.client.HTTPConnection("127.0.0.1", registry.port)

    def ask(method: str, target: str, body: bytes = b"", expected: tuple[int, ...] = (200, 201, 202)) -> str:
        kind = OCI_MANIFEST if "manifests" in target else "a/b"
        api.request(method, target, body, {"Content-Type": kind, "Accept": OCI_MANIFEST})
        answer = api.getresponse()
        answer.read()
        assert answer.status in expected, (method, target, answer.status)
        return answer.headers.get("Location", "")

    def blob(data: bytes) -> dict[str, object]:
        digest = Digest.of(data)
        target = ask("POST", f"/v2/{name}/blobs/uploads/")
        ask("PUT", f"{target}{'&' if '?' in target else '?'}digest={digest}", data)
        return {"mediaType": "application/wasm", "digest": str(digest), "size": len(data)}

    config = {**blob(b"{}"), "mediaType": "application/vnd.oci.image.config.v1+json"}
    modules = [os.urandom(3000) for _ in range(SMALL)]
    started = time.perf_counter()
    for number, module in enumerate(modules):
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [blob(module)]}
        ask("PUT", f"/v2/{name}/manifests/t{number}", json.dumps(document).encode())
    pushed = time.perf_counter() - started
    started = time.perf_counter()
    for number, module in enumerate(modules):
        ask("GET", f"/v2/{name}/manifests/t{number}")
        ask("GET", f"/v2/{name}/blobs/{Digest.of(module)}")
    return pushed, time.perf_counter() - started


def timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    if shutil.which("docker-registry") is None:
        sys.exit("docker-registry is not installed")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.folder)))
        both = [stack.enter_context(ours(folder / "ours")), stack.enter_context(debians(folder / "debians"))]
        times: dict[tuple[str, str], list[float]] = {}
        used: dict[tuple[str, str], list[float]] = {}
        for number in range(options.rounds):
            for registry in both if number % 2 == 0 else both[::-1]:
                source = folder / "module"
                block = os.urandom(MIB)
                with source.open("wb") as file:
                    for piece in range(options.mib):
                        file.write(piece.to_bytes(8, "little") + block[8:])
                with source.open("rb") as file:
                    digest = Digest("sha256", hashlib.file_digest(file, "sha256").hexdigest())
                before = registry.cpu()
                seconds = {"push": timed(partial(push, registry, source, digest))}
                between = registry.cpu()
                pulls = [timed(partial(pull, registry, digest, options.mib * MIB)) for _ in range(PULLS)]
                seconds["pull"] = min(pulls)
                used.setdefault(("push", registry.name), []).append(between - before)
                used.setdefault(("pull", registry.name), []).append((registry.cpu() - between) / PULLS)
                seconds["small push"], seconds["small pull"] = small(registry, f"small/{number}")
                for what, value in seconds.items():
                    times.setdefault((what, registry.name), []).append(value)
        for what in ("push", "pull", "small push", "small pull"):
            mine, other = (min(times[what, registry.name]) for registry in both)
            if what.startswith("small"):
                shown = f"{SMALL / mine:8.0f} /s   {SMALL / other:8.0f} /s"
            else:
                shown = f"{options.mib / mine:6.0f} MiB/s {options.mib / other:6.0f} MiB/s"
            print(f"{what:12} wasm2oci {shown}  docker-registry   ratio {other / mine:.2f} (above 1: ours is faster)")
        for what in ("push", "pull"):
            mine, other = (sum(used[what, registry.name]) / options.rounds for registry in both)
            print(f"{what:12} processor time {mine:.2f} s and {other:.2f} s   ratio {other / mine:.2f}")
        for registry in both:
            print(f"peak memory  {registry.name:16} {registry.peak_mib():6.1f} MiB")


if __name__ == "__main__":
    main()
