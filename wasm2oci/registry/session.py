"""A session with one registry: authorization, redirects, retries, warnings and the debug log around a `Sender`.

One `Session` serves one repository (credentials and tokens are made so) and all threads. What it adds to a request
depends on where that goes: the registry's own origin sees the token and the custom headers; every other address, be
it named by a `Location` or by a redirect, sees neither.
"""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Final

from wasm2oci.base.records import NamedTuple
from wasm2oci.oci.endpoints import API_ROOT, PING
from wasm2oci.oci.wire import ERROR_BODY_MAX
from wasm2oci.registry.messages import request_for
from wasm2oci.registry.problems import (
    ConnectionFailedError,
    ExchangeError,
    RedirectRefusedError,
    TimedOutError,
    TlsError,
    error_for,
    misled,
    parse_problems,
)
from wasm2oci.registry.redirects import REDIRECTS, REDIRECTS_MAX, redirected
from wasm2oci.registry.retry import SILENCE, RetryPolicy, is_retried, retry_after
from wasm2oci.registry.urls import Origin, UntrustedUrlError, check_step
from wasm2oci.registry.web_pages import is_page, page_error, refuse_page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wasm2oci.errors import Wasm2OciError
    from wasm2oci.registry.auth import TokenAuth
    from wasm2oci.registry.found_out import FoundOut
    from wasm2oci.registry.messages import Request, Response, Sender
    from wasm2oci.registry.scope import Scope

__all__ = ["Session", "World"]

_WITHIN: Final = 300.0
"""Seconds for an answer that is read as a whole."""
_WARNINGS_MAX: Final = 100


def _nowhere(_: str) -> None:
    pass


class World(NamedTuple):
    """What a session needs of the world, handed in.

    Args:
        sleep: waits some seconds.
        random: a number from 0 to 1.
        now: seconds since 1970.
        log: takes one line of the debug log, without secrets; None when no log is wanted.
        warn: takes one sentence for the user.
        clock: seconds that only grow.
    """

    sleep: Callable[[float], None]
    random: Callable[[], float]
    now: Callable[[], float]
    log: Callable[[str], None] | None = None
    warn: Callable[[str], None] = _nowhere
    clock: Callable[[], float] = time.monotonic


