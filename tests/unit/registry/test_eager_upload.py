"""A large blob is sent while it is hashed: right, or dropped and pushed as usual."""

import random
import threading
from typing import TYPE_CHECKING

import pytest

from tests.support.faults import Faults, answer, wire
from tests.support.registry_server import Handle, RunningRegistry, registry_server
from wasm2oci.content import progress as progress_module
from wasm2oci.content.verify import BytesContent, SelfVerifying, VerifiedContent
from wasm2oci.errors import AccessError, LocalIOError
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.reference import Reference
from wasm2oci.operations.environment import Environment
from wasm2oci.operations.push import PushRequest, push
from wasm2oci.packager import module_source
from wasm2oci.registry.connect import ConnectOptions, Connector
from wasm2oci.registry.problems import ConnectionLostError
from wasm2oci.server.messages import Request, Response

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wasm2oci.content.progress import Outcome
    from wasm2oci.registry.repository import Repository

MODULE = b"\0asm\1\0\0\0" + random.Random(7).randbytes(3_000_000)
BLOB = Descriptor.of("application/wasm", MODULE)


class Bench:
    """A registry whose answers can go wrong, and a repository in it."""

    def __init__(self, registry: RunningRegistry, faults: Faults, connector: Connector) -> None:
        self.registry = registry
        self.faults = faults
        self.connector = connector

    @property
    def repository(self) -> "Repository":
        return self.connector.repository(Reference.parse(f"{self.registry.address}/me/app"), writes=True)

    def methods(self) -> list[str]:
        return [line.split()[0] for line in self.registry.seen if "/blobs/" in line]

    def stored(self) -> bytes:
        return b"".join(self.repository.fetch(BLOB))


@pytest.fixture
def bench(tmp_path: "Path") -> "Iterator[Bench]":
    faults = Faults()
    options = ConnectOptions(plain_http=True, environ={}, home=tmp_path, sleep=lambda _: None)
    with registry_server(wrap=faults.wrap) as registry, Connector(options) as connector:
        yield Bench(registry, faults, connector)


class Counted(SelfVerifying):
    """Content that writes down what moved of it, and whether it was read after all."""

    def __init__(self) -> None:
        super().__init__(BLOB)
        self.counts: list[int] = []
        self.read = 0

    def __iter__(self) -> "Iterator[bytes]":
        self.read += 1
        return iter(VerifiedContent(BLOB, BytesContent(MODULE)))

    def moved(self, count: int) -> None:
        self.counts.append(count)


def test_the_bytes_go_once_and_get_their_name_at_the_end(bench: Bench) -> None:
    bench.repository.send_ahead(BytesContent(MODULE), BLOB.size)
    content = Counted()
    bench.repository.push(BLOB, content)
    assert bench.methods() == ["POST", "PATCH", "PUT"]
    assert (sum(content.counts), content.read) == (BLOB.size, 0)
    assert bench.stored() == MODULE


def test_only_a_push_of_as_many_bytes_ends_it(bench: Bench) -> None:
    bench.repository.send_ahead(BytesContent(MODULE), BLOB.size)
    other = Descriptor.of("application/json", b"{}")
    bench.repository.push(other, BytesContent(b"{}"))
    bench.repository.push(BLOB, Counted())
    assert bench.methods().count("PATCH") == 1
    assert bench.stored() == MODULE


@pytest.mark.parametrize("status", [400, 404, 405, 413, 416, 429, 500, 503])
@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
def test_what_a_registry_refuses_is_pushed_as_usual(bench: Bench, method: str, status: int) -> None:
    bench.faults.add(rf"^{method} .*/blobs/", answer(status))
    bench.repository.send_ahead(BytesContent(MODULE), BLOB.size)
    content = Counted()
    bench.repository.push(BLOB, content)
    assert bench.faults.done
    retried = method == "POST" and (status == 429 or status >= 500)  # which is no reason to drop anything
    assert content.read == (0 if retried else 1)
    assert bench.stored() == MODULE


def test_a_session_without_an_address_is_none(bench: Bench) -> None:
    bench.faults.add(r"^POST ", answer(202))
    bench.repository.send_ahead(BytesContent(MODULE), BLOB.size)
    bench.repository.push(BLOB, Counted())
    assert bench.stored() == MODULE


@pytest.mark.parametrize("sent", [MODULE[:-1] + b"x", MODULE[:-1], MODULE + b"x"])
def test_other_bytes_than_those_that_were_hashed_are_never_named(bench: Bench, sent: bytes) -> None:
    bench.repository.send_ahead(BytesContent(sent), BLOB.size)
    content = Counted()
    bench.repository.push(BLOB, content)
    assert content.read == 1
    assert bench.stored() == MODULE
    assert not bench.repository.exists(Descriptor.of("a/b", sent))


def test_a_file_that_cannot_be_read_to_its_end_is_reported_by_the_usual_way(bench: Bench) -> None:
    class Broken:
        def __iter__(self) -> "Iterator[bytes]":
            yield MODULE[:1000]
            raise LocalIOError("the disk is gone")

    bench.repository.send_ahead(Broken(), BLOB.size)
    with pytest.raises(LocalIOError, match="the disk is gone"):
        bench.repository.push(BLOB, VerifiedContent(BLOB, Broken()))
    assert not bench.repository.exists(BLOB)


