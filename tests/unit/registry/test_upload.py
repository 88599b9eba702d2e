"""The upload's state machine, driven by hand."""

import json
from typing import TYPE_CHECKING

import pytest

from wasm2oci.oci.digest import Digest
from wasm2oci.oci.http import Headers
from wasm2oci.registry.flavours import find_flavour
from wasm2oci.registry.messages import Response
from wasm2oci.registry.problems import ConnectionLostError, ExchangeError, ResponseError
from wasm2oci.registry.retry import RetryPolicy
from wasm2oci.registry.upload import Ask, BlobUpload, Wait
from wasm2oci.registry.urls import Origin

if TYPE_CHECKING:
    from collections.abc import Generator

    from wasm2oci.registry.upload import Refused, Step

MIB = 1 << 20
DIGEST = Digest.of(b"the blob")
LOST = ConnectionLostError("cut")


class Drive:
    """An upload and the hand that feeds it."""

    def __init__(self, size: int = 20 * MIB, host: str = "registry.example", **more: object) -> None:
        policy = RetryPolicy(tries=4, base=1.0)
        self.upload = BlobUpload(
            Origin("https", "registry.example", 443),
            "me/app",
            DIGEST,
            size,
            host=host,
            policy=policy,
            random=lambda: 1.0,
            now=lambda: 0.0,
            **more,  # type: ignore[arg-type]
        )
        self.run: Generator[Step, Response | ExchangeError | None, Refused | None] = self.upload.run()
        self.step: Step | None = next(self.run)
        self.result: Refused | None = None

    def reply(self, reply: Response | ExchangeError | int | None, *headers: tuple[str, str], body: bytes = b"") -> None:
        if isinstance(reply, int):
            assert isinstance(self.step, Ask)
            reply = Response(reply, Headers(headers), body, request=self.step.request)
        try:
            self.step = self.run.send(reply)
        except StopIteration as done:
            self.step, self.result = None, done.value

    def asks(self, method: str, path: str, part: tuple[int, int] | None = None) -> None:
        assert isinstance(self.step, Ask), self.step
        assert self.step.request.method == method
        assert self.step.request.url.removeprefix("https://registry.example") == path
        assert self.step.part == part

    def waits(self, seconds: float) -> None:
        assert isinstance(self.step, Wait), self.step
        assert self.step.seconds == seconds
        self.reply(None)

    def opened(self, location: str = "/up/1?_state=a%3D", *headers: tuple[str, str]) -> None:
        self.asks("POST", "/v2/me/app/blobs/uploads/")
        self.reply(202, ("Location", location), *headers)

    def done(self) -> None:
        assert self.step is None
        assert self.result is None

    def header(self, name: str) -> str:
        assert isinstance(self.step, Ask)
        return self.step.request.headers[name]


PUT = f"/up/1?_state=a%3D&digest=sha256%3A{DIGEST.encoded}"
BLOB = f"/v2/me/app/blobs/{DIGEST}"


def test_all_in_one_request_and_the_locations_query_is_kept() -> None:
    drive = Drive()
    drive.opened()
    drive.asks("PUT", PUT, (0, 20 * MIB))
    assert drive.header("Content-Length") == str(20 * MIB)
    drive.reply(201)
    drive.done()


def test_the_empty_blob() -> None:
    drive = Drive(size=0)
    drive.opened()
    drive.asks("PUT", PUT, (0, 0))
    drive.reply(201)
    drive.done()


def test_a_registry_that_has_it_already_says_so_at_once() -> None:
    drive = Drive()
    drive.reply(201)
    drive.done()


def test_a_session_that_a_mount_left_open_is_used() -> None:
    drive = Drive(location="https://registry.example/up/1?_state=a%3D")
    drive.asks("PUT", PUT, (0, 20 * MIB))


def test_a_session_without_a_place_is_nonsense() -> None:
    drive = Drive()
    with pytest.raises(ResponseError, match="sent no Location"):
        drive.reply(202)


def test_no_session_at_all() -> None:
    drive = Drive()
    drive.reply(403, body=b"no")
    assert drive.result is not None
    assert drive.result.response.status == 403
    assert drive.result.response.read(10, "x") == b"no"


