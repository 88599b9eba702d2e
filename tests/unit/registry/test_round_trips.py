"""What a user waits for: exchanges one after the other, counted by a clock that runs in parallel what is parallel."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.support.exchange_clock import ExchangeClock
from tests.support.network import Answer, Network, Sent, fresh_core, token_answer
from wasm2oci.content.copy import copy
from wasm2oci.content.memory import MemoryTarget
from wasm2oci.content.target import open_manifest
from wasm2oci.oci.reference import Reference
from wasm2oci.packager.build import ArtifactLabels, build
from wasm2oci.packager.module_source import ModuleSource
from wasm2oci.packager.profiles import find_profile
from wasm2oci.packager.recognise import recognise
from wasm2oci.registry.connect import Connector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.network import Handler
    from wasm2oci.packager.artifact import Artifact

REGISTRY, OTHER, TOKENS = "https://registry.example", "https://other.example", "https://tokens.example"


def leaves_bytes(handler: Handler) -> Handler:
    """A registry that does not take end-4b: a POST with a digest opens a session, as docker-registry does."""

    def answer(sent: Sent) -> Answer:
        if sent.method == "POST":
            sent = Sent(sent.origin, sent.method, sent.url.partition("?")[0], {"content-length": "0"}, b"")
        found = handler(sent)
        assert isinstance(found, Answer)
        return found

    return answer


def with_tokens(handler: Handler) -> Handler:
    """A registry that wants a bearer token, which `TOKENS` issues."""

    def answer(sent: Sent) -> Answer:
        if "authorization" not in sent.headers:
            return Answer(401, {"WWW-Authenticate": f'Bearer realm="{TOKENS}/t",service="s"'})
        found = handler(sent)
        assert isinstance(found, Answer)
        return found

    return answer


def tokens(sent: Sent) -> Answer:
    assert urlsplit(sent.url).path == "/t"
    return token_answer()


KINDS: dict[str, tuple[Callable[[Handler], Handler], ...]] = {
    "plain": (),
    "no end-4b": (leaves_bytes,),
    "tokens": (with_tokens,),
    "tokens, no end-4b": (leaves_bytes, with_tokens),
}


def registry(kind: str) -> Handler:
    handler: Handler = fresh_core()
    for wrap in KINDS[kind]:
        handler = wrap(handler)
    return handler


class Line:
    """Registries, and the clock of the processes that talk to them; each `fresh` is a new process."""

    def __init__(self, kind: str, patch: pytest.MonkeyPatch) -> None:
        self.network = Network({REGISTRY: registry(kind), OTHER: registry(kind), TOKENS: tokens})
        self.patch = patch
        self.clock = ExchangeClock(self.network)

    def fresh(self) -> Connector:
        self.clock = ExchangeClock(self.network)
        return Connector(self.network.options(), self.clock)

    def push(self, artifact: Artifact) -> int:
        connector = self.fresh()
        with self.clock.installed(self.patch):
            target = connector.repository(Reference.parse("registry.example/me/app:1"), writes=True)
            copy(artifact.target(), artifact.root, target, ("1",))
        return self.clock.now


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def line(kind: str) -> Iterator[Line]:
    with pytest.MonkeyPatch.context() as patch:
        yield Line(kind, patch)


@pytest.fixture(scope="module")
def artifact() -> Artifact:
    body = os.urandom(90 * 1024)
    module = b"\0asm\x01\0\0\0\0" + bytes([0x81, 0xD0, 0x05, 0]) + body
    return build(ModuleSource.of_bytes(module), find_profile("cncf"), ArtifactLabels())


def test_a_push(line: Line, kind: str, artifact: Artifact) -> None:
    """The root is asked for, then both blobs go side by side, then the manifest."""
    limits = {"plain": 3, "no end-4b": 4, "tokens": 5, "tokens, no end-4b": 6}
    assert line.push(artifact) == limits[kind], line.clock.ticks


def test_a_push_of_what_is_there(line: Line, kind: str, artifact: Artifact) -> None:
    line.push(artifact)
    assert line.push(artifact) == (4 if "tokens" in kind else 2), line.clock.ticks


def test_a_pull_by_tag(line: Line, kind: str, artifact: Artifact) -> None:
    line.push(artifact)
    connector = line.fresh()
    with line.clock.installed(line.patch):
        source = connector.repository(Reference.parse("registry.example/me/app:1"))
        found = recognise(source, open_manifest(source, "1"))
        assert len(b"".join(found.content)) == found.module.size
    assert line.clock.now == (4 if "tokens" in kind else 2), line.clock.ticks


def test_resolve_and_tags(line: Line, kind: str, artifact: Artifact) -> None:
    line.push(artifact)
    once = 3 if "tokens" in kind else 1
    connector = line.fresh()
    with line.clock.installed(line.patch):
        assert connector.repository(Reference.parse("registry.example/me/app:1")).resolve("1") == artifact.root
    assert line.clock.now == once, line.clock.ticks
    connector = line.fresh()
    with line.clock.installed(line.patch):
        assert list(connector.repository(Reference.parse("registry.example/me/app")).tags()) == ["1"]
    assert line.clock.now == once, line.clock.ticks


def test_a_copy_between_registries(line: Line, kind: str, artifact: Artifact) -> None:
    """The destination is asked for authorization while the source is read."""
    line.push(artifact)
    connector = line.fresh()
    with line.clock.installed(line.patch):
        source = connector.repository(Reference.parse("registry.example/me/app:1"))
        destination = connector.repository(Reference.parse("other.example/me/app:1"), writes=True)
        copy(source, "1", destination, ("1",))
    limits = {"plain": 4, "no end-4b": 5, "tokens": 6, "tokens, no end-4b": 7}
    assert line.clock.now == limits[kind], line.clock.ticks


def test_a_copy_to_disk(line: Line, kind: str, artifact: Artifact) -> None:
    line.push(artifact)
    connector = line.fresh()
    with line.clock.installed(line.patch):
        copy(connector.repository(Reference.parse("registry.example/me/app:1")), "1", MemoryTarget(), ("1",))
    assert line.clock.now == (4 if "tokens" in kind else 2), line.clock.ticks