def test_a_bug_in_between_is_not_swallowed(bench: Bench) -> None:
    class Buggy:
        def __iter__(self) -> "Iterator[bytes]":
            yield MODULE[:1000]
            raise ZeroDivisionError

    bench.repository.send_ahead(Buggy(), BLOB.size)
    with pytest.raises(ZeroDivisionError):
        bench.repository.push(BLOB, Counted())


class Endless:
    """Content that goes on until it is closed or its reader had enough."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    def __iter__(self) -> "Iterator[bytes]":
        try:
            while True:
                yield bytes(100_000)
        finally:
            self.ended.set()


def test_closing_stops_it_and_drops_the_session(bench: Bench) -> None:
    content, arrived = Endless(), threading.Event()

    def note(request: Request, handle: Handle) -> Response:
        arrived.set()
        return handle(request)

    bench.faults.add("^PATCH ", note)
    bench.repository.send_ahead(content, 1 << 40)
    assert arrived.wait(60)
    bench.connector.close()
    assert content.ended.wait(60)
    assert bench.methods() == ["POST", "PATCH", "DELETE"]


def test_the_progress_callback_may_end_it(bench: Bench) -> None:
    class Impatient(Counted):
        def moved(self, count: int) -> None:
            raise KeyboardInterrupt

    bench.repository.send_ahead(BytesContent(MODULE), BLOB.size)
    with pytest.raises(KeyboardInterrupt):
        bench.repository.push(BLOB, Impatient())
    assert not bench.repository.exists(BLOB)


class Watcher(progress_module.Silent):
    """Adds up what a push tells about the module."""

    def __init__(self) -> None:
        self.bytes = 0
        self.outcomes: list[Outcome] = []

    def advanced(self, descriptor: Descriptor, size: int) -> None:
        if descriptor.size == BLOB.size:
            self.bytes += size

    def restarted(self, descriptor: Descriptor) -> None:
        if descriptor.size == BLOB.size:
            self.bytes = 0

    def finished(self, descriptor: Descriptor, outcome: "Outcome") -> None:
        if descriptor.size == BLOB.size:
            self.outcomes.append(outcome)


@pytest.fixture
def module(tmp_path: "Path", monkeypatch: pytest.MonkeyPatch) -> "Path":
    monkeypatch.setattr(module_source, "LARGE", 1_000_000)
    monkeypatch.setattr(module_source, "_KEPT", 1_000_000)
    path = tmp_path / "module.wasm"
    path.write_bytes(MODULE)
    return path


def pushed(bench: Bench, module: "Path", tag: str = "v1") -> Watcher:
    watcher = Watcher()
    environment = Environment(variables={}, home=module.parent)
    request = PushRequest(module, Reference.parse(f"{bench.registry.address}/me/app:{tag}"))
    result = push(request, environment, watcher)
    assert result.module.digest == Digest.of(MODULE)
    return watcher


def test_a_large_file_is_pushed_so(bench: Bench, module: "Path") -> None:
    watcher = pushed(bench, module)
    assert bench.methods().count("PATCH") == 1
    assert (watcher.bytes, watcher.outcomes) == (BLOB.size, [progress_module.Outcome.COPIED])
    assert bench.stored() == MODULE


def test_what_is_there_already_is_not_stored_again(bench: Bench, module: "Path") -> None:
    pushed(bench, module)
    bench.registry.seen.clear()
    watcher = pushed(bench, module, "v2")
    assert watcher.outcomes == [progress_module.Outcome.EXISTED]
    assert bench.methods() == []  # this machine has sent a blob of that size there, so it hashes first


def test_the_progress_starts_again_with_the_usual_way(bench: Bench, module: "Path") -> None:
    bench.faults.add(r"^PATCH ", answer(500))
    watcher = pushed(bench, module)
    assert (watcher.bytes, watcher.outcomes) == (BLOB.size, [progress_module.Outcome.COPIED])
    assert bench.stored() == MODULE


def test_a_refusal_is_reported_as_without_it(bench: Bench, module: "Path") -> None:
    bench.faults.add(r"^POST ", answer(403), times=9)
    with pytest.raises(AccessError):
        pushed(bench, module)


@pytest.mark.parametrize(
    ("up", "down"), [(0, None), (100, None), (200, None), (1_500_000, None), (len(MODULE) + 700, None), (None, 500)]
)
def test_a_cut_wire_costs_nothing_but_time(bench: Bench, module: "Path", up: int | None, down: int | None) -> None:
    with wire(bench.registry.address) as line:
        line.plans = [(up, down)]
        environment = Environment(variables={}, home=module.parent)
        result = push(PushRequest(module, Reference.parse(f"{line.address}/me/app:v1")), environment)
    assert result.module.digest == BLOB.digest
    assert bench.stored() == MODULE


def test_a_wire_that_is_cut_for_good_ends_it(bench: Bench, tmp_path: "Path") -> None:
    lines: list[str] = []
    with wire(bench.registry.address) as line:
        line.plans = [(1_000_000, None), *((0, None) for _ in range(40))]
        options = ConnectOptions(plain_http=True, environ={}, home=tmp_path, sleep=lambda _: None, log=lines.append)
        with Connector(options) as connector:
            repository = connector.repository(Reference.parse(f"{line.address}/me/app"), writes=True)
            repository.send_ahead(BytesContent(MODULE), BLOB.size)
            with pytest.raises(ConnectionLostError):
                repository.push(BLOB, Counted())
    assert any("the upload session stays" in line for line in lines)
