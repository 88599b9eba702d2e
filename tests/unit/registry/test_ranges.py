"""A large blob is read over one connection, in parts over several where the line limits, and comes out in order."""

from __future__ import annotations

import itertools
import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.support.network import Answer, Network, broken
from wasm2oci.errors import IntegrityError, RegistryError
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.registry.ranges import HELPERS, PARALLEL_MIN, PART

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.network import Sent

MIB = 1 << 20
PIECE = 256 * 1024
DATA = os.urandom(31 * MIB) + b"and an odd end"  # no two parts alike
BLOB = Descriptor("application/wasm", Digest.of(DATA), len(DATA))
REGISTRY = "https://registry.example"


def part_of(sent: Sent) -> tuple[int, int]:
    first, _, last = sent.headers["range"].removeprefix("bytes=").partition("-")
    return int(first), int(last) if last else len(DATA) - 1


def partial(sent: Sent) -> Answer:
    """An honest answer: the part that is asked for, or all."""
    if "range" not in sent.headers:
        return Answer(200, {"Content-Length": str(len(DATA))}, DATA)
    first, last = part_of(sent)
    headers = {"Content-Range": f"bytes {first}-{last}/{len(DATA)}", "Content-Length": str(last - first + 1)}
    return Answer(206, headers, DATA[first : last + 1])


@dataclass
class Line:
    """A registry on a line that limits each connection, in the time of the network.

    The first answer stops after 6 MiB until `parts` of the helpers are under way, so that no test is a race.

    Attributes:
        part: answers what asks for a part.
        parts: how many bodies of parts have to be read, or refused, first.
        seconds: of the network, for a piece of the first answer.
    """

    part: Callable[[Sent], Answer] = partial
    parts: int = HELPERS
    seconds: float = 0.02
    data: bytes = DATA
    network: Network = field(init=False)

    def __post_init__(self) -> None:
        self.network = Network({REGISTRY: self.answer})
        self._under_way = threading.Semaphore(0)

    def answer(self, sent: Sent) -> Answer:
        if "range" not in sent.headers:
            return Answer(200, {"Content-Length": str(len(self.data))}, self._first())
        found = self.part(sent)
        if found.status != 206:
            self._under_way.release()
            return found
        return Answer(found.status, found.headers, self._noted(found))

    def _noted(self, answer: Answer) -> Iterator[bytes]:
        self._under_way.release()  # the body is read once the answer was looked at
        yield from [answer.body] if isinstance(answer.body, bytes) else answer.body  # type: ignore[misc]

    def _first(self) -> Iterator[bytes]:
        for start in range(0, len(self.data), PIECE):
            self.network.time += self.seconds
            if start == 6 * MIB:
                assert all(self._under_way.acquire(timeout=60) for _ in range(self.parts))
            yield self.data[start : start + PIECE]

    def pull(self) -> bytes:
        return b"".join(self.network.repository("registry.example/me/app").fetch(BLOB))

    def asked(self) -> list[tuple[int, int]]:
        return sorted(part_of(sent) for sent in list(self.network.sent) if "range" in sent.headers)


def test_a_line_that_limits_a_connection_is_read_over_several() -> None:
    line = Line()
    assert line.pull() == DATA
    parts = line.asked()
    assert 3 * MIB + PART < parts[0][0] <= 6 * MIB + PART
    assert parts[-1][1] == len(DATA) - 1
    assert all(before[1] + 1 == after[0] for before, after in itertools.pairwise(parts))
    assert [sent.headers.get("range") for sent in line.network.sent].count(None) == 1


def test_where_the_processor_limits_one_connection_is_used() -> None:
    network = Network({REGISTRY: partial})  # whose time does not pass
    assert b"".join(network.repository("registry.example/me/app").fetch(BLOB)) == DATA
    assert [sent.headers.get("range") for sent in network.sent] == [None]


def test_a_reader_that_takes_its_time_is_no_line_that_limits() -> None:
    line = Line(parts=0, seconds=0.001)
    received = []
    for piece in line.network.repository("registry.example/me/app").fetch(BLOB):
        line.network.time += 0.02
        received.append(piece)
    assert b"".join(received) == DATA
    assert line.asked() == []


def test_a_line_that_is_faster_than_a_gigabit_is_read_over_one_connection() -> None:
    line = Line(parts=0, seconds=PIECE / (200 * MIB))
    assert line.pull() == DATA
    assert line.asked() == []


def test_a_small_blob_is_one_request_without_a_range() -> None:
    data = DATA[: PARALLEL_MIN - 1]
    line = Line(parts=0, data=data)
    repository = line.network.repository("registry.example/me/app")
    assert b"".join(repository.fetch(Descriptor("application/wasm", Digest.of(data), len(data)))) == data
    assert [sent.headers.get("range") for sent in line.network.sent] == [None]


