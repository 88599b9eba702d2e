"""Push and pull of a small module over a line with a round-trip time, beside oras, regctl and crane in the same run.

    python tests/benchmarks/bench_line.py [--ms 100] [--rounds 5] [--kib 90] [--python PYTHON] [--set-up plain|token]

The registry is docker-registry behind `tests/support/delayed_line.py`: plain http without authorization, or TLS with
Bearer tokens from a token server behind a second line. Each figure is a whole process, from start to exit, with an
empty home; rounds alternate between the tools and the median counts. Peers that are not installed are left out:

    go install oras.land/oras/cmd/oras@latest
    go install github.com/regclient/regclient/cmd/regctl@latest
    go install github.com/google/go-containerregistry/cmd/crane@latest

Each tool gets its option for plain http. Without `--plain-http`, wasm2oci first asks a registry on loopback whether it
speaks plain http, which is one exchange more. `push` sends a new module each time; `again` sends the same module once
more; `pull` is by tag into a new file.
crane has no command for artifacts: it appends the module as the layer of an image, and pulls an OCI layout.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.support.certificates import make_authority
from tests.support.delayed_line import delayed_line
from tests.support.docker_registry import docker_registry
from tests.support.token_server import TokenServer, token_server

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).parents[2]
OPERATIONS = ("push", "again", "pull")


@dataclass
class Place:
    """Where the registry is reached, and as whom.

    Attributes:
        host: the address of the line in front of the registry.
        folder: for homes and files.
        ca_file: of the registry's certificate; None: plain http.
        user: name and password; None: nobody asks.
    """

    host: str
    folder: Path
    ca_file: Path | None = None
    user: tuple[str, str] | None = None

    def environ(self) -> dict[str, str]:
        """A home that has only the credentials and the certificate authority."""
        home = self.folder / "home"
        docker = home / ".docker"
        docker.mkdir(parents=True, exist_ok=True)
        auths = {}
        if self.user is not None:
            auths[self.host] = {"auth": b64encode(":".join(self.user).encode()).decode()}
        (docker / "config.json").write_text(json.dumps({"auths": auths}))
        regctl = home / ".regctl"
        regctl.mkdir(exist_ok=True)
        host: dict[str, str] = {"tls": "disabled"}
        if self.ca_file is not None:
            host = {"tls": "enabled", "regcert": self.ca_file.read_text()}
        if self.user is not None:
            host |= {"user": self.user[0], "pass": self.user[1]}
        (regctl / "config.json").write_text(json.dumps({"hosts": {self.host: host}}))
        environ = {"PATH": os.environ["PATH"], "HOME": str(home)}
        if self.ca_file is not None:
            environ["SSL_CERT_FILE"] = str(self.ca_file)
        return environ


Commands = dict[str, list[str]]


def ours(place: Place, python: str, module: Path, name: str, out: Path) -> Commands:
    tool = [python, "-m", "wasm2oci"]
    trust = ["--ca-file", str(place.ca_file)] if place.ca_file is not None else ["--plain-http"]
    reference = f"{place.host}/{name}:1"
    push = [*tool, "push", *trust, str(module), reference]
    return {"push": push, "again": push, "pull": [*tool, "pull", *trust, reference, "-o", f"{out}.wasm"]}


def oras(place: Place, module: Path, name: str, out: Path) -> Commands:
    trust = ["--ca-file", str(place.ca_file)] if place.ca_file is not None else ["--plain-http"]
    reference = f"{place.host}/{name}:1"
    kind = ["--artifact-type", "application/vnd.wasm.config.v0+json"]
    push = ["oras", "push", *trust, *kind, reference, f"{module.name}:application/wasm"]
    return {"push": push, "again": push, "pull": ["oras", "pull", *trust, reference, "-o", str(out)]}


def regctl(place: Place, module: Path, name: str, out: Path) -> Commands:
    reference = f"{place.host}/{name}:1"
    kind = ["--artifact-type", "application/vnd.wasm.config.v0+json", "--file-media-type", "application/wasm"]
    push = ["regctl", "artifact", "put", *kind, "-f", module.name, reference]
    return {"push": push, "again": push, "pull": ["regctl", "artifact", "get", reference, "-o", str(out)]}


def crane(place: Place, module: Path, name: str, out: Path) -> Commands:
    trust = [] if place.ca_file is not None else ["--insecure"]
    reference = f"{place.host}/{name}:1"
    push = ["crane", *trust, "append", "--oci-empty-base", "-f", str(module), "-t", reference]
    return {"push": push, "again": push, "pull": ["crane", *trust, "pull", "--format", "oci", reference, str(out)]}


@dataclass
class Series:
    seconds: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    out: set[str] = field(default_factory=set)

    def run(self, tool: str, operation: str, command: Sequence[str], environ: dict[str, str], folder: Path) -> None:
        start = time.perf_counter()
        done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, check=False)
        took = time.perf_counter() - start
        if done.returncode and tool == "wasm2oci":
            raise SystemExit(f"{tool} {operation} ended with {done.returncode}: {done.stderr.decode()[-800:]}")
        if done.returncode:
            print(f"{tool} is left out: {operation} ended with {done.returncode}: {done.stderr.decode()[-300:]}")
            self.out.add(tool)
            return
        self.seconds.setdefault((tool, operation), []).append(took)

    def show(self, title: str, tools: Sequence[str]) -> None:
        tools = [tool for tool in tools if tool not in self.out]
        for operation in OPERATIONS:
            medians = {tool: statistics.median(self.seconds[tool, operation]) for tool in tools}
            peers = [medians[tool] for tool in tools if tool != "wasm2oci"]
            line = "  ".join(f"{tool} {seconds * 1000:5.0f} ms" for tool, seconds in medians.items())
            ratio = f"  ratio to the fastest peer {medians['wasm2oci'] / min(peers):.2f}" if peers else ""
            print(f"{title} {operation:5}: {line}{ratio}", flush=True)


def measure(place: Place, title: str, rounds: int, kib: int, python: str) -> None:
    """Run every tool in turn and print the medians."""
    makers: dict[str, Callable[[Path, str, Path], Commands]] = {
        "wasm2oci": lambda module, name, out: ours(place, python, module, name, out),
        "oras": lambda module, name, out: oras(place, module, name, out),
        "regctl": lambda module, name, out: regctl(place, module, name, out),
        "crane": lambda module, name, out: crane(place, module, name, out),
    }
    tools = [tool for tool in makers if tool == "wasm2oci" or shutil.which(tool)]
    environ = place.environ()
    series = Series()
    for number in range(rounds):
        for tool in tools:
            module = place.folder / f"{tool}{number}.wasm"
            module.write_bytes(b"\0asm\x01\0\0\0\0" + _leb(kib * 1024) + b"\x01x" + os.urandom(kib * 1024 - 2))
            out = place.folder / f"out-{tool}{number}"
            if tool == "regctl":
                out.mkdir()
            own = environ | ({"PYTHONPATH": str(ROOT)} if tool == "wasm2oci" and python == sys.executable else {})
            for operation, command in makers[tool](module, f"bench/{tool}{number}", out).items():
                if tool not in series.out:
                    series.run(tool, operation, command, own, place.folder)
    series.show(title, tools)


def _leb(value: int) -> bytes:
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


def plain(folder: Path, stack: ExitStack, round_trip: float) -> Place:
    registry = stack.enter_context(docker_registry(folder / "registry"))
    line = stack.enter_context(delayed_line(_port(registry.host), round_trip))
    return Place(line.address, folder)


def with_tokens(folder: Path, stack: ExitStack, round_trip: float) -> Place:
    (folder / "ca").mkdir()
    authority = make_authority(folder / "ca")
    server = TokenServer(authority.issue("signer", rsa_key=True), anonymous_pull=False)
    tokens = stack.enter_context(token_server(server, certificate=authority.issue("tokens")))
    away = stack.enter_context(delayed_line(urlsplit(tokens.url).port or 0, round_trip))
    tokens.url = f"https://{away.address}/token"
    registry = stack.enter_context(
        docker_registry(
            folder / "registry", certificate=authority.issue("registry"), authority=authority, tokens=tokens
        )
    )
    line = stack.enter_context(delayed_line(_port(registry.host), round_trip))
    return Place(line.address, folder, authority.ca_file, (tokens.username, tokens.password))


SET_UPS = {"plain": plain, "token": with_tokens}


def main() -> int:
    """Measure each set-up on each line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ms", type=float, nargs="*", default=[100.0, 20.0], help="round-trip times, milliseconds")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kib", type=int, default=90)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--set-up", choices=SET_UPS, nargs="*", default=list(SET_UPS))
    options = parser.parse_args()
    for ms in options.ms:
        for name in options.set_up:
            with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
                place = SET_UPS[name](Path(scratch), stack, ms / 1000)
                measure(place, f"{ms:.0f} ms {name}", options.rounds, options.kib, options.python)
    return 0


if __name__ == "__main__":
    sys.exit(main())
