"""What refusals mean, and the hints that go with them."""

import json

import pytest

from wasm2oci.base.text import one_line
from wasm2oci.content.target import ChildMissingError
from wasm2oci.errors import ExitCode, RemedyKind, Wasm2OciError
from wasm2oci.registry.problems import (
    BlobUnknownError,
    DeniedError,
    ManifestUnknownError,
    NameUnknownError,
    NotSupportedError,
    Problem,
    RejectedDigestError,
    ResponseError,
    TooLargeError,
    TooManyRequestsError,
    UnauthorizedError,
    error_for,
    parse_problems,
)


def problems(*codes: str, message: str = "") -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message} for code in codes]}).encode()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (problems("DENIED", message="no"), [Problem("DENIED", "no")]),
        (b'{"errors":[{"code":"denied","message":"a","detail":"b"}]}', [Problem("DENIED", "a: b")]),
        (b'{"errors":[{"message":"a","detail":{"x":1}}, 3, {}]}', [Problem("", "a")]),
        (b'{"errors":[{"code":5,"message":"same","detail":"same"}]}', [Problem("", "same")]),
        (b'{"error":"invalid_grant","error_description":"expired"}', [Problem("", "expired")]),
        (b'{"message":"gateway"}', [Problem("", "gateway")]),
        (b'{"error":{"nested":true}}', []),
        (b"toomanyrequests: slow down\n", [Problem("", "toomanyrequests: slow down")]),
        (b"<!DOCTYPE html><html>...", [Problem("", "the answer is a web page, not a registry's")]),
        (b"  <html lang=en>", [Problem("", "the answer is a web page, not a registry's")]),
        (b'<?xml version="1.0"?>\n<Error><Code>A</Code><Message>b</Message></Error>', [Problem("", "A: b")]),
        (b"\xef\xbb\xbf<Error>\n <Code>A</Code>\n <Message></Message>", [Problem("", "A")]),
        (
            problems("DENIED", message="<Error><Code>A</Code><Message>b"),
            [Problem("DENIED", "<Error><Code>A</Code><Message>b")],
        ),
        (b"[1]", []),
        (b"", []),
        (b" \n", []),
        (b"\xff\xfe", [Problem("", "\ufffd\ufffd")]),
        (b"\x00", []),
        (b"[" * 100_000, [Problem("", "[" * 297 + "...")]),
    ],
)
def test_what_is_read_of_a_body(body: bytes, expected: list[Problem]) -> None:
    assert list(parse_problems(body)) == expected


def test_a_hundred_problems_are_five() -> None:
    assert len(parse_problems(problems(*["DENIED"] * 100))) == 5


def test_a_peer_cannot_write_to_the_terminal() -> None:
    assert one_line("a\x1b[31m\r\nb\u202e\x9bc\u2028d") == "a [31m b c d"
    assert one_line("x" * 1000) == "x" * 297 + "..."