class Session:
    """A session with one registry.

    Args:
        host: as the user calls it.
        find_origin: finds out where the registry really is; called once, before the first request.
        make_auth: makes the authorization for that origin.
        sender: sends requests.
        policy: of retries.
        world: see there.
        user_agent: the value of the User-Agent header.
        headers: custom headers for the registry's own origin.
        root: how the paths of the registry begin.
        found_out: what other processes found out about registries, or None.
    """

    def __init__(
        self,
        host: str,
        find_origin: Callable[[], Origin],
        make_auth: Callable[[Origin], TokenAuth],
        sender: Sender,
        world: World,
        *,
        policy: RetryPolicy | None = None,
        user_agent: str = "wasm2oci",
        headers: Mapping[str, str] | None = None,
        root: str = API_ROOT,
        found_out: FoundOut | None = None,
    ) -> None:
        self.host, self.root = host, root
        self.found_out = found_out
        self.policy = policy or RetryPolicy()
        self.world = world
        self._find_origin = find_origin
        self._make_auth = make_auth
        self._sender = sender
        self._base = {"User-Agent": user_agent, "Accept-Encoding": "identity"}
        # Written like ours, so that one of ours takes the place of a custom one, whatever case that is in.
        self._custom = {_canonical(name): value for name, value in (headers or {}).items()}
        self._guard = Lock()
        self._origin: Origin | None = None
        self._auth: TokenAuth | None = None
        self._reached: set[Origin] = set()
        self._waited = 0.0
        self._warned: set[str] = set()

    @property
    def origin(self) -> Origin:
        """Where the registry is.

        Raises:
            ExchangeError: that had to be found out, and could not.
        """
        with self._guard:
            if self._origin is None:
                self._origin = self._find_origin()
            return self._origin

    @property
    def auth(self) -> TokenAuth:
        """The authorization at this registry."""
        origin = self.origin
        with self._guard:
            if self._auth is None:
                self._auth = self._make_auth(origin)
            return self._auth

    def prepare(self, connections: int) -> None:
        """Begin to open connections to the registry.

        Raises:
            ExchangeError: where it is had to be found out, and could not.
        """
        if connections > 0:
            self._sender.expect(self.origin, connections)

    def send(self, request: Request, scopes: Sequence[Scope] = (), *, roam: bool = True) -> Response:
        """Send a request and return the answer, whatever its status; its body is not read yet.

        Args:
            request: to the registry, or to an address that it named.
            scopes: what a token must allow; ignored at another origin.
            roam: whether a redirect to another origin is followed; if not, it is the answer.

        Raises:
            ExchangeError: there is no answer.
            RedirectRefusedError: it redirects too often, or a method that must not be.
            UntrustedUrlError: an address that the registry named may not be asked.
            AccessError: the token server refuses.
        """
        origin = self.origin
        there = Origin.of(request.url)
        if there != origin:
            check_step(origin, there, "an address for uploads or pages", self._sender.addresses)
            return self._exchange(request._replace(headers={**self._base, **request.headers}), roam=roam)
        request = request._replace(headers={**self._base, **self._custom, **request.headers})
        with self._guard:
            unasked = self._auth is None
        refused = None
        # Credentials are looked for and sent only after the registry asks.
        if unasked and not self._anticipates(origin):
            refused = self._exchange(request, roam=roam)
            if refused.status != 401 or Origin.of(refused.url) != origin:
                return refused
        flow = self.auth.flow(request, scopes, refused)
        step: Callable[[], Request] = partial(next, flow)
        try:
            while True:
                try:
                    outgoing = step()
                    if outgoing.url != request.url:  # the flow's own, mostly to a token server: not the custom headers
                        outgoing = outgoing._replace(headers={**self._base, **outgoing.headers})
                except StopIteration as done:
                    answer: Response = done.value
                    return answer
                try:
                    step = partial(flow.send, self._exchange(outgoing, roam=roam))
                except ExchangeError as error:
                    step = partial(flow.throw, error)
        finally:
            flow.close()

    def _anticipates(self, origin: Origin) -> bool:
        """Whether the first request goes with an anonymous token, as this registry wanted it in another process."""
        challenge = self.found_out.challenge(origin) if self.found_out is not None else None
        if challenge is None:
            return False
        if self.auth.anticipate(challenge):
            return True
        with suppress(UntrustedUrlError):
            tokens = Origin.of(challenge.get("realm"))
            if tokens != origin and tokens.host == origin.host:  # most likely it will be asked, after the registry
                self._sender.expect(tokens, 1)
        return False

    def read(
        self, request: Request, scopes: Sequence[Scope], limit: int, what: str, *, roam: bool = True
    ) -> tuple[Response, bytes]:
        """Send a request that may be repeated, and read the body; a good one that breaks is asked for again.

        Args:
            request: see `send`.
            scopes: see `send`.
            limit: bytes of the body.
            what: the body is, for messages.
            roam: see `send`.

        Returns:
            The answer and its body, cut to `ERROR_BODY_MAX` bytes when the status is not 2xx.

        Raises:
            BodyTooLargeError: more than `limit` bytes.
            RegistryError: see `send`.
        """
        tried = 0
        request = request._replace(within=_WITHIN)
        while True:
            response = self.send(request, scopes, roam=roam)
            if not 200 <= response.status < 300:
                return response, response.read_truncated(ERROR_BODY_MAX)
            try:
                return response, response.read(limit, what)
            except ExchangeError as error:
                tried += 1
                self.wait(tried, error)

    def wait(self, tried: int, error: Wasm2OciError, asked: float | None = None) -> None:
        """Wait before another try, or raise the error when there were enough.

        Args:
            tried: how often it was tried, from 1.
            error: what went wrong the last time.
            asked: seconds that the registry asked for.
        """
        silent = isinstance(error, TimedOutError) and not self.policy.after_silence
        delay = None if silent else self._delay(tried, asked)
        if delay is None:
            raise error
        self.pause(delay, error.message)

    def pause(self, seconds: float, reason: str) -> None:
        """Wait before another try; a sentence for the user says why when it takes `SILENCE` or longer.

        Args:
            seconds: to wait.
            reason: why, for messages.
        """
        self.log(f"* {reason}; again in {seconds:.1f} s")
        if seconds >= SILENCE:
            self.world.warn(f"waiting {seconds:.0f} s before the next request to {self.host}: {reason}")
        self.world.sleep(seconds)

    def refusal(
        self, response: Response, body: bytes, what: str, *, name: str, kind: str = "repository", pushing: bool = False
    ) -> Wasm2OciError:
        """The error that an answer means. See `problems.error_for`."""
        if 200 <= response.status < 300 and is_page(response, body):
            return page_error(self, response, "as a registry")
        return error_for(
            response.status,
            parse_problems(body),
            what,
            host=self.host,
            name=name,
            kind=kind,
            pushing=pushing,
            credentials=self.auth.describe() if response.status in {401, 403} else "",
            known=response.status == 401 and self.auth.known,
            elsewhere=_elsewhere(self.origin, Origin.of(response.url)),
        )

    def ping(self) -> bool:
        """Check that there is a registry that takes our credentials if it wants any; returns whether it wanted some.

        Raises:
            AccessError: it does not take them.
            RegistryError: it is not a registry, or cannot be reached.

        Spec: distribution-spec, end-1.
        """
        response, body = self.read(request_for(PING, self.origin, root=self.root), (), ERROR_BODY_MAX, "the answer")
        if response.status != 200:
            raise self.refusal(response, body, self.host, name="")
        refuse_page(self, response, body, "as a registry")
        return "Authorization" in response.request.headers

    def _exchange(self, request: Request, *, roam: bool) -> Response:
        for _ in range(REDIRECTS_MAX + 1):
            response = self._attempt(request)
            if response.status not in REDIRECTS:
                return response
            try:
                following = redirected(request, response, self._sender.addresses)
            except BaseException:
                response.close()
                raise
            if following is None or not (roam or Origin.of(following.url) == Origin.of(request.url)):
                return response
            response.drain()
            request = following
        raise RedirectRefusedError(f"{self.host} redirects more than {REDIRECTS_MAX} times")

    def _attempt(self, request: Request) -> Response:
        tried = 0
        while True:
            tried += 1
            self._log_request(request)
            try:
                response = self._sender.send(request, home=self.origin)
            except ExchangeError as error:
                there = Origin.of(request.url)
                if isinstance(error, TlsError) or not self._may_repeat(request, error, there):
                    if there != self.origin and isinstance(error, ConnectionFailedError | TimedOutError | TlsError):
                        raise misled(self.host, there, error) from error
                    raise
                self.wait(tried, error)
                continue
            self._reached.add(Origin.of(request.url))
            self._log_response(response)
            self._pass_warnings_on(response)
            if not is_retried(response.status) or not request.repeatable:
                return response
            asked = retry_after(response.headers.get("retry-after"), self.world.now())
            if request.method == "HEAD" and response.status == 500 and asked is None:
                return response  # some registries answer that to every HEAD; then GET is asked
            delay = self._delay(tried, asked)
            if delay is None:
                return response
            response.drain()
            self.pause(delay, f"answer {response.status}")

    def _delay(self, tried: int, asked: float | None) -> float | None:
        """Seconds to wait before the next try; None when there were enough tries, or waits together are too long."""
        delay = self.policy.delay(tried, self.world.random(), asked)
        with self._guard:
            if delay is None or self._waited + delay > self.policy.total:
                return None
            self._waited += delay
            return delay

    def _may_repeat(self, request: Request, error: ExchangeError, there: Origin) -> bool:
        if isinstance(error, ConnectionFailedError):
            # No connection from the start means a wrong host or port; a lost one means a registry that restarts.
            return there in self._reached
        return request.repeatable and (there in self._reached or there == self.origin)

    def _pass_warnings_on(self, response: Response) -> None:
        values = response.headers.all("warning")
        if not values or Origin.of(response.url) != self.origin:
            return
        from wasm2oci.registry.warnings import warning_text

        for text in map(warning_text, values):
            with self._guard:
                fresh = bool(text) and text not in self._warned and len(self._warned) < _WARNINGS_MAX
                if fresh:
                    self._warned.add(text)
            if fresh:
                self.world.warn(f"{self.host} says: {text}")

    def log(self, line: str) -> None:
        """One line of the debug log; it must hold no secret."""
        if self.world.log is not None:
            self.world.log(line)

    def _log_request(self, request: Request) -> None:
        if self.world.log is not None:
            from wasm2oci.registry.debug_log import request_line

            self.world.log(request_line(request))

    def _log_response(self, response: Response) -> None:
        if self.world.log is not None:
            from wasm2oci.registry.debug_log import response_line

            self.world.log(response_line(response))


def _elsewhere(here: Origin, there: Origin) -> str:
    return "" if there == here else there.beside(here)


def _canonical(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))
