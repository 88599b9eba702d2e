"""Debian's docker-registry, started on loopback for a test: the registry that nobody here wrote.

Four set-ups: plain http, Basic (htpasswd), TLS with a private authority, TLS and Bearer tokens from `token_server`.
`WASM2OCI_DOCKER_REGISTRY` names another version of it, or zot (a program whose name begins so).
Use the context manager, or the fixtures of `tests/integration/conftest.py`.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.certificates import Authority, Issued
from tests.support.token_server import TokenServer

__all__ = ["PASSWORD", "USERNAME", "DockerRegistry", "docker_registry", "missing_reason", "removes_tags_alone"]

USERNAME = "alice"
PASSWORD = "correct horse"
# bcrypt of PASSWORD, cost 4; docker-registry reads nothing else, and the standard library cannot make it.
HTPASSWD = "alice:$2b$04$wRzILQRqrs5PAW6YoHGhUerI0UlPOL.hnxV5IRMt5yVOKSvlMYNbm\n"


@dataclass(frozen=True, slots=True)
class DockerRegistry:
    """A registry that runs."""

    host: str
    folder: Path
    process: "subprocess.Popen[bytes]"
    ca_file: Path | None = None
    username: str | None = None
    password: str | None = None
    tokens: TokenServer | None = None

    def log(self) -> str:
        """What it wrote so far."""
        return (self.folder / "log").read_text("utf-8", "replace")


def program() -> str:
    """The registry that is run: `WASM2OCI_DOCKER_REGISTRY` may name another version of it."""
    return os.environ.get("WASM2OCI_DOCKER_REGISTRY") or "docker-registry"


def is_zot() -> bool:
    """Whether it is zot that is run."""
    return Path(program()).name.startswith("zot")


def missing_reason() -> str | None:
    """Why tests with it are skipped here, or None when it is installed."""
    if shutil.which(program()):
        return None
    return "docker-registry is not installed: apt-get install docker-registry"


def removes_tags_alone() -> bool:
    """Whether this version of it removes a tag and keeps the manifest; 2 does not, 3 and zot do."""
    if is_zot():
        return True
    said = subprocess.run([program(), "--version"], capture_output=True, text=True, check=True).stdout
    return " v3." in said


@contextmanager
def docker_registry(
    folder: Path,
    *,
    basic: bool = False,
    certificate: Issued | None = None,
    authority: Authority | None = None,
    tokens: TokenServer | None = None,
    deletes: bool = True,
) -> Iterator[DockerRegistry]:
    """Run a registry while the block lasts.

    Args:
        folder: for its configuration, storage and log.
        basic: ask for `USERNAME` and `PASSWORD`.
        certificate: speak TLS with this one.
        authority: that issued it.
        tokens: ask for tokens from this server.
        deletes: allow deletes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if is_zot():
        config = folder / "config.json"
        config.write_text(json.dumps(_zot(folder, basic=basic, certificate=certificate, tokens=tokens)))
    else:
        config = folder / "config.yml"
        lines = _distribution(folder, basic=basic, certificate=certificate, tokens=tokens, deletes=deletes)
        config.write_text("\n".join(lines) + "\n")
    if basic:
        (folder / "htpasswd").write_text(HTPASSWD)
    environ = {key: value for key, value in os.environ.items() if not key.upper().endswith("_PROXY")}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program(), "serve", str(config)],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environ,
            start_new_session=True,
        )
    try:
        port = _port(process, folder / "log")
        yield DockerRegistry(
            host=f"127.0.0.1:{port}",
            folder=folder,
            process=process,
            ca_file=authority.ca_file if authority is not None else None,
            username=USERNAME if basic else tokens.username if tokens is not None else None,
            password=PASSWORD if basic else tokens.password if tokens is not None else None,
            tokens=tokens,
        )
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _distribution(
    folder: Path, *, basic: bool, certificate: Issued | None, tokens: TokenServer | None, deletes: bool
) -> list[str]:
    """The lines of docker-registry's configuration."""
    storage = folder / "storage"
    lines = [
        "version: 0.1",
        "log: {level: info, accesslog: {disabled: false}}",
        f"storage: {{filesystem: {{rootdirectory: {storage}}}, delete: {{enabled: {str(deletes).lower()}}}}}",
        "http:",
        "  addr: 127.0.0.1:0",
        "  secret: not-a-secret",
        "  relativeurls: false",
    ]
    if certificate is not None:
        lines += ["  tls:", f"    certificate: {certificate.certificate_file}", f"    key: {certificate.key_file}"]
    if basic:
        lines += ["auth:", f"  htpasswd: {{realm: tests, path: {folder / 'htpasswd'}}}"]
    if tokens is not None:
        ca = f"rootcertbundle: {tokens.signer.certificate_file}"
        lines += [
            "auth:",
            f"  token: {{realm: '{tokens.url}', service: {tokens.service}, issuer: {tokens.issuer}, {ca}}}",
        ]
    return lines


def _zot(
    folder: Path, *, basic: bool, certificate: Issued | None, tokens: TokenServer | None
) -> dict[str, dict[str, object]]:
    """zot's configuration; it takes deletes always."""
    http: dict[str, object] = {"address": "127.0.0.1", "port": "0"}
    if certificate is not None:
        http["tls"] = {"cert": str(certificate.certificate_file), "key": str(certificate.key_file)}
    if basic:
        http["auth"] = {"htpasswd": {"path": str(folder / "htpasswd")}}
    if tokens is not None:
        signer = str(tokens.signer.certificate_file)
        http["auth"] = {"bearer": {"realm": tokens.url, "service": tokens.service, "cert": signer}}
    storage = {"rootDirectory": str(folder / "storage"), "gc": False}
    return {"storage": storage, "http": http, "log": {"level": "info"}}


def _port(process: "subprocess.Popen[bytes]", log: Path) -> int:
    """The port that the registry chose, once it listens there."""
    ends = time.monotonic() + 120
    while time.monotonic() < ends:
        text = log.read_text("utf-8", "replace")
        if found := re.search(r"listening on 127\.0\.0\.1:(\d+)|\"port\":(\d+)", text):
            return int(found[1] or found[2])
        if process.poll() is not None:
            raise RuntimeError(f"docker-registry ended: {text[-2000:]}")
        time.sleep(0.02)  # waiting for another program to listen: there is nothing to be told by
    raise RuntimeError("docker-registry did not listen within 120 s")
