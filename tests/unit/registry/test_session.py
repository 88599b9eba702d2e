"""What a session adds around one exchange: redirects, retries, warnings, the log; and bodies that break."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.network import Answer, Network, Sent, broken, fresh_core
from wasm2oci.errors import NotFoundError, RegistryError
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.http import Headers
from wasm2oci.oci.reference import Reference, check_tag
from wasm2oci.registry.credentials import Basic
from wasm2oci.registry.messages import BodyTooLargeError, Request, Response
from wasm2oci.registry.problems import (
    ConnectionFailedError,
    ConnectionLostError,
    RedirectRefusedError,
    ResponseError,
    TlsError,
)
from wasm2oci.registry.redirects import redirected, strip
from wasm2oci.registry.session import World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasm2oci.registry.problems import (
        ExchangeError,
    )

HOME = "https://r.example"
BLOB = Descriptor.of("application/wasm", b"some wasm")


def ask(network: Network, method: str = "GET", **more: object) -> Response:
    session = network.connector().session("r.example", "a")
    return session.send(Request(method, f"{HOME}/v2/x", **more))  # type: ignore[arg-type]


def test_a_redirect_within_the_origin_keeps_everything() -> None:
    def answer(sent: Sent) -> Answer:
        return Answer(200) if sent.path == "/there" else Answer(307, {"Location": "/there?a=b"})

    network = Network({HOME: answer})
    session = network.connector(headers={"X-Secret": "s"}).session("r.example", "a")
    response = session.send(Request("PUT", f"{HOME}/v2/x", {"If-Match": "e"}, b"body"))
    assert response.url == f"{HOME}/there?a=b"
    assert network.sent[1].headers["x-secret"] == "s"
    assert network.sent[1].headers["if-match"] == "e"
    assert network.sent[1].body == b"body"


def test_a_custom_header_is_sent_once_whatever_its_case() -> None:
    network = Network({HOME: lambda _: Answer(200)})
    session = network.connector(headers={"user-agent": "mine", "accept": "all"}).session("r.example", "a")
    session.send(Request("GET", f"{HOME}/v2/x", {"Accept": "one"}))
    (sent,) = network.sent
    assert sent.headers["user-agent"] == "mine"
    assert sent.headers["accept"] == "one"


@pytest.mark.parametrize("status", [301, 302, 303])
@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "DELETE"])
def test_a_redirect_that_would_change_the_method_is_refused(method: str, status: int) -> None:
    network = Network({HOME: lambda _: Answer(status, {"Location": "/there"})})
    with pytest.raises(RedirectRefusedError, match=f"redirects a {method} with {status}"):
        ask(network, method)


def test_redirects_in_a_circle_end() -> None:
    network = Network({HOME: lambda _: Answer(302, {"Location": "/v2/x"})})
    with pytest.raises(RedirectRefusedError, match="more than 5"):
        ask(network)
    assert len(network.sent) == 6


@pytest.mark.parametrize("answer", [Answer(304), Answer(302)])
def test_what_is_no_redirect_is_the_answer(answer: Answer) -> None:
    assert ask(Network({HOME: lambda _: answer})).status == answer.status


def test_what_a_stranger_may_see() -> None:
    headers = {"Accept": "a", "Authorization": "b", "Cookie": "c", "RANGE": "d", "If-Match": "e", "X-Any": "f"}
    assert strip(headers) == {"Accept": "a", "RANGE": "d"}
    request = Request("GET", f"{HOME}/a", headers)
    response = Response(308, Headers([("Location", "https://other.example/b")]), request=request)
    following = redirected(request, response)
    assert following is not None
    assert (following.url, following.headers) == ("https://other.example/b", {"Accept": "a", "RANGE": "d"})


def test_broken_exchanges_are_repeated_if_that_does_no_harm() -> None:
    answers: Iterator[Answer | ExchangeError] = iter([broken(), broken(), Answer(200)])
    network = Network({HOME: lambda _: next(answers)})
    assert ask(network).status == 200
    assert network.slept == [0.5, 1.0]
    assert any("again in 0.5 s" in line for line in network.logged)
    network = Network({HOME: lambda _: broken()})
    with pytest.raises(ConnectionLostError):
        ask(network, "PUT", repeatable=False)
    assert network.slept == []


def test_a_registry_that_was_never_there_is_not_waited_for_but_one_that_restarts_is() -> None:
    gone = ConnectionFailedError("nobody there")
    network = Network({HOME: lambda _: gone})
    with pytest.raises(ConnectionFailedError):
        ask(network)
    assert network.slept == []
    answers: Iterator[Answer | ExchangeError] = iter([Answer(200), gone, gone, Answer(201)])
    network = Network({HOME: lambda _: next(answers)})
    session = network.connector().session("r.example", "a")
    assert session.send(Request("GET", f"{HOME}/1")).status == 200
    assert session.send(Request("PUT", f"{HOME}/2", repeatable=False)).status == 201
    assert network.slept == [0.5, 1.0]


def test_a_certificate_does_not_get_better_by_asking_again() -> None:
    network = Network({HOME: lambda _: TlsError("not trusted")})
    with pytest.raises(TlsError):
        ask(network)
    assert network.slept == []


def test_an_answer_that_is_no_use_after_all_tries_is_the_answer() -> None:
    network = Network({HOME: lambda _: Answer(503)})
    assert ask(network).status == 503
    assert len(network.sent) == 4


def test_an_answer_to_what_must_not_be_repeated_is_the_answer() -> None:
    network = Network({HOME: lambda _: Answer(503)})
    assert ask(network, "PUT", repeatable=False).status == 503
    assert len(network.sent) == 1


def test_a_body_that_breaks_is_asked_for_again() -> None:
    answers = iter([Answer(200, {}, [b"ab", broken()]), Answer(200, {}, b"abc")])
    network = Network({HOME: lambda _: next(answers)})
    session = network.connector().session("r.example", "a")
    _, body = session.read(Request("GET", f"{HOME}/x"), (), 100, "it")
    assert body == b"abc"
    network = Network({HOME: lambda _: Answer(200, {}, [b"ab", broken()])})
    with pytest.raises(ConnectionLostError):
        network.connector().session("r.example", "a").read(Request("GET", f"{HOME}/x"), (), 100, "it")
    assert len(network.sent) == 4


def test_an_error_body_that_breaks_still_says_something() -> None:
    network = Network({HOME: lambda _: Answer(404, {}, [b'{"errors":[', broken()])})
    session = network.connector().session("r.example", "a")
    response, body = session.read(Request("GET", f"{HOME}/x"), (), 100, "it")
    assert (response.status, body) == (404, b'{"errors":[')


def test_a_body_has_a_bound() -> None:
    response = Response(200, Headers(), b"12345", request=Request("GET", f"{HOME}/x"))
    with pytest.raises(BodyTooLargeError):
        response.read(4, "it")
    response = Response(200, Headers([("Content-Length", "5")]), b"12345", request=Request("GET", f"{HOME}/x"))
    assert response.read(5, "it") == b"12345"
    assert "content-length" in response.headers
    assert Response(200, Headers([("Content-Length", "x")]), request=Request("GET", HOME)).length is None


def test_warnings_are_passed_on_once_and_only_from_the_registry_itself() -> None:
    says = (
        ("Warning", '299 - "this repository \\"moves\\"\x1b[2J"'),
        ("Warning", '199 - "misc"'),
        ("Warning", "nonsense"),
    )

    def answer(sent: Sent) -> Answer:
        return Answer(307, (*says, ("Location", "https://s.example/"))) if sent.path == "/v2/x" else Answer(200, says)

    network = Network({HOME: answer, "https://s.example": lambda _: Answer(200, {"Warning": '299 - "buy now"'})})
    connector = network.connector()
    session = connector.session("r.example", "a")
    for _ in range(3):
        session.send(Request("GET", f"{HOME}/v2/x"))
    assert network.warned == ['r.example says: this repository "moves" [2J']


def test_the_log_is_only_written_for_a_reader() -> None:
    network = Network({HOME: lambda _: Answer(200)})
    network.connector(log=None, warn=None).session("r.example", "a").send(Request("GET", f"{HOME}/x"))
    assert network.logged == []
    world = World(lambda _: None, lambda: 0.0, lambda: 0.0)
    world.warn("into nothing")


def test_every_request_says_who_we_are_and_wants_no_compression() -> None:
    network = Network({HOME: lambda _: Answer(200)})
    ask(network)
    assert network.sent[0].headers["user-agent"].startswith("wasm2oci/")
    assert network.sent[0].headers["accept-encoding"] == "identity"


def test_a_ping_finds_out_what_is_there() -> None:
    with pytest.raises(NotFoundError, match=r"r\.example"):
        Network({HOME: lambda _: Answer(404)}).connector().ping("r.example")
    with pytest.raises(RegistryError, match=r"r\.example: the registry answered 500"):
        Network({HOME: lambda _: Answer(500)}).connector().ping("r.example")
    Network({HOME: fresh_core()}).connector().ping("r.example")


@pytest.mark.parametrize("wants", [True, False])
def test_a_login_says_whether_the_registry_asked_for_credentials(*, wants: bool) -> None:
    def answer(sent: Sent) -> Answer:
        refused = wants and "authorization" not in sent.headers
        return Answer(401, {"WWW-Authenticate": "Basic realm=r"}) if refused else Answer(200)

    assert Network({HOME: answer}).connector().check_login("r.example", Basic("me", "secret")) is wants


@pytest.mark.parametrize(
    ("headers", "body"),
    [({"Content-Type": "text/html; charset=utf-8"}, b"hello"), ({}, b"<!DOCTYPE html><html></html>")],
)
def test_a_web_site_takes_no_credentials(headers: dict[str, str], body: bytes) -> None:
    connector = Network({HOME: lambda _: Answer(200, headers, body)}).connector()
    with pytest.raises(ResponseError, match=r"r\.example answers with a web page, not as a registry") as caught:
        connector.check_login("r.example", Basic("me", "secret"))
    assert "check the registry's host" in (caught.value.hint or "")


def test_where_a_registry_is_is_found_out_once() -> None:
    network = Network({"http://localhost:5000": lambda _: Answer(200)})
    connector = network.connector()
    for name in ("a", "b"):
        connector.repository(Reference.parse(f"localhost:5000/{name}")).exists(BLOB)
    assert [sent.path for sent in network.sent].count("/v2/") == 1


@pytest.mark.parametrize("field", ["ca_file", "insecure"])
def test_what_is_said_of_all_registries_is_not_said_of_one_on_this_machine(field: str) -> None:
    options = {field: Path("company.pem") if field == "ca_file" else True}
    network = Network({"http://localhost:5000": lambda _: Answer(200), "https://localhost:5000": lambda _: Answer(200)})
    for more, scheme in ({}, "https"), ({"for_all": frozenset({field})}, "http"):
        network.sent.clear()
        network.connector(**options, **more).repository(Reference.parse("localhost:5000/a")).exists(BLOB)
        assert {sent.origin.partition(":")[0] for sent in network.sent} == {scheme}


def test_what_is_sent_elsewhere_goes_bare() -> None:
    network = Network({HOME: lambda _: Answer(200), "https://s.example": lambda _: Answer(401)})
    session = network.connector(headers={"X-Secret": "s"}).session("r.example", "a")
    assert session.send(Request("PUT", "https://s.example/up", {"Content-Length": "0"})).status == 401
    assert sorted(network.sent[0].headers) == ["accept-encoding", "content-length", "user-agent"]


def test_an_answer_compressed_against_our_will_is_refused() -> None:
    network = Network({HOME: lambda _: Answer(200, {"Content-Encoding": "gzip"}, b"x")})
    with pytest.raises(ResponseError, match="compressed"):
        list(network.repository("r.example/a").fetch(BLOB))
    network = Network({HOME: lambda _: Answer(200, {"Content-Encoding": "Identity"}, b"some wasm")})
    assert b"".join(network.repository("r.example/a").fetch(BLOB)) == b"some wasm"


def test_all_waits_of_a_session_are_bounded_together() -> None:
    """`Retry-After: 119` cost four times two minutes for each request."""
    network = Network({HOME: lambda _: Answer(429, {"Retry-After": "119"})})
    repository = network.repository("r.example/a")
    for _ in range(10):
        with pytest.raises(RegistryError):
            repository.fetch_manifest(check_tag("v1"))
    assert 400 < sum(network.slept) <= 600


@pytest.mark.parametrize(
    ("asked", "told"), [("1", []), ("30", ["waiting 30 s before the next request to registry.example"])]
)
def test_a_long_wait_before_another_try_is_announced(asked: str, told: list[str]) -> None:
    answers = iter([Answer(503, {"Retry-After": asked}), Answer(200)])
    network = Network({"https://registry.example": lambda _: next(answers)})
    network.connector().ping("registry.example")
    assert [text[: len("waiting 30 s before the next request to registry.example")] for text in network.warned] == told
