"""Fulcio, Rekor and the token service of GitHub Actions as servers on this machine, over `sigstore_instance`.

Each checks what the real one checks of a request: the token's signature, audience and time; that the certificate
request is signed by the key that is to be certified; that an entry's signature holds by the key of its certificate.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.sigstore_instance import GITHUB_ISSUER, Instance, Signing
from wasm2oci.oci.digest import Digest
from wasm2oci.signing import dsse

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

__all__ = ["Services", "sigstore_services"]

REQUEST_TOKEN = "token of the job"
WORKFLOW = "acme/app/.github/workflows/release.yml@refs/heads/main"


@dataclass
class Services:
    """What answers, and what it was asked.

    Attributes:
        instance: the authority and the logs.
        issuer_key: signs identity tokens.
        url: of Fulcio and Rekor.
        requests: path by path, in order.
        broken: a path that answers 500, for a test.
        foreign_entry: whether the log puts another artifact's entry into its answer.
    """

    instance: Instance = field(default_factory=Instance)
    issuer_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    url: str = ""
    requests: list[str] = field(default_factory=list)
    broken: str = ""
    foreign_entry: bool = False

    def token(self, lifetime: int = 600, **claims: Any) -> str:
        """An identity token, as the issuer of GitHub Actions makes it."""
        now = int(dt.datetime.now(dt.UTC).timestamp())
        value = {
            "iss": GITHUB_ISSUER,
            "aud": "sigstore",
            "sub": "repo:acme/app:ref:refs/heads/main",
            "job_workflow_ref": WORKFLOW,
            "repository": "acme/app",
            "ref": "refs/heads/main",
            "iat": now - 5,
            "nbf": now - 5,
            "exp": now + lifetime,
            **claims,
        }
        return jwt.encode(value, self.issuer_key, algorithm="ES256")

    @property
    def trust_config(self) -> bytes:
        """A `ClientTrustConfig` for this instance."""
        start = "2020-01-01T00:00:00Z"
        service = {"url": self.url, "majorApiVersion": 1, "validFor": {"start": start}, "operator": "test"}
        value = {
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": json.loads(self.instance.trusted_root),
            "signingConfig": {
                "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
                "caUrls": [service],
                "oidcUrls": [],
                "rekorTlogUrls": [service],
                "tsaUrls": [],
                "rekorTlogConfig": {"selector": "ANY"},
                "tsaConfig": {"selector": "ANY"},
            },
        }
        return json.dumps(value).encode()

    def answer(self, path: str, query: str, headers: Any, body: bytes) -> tuple[int, Any]:
        """Status and JSON."""
        self.requests.append(path)
        if path == self.broken:
            return 500, {"message": "out of order"}
        if path == "/token":
            granted = headers["Authorization"] == f"bearer {REQUEST_TOKEN}"
            return (200, {"value": self.token(aud=parse_qs(query)["audience"][0])}) if granted else (401, {})
        if path == "/api/v2/signingCert":
            return self._certify(headers["Authorization"].removeprefix("Bearer "), json.loads(body))
        if path == "/api/v1/log/entries":
            return self._log(json.loads(body))
        return 404, {}

    def _certify(self, token: str, asked: Any) -> tuple[int, Any]:
        claims = jwt.decode(token, self.issuer_key.public_key(), algorithms=["ES256"], audience="sigstore")
        request = x509.load_pem_x509_csr(base64.b64decode(asked["certificateSigningRequest"]))
        key = request.public_key()
        assert request.is_signature_valid
        assert isinstance(key, ec.EllipticCurvePublicKey)
        how = Signing(
            Digest.of(b""),
            identity=f"https://github.com/{claims['job_workflow_ref']}",
            issuer=claims["iss"],
            repository=f"https://github.com/{claims['repository']}",
            reference=claims["ref"],
            at=dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(seconds=2),
        )
        chain = [self.instance.certify(how, key), self.instance.issuing, self.instance.root]
        pems = [one.public_bytes(serialization.Encoding.PEM).decode() for one in chain]
        return 200, {"signedCertificateEmbeddedSct": {"chain": {"certificates": pems}}}

    def _log(self, asked: Any) -> tuple[int, Any]:
        if asked["kind"] == "hashedrekord":
            return self._logged(asked, "hashedrekord")
        assert (asked["kind"], asked["apiVersion"]) == ("dsse", "0.0.1")
        proposed = asked["spec"]["proposedContent"]
        envelope = json.loads(proposed["envelope"])
        payload, signature = (
            base64.b64decode(envelope["payload"]),
            base64.b64decode(envelope["signatures"][0]["sig"]),
        )
        pem = base64.b64decode(proposed["verifiers"][0])
        key = x509.load_pem_x509_certificate(pem).public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        key.verify(signature, dsse.pae(envelope["payloadType"], payload), ec.ECDSA(hashes.SHA256()))
        logged = b"something else" if self.foreign_entry else payload
        body = {
            "apiVersion": "0.0.1",
            "kind": "dsse",
            "spec": {
                "envelopeHash": {
                    "algorithm": "sha256",
                    "value": hashlib.sha256(proposed["envelope"].encode()).hexdigest(),
                },
                "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(logged).hexdigest()},
                "signatures": [
                    {"signature": base64.b64encode(signature).decode(), "verifier": base64.b64encode(pem).decode()}
                ],
            },
        }
        return self._logged(body, "dsse")

    def _logged(self, body: Any, kind: str) -> tuple[int, Any]:
        raw = json.dumps(body, separators=(",", ":"), sort_keys=True).encode()
        entry = self.instance.entry(raw, dt.datetime.now(dt.UTC).replace(microsecond=0), kind)
        proof = entry["inclusionProof"]
        return 201, {
            "24296fb24b8ad77a": {
                "body": entry["canonicalizedBody"],
                "integratedTime": int(entry["integratedTime"]),
                "logID": base64.b64decode(entry["logId"]["keyId"]).hex(),
                "logIndex": 0,
                "verification": {
                    "inclusionProof": {
                        "checkpoint": proof["checkpoint"]["envelope"],
                        "hashes": [],
                        "logIndex": 0,
                        "rootHash": base64.b64decode(proof["rootHash"]).hex(),
                        "treeSize": 1,
                    },
                    "signedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
                },
            }
        }


@contextmanager
def sigstore_services(tls: ssl.SSLContext | None = None) -> Iterator[Services]:
    """The services at a free port; their first request may come at once."""
    services = Services()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._respond(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def do_GET(self) -> None:
            self._respond(b"")

        def _respond(self, body: bytes) -> None:
            parts = urlsplit(self.path)
            status, value = services.answer(parts.path, parts.query, self.headers, body)
            raw = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        services.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield services
        finally:
            server.shutdown()
            thread.join()