def error(status: int, body: bytes = b"", host: str = "registry.example", **more: object) -> Wasm2OciError:
    name = str(more.pop("name", "me/app"))
    return error_for(status, parse_problems(body), f"{host}/{name}:v1", host=host, name=name, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("made", "kind", "code"),
    [
        (error(401), UnauthorizedError, ExitCode.ACCESS),
        (error(400, problems("UNAUTHORIZED")), UnauthorizedError, ExitCode.ACCESS),
        (error(403), DeniedError, ExitCode.ACCESS),
        (error(404, problems("DENIED")), DeniedError, ExitCode.ACCESS),
        (error(404, kind="manifest"), ManifestUnknownError, ExitCode.NOT_FOUND),
        (error(404, kind="blob"), BlobUnknownError, ExitCode.NOT_FOUND),
        (error(410), NameUnknownError, ExitCode.NOT_FOUND),
        (error(404, problems("NAME_UNKNOWN"), kind="manifest"), NameUnknownError, ExitCode.NOT_FOUND),
        (error(404, problems("BLOB_UPLOAD_UNKNOWN"), pushing=True), ResponseError, ExitCode.REGISTRY),
        (error(404, kind="upload", pushing=True), ResponseError, ExitCode.REGISTRY),
        (error(404, problems("NOT_FOUND"), kind="upload", pushing=True), ResponseError, ExitCode.REGISTRY),
        (error(404, problems("BLOB_UNKNOWN"), kind="upload", pushing=True), ResponseError, ExitCode.REGISTRY),
        (error(404, problems("NAME_UNKNOWN"), kind="upload", pushing=True), NameUnknownError, ExitCode.NOT_FOUND),
        (error(429, b"toomanyrequests: ..."), TooManyRequestsError, ExitCode.REGISTRY),
        (error(400, problems("TOOMANYREQUESTS")), TooManyRequestsError, ExitCode.REGISTRY),
        (error(400, problems("MANIFEST_BLOB_UNKNOWN"), pushing=True), ChildMissingError, ExitCode.REGISTRY),
        (error(404, problems("BLOB_UNKNOWN"), pushing=True, kind="manifest"), ChildMissingError, ExitCode.REGISTRY),
        (error(400, problems("DIGEST_INVALID"), pushing=True), RejectedDigestError, ExitCode.INTEGRITY),
        (error(400, problems("DIGEST_INVALID")), ResponseError, ExitCode.REGISTRY),
        (error(405), NotSupportedError, ExitCode.UNSUPPORTED),
        (error(400, problems("UNSUPPORTED")), NotSupportedError, ExitCode.UNSUPPORTED),
        (error(413), TooLargeError, ExitCode.REGISTRY),
        (error(500, b"<html>"), ResponseError, ExitCode.REGISTRY),
        (error(302), ResponseError, ExitCode.REGISTRY),
    ],
)
def test_each_refusal_has_its_error(made: Wasm2OciError, kind: type[Wasm2OciError], code: ExitCode) -> None:
    assert isinstance(made, kind)
    assert made.exit_code == code
    # Access is to a repository; what else is wrong is wrong with the artifact that was named.
    assert ("registry.example/me/app:v1" in made.message) == (kind not in {UnauthorizedError, DeniedError})
    assert "registry.example/me/app" in made.message
    assert "\n" not in made.message


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
def test_an_error_of_a_push_names_no_digest_that_the_user_did_not_write(status: int) -> None:
    blob = f"registry.example/me/app@sha256:{'a' * 64}"
    made = error_for(status, (), blob, host="registry.example", name="me/app", kind="blob", pushing=True)
    assert made.message.startswith("registry.example/me/app: ")
    rejected = parse_problems(problems("DIGEST_INVALID"))
    assert blob in error_for(400, rejected, blob, host="registry.example", name="me/app", pushing=True).message
    assert blob in error_for(500, (), blob, host="registry.example", name="me/app").message


def test_plain_http_where_tls_is_spoken_says_so() -> None:
    made = error(400, b"Client sent an HTTP request to an HTTPS server.\n")
    assert made.hint == "the registry speaks https: ask it without plain http"


def test_an_access_error_says_which_credentials_were_tried() -> None:
    assert "(no credentials found in /home/me/.docker/config.json)" in (
        error(401, credentials="no credentials found in /home/me/.docker/config.json").message
    )
    assert "(as 'bob' from GITHUB_TOKEN)" in error(403, credentials="as 'bob' from GITHUB_TOKEN").message
    assert error(401).remedy == (RemedyKind.LOG_IN, "registry.example")
    assert "push to" in (error(403, pushing=True).hint or "")
    assert "pull from" in (error(403).hint or "")


