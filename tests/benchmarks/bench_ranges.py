"""A large pull over a line that limits each connection, in parts beside one connection in the same run.

    python tests/benchmarks/bench_ranges.py [--mib 256] [--mb-per-second 20] [--ms 20]

The registry is docker-registry behind `tests/support/delayed_line.py`, in a process of its own. Both sides read,
hash and write; the one connection is `registry.download.BlobPart`, which a registry without ranges gets.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.delayed_line import line_process
from tests.support.docker_registry import docker_registry
from wasm2oci.base.outputs import write_file
from wasm2oci.content.verify import BytesContent, VerifiedContent
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.reference import Reference
from wasm2oci.registry.connect import Connector
from wasm2oci.registry.download import BlobPart
from wasm2oci.registry.options import ConnectOptions

if TYPE_CHECKING:
    from wasm2oci.content.target import Content


def seconds(content: Content, path: Path) -> float:
    start = time.perf_counter()
    write_file(path, content)
    return time.perf_counter() - start


def main() -> int:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--mb-per-second", type=float, default=20.0, help="of each connection")
    parser.add_argument("--ms", type=float, default=20.0, help="round-trip time")
    options = parser.parse_args()
    data = os.urandom(1 << 20) * options.mib
    blob = Descriptor("application/wasm", Digest.of(data), len(data))
    with tempfile.TemporaryDirectory() as scratch, docker_registry(Path(scratch) / "registry") as registry:
        folder = Path(scratch)
        with Connector(ConnectOptions(environ={}, home=folder, plain_http=True)) as near:
            repository = near.repository(Reference.parse(f"{registry.host}/bench/large"), writes=True)
            repository.push(blob, BytesContent(data))
        port = int(registry.host.rpartition(":")[2])
        with (
            line_process(port, options.ms / 1000, options.mb_per_second * 1e6) as address,
            Connector(ConnectOptions(environ={}, home=folder, plain_http=True)) as far,
        ):
            repository = far.repository(Reference.parse(f"{address}/bench/large"))
            one = seconds(VerifiedContent(blob, BlobPart(repository._exchange, blob, 0, blob.size)), folder / "one")
            parts = seconds(repository.fetch(blob), folder / "parts")
    print(f"{options.mib} MiB: one connection {one:.1f} s, in parts {parts:.1f} s, {one / parts:.1f} times as fast")
    return 0


if __name__ == "__main__":
    sys.exit(main())
