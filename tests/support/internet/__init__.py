"""An internet for one process of the command line: hosts of any name, address and port, over TLS, as hostile as wanted.

    with Internet(folder) as internet:
        internet.host("https://ghcr.io", answer)                      # answer(Sent) -> Answer or Raw
        internet.host("https://10.0.0.5:8443", answer)
        internet.name("registry.corp", "10.0.0.5")
        done = internet.run("pull", "ghcr.io/me/app:v1", "-o", "m.wasm")

Each host is a server on a port of loopback, with a certificate of an authority that the process trusts. What the
process looks up and connects to is led there by `sitecustomize.py`; nothing leaves this machine. `Raw` is sent as it
is, so that an answer can be anything; the answers of `network.core` are our own registry's.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from tests.support.certificates import make_authority
from tests.support.data import ROOT
from tests.support.network import Answer, Sent
from wasm2oci.registry.urls import Origin

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from tests.support.certificates import Authority

__all__ = ["HANG_UP", "Internet", "Raw"]


@dataclass(frozen=True)
class Raw:
    """Bytes of an answer as they are sent; the connection is closed after them, unless it is kept."""

    data: bytes
    kept: bool = False


HANG_UP = Raw(b"")
"""No answer: the connection is closed."""


@dataclass
class Internet:
    """Hosts, what they answered, and a process that knows no others.

    Args:
        folder: for certificates and the home of the process.

    Attributes:
        sent: every request that arrived anywhere, in order.
        connections: by origin, how many were opened.
    """

    folder: Path
    sent: list[Sent] = field(default_factory=list)
    connections: dict[str, int] = field(default_factory=dict)
    authority: Authority = field(init=False)
    _names: dict[str, list[str]] = field(default_factory=dict)
    _answers: dict[str, Callable[[Sent], Answer | Raw]] = field(default_factory=dict)
    _ports: dict[str, int] = field(default_factory=dict)
    _listeners: list[socket.socket] = field(default_factory=list)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.authority = make_authority(self.folder / "certificates")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for listener in self._listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def name(self, name: str, *addresses: str) -> None:
        """A name stands for these addresses, for which the hosts of this name listen."""
        self._names[name] = list(addresses)

    def host(self, origin: str, answer: Callable[[Sent], Answer | Raw], *, certificate_for: str | None = None) -> None:
        """Let this origin be there. A name that has no address yet gets a public one of its own.

        Origins of one address and port are told apart by the `Host` that a request names.

        Args:
            origin: `SCHEME://HOST[:PORT]`.
            answer: answers each request; may be called from many threads.
            certificate_for: the only name that its certificate is for, if not its own and its addresses.
        """
        at = Origin.of(origin)
        try:
            addresses = [str(ipaddress.ip_address(at.name))]
        except ValueError:
            addresses = self._names.setdefault(at.name, [f"93.184.216.{len(self._names) + 1}"])
        self._answers[str(at)] = answer
        if f"{addresses[0]} {at.port}" in self._ports:
            return
        context: ssl.SSLContext | None = None
        if at.scheme == "https":
            named = [name for name, known in self._names.items() if addresses[0] in known]
            hosts = [certificate_for] if certificate_for is not None else [at.name, *addresses, *named]
            issued = self.authority.issue(f"{at.name}-{at.port}".replace(":", "_"), *hosts)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(issued.certificate_file, issued.key_file)
        listener = socket.create_server(("127.0.0.1", 0))
        self._listeners.append(listener)
        for address in addresses:
            self._ports[f"{address} {at.port}"] = listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(listener, context, at), daemon=True).start()

    def at(self, origin: str) -> list[Sent]:
        """What one origin was asked."""
        return [sent for sent in self.sent if sent.origin == str(Origin.of(origin))]

    def environ(self, **variables: str) -> dict[str, str]:
        """The environment of a process in this internet."""
        plan = {"names": self._names, "ports": self._ports}
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder / "home"),
            "PYTHONPATH": os.pathsep.join((str(Path(__file__).parent), str(ROOT))),
            "SSL_CERT_FILE": str(self.authority.ca_file),
            "SIMULATED_INTERNET": json.dumps(plan),
            **variables,
        }

    def run(self, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        """The command line as a process of its own in this internet; `variables` are those of its environment."""
        (self.folder / "home").mkdir(exist_ok=True)
        command = [sys.executable, "-m", "wasm2oci", *map(str, arguments)]
        environ = self.environ(**variables)
        return subprocess.run(
            command, cwd=self.folder, env=environ, capture_output=True, text=True, timeout=300, check=False
        )

    def _accept(self, listener: socket.socket, context: ssl.SSLContext | None, at: Origin) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._guard:
                self.connections[str(at)] = self.connections.get(str(at), 0) + 1
            threading.Thread(target=self._serve, args=(connection, context, at), daemon=True).start()

    def _serve(self, connection: socket.socket, context: ssl.SSLContext | None, at: Origin) -> None:
        with contextlib.suppress(OSError, ValueError):  # the other side goes away when it likes
            if context is not None:
                connection = context.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                while (sent := _read(stream, at)) is not None:
                    with self._guard:
                        self.sent.append(sent)
                    reply = self._answers.get(sent.origin, self._answers[str(at)])(sent)
                    if isinstance(reply, Answer):
                        reply = _plain(reply, head=sent.method == "HEAD")
                    connection.sendall(reply.data)
                    if not reply.kept:
                        return


def _read(stream: IO[bytes], at: Origin) -> Sent | None:
    line = stream.readline().decode("latin-1").split()
    if len(line) != 3:
        return None
    headers: dict[str, str] = {}
    while (text := stream.readline().decode("latin-1").strip()) != "":
        name, _, value = text.partition(":")
        headers[name.lower()] = value.strip()
    body = bytearray()
    if headers.get("transfer-encoding") == "chunked":
        while (size := int(stream.readline(), 16)) > 0:
            body += stream.read(size)
            stream.readline()
        stream.readline()
    else:
        body += stream.read(int(headers.get("content-length", "0")))
    origin = str(Origin.at(at.scheme, headers["host"]))
    return Sent(origin, line[0], f"{origin}{line[1]}", headers, bytes(body))


def _plain(answer: Answer, *, head: bool) -> Raw:
    assert isinstance(answer.body, bytes)
    pairs = answer.pairs()
    if not any(name.lower() in {"content-length", "transfer-encoding"} for name, _ in pairs):
        pairs.append(("Content-Length", str(len(answer.body))))
    lines = [f"HTTP/1.1 {answer.status} X", *(f"{name}: {value}" for name, value in pairs), "", ""]
    return Raw("\r\n".join(lines).encode("latin-1") + (b"" if head else answer.body), kept=True)