@pytest.mark.parametrize("refusal", [Answer(200, {}, DATA), Answer(416), Answer(429), Answer(403), Answer(404)])
def test_the_first_answer_is_read_on_where_parts_are_refused(refusal: Answer) -> None:
    line = Line(lambda _: refusal, parts=0)
    assert line.pull() == DATA
    assert [sent.headers.get("range") for sent in line.network.sent].count(None) == 1


def test_a_registry_that_stops_sending_parts_is_read_on_over_one_connection() -> None:
    begin: list[int] = []

    def part(sent: Sent) -> Answer:
        first, last = part_of(sent)
        begin.append(first)
        honest = first < min(begin) + HELPERS * PART or last == len(DATA) - 1
        return partial(sent) if honest else Answer(200, {}, DATA)

    line = Line(part)
    assert line.pull() == DATA
    assert any(sent.headers.get("range", "").endswith("-") for sent in line.network.sent)


def test_a_part_that_breaks_is_read_on() -> None:
    broke: list[int] = []

    def part(sent: Sent) -> Answer:
        first, _ = part_of(sent)
        if not broke:
            broke.append(first)
            whole = partial(sent)
            assert isinstance(whole.body, bytes)
            return Answer(206, whole.headers, [whole.body[:1000], broken()])
        return partial(sent)

    line = Line(part)
    assert line.pull() == DATA
    assert (broke[0] + 1000, broke[0] + PART - 1) in line.asked()


@pytest.mark.parametrize(
    "wrong", ["bytes 0-{last}/{size}", "bytes {first}-{last}/77", "bytes {first}-{size}/{size}", ""]
)
def test_another_part_than_the_one_asked_for_is_refused(wrong: str) -> None:
    def part(sent: Sent) -> Answer:
        first, last = part_of(sent)
        if last != len(DATA) - 1:
            return partial(sent)
        said = wrong.format(first=first, last=last, size=len(DATA))
        return partial(sent).changed("content-range", content_range=said)

    with pytest.raises(RegistryError):
        Line(part).pull()


def test_wrong_bytes_in_a_part_are_an_integrity_error() -> None:
    def part(sent: Sent) -> Answer:
        found = partial(sent)
        assert isinstance(found.body, bytes)
        body = bytes(len(found.body)) if part_of(sent)[1] == len(DATA) - 1 else found.body
        return Answer(206, found.headers, body)

    with pytest.raises(IntegrityError):
        Line(part).pull()


def test_no_more_is_read_ahead_than_the_helpers_hold() -> None:
    size = 96 * MIB

    def part(sent: Sent) -> Answer:
        first, last = part_of(sent)
        return Answer(206, {"Content-Range": f"bytes {first}-{last}/{size}"}, bytes(last - first + 1))

    line = Line(part, data=bytes(size))
    repository = line.network.repository("registry.example/me/app")
    content = iter(repository.fetch(Descriptor("application/wasm", Digest.of(b""), size)))
    taken = 0
    while taken < 24 * MIB:
        taken += len(next(content))
    furthest = max(first for first, _ in line.asked())
    assert furthest <= taken + (1 + HELPERS) * PART
    content.close()  # type: ignore[attr-defined]


def test_the_threads_of_a_repository_are_shared_by_its_blobs() -> None:
    line = Line()
    repository = line.network.repository("registry.example/me/app")
    first = iter(repository.fetch(BLOB))
    while not line.asked():
        next(first)
    asked = len([sent for sent in line.network.sent if "range" not in sent.headers])
    line.parts = 0
    assert b"".join(repository.fetch(BLOB)) == DATA  # without a helper
    assert len([sent for sent in line.network.sent if "range" not in sent.headers]) == asked + 1
    first.close()  # type: ignore[attr-defined]


def test_without_another_thread_the_first_answer_is_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    line = Line(parts=0)
    assert line.pull() == DATA  # hashed without a thread, too
    assert line.asked() == []


def test_the_rest_of_a_blob_is_read_from_where_it_broke_off() -> None:
    network = Network({REGISTRY: partial})
    repository = network.repository("registry.example/me/app")
    assert b"".join(repository.fetch_rest(BLOB, MIB)) == DATA[MIB:]
    assert [sent.headers.get("range") for sent in network.sent] == [f"bytes={MIB}-"]
    refusing = Network({REGISTRY: lambda sent: Answer(416) if "range" in sent.headers else partial(sent)})
    assert b"".join(refusing.repository("registry.example/me/app").fetch_rest(BLOB, MIB)) == DATA[MIB:]
