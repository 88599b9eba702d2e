"""Authorization at one registry: the whole dance as one generator that yields requests and is sent the responses.

Rules, in the order in which they act:

1. A request to the registry's own origin carries the token or the credentials for its scopes; no other
   request does.
2. A `401` from the registry's own origin is answered: Bearer before Basic, else the challenge of `/v2/` when the answer
   has none (some registries only challenge there). A `401` from anywhere else is the end.
3. The realm is checked like every address that a registry names (`urls.check_step`) before anything is sent there.
4. A token is asked for with the scopes that are wanted, merged with those of the challenge; for a delete with those
   of the challenge alone, when it has any (registries do not agree on what deleting is called).
5. An identity token, or the null user of Azure, is sent by OAuth2 `POST`; other credentials by `GET`, with Basic or
   anonymously. The `POST` is not redirected to another origin: its body holds the identity token.
6. Tokens are renewed shortly before they end, and before anything is sent that they should go with. One that is
   refused early is dropped, and the request sent again, twice at most. Threads that want the same token wait for one
   of them to fetch it.
7. A reading that is refused with credentials that the user did not give for it (an expired entry of a file, a variable
   of a CI) is tried once without any: many a public artifact is refused to those who come with the wrong ones.

Spec: distribution-spec's token authentication; RFC 6750; RFC 6749 section 6.
"""

from __future__ import annotations

import re
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from wasm2oci.base.text import one_line
from wasm2oci.errors import AccessError, InvalidInputError, RegistryError
from wasm2oci.oci.endpoints import API_ROOT, PING
from wasm2oci.oci.http import encode_basic
from wasm2oci.oci.wire import ERROR_BODY_MAX, TOKEN_BODY_MAX, load_object
from wasm2oci.registry.challenge import parse_challenges
from wasm2oci.registry.credentials import Anonymous, Basic, IdentityToken, RegistryToken
from wasm2oci.registry.flavours import IDENTITY_USERS
from wasm2oci.registry.messages import BodyTooLargeError, Response, request_for
from wasm2oci.registry.problems import PAGE_HINT, error_for, parse_problems
from wasm2oci.registry.scope import covers, merge, parse_scopes
from wasm2oci.registry.token_request import token_by_get, token_by_post
from wasm2oci.registry.urls import Origin, UntrustedUrlError, check_step, join_own, redact
from wasm2oci.registry.web_pages import is_page

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from wasm2oci.registry.challenge import Challenge
    from wasm2oci.registry.credentials import Credential
    from wasm2oci.registry.messages import Request
    from wasm2oci.registry.scope import Scope

__all__ = ["TokenAuth", "TokenServerError"]

_LIFE_UNSAID: Final = 60.0
_EARLY: Final = 10.0
_ROUNDS: Final = 2
_REFUSALS: Final = frozenset({"UNAUTHORIZED", "DENIED"})
_HEADER_SAFE: Final = re.compile(r"[\x21-\x7e]+\Z")


class TokenServerError(RegistryError):
    """The token server returned something other than a token."""


class _Token(NamedTuple):
    scopes: tuple[Scope, ...]
    header: str
    ends: float