def test_a_broken_opening_is_broken() -> None:
    with pytest.raises(ConnectionLostError):
        Drive().reply(LOST)


def test_bytes_that_arrived_although_the_answer_was_lost() -> None:
    drive = Drive()
    drive.opened()
    drive.reply(LOST)
    drive.waits(1.0)
    drive.asks("HEAD", BLOB)
    drive.reply(200)
    drive.done()


def test_it_goes_on_where_the_registry_is() -> None:
    drive = Drive()
    drive.opened()
    drive.reply(LOST)
    drive.waits(1.0)
    drive.reply(404)
    drive.asks("GET", "/up/1?_state=a%3D")
    drive.reply(204, ("Range", f"0-{5 * MIB - 1}"), ("Location", "/up/2"))
    drive.asks("PATCH", "/up/2", (5 * MIB, 13 * MIB))
    assert drive.header("Content-Range") == f"{5 * MIB}-{13 * MIB - 1}"
    assert drive.header("Content-Length") == str(8 * MIB)
    drive.reply(202, ("Location", "/up/3"), ("Range", "0-7"))  # a stale range is not believed
    drive.asks("PATCH", "/up/3", (13 * MIB, 20 * MIB))
    drive.reply(201)  # ECR; and no Location: the session stays where it is
    drive.asks("PUT", f"/up/3?digest=sha256%3A{DIGEST.encoded}", None)
    assert drive.header("Content-Length") == "0"
    drive.reply(201)
    drive.done()


@pytest.mark.parametrize("said", ["0-0", "", "bytes 0-5", "5-9", f"0-{21 * MIB}"])
def test_a_registry_that_kept_nothing_gets_it_again_and_then_in_chunks(said: str) -> None:
    drive = Drive()
    drive.opened()
    for number in range(2):
        drive.asks("PUT", PUT, (0, 20 * MIB))
        drive.reply(LOST)
        drive.waits(1.0 + number)
        drive.reply(404)
        drive.reply(204, ("Range", said))
        drive.asks("DELETE", "/up/1?_state=a%3D")
        drive.reply(404)
        drive.opened()
    drive.asks("PATCH", "/up/1?_state=a%3D", (0, 8 * MIB))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_registry_says_how_long_to_wait(status: int) -> None:
    drive = Drive()
    drive.opened()
    drive.reply(status, ("Retry-After", "17"))
    drive.waits(17.0)
    drive.asks("HEAD", BLOB)


def test_patience_ends() -> None:
    drive = Drive()
    drive.opened()
    drive.reply(503, ("Retry-After", "100000"), body=b"later")
    assert drive.result is not None
    assert drive.result.response.read(10, "x") == b"later"


def test_a_connection_that_always_breaks_is_given_up() -> None:
    drive = Drive()

    def always_break() -> None:
        for _ in range(100):
            if isinstance(drive.step, Wait):
                drive.reply(None)
            elif isinstance(drive.step, Ask) and drive.step.request.method == "POST":
                drive.opened()
            else:
                drive.reply(LOST)

    with pytest.raises(ConnectionLostError):
        always_break()


def test_a_session_that_went_away_is_opened_again() -> None:
    drive = Drive()
    drive.opened()
    drive.reply(404)
    drive.asks("DELETE", "/up/1?_state=a%3D")
    drive.reply(LOST)
    drive.opened()
    drive.asks("PUT", PUT, (0, 20 * MIB))


def test_sessions_that_always_go_away_end_it() -> None:
    drive = Drive()
    for _ in range(100):
        if drive.step is None:
            break
        assert isinstance(drive.step, Ask)
        if drive.step.request.method == "POST":
            drive.opened()
        else:
            drive.reply(404, body=b"gone")
    assert drive.result is not None
    assert drive.result.response.status == 404


