"""Large blobs are read in parts, over several connections, and come out whole and in order."""

from __future__ import annotations

import itertools
import os
import threading
from typing import TYPE_CHECKING

import pytest

from tests.support.network import Answer, Network, broken
from wasm2oci.errors import IntegrityError, RegistryError
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.registry.ranges import HELPERS, PARALLEL_MIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.network import Sent

MIB = 1 << 20
DATA = os.urandom(MIB) * 19 + b"and an odd end"
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


def pull(handler: Callable[[Sent], Answer]) -> tuple[Network, bytes]:
    network = Network({REGISTRY: handler})
    repository = network.repository("registry.example/me/app")
    return network, b"".join(repository.fetch(BLOB))


def test_the_parts_of_a_large_blob_come_out_in_order() -> None:
    network, data = pull(partial)
    assert data == DATA
    parts = sorted(part_of(sent) for sent in network.sent)
    assert parts[0][0] == 0
    assert parts[-1][1] == len(DATA) - 1
    assert all(before[1] + 1 == after[0] for before, after in itertools.pairwise(parts))
    assert len(parts) == 5


def test_a_small_blob_is_one_request_without_a_range() -> None:
    data = DATA[: PARALLEL_MIN - 1]
    network = Network({REGISTRY: lambda _: Answer(200, {}, data)})
    repository = network.repository("registry.example/me/app")
    assert b"".join(repository.fetch(Descriptor("application/wasm", Digest.of(data), len(data)))) == data
    assert [sent.headers.get("range") for sent in network.sent] == [None]


def test_a_registry_that_takes_no_ranges_is_read_over_one_connection() -> None:
    network, data = pull(lambda _: Answer(200, {"Content-Length": str(len(DATA))}, DATA))
    assert data == DATA
    assert [sent.headers.get("range") for sent in network.sent] == [f"bytes=0-{4 * MIB - 1}", None]


def test_a_registry_that_stops_taking_ranges_is_read_on_over_one_connection() -> None:
    def answer(sent: Sent) -> Answer:
        return partial(sent) if part_of(sent)[0] < 8 * MIB else Answer(200, {}, DATA)

    network, data = pull(answer)
    assert data == DATA
    assert f"bytes={8 * MIB}-" in [sent.headers["range"] for sent in network.sent]


def test_a_part_that_breaks_is_read_on() -> None:
    once = threading.Event()

    def answer(sent: Sent) -> Answer:
        first, _ = part_of(sent)
        if first == 8 * MIB and not once.is_set():
            once.set()
            whole = partial(sent)
            assert isinstance(whole.body, bytes)
            return Answer(206, whole.headers, [whole.body[:1000], broken()])
        return partial(sent)

    network, data = pull(answer)
    assert data == DATA
    assert f"bytes={8 * MIB + 1000}-{12 * MIB - 1}" in [sent.headers["range"] for sent in network.sent]


@pytest.mark.parametrize(
    "wrong", ["bytes 0-4194303/{0}", "bytes 8388608-12582911/77", "bytes 8388608-{0}/{0}", "nonsense", ""]
)
def test_another_part_than_the_one_asked_for_is_refused(wrong: str) -> None:
    def answer(sent: Sent) -> Answer:
        if part_of(sent)[0] != 8 * MIB:
            return partial(sent)
        return partial(sent).changed("content-range", content_range=wrong.format(len(DATA)))

    with pytest.raises(RegistryError):
        pull(answer)


def test_wrong_bytes_in_a_part_are_an_integrity_error() -> None:
    def answer(sent: Sent) -> Answer:
        found = partial(sent)
        assert isinstance(found.body, bytes)
        body = bytes(len(found.body)) if part_of(sent)[0] == 12 * MIB else found.body
        return Answer(206, found.headers, body)

    with pytest.raises(IntegrityError):
        pull(answer)


def test_no_more_is_read_ahead_than_the_helpers_hold() -> None:
    size = 64 * MIB
    network = Network({REGISTRY: lambda sent: Answer(206, headers(sent), bytes(4 * MIB))})

    def headers(sent: Sent) -> dict[str, str]:
        first, last = part_of(sent)
        return {"Content-Range": f"bytes {first}-{last}/{size}"}

    repository = network.repository("registry.example/me/app")
    content = iter(repository.fetch(Descriptor("application/wasm", Digest.of(b""), size)))
    for _ in range(3):
        next(content)
    furthest = max(part_of(sent)[0] for sent in list(network.sent))
    assert furthest <= (2 + HELPERS) * 4 * MIB
    content.close()  # type: ignore[attr-defined]


def test_the_threads_of_a_repository_are_shared_by_its_blobs() -> None:
    network = Network({REGISTRY: partial})
    repository = network.repository("registry.example/me/app")
    first, second = iter(repository.fetch(BLOB)), iter(repository.fetch(BLOB))
    next(first)
    next(second)
    assert [sent for sent in network.sent if "range" not in sent.headers]  # the second has to do without
    first.close()  # type: ignore[attr-defined]
    second.close()  # type: ignore[attr-defined]
    assert b"".join(repository.fetch(BLOB)) == DATA


def test_a_storage_that_answers_416_to_every_range_is_read_as_a_whole() -> None:
    network, data = pull(lambda sent: Answer(416) if "range" in sent.headers else partial(sent))
    assert data == DATA
    assert b"".join(network.repository("registry.example/me/app").fetch_rest(BLOB, MIB)) == DATA[MIB:]
