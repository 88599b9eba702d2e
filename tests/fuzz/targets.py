"""What the farm feeds: a function for each target, given a seeded random number generator; it raises what it finds."""

from __future__ import annotations

import gzip
import itertools
import json
import socket
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from tests.fuzz.guests import guests
from tests.fuzz.mutation import hostile_text, mutated, mutated_text
from tests.support.artifacts import WASM, tar
from tests.support.network import Answer, Network, broken
from tests.support.programs import FIXTURES
from wasm2oci.cli.run_options import parse_directory, parse_duration, parse_size
from wasm2oci.content.verify import BytesContent
from wasm2oci.engine.facts import declared_size, outline, validated
from wasm2oci.errors import Wasm2OciError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import EMPTY_JSON, Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.http import Headers, parse_chunk_range, parse_content_range
from wasm2oci.oci.layout_index import LayoutIndex
from wasm2oci.oci.manifest import parse_manifest
from wasm2oci.oci.reference import check_tag, parse_location
from wasm2oci.packager.recognise import recognise
from wasm2oci.packager.tarball import archive_budget, decompressed, read_tar
from wasm2oci.registry.challenge import parse_challenges
from wasm2oci.registry.credentials import Basic, IdentityToken
from wasm2oci.registry.docker_config import parse_auth_file
from wasm2oci.registry.paging import next_link
from wasm2oci.registry.problems import parse_problems
from wasm2oci.registry.retry import retry_after
from wasm2oci.registry.scope import parse_scopes
from wasm2oci.registry.urls import Origin, check_step, join, redact
from wasm2oci.server.blobs import parse_range
from wasm2oci.server.http1 import ConnectionLimits, HeadError, chunk_size, parse_head
from wasm2oci.server.http_server import Server
from wasm2oci.server.memory import MemoryStorage
from wasm2oci.server.messages import Request
from wasm2oci.server.registry import Registry
from wasm2oci.signing.auditable import read_dependencies
from wasm2oci.signing.bundle import read_bundle
from wasm2oci.signing.dsse import read_envelope
from wasm2oci.signing.notation import read_signature
from wasm2oci.signing.notation_trust import read_trust_policy
from wasm2oci.signing.policy import read_policy
from wasm2oci.signing.rekor import from_annotation
from wasm2oci.signing.simple_signing import read_payload
from wasm2oci.signing.statement import read_statement

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tests.support.network import Sent

__all__ = ["TARGETS"]

DIGEST: Final = Digest.of(WASM)
MANIFEST: Final = {
    "schemaVersion": 2,
    "mediaType": mt.OCI_MANIFEST,
    "artifactType": "application/x",
    "config": EMPTY_JSON.to_json(),
    "layers": [Descriptor.of("application/wasm", WASM).to_json()],
    "subject": {"mediaType": mt.OCI_MANIFEST, "digest": str(DIGEST), "size": 7},
    "annotations": {"org.opencontainers.image.title": "a.wasm"},
}
INDEX: Final = {
    "schemaVersion": 2,
    "mediaType": mt.OCI_INDEX,
    "manifests": [
        {
            **Descriptor.of(mt.OCI_MANIFEST, b"x").to_json(),
            "platform": {"os": "wasip1", "architecture": "wasm"},
            "annotations": {"org.opencontainers.image.ref.name": "v1"},
        }
    ],
}
DOCUMENTS: Final = [json.dumps(MANIFEST).encode(), json.dumps(INDEX).encode(), b"{}", b"[]"]
CONFIG: Final = [
    (
        b'{"auths":{"r.example":{"auth":"YTpi"},"https://index.docker.io/v1/":{"identitytoken":"x"}},'
        b'"credsStore":"pass","credHelpers":{"a":"b"}}'
    )
]
REFERENCES: Final = ["ghcr.io/me/app:v1", f"r.example:5000/a@{DIGEST}", "oci-layout:dir:v1", "[::1]:5000/a/b", "a"]
CHALLENGES: Final = [
    'Bearer realm="https://a.example/t",service="s",scope="repository:a/b:pull,push"',
    'Basic realm="x", charset="UTF-8", Bearer realm=y',
    "Negotiate abc==",
]
LINKS: Final = ['</v2/a/tags/list?n=2&last=b>; rel="next"', '<a>; title="x, y"; rel=next, <b>', "<>"]
URLS: Final = ["https://r.example:443/v2/?a=b#c", "http://[::1]:5000/x", "//evil.example/x", "/v2/a", "https://a@b/"]
HEADS: Final = [
    b"GET /v2/ HTTP/1.1\r\nHost: 127.0.0.1:5000\r\nAuthorization: Basic YTpi",
    b"PUT /v2/a/manifests/v1?tag=b HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nExpect: 100-continue",
    b"POST http://x/v2/a/blobs/uploads/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\nConnection: close, keep-alive",
]
ARCHIVES: Final = [tar({"a/x.wasm": WASM, "b" * 150: b"1"}, compress=compress) for compress in (True, False)] + [
    gzip.compress(b"", mtime=0) * 20,
    tar({".wh..wh..opq": b"", "a/.wh.b": b""}),
]
MODULES: Final = [
    WASM,
    *(path.read_bytes() for path in sorted(FIXTURES.glob("*.wasm")) if path.stat().st_size < 30_000),
]
HOME: Final = "https://r.example"
ELSEWHERE: Final = "https://elsewhere.example"