class TokenAuth:
    """Authorization at one registry, for any number of threads.

    Args:
        origin: of the registry.
        lookup: finds the credential; called once, when the registry first asks for one.
        tried: says where the lookup looked, for messages.
        clock: seconds, steadily growing.
        host: the registry as the user calls it, for messages.
        client: the client's name at the token server.
        warn: takes a sentence for the user.
        addresses: those that the name of an origin resolves to.
        learned: takes a challenge that a token was given for.
    """

    def __init__(
        self,
        origin: Origin,
        lookup: Callable[[], Credential],
        *,
        clock: Callable[[], float],
        host: str = "",
        tried: Callable[[], Sequence[str]] = tuple,
        client: str = "wasm2oci",
        warn: Callable[[str], None] | None = None,
        addresses: Callable[[Origin], Sequence[str]] = lambda _: (),
        learned: Callable[[Challenge], None] | None = None,
        root: str = API_ROOT,
    ) -> None:
        self.origin = origin
        self._root = root
        self._learned = learned
        self._anticipated = False
        self._lookup = lookup
        self._clock = clock
        self._host = host or origin.authority
        self._tried = tried
        self._client = client
        self._warn = warn or (lambda _: None)
        self._addresses = addresses
        self._fetching = Lock()
        self._guard = Lock()
        self._tokens: list[_Token] = []
        self._fixed: str | None = None
        self._bearer: Challenge | None = None
        self._challenge: Challenge | None = None
        self._credential: Credential | None = None
        self._refresh: str | None = None
        self._asked: tuple[Challenge, ...] = ()

    @property
    def credential(self) -> Credential:
        """Who we are at this registry."""
        with self._guard:
            if self._credential is None:
                self._credential = self._lookup()
            return self._credential

    @property
    def known(self) -> bool:
        """Whether there are credentials for this registry."""
        return not isinstance(self.credential, Anonymous)

    def anticipate(self, challenge: Challenge) -> bool:
        """Expect a challenge that was met in another process, so that a token is asked for at once.

        Only where there are no credentials: those go to no token server that this registry did not name just now.
        """
        if self.known:
            return False
        try:
            self._realm(challenge)
        except UntrustedUrlError:
            return False
        with self._guard:
            self._bearer, self._anticipated = challenge, True
        return True

    def describe(self) -> str:
        """Which credentials were used, or where they were looked for; never a secret."""
        match self.credential:
            case Anonymous():
                tried = self._tried()
                return f"no credentials found in {', '.join(tried)}" if tried else "no credentials found"
            case Basic(username=username, source=source):
                return f"as {username!r} from {source}"
            case IdentityToken(source=source):
                return f"with the identity token from {source}"
            case RegistryToken(source=source):
                return f"with the registry token from {source}"

    def flow(
        self, request: Request, wanted: Sequence[Scope], refused: Response | None = None
    ) -> Generator[Request, Response, Response]:
        """The exchanges that one request takes: yields what to send, is sent what came back, returns the answer.

        Args:
            request: to the registry's own origin.
            wanted: what its token must allow.
            refused: the answer to this very request, when it was sent already, without authorization.

        Raises:
            UntrustedUrlError: the registry names a token server that it may not name.
            AccessError: the token server refuses the credentials.
            TokenServerError: the token server answers nonsense.
        """
        try:
            response = yield from self._known_flow(request, wanted, refused)
        except (AccessError, TokenServerError):  # Quay's answers 400 to a robot that is gone
            anonymous = yield from self._without_credentials(request, wanted)
            if anonymous is None:
                raise
            return anonymous
        if response.status not in {401, 403} or Origin.of(response.url) != self.origin:
            return response
        settled = Response(
            response.status, response.headers, response.read_truncated(ERROR_BODY_MAX), request=response.request
        )
        self._drop(settled.request.headers.get("Authorization"))
        anonymous = yield from self._without_credentials(request, wanted)
        return settled if anonymous is None else anonymous

    def _without_credentials(
        self, request: Request, wanted: Sequence[Scope]
    ) -> Generator[Request, Response, Response | None]:
        """The answer to a reading without credentials, when it was refused with some; else None. See rule 7."""
        challenge, credential = self._challenge, self.credential
        scopes = merge(wanted)
        reads = request.method in {"GET", "HEAD"} and all(set(scope.actions) <= {"pull"} for scope in scopes)
        if challenge is None or not scopes or not reads or not credential.ambient:
            return None
        try:
            token = yield from self._fetch(challenge, scopes, Anonymous())
        except (AccessError, TokenServerError):
            return None
        response = yield _authorized(request, token.header)
        if response.status in {401, 403}:
            response.close()
            return None
        with self._guard:
            self._tokens.append(token)
        self._warn(f"{self._host} refuses the credentials from {credential.source}; reading without credentials")
        return response

    def _known_flow(
        self, request: Request, wanted: Sequence[Scope], refused: Response | None
    ) -> Generator[Request, Response, Response]:
        scopes = merge(wanted)
        header = None
        if refused is None:
            header = self._held(scopes)
            if header is None and self._bearer is not None and scopes and request.method != "DELETE":
                header = yield from self._expected(self._bearer, scopes)  # rather than send a body into a refusal
            response = yield _authorized(request, header)
        else:
            response = refused
        for _ in range(_ROUNDS):
            if response.status != 401 or Origin.of(response.url) != self.origin:
                return response
            challenges = parse_challenges(response.headers.all("www-authenticate"))
            refusal = Response(
                401, response.headers, response.read_truncated(ERROR_BODY_MAX), request=response.request
            )  # let go of the connection before the next exchange
            if not challenges:
                challenges = yield from self._ping()
            renewed = yield from self._answer(request, challenges, scopes, header)
            if renewed is None:
                return refusal
            header, scopes = renewed
            response = yield _authorized(request, header)
        return response

    def _expected(self, challenge: Challenge, scopes: tuple[Scope, ...]) -> Generator[Request, Response, str | None]:
        """A token before the registry asks for one; None when what was expected of it is out of date."""
        try:
            return (yield from self._token(challenge, scopes))
        except (AccessError, RegistryError):
            with self._guard:
                if not self._anticipated:
                    raise
                self._bearer, self._anticipated = None, False
            return None

    def _held(self, scopes: tuple[Scope, ...]) -> str | None:
        with self._guard:
            if self._fixed is not None:
                return self._fixed
            now = self._clock()
            self._tokens = [token for token in self._tokens if token.ends > now]
            return next((token.header for token in self._tokens if _serves(token.scopes, scopes)), None)

    def _drop(self, header: str | None) -> None:
        with self._guard:
            self._tokens = [token for token in self._tokens if token.header != header]

    def _ping(self) -> Generator[Request, Response, list[Challenge]]:
        if not self._asked:
            answer = yield request_for(PING, self.origin, root=self._root)
            answer.drain()
            if answer.status == 401 and Origin.of(answer.url) == self.origin:
                self._asked = tuple(parse_challenges(answer.headers.all("www-authenticate")))
        return list(self._asked)

    def _answer(
        self, request: Request, challenges: Sequence[Challenge], wanted: tuple[Scope, ...], refused: str | None
    ) -> Generator[Request, Response, tuple[str, tuple[Scope, ...]] | None]:
        credential = self.credential
        bearer = next((one for one in challenges if one.scheme == "bearer" and one.get("realm")), None)
        self._challenge = bearer or self._challenge
        if isinstance(credential, RegistryToken):
            header = f"Bearer {_safe(credential.token)}"
            self._fixed = header
            return None if refused == header else (header, wanted)
        if bearer is not None:
            asked = parse_scopes(bearer.get("scope"))
            scopes = asked if asked and request.method == "DELETE" else merge((*wanted, *asked))
            header = yield from self._token(bearer, scopes, refused)
            return header, scopes
        if any(one.scheme == "basic" for one in challenges) and isinstance(credential, Basic):
            header = f"Basic {encode_basic(credential.username, credential.password)}"
            with self._guard:
                self._fixed = header
            return None if refused == header else (header, wanted)
        return None

    def _token(
        self, challenge: Challenge, scopes: tuple[Scope, ...], refused: str | None = None
    ) -> Generator[Request, Response, str]:
        with self._fetching:  # the next one who wants it finds it
            self._drop(refused)
            header = self._held(scopes)
            if header is None:
                token = yield from self._fetch(challenge, scopes, self.credential)
                header = token.header
                with self._guard:
                    self._tokens.append(token)
                    fresh, self._bearer = challenge is not self._bearer, challenge
                    self._anticipated = self._anticipated and not fresh
                if fresh and self._learned is not None:
                    self._learned(challenge)
        return header

    def _fetch(
        self, challenge: Challenge, scopes: tuple[Scope, ...], credential: Credential
    ) -> Generator[Request, Response, _Token]:
        realm = self._realm(challenge)
        service = challenge.get("service")
        refresh = self._refresh_token(credential)
        started = self._clock()
        if refresh is not None:
            answer = yield token_by_post(self._client, realm, service, scopes, refresh)
            if answer.status in {404, 405} and isinstance(credential, Basic):
                answer.drain()
                answer = yield token_by_get(self._client, realm, service, scopes, credential)
        else:
            answer = yield token_by_get(self._client, realm, service, scopes, credential)
        return self._read_token(answer, scopes, started)

    def _realm(self, challenge: Challenge) -> str:
        """The address of the token server that a challenge names, checked."""
        realm = challenge.get("realm")
        if "://" not in realm:
            message = f"{self._host} names a token server without its address: {one_line(redact(realm), 60)!r}"
            hint = "the realm of its challenge has to be a whole URL; ask who runs the registry"
            raise UntrustedUrlError(message, hint=hint)
        realm = join_own(str(self.origin), realm)
        check_step(self.origin, Origin.of(realm), "a token server", self._addresses)
        return realm

    def _refresh_token(self, credential: Credential) -> str | None:
        if isinstance(credential, IdentityToken):
            return self._refresh or credential.token
        if isinstance(credential, Basic) and credential.username in IDENTITY_USERS:
            return self._refresh or credential.password
        return None

    def _read_token(self, answer: Response, scopes: tuple[Scope, ...], started: float) -> _Token:
        where = f"the token server {Origin.of(answer.request.url).authority}"
        if not 200 <= answer.status < 300:
            status, problems = answer.status, parse_problems(answer.read_truncated(ERROR_BODY_MAX))
            if status == 400 and (answer.request.method == "POST" or any(p.code in _REFUSALS for p in problems)):
                status = 401  # OAuth2 says so to a bad grant; to a GET it means a question that is not understood
            if status not in {401, 403, 429}:  # its 404 says nothing about a repository
                said = "; ".join(problem.message or problem.code for problem in problems)
                raise TokenServerError(f"{self._host}: {where} answered {status}{f': {said}' if said else ''}")
            raise error_for(
                status,
                problems,
                f"{self._host}: {where}",
                host=self._host,
                name=next((scope.name for scope in scopes), ""),
                pushing=any("push" in scope.actions for scope in scopes),
                credentials=self.describe(),
                known=self.known,
            )
        body = b""
        try:
            body = answer.read(TOKEN_BODY_MAX, "token")
            value = load_object(body, "token", lenient=True)
        except (BodyTooLargeError, InvalidInputError) as error:
            if is_page(answer, body):
                raise TokenServerError(
                    f"{self._host}: {where} answered with a web page, not with a token", hint=PAGE_HINT
                ) from error
            raise TokenServerError(f"{where} answered something that is not a token") from error
        token = value.get("access_token") or value.get("token")
        if not isinstance(token, str) or not token:
            raise TokenServerError(f"{where} answered without a token")
        renewed = value.get("refresh_token")
        if isinstance(renewed, str) and renewed:
            self._refresh = renewed
        life = value.get("expires_in")
        seconds = float(life) if isinstance(life, int | float) and 0 < life < 1e9 else _LIFE_UNSAID
        return _Token(scopes, f"Bearer {_safe(token)}", started + seconds - min(_EARLY, seconds / 4))


def _serves(held: tuple[Scope, ...], wanted: tuple[Scope, ...]) -> bool:
    return covers(held, wanted) if wanted else not held


def _authorized(request: Request, header: str | None) -> Request:
    return request if header is None else request.with_header("Authorization", header)


def _safe(token: str) -> str:
    if _HEADER_SAFE.match(token) is None:
        raise TokenServerError("the token contains characters that are not allowed in a token")
    return token