@pytest.mark.parametrize(
    ("host", "status", "says", "pushing", "hint"),
    [
        ("ghcr.io", 403, "permission_denied: write_package", True, "Manage Actions access"),
        ("ghcr.io", 403, "denied: installation not allowed to Write organization package", True, "packages: write"),
        ("ghcr.io", 403, "installation not allowed to Create organization package", True, "packages: write"),
        ("ghcr.io", 403, "permission_denied: create_package", True, "write:packages"),
        ("ghcr.io", 403, "The token provided does not match expected scopes.", True, "scope write:packages"),
        ("ghcr.io", 403, "denied", True, "write:packages"),
        ("ghcr.io", 401, "unauthenticated", False, "read:packages"),
        ("my.azurecr.io", 403, "client with IP '1.2.3.4' is not allowed access", False, "network rules"),
        ("my.azurecr.io", 401, "authentication required", True, "AcrPush"),
        ("my.azurecr.io", 401, "authentication required", False, "AcrPull"),
        ("1.dkr.ecr.eu-west-1.amazonaws.com", 403, "Your authorization token has expired.", True, "get-login-password"),
        ("1.dkr.ecr.eu-west-1.amazonaws.com", 404, "The repository with name 'x' does not exist", True, "create-repo"),
        ("1.dkr.ecr.eu-west-1.amazonaws.com", 401, "", False, "get-login-password"),
        ("docker.io", 429, "toomanyrequests: You have reached your pull rate limit.", False, "log in"),
        ("docker.io", 401, "requested access to the resource is denied", True, "ACCOUNT/NAME"),
        ("europe-docker.pkg.dev", 404, 'Repository "r" not found', True, "create the Artifact Registry"),
        ("europe-docker.pkg.dev", 403, "Permission denied", True, "artifactregistry.writer"),
        ("europe-docker.pkg.dev", 403, "Permission denied", False, "artifactregistry.reader"),
        ("registry.gitlab.com", 403, "denied", True, "write_registry"),
        ("quay.io", 401, "", True, "robot account"),
        ("harbor.example", 403, "CSRF token not found in request", True, "browser"),
    ],
)
def test_known_refusals_get_their_hint(host: str, status: int, says: str, hint: str, *, pushing: bool) -> None:
    body = json.dumps({"errors": [{"code": "X", "message": says}]}).encode()
    made = error(status, body, host=host, pushing=pushing)
    assert hint in (made.hint or "")
    assert "{" not in (made.hint or "")


def test_a_host_that_only_looks_like_one_gets_no_hint_of_its_own() -> None:
    assert (
        error(403, host="notghcr.io.example").hint == "check that this account may pull from notghcr.io.example/me/app"
    )


def test_refused_credentials_are_to_be_checked_not_given_again() -> None:
    refused = error_for(401, (), "h/n:t", host="h", name="n", credentials="as 'me' from a file", known=True)
    assert (refused.hint, refused.message) == (
        "check the user name and the password or token",
        "h/n: unauthorized (as 'me' from a file)",
    )
    assert error_for(401, (), "h/n:t", host="h", name="n").remedy == (RemedyKind.LOG_IN, "h")


def test_a_digest_that_the_tool_asked_for_is_not_in_an_access_error() -> None:
    digest = "sha256:" + "a" * 64
    for status in (401, 403):
        refused = error_for(status, (), f"h/n@{digest}", host="h", name="n", pushing=True)
        assert refused.message.startswith("h/n: ")


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_a_refusal_that_is_a_web_page_is_no_matter_of_accounts_or_tags(status: int) -> None:
    """A web page in the place of a refusal: the hint names neither a login nor the tags."""
    problems = parse_problems(b"<!DOCTYPE html><title>Blocked</title>")
    error = error_for(status, problems, "h.example/a:v1", host="h.example", name="a", kind="manifest")
    assert "the answer is a web page" in error.message
    assert (error.hint or "").startswith("check the registry's host")


def test_the_hint_about_a_registry_itself_names_no_repository() -> None:
    error = error_for(403, (), "h.example", host="h.example", name="")
    assert error.hint == "check that this account may pull from h.example"
