"""The token dance, driven by hand: no client, no network, no time."""

import base64
import json
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from wasm2oci.errors import AccessError, RegistryError
from wasm2oci.oci.http import Headers
from wasm2oci.registry.auth import TokenAuth, TokenServerError
from wasm2oci.registry.credentials import Anonymous, Basic, Credential, IdentityToken, RegistryToken
from wasm2oci.registry.flavours import AZURE_NULL_USER
from wasm2oci.registry.messages import Request, Response
from wasm2oci.registry.scope import Scope
from wasm2oci.registry.urls import Origin, UntrustedUrlError

if TYPE_CHECKING:
    from collections.abc import Callable

ORIGIN = Origin("https", "registry.example", 443)
PULL = (Scope.repository("me/app", "pull"),)
PUSH = (Scope.repository("me/app", "pull", "push"),)
BEARER = 'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:me/app:pull"'
NOBODY = Anonymous()
ALICE = Basic("alice", "secret", "a file")


class World:
    """A registry and a token server as one function of requests, and a clock."""

    def __init__(self, credential: Credential = NOBODY, challenge: str | None = BEARER) -> None:
        self.time = 0.0
        self.sent: list[Request] = []
        self.challenge = challenge
        self.ping_challenge: str | None = None
        self.good: Callable[[str], bool] = lambda header: header.startswith("Bearer token-")
        self.token: Callable[[Request], Response] = self.issue
        self.issued = 0
        self.life: object = 300
        self.lookups = 0
        self.warned: list[str] = []
        self.credential = credential
        self.auth = TokenAuth(ORIGIN, self.lookup, clock=lambda: self.time, host="registry.example")

    def lookup(self) -> Credential:
        self.lookups += 1
        return self.credential

    def issue(self, request: Request) -> Response:
        self.issued += 1
        value = {"token": f"token-{self.issued}", "expires_in": self.life}
        return Response(200, Headers(), json.dumps(value).encode(), request=request)

    def answer(self, request: Request) -> Response:
        self.sent.append(request)
        if Origin.of(request.url) != ORIGIN:
            return self.token(request)
        if self.good(request.headers.get("Authorization", "")):
            return Response(200, Headers(), request=request)
        challenge = self.ping_challenge if request.url.endswith("/v2/") else self.challenge
        headers = Headers([("WWW-Authenticate", challenge)] if challenge else [])
        return Response(401, headers, b'{"errors":[{"code":"UNAUTHORIZED"}]}', request=request)

    def ask(self, scopes: tuple[Scope, ...] = PULL, method: str = "GET") -> Response:
        flow = self.auth.flow(Request(method, "https://registry.example/v2/me/app/x"), scopes)
        outgoing = next(flow)
        try:
            while True:
                outgoing = flow.send(self.answer(outgoing))
        except StopIteration as done:
            response: Response = done.value
            return response

    @property
    def token_requests(self) -> list[Request]:
        return [request for request in self.sent if Origin.of(request.url) != ORIGIN]


def query(request: Request) -> dict[str, list[str]]:
    return parse_qs(urlsplit(request.url).query)


def form(request: Request) -> dict[str, str]:
    assert isinstance(request.body, bytes)
    return dict(parse_qsl(request.body.decode()))


def basic(request: Request) -> str:
    scheme, _, text = request.headers["Authorization"].partition(" ")
    assert scheme == "Basic"
    return base64.b64decode(text).decode()


def test_who_is_not_asked_for_credentials_gives_none() -> None:
    world = World(ALICE)
    world.good = lambda _: True
    assert world.ask().status == 200
    assert "Authorization" not in world.sent[0].headers
    assert world.lookups == 0


def test_an_anonymous_token() -> None:
    world = World()
    assert world.ask().status == 200
    (asked,) = world.token_requests
    assert asked.method == "GET"
    assert "Authorization" not in asked.headers
    assert query(asked) == {
        "service": ["registry.example"],
        "scope": ["repository:me/app:pull"],
        "client_id": ["wasm2oci"],
    }


def test_a_token_with_a_password_goes_by_get_and_basic() -> None:
    world = World(ALICE)
    assert world.ask().status == 200
    (asked,) = world.token_requests
    assert basic(asked) == "alice:secret"
    assert query(asked)["account"] == ["alice"]
    assert world.sent[-1].headers["Authorization"] == "Bearer token-1"


def test_the_wanted_scope_is_asked_for_from_the_first_challenge_on() -> None:
    world = World(ALICE)
    world.ask(PUSH)
    assert query(world.token_requests[0])["scope"] == ["repository:me/app:pull,push"]


