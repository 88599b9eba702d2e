"""A server of HTTP requests goes on when the machine has no more to give."""

import errno
import threading
from typing import NoReturn

import pytest

from tests.support.programs import fixture
from wasm2oci.runtime import http_exchange
from wasm2oci.runtime.http_component import HttpComponent
from wasm2oci.runtime.http_guest import Asked, NoAnswerError
from wasm2oci.runtime.request import Ending, EngineChoice, RunOutcome, RunRequest
from wasm2oci.runtime.streams import open_wasi
from wasm2oci.wasi.network import NetworkRule
from wasm2oci.wasi.preview2.bell import Bell
from wasm2oci.wasi.preview2.http.fields import HttpFields
from wasm2oci.wasi.preview2.http.incoming import RequestLine
from wasm2oci.wasi.preview2.state import Preview2
from wasm2oci.wasi.waiting import Interrupt

ASKED = Asked(RequestLine("GET", "/"), [], (), empty=True)


def none_left(*_: object) -> NoReturn:
    raise OSError(errno.EMFILE, "Too many open files")


@pytest.fixture
def component() -> HttpComponent:
    request = RunRequest(module=fixture("http.component.wasm"), engine=EngineChoice.EMBEDDED)
    return HttpComponent(request, reuse=False, log=lambda _: None)


def test_a_guest_without_descriptors_answers_nothing_and_ends(
    component: HttpComponent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(component, "take", none_left)
    ended = threading.Event()
    exchange = http_exchange.Answering(component, ASKED, ended.set)
    exchange.start()
    assert ended.wait(60)
    with pytest.raises(NoAnswerError):
        exchange.response()


def test_a_request_without_descriptors_gives_its_turn_back(
    component: HttpComponent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_exchange, "Bell", none_left)
    ended = threading.Event()
    with pytest.raises(NoAnswerError, match="Too many open files"):
        component.answer(ASKED, ended.set)
    assert ended.is_set()


def test_the_body_of_a_response_that_cannot_be_sent_is_given_up(
    component: HttpComponent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its guest would wait for a reader until its time is over."""
    with Interrupt() as interrupt, open_wasi(RunRequest(), interrupt) as wasi, Preview2(wasi) as state:
        response = state.http.response(HttpFields([("content-length", b"many")]))
        response.body()

        class Guest:
            number, answered = 1, 0

            def supervised(self, _: object) -> RunOutcome:
                exchange._later.give(("ok", response))
                return RunOutcome(ending=Ending.EXITED, exit_code=0, engine=EngineChoice.EMBEDDED, why="")

        monkeypatch.setattr(component, "take", Guest)
        monkeypatch.setattr(component, "give_back", lambda _: None)
        ended = threading.Event()
        exchange = http_exchange.Answering(component, ASKED, ended.set)
        exchange.start()
        with pytest.raises(NoAnswerError, match="malformed content-length"):
            exchange.response()
        assert response.pipe is not None
        assert response.pipe.abandoned
        assert ended.wait(60)


@pytest.fixture
def bells(monkeypatch: pytest.MonkeyPatch) -> list[Bell]:
    """Every bell that is made."""
    made: list[Bell] = []

    class Noted(Bell):
        __slots__ = ()

        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    for place in ("runtime.http_exchange", "wasi.preview2.http.exchange", "wasi.preview2.state"):
        monkeypatch.setattr(f"wasm2oci.{place}.Bell", Noted)
    return made


def is_closed(bell: Bell) -> bool:
    return bell._holders == 0


def no_thread(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads of this name do not start any more."""
    start = threading.Thread.start

    def refused(thread: threading.Thread) -> None:
        if thread.name == name:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refused)


@pytest.mark.parametrize("name", ["guest", "wasm2oci-request"])
def test_a_thread_that_cannot_be_started_costs_no_descriptors(
    component: HttpComponent, name: str, bells: list[Bell], monkeypatch: pytest.MonkeyPatch
) -> None:
    no_thread(name, monkeypatch)
    ended = threading.Event()
    with pytest.raises(NoAnswerError):
        component.answer(ASKED, ended.set)
    assert ended.wait(60)
    assert bells
    assert all(map(is_closed, bells))


def test_a_body_whose_thread_cannot_be_started_has_failed(bells: list[Bell], monkeypatch: pytest.MonkeyPatch) -> None:
    no_thread("wasm2oci-body", monkeypatch)
    with Interrupt() as interrupt, open_wasi(RunRequest(), interrupt) as wasi, Preview2(wasi) as state:
        asked = ASKED._replace(empty=False)
        exchange = http_exchange.Answering(None, asked, lambda: None)  # type: ignore[arg-type]
        pipe = exchange._open_body(state)
        assert pipe.failure is not None
        assert exchange._pump_bell is not None
        exchange._pump_bell.close()  # as the guest's thread does at its end
        assert is_closed(exchange._pump_bell)
    assert is_closed(state.bell)


@pytest.mark.parametrize("kind", ["thread", "descriptors"])
def test_a_request_that_cannot_begin_does_not_count(
    kind: str, bells: list[Bell], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took one of the 64 places for ever."""
    network = (NetworkRule("r.example", None),)
    with Interrupt() as interrupt, open_wasi(RunRequest(network=network), interrupt) as wasi, Preview2(wasi) as state:
        if kind == "thread":
            no_thread("wasm2oci-request", monkeypatch)
        else:
            monkeypatch.setattr("wasm2oci.wasi.preview2.http.exchange.Bell", none_left)
        for _ in range(100):
            request = state.http.request(HttpFields([]))
            request.authority = "r.example"
            assert state.http.handle(request, ("none", None)) == ("error", ("connection-limit-reached", None))
        assert len(state.http._exchanges) <= 1
    assert all(map(is_closed, bells))
