"""One HTTP request that a component answers, and the threads that take part.

    connection's thread:  waits for the response, and sends its body as it comes
    supervisor's thread:  time limit, and how the guest ended
    guest's thread:       instance, the call of `handle`
    pump's thread:        the request's body, begun when the guest asks for it

Between them go a response (`Later`) and two pipes; who waits is woken by a bell.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.runtime.http_guest import Answered, NoAnswerError, described
from wasm2oci.runtime.request import Ending
from wasm2oci.wasi.preview2.bell import Bell
from wasm2oci.wasi.preview2.http.errors import HttpIoError
from wasm2oci.wasi.preview2.http.fields import FORBIDDEN, HttpFields
from wasm2oci.wasi.preview2.http.incoming import IncomingRequest
from wasm2oci.wasi.preview2.http.shared import Later

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from wasm2oci.runtime.http_component import HttpComponent
    from wasm2oci.runtime.http_guest import Asked, Buffer, HttpGuest
    from wasm2oci.wasi.preview2.pipes import Pipe
    from wasm2oci.wasi.preview2.state import Preview2

__all__ = ["Answering"]

_PIECE: Final = 64 * 1024
_ONLY_ONE: Final = " where it had answered before: if it answers one request only, each needs an instance of its own"
_HOUR: Final = 3600.0


class Answering:
    """One request and its response.

    A bell has a holder for each thread that rings it: the connection's, the supervisor's, and the guest's, which
    releases it, and takes it off its pipes, in its own thread.

    Args:
        owner: who answers.
        asked: the request.
        ended: called when the guest has ended.
    """

    def __init__(self, owner: HttpComponent, asked: Asked, ended: Callable[[], object]) -> None:
        self._owner, self._asked, self._ended = owner, asked, ended
        self._bell = Bell()
        self._later: Later[tuple[str, Any]] = Later(self._bell)
        self._over = self._late = self._begun = self._again = False
        self._request_pipe: Pipe | None = None
        self._pump_bell: Bell | None = None
        self._guest_bell: Bell | None = None

    def start(self) -> None:
        """Start the guest, in threads of its own.

        Raises:
            NoAnswerError: no thread is available.
        """
        self._bell.hold()
        try:
            threading.Thread(target=self._supervise, name="wasm2oci-request", daemon=True).start()
        except RuntimeError as error:
            self._bell.close()
            self._bell.close()
            self._ended()
            raise NoAnswerError("no thread is available") from error

    # --- the supervisor's thread --------------------------------------------------------------------------------------

    def _supervise(self) -> None:
        owner = self._owner
        worker: HttpGuest | None = None
        try:
            worker = owner.take()
            self._again = worker.answered > 0
            self._bell.hold()
            outcome = worker.supervised(partial(self._guest, worker))
            self._late = outcome.ending is Ending.TIMED_OUT
            if outcome.ending is not Ending.EXITED or outcome.exit_code:
                owner.log(f"request {worker.number}: {described(outcome)}")
        except Exception as error:  # noqa: BLE001 - one request must not end the server
            if worker is not None and not self._begun:
                self._bell.close()  # the guest's thread did not start
            owner.log(f"request {'-' if worker is None else worker.number}: {error}")
        finally:
            self._over = True
            if self._request_pipe is not None:
                self._request_pipe.abandon()
            self._later.give(("ended", None))
            self._bell.ring()
            if worker is not None:
                owner.give_back(worker)
            self._bell.close()
            self._ended()
            owner.save()

    # --- the guest's thread -------------------------------------------------------------------------------------------

    def _guest(self, worker: HttpGuest) -> None:
        self._begun = True
        try:
            worker.handle(self._incoming, self._later)
        finally:
            given = self._later.value
            if given is not None and given[0] == "ok" and given[1].pipe is not None:
                given[1].pipe.unwatch(self._bell)
            self._bell.close()
            if self._request_pipe is not None and self._pump_bell is not None:
                self._request_pipe.unwatch(self._pump_bell)
                self._request_pipe.abandon()
                self._pump_bell.ring()
                self._pump_bell.close()

    def _incoming(self, state: Preview2) -> IncomingRequest:
        asked = self._asked
        self._guest_bell = state.bell.hold()  # for the connection's thread
        fields = HttpFields([(name, value) for name, value in asked.fields if name.lower() not in FORBIDDEN])
        return IncomingRequest(asked.line, fields, state.http, lambda: self._open_body(state))

    def _open_body(self, state: Preview2) -> Pipe:
        pipe = state.http.pipe()
        if self._asked.empty:
            pipe.end()
            return pipe
        self._pump_bell = bell = Bell()
        pipe.watch(bell)
        self._request_pipe = pipe
        pump = _Pump(self._asked.body, pipe, bell.hold(), state.bell.hold())
        try:
            threading.Thread(target=pump.work, name="wasm2oci-body", daemon=True).start()
        except RuntimeError:  # no thread is available
            pump.give_up()
        return pipe

    # --- the connection's thread --------------------------------------------------------------------------------------

    def response(self) -> Answered:
        """The response, once the guest gave it.

        Raises:
            NoAnswerError: it gave none, or one that cannot be sent.
        """
        while not self._bell.wait_here(lambda: self._later.value is not None, _HOUR):
            pass
        kind, value = self._later.value or ("ended", None)
        why = self._why_none(kind, value)
        if why is not None:
            self._close(value.pipe if kind == "ok" and value is not None else None)
            raise NoAnswerError(why, late=kind == "ended" and self._late)
        return self._answered(value)

    def _why_none(self, kind: str, value: Any) -> str | None:
        if kind == "error":
            return f"the component answered with the error {value[0]}"
        if kind == "ok":
            return "the component answered with a malformed content-length" if value.fields.contradicts else None
        if self._late:
            return "the component gave no response in time"
        return "the component gave no response" + (_ONLY_ONE if self._again else "")

    def _answered(self, response: Any) -> Answered:
        fields, pipe = response.fields.entries(), response.pipe
        request = self._request_pipe
        whole = self._asked.empty or (request is not None and request.ended)
        if pipe is None:
            return Answered(response.status, fields, 0, (), list, self._close, whole)
        return Answered(
            response.status,
            fields,
            pipe.expected,
            self._pieces(pipe),
            lambda: pipe.trailers or [],
            lambda: self._close(pipe),
            whole,
        )

    def _close(self, pipe: Pipe | None = None) -> None:
        for each in (pipe, self._request_pipe):
            if each is not None:
                each.abandon()
        for bell in (self._bell, self._guest_bell):
            if bell is not None:
                bell.close()

    def _pieces(self, pipe: Pipe) -> Iterator[bytes]:
        """The body as it comes; an empty piece first where nothing is there yet, so that the head is sent."""
        waited = False
        while True:
            over = pipe.ended or pipe.failure is not None or self._over
            data = pipe.take(_PIECE)
            if data:
                yield data
            elif over:
                break
            else:
                if not waited:
                    waited = True
                    yield b""
                self._bell.wait_here(lambda: pipe.readable or self._over, _HOUR)
        if not pipe.ended:
            raise OSError("the component did not finish its response")


class _Pump:
    """Moves a request's body into a pipe.

    Args:
        body: its bytes.
        pipe: where they go.
        bell: wakes this; held.
        guest_bell: wakes the guest; held.
    """

    def __init__(self, body: Iterable[Buffer], pipe: Pipe, bell: Bell, guest_bell: Bell) -> None:
        self._body, self._pipe, self._bell, self._guest_bell = body, pipe, bell, guest_bell

    def work(self) -> None:
        """All of it, or until the guest reads no more."""
        pipe = self._pipe
        try:
            for piece in self._body:
                self._put(bytes(piece))
                if pipe.abandoned:
                    return
            pipe.end()
        except Exception:  # noqa: BLE001 - whatever it is, the guest learns that the body is not whole
            self._fail()
        finally:
            self._let_go()

    def give_up(self) -> None:
        """Move nothing, instead of `work`."""
        self._fail()
        self._let_go()

    def _fail(self) -> None:
        self._pipe.fail(HttpIoError(("connection-terminated", None)))

    def _let_go(self) -> None:
        self._bell.close()
        self._guest_bell.close()

    def _put(self, data: bytes) -> None:
        pipe = self._pipe
        while data and not pipe.abandoned:
            if self._bell.wait_here(lambda: pipe.writable, _HOUR):
                free = pipe.free
                pipe.put(data[:free])
                data = data[free:]