def test_a_mount_asks_for_two_scopes_and_the_pushed_one_first() -> None:
    world = World(ALICE)
    world.ask((Scope.repository("a/source", "pull"), *PUSH))
    assert query(world.token_requests[0])["scope"] == ["repository:me/app:pull,push", "repository:a/source:pull"]


def test_a_delete_takes_the_words_of_the_challenge() -> None:
    # Quay has no action called delete, GitLab wants a scope of its own.
    world = World(ALICE, challenge=BEARER.replace(":pull", ":push,*"))
    world.ask((Scope.repository("me/app", "delete", "pull"),), method="DELETE")
    assert query(world.token_requests[0])["scope"] == ["repository:me/app:*"]


def test_tokens_are_kept_for_what_they_cover() -> None:
    world = World(ALICE)
    world.ask(PUSH)
    world.ask(PULL)
    world.ask(PUSH)
    assert world.issued == 1
    world.ask((Scope.repository("me/app", "delete"),))
    assert world.issued == 2


def test_a_token_is_renewed_before_it_ends() -> None:
    world = World(ALICE)
    world.ask()
    world.time = 289.0
    world.ask()
    assert world.issued == 1
    world.time = 291.0
    world.ask()
    assert world.issued == 2
    assert [request.headers.get("Authorization") for request in world.sent if "/v2/" in request.url][-2:] == [
        "Bearer token-1",
        "Bearer token-2",
    ]


@pytest.mark.parametrize(("life", "good_until"), [(None, 50.0), (0, 50.0), ("x", 50.0), (4, 3.0), (1e30, 50.0)])
def test_how_long_a_token_lives_when_the_server_says_something_odd(life: object, good_until: float) -> None:
    world = World(ALICE)
    world.life = life
    world.ask()
    world.time = good_until - 0.5
    world.ask()
    assert world.issued == 1
    world.time = good_until + 0.5
    world.ask()
    assert world.issued == 2


def test_a_token_that_is_refused_early_is_fetched_again_and_the_request_repeated() -> None:
    world = World(ALICE)
    world.ask()
    world.good = lambda header: header == "Bearer token-2"
    assert world.ask().status == 200
    assert world.issued == 2


def test_more_scope_is_fetched_once_when_the_registry_says_it_is_not_enough() -> None:
    world = World(ALICE)
    world.challenge = BEARER.replace(":pull", ":pull,delete") + ',error="insufficient_scope"'
    world.good = lambda header: header == "Bearer token-2"
    world.ask()
    assert [query(asked)["scope"] for asked in world.token_requests][1] == ["repository:me/app:delete,pull"]


def test_it_ends_when_no_token_is_ever_good_enough() -> None:
    world = World(ALICE)
    world.good = lambda _: False
    assert world.ask().status == 401
    assert world.issued == 3  # the last one without credentials


def test_a_challenge_that_only_the_root_gives_is_found_and_remembered() -> None:
    world = World(ALICE, challenge=None)
    world.ping_challenge = BEARER
    assert world.ask().status == 200
    assert [request.url for request in world.sent].count("https://registry.example/v2/") == 1
    world.time = 1000.0
    assert world.ask().status == 200
    assert [request.url for request in world.sent].count("https://registry.example/v2/") == 1


def test_a_refusal_without_any_challenge_is_the_answer() -> None:
    world = World(ALICE, challenge=None)
    response = world.ask()
    assert response.status == 401
    assert b"UNAUTHORIZED" in response.read(1000, "x")


def test_basic_goes_to_the_registry_after_it_asked_and_then_at_once() -> None:
    world = World(ALICE, challenge='Basic realm="registry"')
    world.good = lambda header: header.startswith("Basic ")
    assert world.ask().status == 200
    assert basic(world.sent[1]) == "alice:secret"
    world.ask()
    assert len(world.sent) == 3


def test_a_wrong_password_is_not_tried_twice() -> None:
    world = World(ALICE, challenge='Basic realm="registry"')
    world.good = lambda _: False
    assert world.ask().status == 401
    assert len(world.sent) == 2


def test_without_credentials_a_basic_challenge_is_not_answered() -> None:
    world = World(challenge='Basic realm="registry"')
    assert world.ask().status == 401
    assert len(world.sent) == 1


def test_bearer_goes_before_basic() -> None:
    world = World(ALICE, challenge=f'Basic realm="x", {BEARER}')
    assert world.ask().status == 200
    assert world.issued == 1


def test_an_identity_token_goes_by_post() -> None:
    world = World(IdentityToken("refresh", "a file"))
    assert world.ask(PUSH).status == 200
    (asked,) = world.token_requests
    assert (asked.method, asked.url) == ("POST", "https://auth.example/token")
    assert form(asked) == {
        "grant_type": "refresh_token",
        "service": "registry.example",
        "client_id": "wasm2oci",
        "scope": "repository:me/app:pull,push",
        "refresh_token": "refresh",
    }


