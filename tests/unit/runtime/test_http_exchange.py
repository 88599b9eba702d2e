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
from wasm2oci.wasi import Interrupt
from wasm2oci.wasi.preview2.http.fields import HttpFields
from wasm2oci.wasi.preview2.http.incoming import RequestLine
from wasm2oci.wasi.preview2.state import Preview2

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
            number = 1

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