def _ours(call: Callable[[], object], *more: type[Exception]) -> None:
    with suppress(Wasm2OciError, *more):
        call()


# --- parsers -------------------------------------------------------------------------------------


def references(rng: random.Random) -> None:
    """References, digests, tags, sizes of a command line and of manifests."""
    text = mutated_text(rng, REFERENCES) if rng.random() < 0.7 else hostile_text(rng)
    for parse in (parse_location, Digest.parse, check_tag, mt.essence, parse_directory):
        _ours(lambda parse=parse: parse(text))  # type: ignore[misc]
    for option in (parse_size, parse_duration):
        _ours(lambda option=option: option(text, "--x"))  # type: ignore[misc]


def documents(rng: random.Random) -> None:
    """Manifests, indexes and the index of a layout."""
    raw = mutated(rng, DOCUMENTS)
    for content_type in (None, mt.OCI_MANIFEST, mt.OCI_INDEX, hostile_text(rng, 100)):
        _ours(lambda content_type=content_type: parse_manifest(raw, content_type))  # type: ignore[misc]
    for strict in (True, False):

        def edit(strict: bool = strict) -> None:  # noqa: FBT001 - bound for the closure
            index = LayoutIndex.decode(raw, strict=strict)
            index.put(Descriptor.of(mt.OCI_MANIFEST, b"x"), ("v1",))
            index.untag("v1")
            assert index.entries is not None
            LayoutIndex.decode(index.encode(), strict=False)

        _ours(edit)


def headers(rng: random.Random) -> None:
    """What a registry says in headers."""
    for corpus, parse in (
        (CHALLENGES, lambda text: parse_challenges([text, text])),
        (LINKS, lambda text: next_link([text])),
        (["120", "Wed, 21 Oct 2065 07:28:00 GMT"], lambda text: retry_after(text, 0.0)),
        (["repository:a/b:pull,push registry:catalog:*"], parse_scopes),
        (URLS, redact),
    ):
        text = mutated_text(rng, corpus) if rng.random() < 0.7 else hostile_text(rng)
        _ours(lambda parse=parse, text=text: parse(text))  # type: ignore[misc]
    here = Origin("https", "r.example", 443)
    url = mutated_text(rng, URLS, 500)
    _ours(lambda: check_step(here, Origin.of(join(f"{HOME}/v2/", url)), "redirect"))
    _ours(lambda: parse_problems(mutated(rng, [b'{"errors":[{"code":"DENIED","message":"no","detail":{}}]}'])))
    _ours(lambda: parse_auth_file(mutated(rng, CONFIG), "a file"))


def requests(rng: random.Random) -> None:
    """What a client of the server sends in a head."""
    _ours(lambda: parse_head(mutated(rng, HEADS, 32_000)), HeadError)
    text = mutated_text(rng, ["bytes=0-1", "bytes 0-1/2", "0-5"], 200)
    _ours(lambda: parse_range(text, 100))
    _ours(lambda: parse_content_range(text))
    _ours(lambda: parse_chunk_range(text))
    _ours(lambda: chunk_size(mutated(rng, [b"1f;a=b", b"0"], 1000)), HeadError)


def archives(rng: random.Random) -> None:
    """Layers: tar, gzip, and both."""
    raw = mutated(rng, ARCHIVES)
    if rng.random() < 0.3:
        raw = gzip.compress(raw, 1, mtime=0)
    cuts = sorted(rng.randint(0, len(raw)) for _ in range(rng.randint(0, 4)))
    pieces = [raw[a:b] for a, b in itertools.pairwise((0, *cuts, len(raw)))]
    budget = archive_budget(size=64 << 20, entries=20_000)
    _ours(lambda: deque(read_tar(decompressed(iter(pieces), budget), budget), maxlen=0))


def modules(rng: random.Random) -> None:
    """Modules and components: what they declare, and whether they are valid."""
    data = mutated(rng, MODULES)
    for look in (declared_size, outline, validated):
        _ours(lambda look=look: look(data))  # type: ignore[misc]


