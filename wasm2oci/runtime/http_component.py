"""A component that answers HTTP requests (`wasi:http/incoming-handler`), on the embedded engine."""

from __future__ import annotations

import contextlib
import re
import threading
from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Final, Self

from wasm2oci.engine.binary import decode_component
from wasm2oci.engine.component.store import LoadedComponent
from wasm2oci.errors import Remedy, RemedyKind
from wasm2oci.runtime.choose import EngineUnsuitedError
from wasm2oci.runtime.embedded import engine_for, held_calls
from wasm2oci.runtime.http_exchange import Answering
from wasm2oci.runtime.http_guest import HttpGuest, NoAnswerError, described
from wasm2oci.runtime.request import Ending, EngineChoice, EntryError, GuestSetupError

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.runtime.http_guest import Answered, Asked
    from wasm2oci.runtime.request import RunRequest

__all__ = ["HttpComponent"]

_HANDLER: Final = re.compile(r"wasi:http/incoming-handler@0\.2\.[0-9]+")


class HttpComponent:
    """A component that is loaded. A context manager.

    Args:
        request: the component, what it is given, and its limits, those on time for each HTTP request.
        reuse: whether an instance answers one request after the other, as long as it does not trap.
        log: takes a line about a guest that went wrong, from many threads.

    Raises:
        ModuleError: it is malformed or invalid.
        EntryError: it has no such interface.
        ComponentUnsupportedError: it uses what is not run here.
        EngineUnsuitedError: wasmtime is asked for.
    """

    def __init__(self, request: RunRequest, *, reuse: bool, log: Callable[[str], object]) -> None:
        if request.engine is EngineChoice.WASMTIME:
            raise EngineUnsuitedError(
                "wasmtime's Python binding cannot pass HTTP requests to a component",
                remedy=Remedy(RemedyKind.USE_EMBEDDED),
            )
        names = [export.name for export in decode_component(request.module).exports]
        self._interface = next((name for name in names if _HANDLER.fullmatch(name)), "")
        if not self._interface:
            raise EntryError(
                "the component does not answer HTTP requests: it exports no wasi:http/incoming-handler@0.2"
            )
        self._component = LoadedComponent(engine_for(request), request.module)
        self._request = request
        self._reuse = reuse
        self.log = log
        self._numbers = count(1)
        self._idle: deque[HttpGuest] = deque()
        self._saving = threading.Lock()
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._held.enter_context(held_calls(self._request.limits))
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        while self._idle:
            self._idle.pop().close()
        self.save()
        self._held.close()

    def check(self) -> None:
        """Make an instance, as every request needs one.

        Raises:
            GuestSetupError: it imports what is not offered, its handler has another type, or it cannot be started.
        """
        worker = self._new(0)
        outcome = worker.supervised(worker.start, timed=False)
        if outcome.ending is not Ending.EXITED or outcome.exit_code:
            worker.close()
            raise GuestSetupError(f"the component cannot be started: {described(outcome)}")
        self.give_back(worker)
        self.save()

    def take(self) -> HttpGuest:
        """An instance that is kept, or a new one."""
        number = next(self._numbers)
        try:
            worker = self._idle.pop()
        except IndexError:
            worker = self._new(number)
        worker.number = number
        return worker

    def _new(self, number: int) -> HttpGuest:
        return HttpGuest(self._component, self._request, self._interface, number)

    def give_back(self, worker: HttpGuest) -> None:
        """Keep an instance for later, or end it."""
        if self._reuse and worker.clean:
            self._idle.append(worker)
        else:
            worker.close()

    def save(self) -> None:
        """Keep generated code."""
        with self._saving:
            self._component.save()

    def answer(self, asked: Asked, ended: Callable[[], object]) -> Answered:
        """The response to a request.

        Args:
            asked: the request.
            ended: called when the guest has ended, which may be after its response.

        Raises:
            NoAnswerError: the guest gave none, or one that cannot be sent.
        """
        try:
            exchange = Answering(self, asked, ended)
        except OSError as error:
            ended()
            raise NoAnswerError(f"no file descriptor is available: {error.strerror}") from error
        exchange.start()
        return exchange.response()