def test_github_takes_chunks_below_four_megabytes_only() -> None:
    drive = Drive(host="ghcr.io")
    drive.opened()
    drive.reply(413)
    drive.asks("GET", "/up/1?_state=a%3D")
    drive.reply(204, ("Range", "0-0"))
    drive.reply(204)  # the old session is dropped
    drive.opened()
    drive.asks("PATCH", "/up/1?_state=a%3D", (0, 3 * MIB + MIB // 2))


def test_chunks_become_smaller_when_they_are_too_large() -> None:
    drive = Drive(size=9 * MIB)
    drive.opened()
    drive.reply(413)
    drive.reply(204, ("Range", f"0-{MIB - 1}"))
    drive.asks("PATCH", "/up/1?_state=a%3D", (MIB, 9 * MIB))
    body = json.dumps({"errors": [{"code": "X", "message": "request body is too large. The maximum is 4.00MiB"}]})
    drive.reply(416, body=body.encode())
    drive.reply(204, ("Range", f"0-{MIB - 1}"))
    drive.asks("PATCH", "/up/1?_state=a%3D", (MIB, 5 * MIB))
    drive.reply(413)
    drive.reply(204, ("Range", f"0-{MIB - 1}"))
    drive.asks("PATCH", "/up/1?_state=a%3D", (MIB, 3 * MIB))


def test_chunks_do_not_become_smaller_than_the_registry_wants() -> None:
    drive = Drive(size=40 * MIB)
    drive.opened("/up/1", ("OCI-Chunk-Min-Length", str(16 * MIB)))
    drive.reply(413)
    drive.reply(204, ("Range", f"0-{MIB - 1}"))
    drive.asks("PATCH", "/up/1", (MIB, 17 * MIB))
    drive.reply(413, body=b"still")
    assert drive.result is not None
    assert drive.result.response.status == 413


def test_a_minimum_that_makes_no_sense_is_bounded() -> None:
    drive = Drive(size=200 * MIB)
    drive.opened("/up/1", ("OCI-Chunk-Min-Length", str(10_000 * MIB)))
    drive.reply(413)
    drive.reply(204, ("Range", f"0-{MIB - 1}"))
    drive.asks("PATCH", "/up/1", (MIB, 65 * MIB))


def test_out_of_step_it_asks_how_much_the_registry_has_a_few_times() -> None:
    drive = Drive()
    drive.opened()
    drive.reply(416)
    for _ in range(3):
        drive.reply(204, ("Range", f"0-{MIB - 1}"))
        drive.asks("PATCH", "/up/1?_state=a%3D", (MIB, 9 * MIB))
        drive.reply(416)
    drive.reply(204, ("Range", f"0-{MIB - 1}"))
    drive.reply(416)
    assert drive.result is not None


def test_a_splice_that_the_registry_got_wrong_is_sent_again_whole() -> None:
    drive = Drive(size=9 * MIB)
    drive.opened()
    drive.reply(LOST)
    drive.waits(1.0)
    drive.reply(404)
    drive.reply(204, ("Range", f"0-{9 * MIB - 1}"))
    drive.asks("PUT", PUT, None)
    drive.reply(400, body=b'{"errors":[{"code":"DIGEST_INVALID"}]}')
    drive.asks("DELETE", "/up/1?_state=a%3D")
    drive.reply(204)
    drive.opened()
    drive.asks("PUT", PUT, (0, 9 * MIB))
    drive.reply(400)
    assert drive.result is not None
    assert drive.result.response.status == 400


def test_a_status_that_cannot_be_had_means_a_new_session() -> None:
    drive = Drive()
    drive.opened()
    drive.reply(LOST)
    drive.waits(1.0)
    drive.reply(LOST)  # the HEAD
    drive.reply(LOST)  # the GET
    drive.asks("DELETE", "/up/1?_state=a%3D")


def test_a_closing_that_breaks_is_looked_into() -> None:
    drive = Drive(size=9 * MIB)
    drive.opened()
    drive.reply(LOST)
    drive.waits(1.0)
    drive.reply(404)
    drive.reply(204, ("Range", f"0-{9 * MIB - 1}"))
    drive.asks("PUT", PUT, None)
    drive.reply(504)
    drive.waits(1.0)
    drive.asks("HEAD", BLOB)
    drive.reply(200)
    drive.done()


@pytest.mark.parametrize(
    ("host", "size"),
    [
        ("ghcr.io", 3_670_016),
        ("123.dkr.ecr.eu-west-1.amazonaws.com", 10 * MIB),
        ("registry.example:5000", 8 * MIB),
    ],
)
def test_the_size_of_chunks(host: str, size: int) -> None:
    assert find_flavour(host).chunk == size