def signatures(rng: random.Random) -> None:
    """Bundles, envelopes, statements, payloads, policies and dependency lists."""
    raw = mutated(rng, SIGNED)
    for read in (
        read_bundle,
        read_envelope,
        read_signature,
        from_annotation,
        read_statement,
        read_dependencies,
        read_trust_policy,
    ):
        _ours(lambda read=read: read(raw))  # type: ignore[misc]
    _ours(lambda: read_payload(raw, DIGEST))
    _ours(lambda: read_policy(raw, "a file", lambda _: b""))


SIGNED: Final = [
    b'{"packages":[{"name":"a","version":"1","source":"local","kind":"build","dependencies":[0],"root":true}]}',
    b'{"version":"1.0","trustPolicies":[{"name":"a","registryScopes":["*"],"signatureVerification":{"level":"audit"}}]}',
    b'{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"keyid":"","sig":"e30="}]}',
    (
        b'{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"x"},'
        b'"tlogEntries":[]},"dsseEnvelope":{"payload":"e30=","payloadType":"x","signatures":[{"sig":"e30="}]}}'
    ),
    b'{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"00"}}],"predicateType":"x"}',
    b'{"critical":{"identity":{"docker-reference":""},"image":{"docker-manifest-digest":"sha256:00"},"type":"x"}}',
    b'{"payload":"e30","protected":"e30","header":{"x5c":["AA=="]},"signature":"AA"}',
    b'[[policy]]\nscope = "ghcr.io/me/*"\n[[policy.key]]\npath = "k.pub"\n',
]


# --- the client against a hostile registry -------------------------------------------------------


def client(rng: random.Random) -> None:
    """Every question the client asks, answered by a registry that answers anything."""
    sent = 0

    def body() -> bytes:
        corpus = [*DOCUMENTS, WASM, b"", b'{"tags":["a","b"]}', b'{"token":"x","expires_in":1}', b"<html>", *ARCHIVES]
        return rng.choice(corpus) if rng.random() < 0.5 else mutated(rng, corpus, 4000)

    def answer(seen: Sent) -> Answer | Exception:
        nonlocal sent
        sent += 1
        if sent > 3000:
            raise AssertionError("the client does not stop asking")
        if rng.random() < 0.05:
            return broken()
        pairs: list[tuple[str, str]] = []
        for name, values in HEADER_VALUES.items():
            if rng.random() < 0.3:
                value = rng.choice(values) if rng.random() < 0.7 else hostile_text(rng, 300)
                pairs.append((name, value.replace("PATH", seen.path)))
        status = rng.choice((200, 200, 200, 201, 202, 204, 206, 301, 307, 308, 400, 401, 401, 403, 404, 416, 429, 500))
        data = body()
        pieces: list[bytes | Exception] = [data[:10], data[10:]]
        if rng.random() < 0.1:
            pieces.insert(1, broken())
        return Answer(status, tuple(pairs), pieces)  # type: ignore[arg-type]

    network = Network({HOME: answer, ELSEWHERE: answer})  # type: ignore[dict-item]
    credential = rng.choice((None, Basic("a", "s3cret", "a file"), IdentityToken("s3cret", "a file")))
    repository = network.repository("r.example/a", credential=credential)
    layer = Descriptor.of("application/wasm", WASM)
    for _ in range(rng.randint(1, 4)):
        _ours(
            rng.choice(
                (
                    lambda: repository.fetch_manifest(check_tag("v1")),
                    lambda: repository.resolve(DIGEST),
                    lambda: deque(repository.tags(), maxlen=0),
                    lambda: list(repository.referrers(layer)),
                    lambda: deque(repository.fetch(layer), maxlen=0),
                    lambda: repository.exists(layer),
                    lambda: repository.push(layer, BytesContent(WASM)),
                    lambda: repository.push(
                        Descriptor.of(mt.OCI_MANIFEST, DOCUMENTS[0]), BytesContent(DOCUMENTS[0]), tag="v1"
                    ),
                    lambda: recognise(repository, repository.resolve(check_tag("v1"))),
                    lambda: repository.delete(layer),
                )
            )
        )
    asked_for_token = False  # a token server may send a request on to another path of its own
    for seen in network.at(ELSEWHERE):
        asked_for_token = asked_for_token or seen.path.startswith("/token")
        assert "authorization" not in seen.headers or "s3cret" not in seen.headers["authorization"]
        assert b"s3cret" not in seen.body or asked_for_token


