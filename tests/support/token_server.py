"""A token server as docker-registry wants one: JWTs signed with RS256, the certificate in their `x5c` header.

It issues what the user may have, by GET with Basic and by OAuth2 POST with a refresh token; `life` is how many
seconds a token lives, so that a test can have tokens end in the middle of a push. `seen` says what was asked.
"""

import base64
import json
import ssl
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.support.certificates import Issued

__all__ = ["TokenServer", "token_server"]


@dataclass
class TokenServer:
    """What the server knows and has seen."""

    signer: Issued
    issuer: str = "wasm2oci-tests"
    service: str = "registry-under-test"
    username: str = "alice"
    password: str = "correct horse"
    refresh_token: str = "refresh-me"
    life: float = 300.0
    anonymous_pull: bool = True
    stale: frozenset[int] = frozenset()
    issued: int = 0
    url: str = ""
    seen: list[str] = field(default_factory=list)

    def answer(self, scopes: list[str], *, known: bool) -> dict[str, object]:
        """The token for these scopes, in the form of the protocol."""
        access = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            allowed = [action for action in actions.split(",") if known or (self.anonymous_pull and action == "pull")]
            access.append({"type": kind, "name": name, "actions": allowed})
        self.issued += 1
        # A token that ended ten minutes ago although it says otherwise: it is refused in the middle of things.
        now = time.time() - (self.life + 600 if self.issued in self.stale else 0)
        token = self._sign(
            {
                "iss": self.issuer,
                "sub": self.username if known else "",
                "aud": self.service,
                "exp": int(now + max(self.life, 1)),
                "nbf": int(now) - 10,
                "iat": int(now),
                "jti": uuid.uuid4().hex,
                "access": access,
            }
        )
        return {"token": token, "access_token": token, "expires_in": self.life}

    def _sign(self, claims: dict[str, object]) -> str:
        certificate = self.signer.certificate.public_bytes(serialization.Encoding.DER)
        header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(certificate).decode()]}
        text = ".".join(_encode(json.dumps(part).encode()) for part in (header, claims))
        assert isinstance(self.signer.key, rsa.RSAPrivateKey)
        signature = self.signer.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{text}.{_encode(signature)}"


@contextmanager
def token_server(server: TokenServer, *, certificate: Issued | None = None) -> Iterator[TokenServer]:
    """Run a token server on loopback while the block lasts, with TLS if it has a certificate; its `url` is the
    realm."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            scopes = [part for value in query.get("scope", []) for part in value.split()]
            given = self.headers.get("Authorization")
            server.seen.append(f"GET {'basic' if given else 'anonymous'} {' '.join(scopes)}")
            expected = base64.b64encode(f"{server.username}:{server.password}".encode()).decode()
            if given is not None and given != f"Basic {expected}":
                self._send(401, {"errors": [{"code": "UNAUTHORIZED", "message": "wrong user name or password"}]})
            else:
                self._send(200, server.answer(scopes, known=given is not None))

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            scopes = " ".join(form.get("scope", [])).split()
            server.seen.append(f"POST {form['grant_type'][0]} {' '.join(scopes)}")
            if form.get("refresh_token") == [server.refresh_token]:
                self._send(200, server.answer(scopes, known=True))
            else:
                self._send(401, {"errors": [{"code": "UNAUTHORIZED", "message": "unknown refresh token"}]})

        def _send(self, status: int, value: object) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate_file, certificate.key_file)
        # The handshake belongs to the connection's own thread: the first read does it.
        listener.socket = context.wrap_socket(listener.socket, server_side=True, do_handshake_on_connect=False)
    server.url = f"{'http' if certificate is None else 'https'}://127.0.0.1:{listener.server_port}/token"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join(10)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