def test_a_refresh_token_that_is_replaced_is_used_from_then_on() -> None:
    world = World(IdentityToken("first", "a file"))

    def issue(request: Request) -> Response:
        body = b'{"access_token":"token-1","refresh_token":"second","expires_in":60}'
        return Response(200, Headers(), body, request=request)

    world.token = issue
    world.ask()
    world.time = 100.0
    world.ask()
    assert [form(asked)["refresh_token"] for asked in world.token_requests] == ["first", "second"]


def test_azures_null_user_is_an_identity_token() -> None:
    world = World(Basic(AZURE_NULL_USER, "refresh"))
    assert world.ask().status == 200
    assert form(world.token_requests[0])["refresh_token"] == "refresh"


@pytest.mark.parametrize("status", [404, 405])
def test_a_server_without_post_is_asked_by_get(status: int) -> None:
    world = World(Basic(AZURE_NULL_USER, "refresh"))
    world.token = lambda request: (
        Response(status, Headers(), request=request) if request.method == "POST" else world.issue(request)
    )
    assert world.ask().status == 200
    assert [asked.method for asked in world.token_requests] == ["POST", "GET"]
    assert basic(world.token_requests[1]) == f"{AZURE_NULL_USER}:refresh"


def test_a_registry_token_is_sent_as_it_is() -> None:
    world = World(RegistryToken("given", "a file"))
    world.good = lambda header: header == "Bearer given"
    assert world.ask().status == 200
    assert world.ask().status == 200
    assert len(world.sent) == 3
    world.good = lambda _: False
    assert world.ask().status == 401
    assert ["Authorization" in request.headers for request in world.token_requests] == [False]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"token":5}',
        b'{"token":""}',
        b"<html>",
        b'{"token":"a\\r\\nX: y"}',
        b'{"token":"\xc3\xa9"}',
    ],
)
def test_an_answer_without_a_token_is_an_error(body: bytes) -> None:
    world = World(ALICE)
    world.token = lambda request: Response(200, Headers(), body, request=request)
    with pytest.raises(TokenServerError):
        world.ask()


@pytest.mark.parametrize("status", [404, 405, 418, 502])
def test_a_token_server_without_an_answer_says_nothing_about_a_repository(status: int) -> None:
    world = World(ALICE)
    world.token = lambda request: Response(status, Headers(), b'{"message":"nobody here"}', request=request)
    with pytest.raises(TokenServerError, match=f"the token server .* answered {status}: nobody here"):
        world.ask()


def test_access_token_goes_before_token() -> None:
    world = World(ALICE)
    body = b'{"access_token":"token-a","token":"token-b"}'
    world.token = lambda request: Response(200, Headers(), body, request=request)
    world.ask()
    assert world.sent[-1].headers["Authorization"] == "Bearer token-a"


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_token_server_that_refuses_names_the_source_and_no_secret(status: int) -> None:
    world = World(ALICE)
    body = b'{"errors":[{"code":"DENIED","message":"wrong password"}]}'
    world.token = lambda request: Response(status, Headers(), body, request=request)
    with pytest.raises(AccessError, match=r"auth\.example.*wrong password.*'alice' from a file") as caught:
        world.ask(PUSH)
    assert "secret" not in str(caught.value)
    assert caught.value.hint is not None


def test_a_token_server_that_fails_is_not_our_fault() -> None:
    world = World(ALICE)
    world.token = lambda request: Response(500, Headers(), request=request)
    with pytest.raises(RegistryError):
        world.ask()


@pytest.mark.parametrize(
    "realm",
    [
        "http://auth.example/token",
        "https://u:p@auth.example/token",
        "https://127.0.0.1/token",
        "https://localhost/token",
        "https://169.254.169.254/latest",
        "https://10.0.0.1/token",
        "https://[::1]/token",
        "ftp://auth.example/",
        "/token",
        "token",
    ],
)
def test_a_realm_that_no_registry_may_name_gets_nothing(realm: str) -> None:
    world = World(ALICE, challenge=f'Bearer realm="{realm}"')
    with pytest.raises(UntrustedUrlError):
        world.ask()
    assert world.token_requests == []


def test_a_challenge_from_elsewhere_is_not_answered() -> None:
    world = World(ALICE)
    flow = world.auth.flow(Request("GET", "https://registry.example/v2/me/app/x"), PULL)
    next(flow)
    elsewhere = Request("GET", "https://storage.example/x")
    with pytest.raises(StopIteration) as done:
        flow.send(Response(401, Headers([("WWW-Authenticate", BEARER)]), request=elsewhere))
    assert done.value.value.status == 401
    assert world.lookups == 0