HEADER_VALUES: Final = {
    "Location": ["PATH", "PATH/x", f"{ELSEWHERE}/x", "?a=b", "//elsewhere.example/x", f"{HOME}/x"],
    "Link": ['<PATH?n=1>; rel="next"', '<PATH>; rel="next"', f'<{ELSEWHERE}/x>; rel="next"'],
    "WWW-Authenticate": [
        f'Bearer realm="{HOME}/token",service="s"',
        f'Bearer realm="{ELSEWHERE}/token"',
        'Basic realm="x"',
        'Bearer realm="http://127.0.0.1/token"',
    ],
    "Content-Type": [mt.OCI_MANIFEST, mt.OCI_INDEX, "application/json", "text/html"],
    "Content-Length": ["0", "10", "99999999999", "x"],
    "Content-Range": ["bytes 0-1/2", "bytes 5-4/3"],
    "Range": ["0-0", "0-9999999", "x"],
    "Docker-Content-Digest": [str(DIGEST), "sha512:00", "sha256:" + "0" * 64],
    "Retry-After": ["0", "1", "119", "Wed, 21 Oct 2065 07:28:00 GMT"],
    "OCI-Subject": [str(DIGEST)],
    "OCI-Chunk-Min-Length": ["1", "99999999999"],
    "Warning": ['299 - "text"', "299 - x"],
    "ETag": ['"x"'],
}


# --- the server against hostile clients ----------------------------------------------------------


def core(rng: random.Random) -> None:
    """Requests to the core: no answer is a 500."""
    storage = MemoryStorage()
    storage.add_blob("a", EMPTY_JSON.digest, b"{}")
    storage.add_blob("a", DIGEST, WASM)
    registry = Registry(storage)
    uploads = ["/v2/a/blobs/uploads/x"]
    for _ in range(rng.randint(1, 8)):
        targets = [
            "/v2/", "/v2/_catalog?n=5", "/v2/a/tags/list?n=1&last=b", f"/v2/a/referrers/{DIGEST}?artifactType=x",
            f"/v2/a/blobs/{DIGEST}", "/v2/a/manifests/v1", f"/v2/a/manifests/{DIGEST}?tag=x", "/v2/a/blobs/uploads/",
            f"/v2/a/blobs/uploads/?mount={DIGEST}&from=a", *(f"{where}?digest={DIGEST}" for where in uploads),
        ]  # fmt: skip
        target = rng.choice(targets) if rng.random() < 0.6 else mutated_text(rng, targets, 2000)
        body = rng.choice([*DOCUMENTS, WASM, b""]) if rng.random() < 0.5 else mutated(rng, DOCUMENTS)
        pairs = [
            (name, rng.choice(values) if rng.random() < 0.6 else hostile_text(rng, 100))
            for name, values in REQUEST_VALUES.items()
            if rng.random() < 0.3
        ]
        method = rng.choice(("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"))
        length = rng.choice((len(body), None, 0, len(body) + 5))
        response = registry.handle(Request(method, target, Headers(pairs), [body], length, peer="192.0.2.1:5"))
        read = response.read()
        assert response.status != 500, f"{method} {target}: {read!r}"
        location = response.header("Location")
        if location is not None and "/uploads/" in location:
            uploads.append(location)


REQUEST_VALUES: Final = {
    "Host": ["127.0.0.1:5000", "x"],
    "Range": ["bytes=0-1", "bytes=-5", "bytes=5-"],
    "Content-Range": ["0-5", "6-9"],
    "Content-Type": [mt.OCI_MANIFEST, mt.OCI_INDEX, "application/json"],
    "Authorization": ["Basic YTpi", "Bearer x"],
    "If-None-Match": ['"x"', f'"{DIGEST}"'],
    "Origin": ["http://evil.example"],
}
BYTES: Final = [
    b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(DOCUMENTS[0]) + DOCUMENTS[0],
    b"PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\n\r\nGET /v2/_catalog HTTP/1.1\r\nHost: x\r\n\r\n",
]


def wire(rng: random.Random) -> None:
    """Bytes on a real socket: the server answers or hangs up, and its log has no traceback."""
    log: list[str] = []
    limits = ConnectionLimits(head_seconds=0.2, idle_seconds=0.2, body_grace=0.2)
    with Server(Registry(MemoryStorage()).handle, limits=limits, log=log.append, grace=1.0) as server:
        for _ in range(20):
            with suppress(OSError), socket.create_connection((server.host, server.port), timeout=60) as sock:
                reader = threading.Thread(target=_drained, args=(sock,))
                reader.start()
                with suppress(OSError):
                    sock.sendall(mutated(rng, BYTES))
                    sock.shutdown(socket.SHUT_WR)
                reader.join(120)
                assert not reader.is_alive(), "the server neither answers nor hangs up"
    assert not [line for line in log if "Traceback" in line], log


def _drained(sock: socket.socket) -> None:
    with suppress(OSError):
        while sock.recv(65536):
            pass


TARGETS: Final[dict[str, Callable[[random.Random], None]]] = {
    target.__name__: target
    for target in (references, documents, headers, requests, archives, modules, signatures, client, core, wire, guests)
}
