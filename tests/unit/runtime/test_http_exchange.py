"""A server of HTTP requests goes on when the machine has no more to give."""

import errno
import threading
from typing import NoReturn

import pytest

from tests.support.programs import fixture
from wasm2oci.runtime import http_exchange
from wasm2oci.runtime.http_component import HttpComponent
from wasm2oci.runtime.http_guest import Asked, NoAnswerError
from wasm2oci.runtime.request import EngineChoice, RunRequest
from wasm2oci.wasi.preview2.http.incoming import RequestLine

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