def test_threads_fetch_one_token_together() -> None:
    world = World(ALICE)
    inside = threading.Event()
    release = threading.Event()

    def slow(request: Request) -> Response:
        inside.set()
        assert release.wait(120)
        return world.issue(request)

    world.token = slow
    threads = [threading.Thread(target=world.ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert inside.wait(120)
    release.set()
    for thread in threads:
        thread.join(120)
    assert world.issued == 1


def test_an_abandoned_dance_does_not_block_the_next() -> None:
    world = World(ALICE)
    flow = world.auth.flow(Request("GET", "https://registry.example/v2/me/app/x"), PULL)
    flow.send(world.answer(next(flow)))  # stands at the token request, holding the lock
    flow.close()
    assert world.ask().status == 200


class TestAmbientCredentials:
    """vscode-remote-release#7830, cosign#2489, oras#1161, kargo#777: what lies about breaks no public pull."""

    @staticmethod
    def refusing(status: int) -> World:
        """The token server refuses whoever comes with credentials, and issues anonymous tokens."""
        world = World(ALICE)
        issue = world.token

        def token(request: Request) -> Response:
            if "Authorization" in request.headers:
                return Response(status, Headers(), b'{"errors":[{"code":"DENIED"}]}', request=request)
            return issue(request)

        world.token = token
        world.warned = []
        world.auth = TokenAuth(
            ORIGIN, world.lookup, clock=lambda: world.time, host="registry.example", warn=world.warned.append
        )
        return world

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_refused_reading_is_tried_once_without(self, status: int) -> None:
        world = self.refusing(status)
        assert world.ask().status == 200
        assert world.warned == ["registry.example refuses the credentials from a file; reading without credentials"]
        sent = len(world.sent)
        assert world.ask().status == 200  # with the token that it has now
        assert len(world.sent) == sent + 1

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_token_that_the_registry_refuses_is_put_away_too(self, status: int) -> None:
        world = World(ALICE)
        issue = world.token
        world.token = lambda request: (
            Response(200, Headers(), b'{"token":"known"}', request=request)
            if "Authorization" in request.headers
            else issue(request)
        )
        answer = world.answer

        def refusing(request: Request) -> Response:
            if request.headers.get("Authorization") == "Bearer known":
                world.sent.append(request)
                return Response(status, Headers([("WWW-Authenticate", BEARER)]), b"{}", request=request)
            return answer(request)

        world.answer = refusing  # type: ignore[method-assign]
        assert world.ask().status == 200

    def test_a_write_is_not(self) -> None:
        world = self.refusing(401)
        with pytest.raises(AccessError):
            world.ask(PUSH, "PUT")
        with pytest.raises(AccessError):
            world.ask(PUSH)
        assert world.warned == []

    def test_credentials_that_were_given_are_not(self) -> None:
        world = self.refusing(401)
        world.credential = Basic("alice", "secret")
        with pytest.raises(AccessError):
            world.ask()

    def test_what_is_private_is_refused_in_the_words_of_the_first_answer(self) -> None:
        world = self.refusing(403)
        world.good = lambda _: False
        with pytest.raises(AccessError, match="as 'alice' from a file"):
            world.ask()


def test_a_token_server_that_does_not_understand_says_nothing_about_a_password() -> None:
    """grimoire#11: a 400 to a GET is not a bad grant."""
    world = World(ALICE)
    world.token = lambda request: Response(400, Headers(), b'{"message":"unknown service"}', request=request)
    with pytest.raises(TokenServerError, match="answered 400: unknown service"):
        world.ask()


@pytest.mark.parametrize(
    ("credential", "words"),
    [
        (Anonymous(), "no credentials found"),
        (ALICE, "as 'alice' from a file"),
        (IdentityToken("hidden", "a helper"), "with the identity token from a helper"),
        (RegistryToken("hidden", "a file"), "with the registry token from a file"),
    ],
)
def test_credentials_are_described_and_not_shown(credential: Credential, words: str) -> None:
    world = World(credential)
    assert world.auth.describe() == words
    assert "hidden" not in repr(credential)
    assert "secret" not in repr(credential)


def test_an_access_error_lists_the_sources_that_were_tried() -> None:
    kwargs: dict[str, Any] = {"clock": lambda: 0.0, "tried": lambda: ["A", "B"]}
    assert TokenAuth(ORIGIN, Anonymous, **kwargs).describe() == "no credentials found in A, B"
