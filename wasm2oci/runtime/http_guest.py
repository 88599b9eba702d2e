"""An instance of a component that answers HTTP requests, what it is asked and what it answers."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wasm2oci.engine.component.host import signature
from wasm2oci.engine.validate.component.types import Function, Instance
from wasm2oci.runtime.component_host import call, exported, instantiated
from wasm2oci.runtime.embedded import guarded
from wasm2oci.runtime.request import Ending, GuestSetupError
from wasm2oci.wasi.preview2.http.outgoing import ResponseOutparam
from wasm2oci.wasi.waiting import Interrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wasm2oci.engine.component.functions import ComponentFunction
    from wasm2oci.engine.component.store import LoadedComponent
    from wasm2oci.runtime.component_host import ComponentRun
    from wasm2oci.runtime.request import RunOutcome, RunRequest
    from wasm2oci.wasi.preview2.http.incoming import IncomingRequest, RequestLine
    from wasm2oci.wasi.preview2.http.shared import Later
    from wasm2oci.wasi.preview2.state import Preview2

__all__ = ["Answered", "Asked", "Buffer", "HttpGuest", "NoAnswerError", "described"]

_SIGNATURE: Final = "(request: own<incoming-request>, response-out: own<response-outparam>)"
_TYPES: Final = "wasi:http/types@0.2.0"
Buffer = bytes | bytearray | memoryview


class NoAnswerError(Exception):
    """The guest gave no response.

    Args:
        why: for the log.
        late: whether its time was over.
    """

    def __init__(self, why: str, *, late: bool = False) -> None:
        super().__init__(why)
        self.late = late


class Asked(NamedTuple):
    """A request.

    Attributes:
        line: what it asks for.
        fields: its header fields.
        body: its bytes, one pass, in any thread; whatever it raises is a body that is not whole.
        empty: whether there is no body.
    """

    line: RequestLine
    fields: list[tuple[str, bytes]]
    body: Iterable[Buffer]
    empty: bool


class Answered(NamedTuple):
    """A response.

    Attributes:
        status: its code.
        fields: its header fields.
        length: bytes of the body, as the guest announced; None where it did not.
        body: its bytes; raises `OSError` where the guest did not finish it.
        trailers: gives what comes after the body, at its end.
        close: has to be called in the end.
        whole: whether the request's body was read to its end before.
    """

    status: int
    fields: list[tuple[str, bytes]]
    length: int | None
    body: Iterable[bytes]
    trailers: Callable[[], list[tuple[str, bytes]]]
    close: Callable[[], None]
    whole: bool


class HttpGuest:
    """An instance, and what breaks it off.

    Args:
        component: what it is an instance of.
        request: what it is given, and its limits.
        interface: the export that answers.
        number: of its request, for a trace.

    Attributes:
        clean: whether it may be called again.
        answered: how many requests it has answered.
    """

    def __init__(self, component: LoadedComponent, request: RunRequest, interface: str, number: int) -> None:
        self._component, self._request, self._interface = component, request, interface
        self.number = number
        self.clean = False
        self.answered = 0
        self._held = contextlib.ExitStack()
        self.interrupt = self._held.enter_context(Interrupt())
        self.run: ComponentRun | None = None

    def supervised(self, work: Callable[[], object], *, timed: bool = True) -> RunOutcome:
        """How the guest's work ended, within the limit on time unless it is not `timed`."""

        def run() -> tuple[str, ...]:
            work()
            return ()

        request = self._request
        limits = request.limits if timed else replace(request.limits, timeout_s=None)
        return guarded(replace(request, limits=limits), "", self.interrupt, run)

    def start(self) -> ComponentRun:
        """The instance. In the guest's thread."""
        if self.run is None:
            trace = self._request.trace
            request = replace(self._request, trace=None if trace is None else self._numbered(trace))
            self.run = self._held.enter_context(instantiated(self._component, request, self.interrupt))
            self._handler(self.run)
            self.clean = True
        return self.run

    def _numbered(self, trace: Callable[[str], object]) -> Callable[[str], object]:
        return lambda line: trace(f"#{self.number} {line}")

    def _handler(self, run: ComponentRun) -> ComponentFunction:
        """The exported function, which has to mean by its types what the host means."""
        instance = self._component.type.exports[self._interface].type
        found = instance.exports.get("handle") if isinstance(instance, Instance) else None
        types = run.host.interface(_TYPES) or {}
        if found is not None and isinstance(found.type, Function):
            function = exported(run.instance, (self._interface, "handle"))
            given = [getattr(param, "types", (None,))[0] for param in function.type.params]
            if signature(function.type) == _SIGNATURE and given == [
                types["incoming-request"],
                types["response-outparam"],
            ]:
                return function
        raise GuestSetupError(f"the component's {self._interface} has no function 'handle' of the type it should")

    def handle(self, make_request: Callable[[Preview2], IncomingRequest], later: Later[tuple[str, Any]]) -> None:
        """Has the guest answer a request. In the guest's thread."""
        run = self.start()
        self.clean = False
        call(self._handler(run), make_request(run.state), ResponseOutparam(later))
        if later.value is not None:  # one that did not answer, as one from JavaScript the second time, is not kept
            self.clean = True
            self.answered += 1

    def close(self) -> None:
        """Ends the instance."""
        self._held.close()


def described(outcome: RunOutcome) -> str:
    """How a guest ended, in lines."""
    if outcome.ending is Ending.TIMED_OUT:
        return "the component was stopped: its time was over"
    if outcome.ending is Ending.OUT_OF_MEMORY:
        return "the component ran out of memory"
    if outcome.trap is not None:
        return "\n".join([f"the component trapped: {outcome.trap.reason}", *(f"  {x}" for x in outcome.trap.lines)])
    return f"the component ended with exit code {outcome.exit_code}"
