"""What the big registries do differently, each simulated as the real core and its quirk."""

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.network import Answer, Network, Sent, broken, fresh_core, token_answer
from wasm2oci.content.copy import copy
from wasm2oci.content.memory import MemoryTarget
from wasm2oci.content.verify import BytesContent
from wasm2oci.errors import AccessError, NotFoundError, RegistryError, UnsupportedError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import EMPTY_JSON, Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.reference import Reference
from wasm2oci.oci.referrers import fallback_tag
from wasm2oci.registry.credentials import Basic, IdentityToken
from wasm2oci.registry.flavours import AZURE_NULL_USER
from wasm2oci.registry.problems import NameUnknownError, TooManyRequestsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.registry.repository import Repository

Quirk = "Callable[[Sent, Callable[[Sent], Answer]], Answer | None]"

DATA = b"\0asm\x01\0\0\0" + bytes(1000)
BLOB = Descriptor.of("application/wasm", DATA)
RAW = json.dumps(
    {"schemaVersion": 2, "mediaType": mt.OCI_MANIFEST, "config": EMPTY_JSON.to_json(), "layers": [BLOB.to_json()]}
).encode()
ROOT = Descriptor.of(mt.OCI_MANIFEST, RAW)
SIGNATURE = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": mt.OCI_MANIFEST,
        "artifactType": "application/signature",
        "config": EMPTY_JSON.to_json(),
        "layers": [EMPTY_JSON.to_json()],
        "subject": ROOT.to_json(),
    }
).encode()
SIGNED = Descriptor.of(mt.OCI_MANIFEST, SIGNATURE)


def simulated(origin: str, quirk: "Callable[[Sent, Callable[[Sent], Answer]], Answer | None]") -> Network:
    """A registry at this origin: the quirk answers, or returns None and the core does."""
    inner = fresh_core()

    def plain(sent: Sent) -> Answer:
        answer = inner(sent)
        assert isinstance(answer, Answer)
        return answer

    return Network({origin: lambda sent: quirk(sent, plain) or plain(sent)})


def push_all(repository: "Repository", tag: str = "v1") -> None:
    repository.push(BLOB, BytesContent(DATA))
    repository.push(EMPTY_JSON, BytesContent(b"{}"))
    repository.push(ROOT, BytesContent(RAW), tag=tag)


def assert_round_trip(repository: "Repository") -> None:
    push_all(repository)
    target = MemoryTarget()
    assert copy(repository, "v1", target).root.digest == ROOT.digest
    assert b"".join(target.fetch(BLOB)) == DATA


class TestDockerHub:
    HOME = "https://registry-1.docker.io"

    def test_short_names_are_library_and_the_host_is_another(self) -> None:
        network = Network({self.HOME: lambda _: Answer(404)})
        repository = network.repository("docker.io/alpine")
        assert str(repository) == "docker.io/alpine"
        with pytest.raises(NotFoundError, match=r"docker\.io/library/alpine"):
            repository.resolve("latest")
        assert network.sent[0].url == f"{self.HOME}/v2/library/alpine/manifests/latest"
        network.repository("docker.io/me/app").exists(BLOB)
        assert network.sent[-1].path.startswith("/v2/me/app/")

    def test_its_credentials_have_a_key_of_their_own(self, tmp_path: "object") -> None:
        auths = json.dumps({"auths": {"https://index.docker.io/v1/": {"username": "me", "password": "x"}}})

        def hub(sent: Sent) -> Answer:
            if sent.headers.get("authorization"):
                return Answer(200, {}, b"")
            return Answer(401, {"WWW-Authenticate": 'Bearer realm="https://auth.docker.io/token",service="hub"'})

        network = Network({self.HOME: hub, "https://auth.docker.io": lambda _: token_answer()})
        network.repository("docker.io/me/app", environ={"DOCKER_AUTH_CONFIG": auths}).exists(BLOB)
        assert network.at("https://auth.docker.io")[0].headers["authorization"].startswith("Basic ")

    def test_resolving_does_not_count_as_a_pull(self) -> None:
        network = simulated(self.HOME, lambda *_: None)
        push_all(network.repository("docker.io/me/app"))
        network.sent.clear()
        network.repository("docker.io/me/app").resolve("v1")
        assert [sent.method for sent in network.sent] == ["HEAD"]

    def test_its_rate_limit_is_plain_text_and_waited_for_in_vain(self) -> None:
        network = Network({self.HOME: lambda _: Answer(429, {"Retry-After": "3"}, b"toomanyrequests: pull rate limit")})
        with pytest.raises(TooManyRequestsError, match="pull rate limit") as caught:
            network.repository("docker.io/me/app").fetch_manifest("v1")
        assert network.slept == [3.0, 3.0, 3.0]
        assert "log in" in (caught.value.hint or "")

    def test_a_subject_that_it_claims_to_handle_and_does_not(self) -> None:
        def quirk(sent: Sent, core: "Callable[[Sent], Answer]") -> Answer | None:
            if "/referrers/" in sent.path:
                return Answer(404, {}, b"page not found")
            return None  # the core says OCI-Subject

        network = simulated(self.HOME, quirk)
        repository = network.repository("docker.io/me/app")
        push_all(repository)
        repository.push(SIGNED, BytesContent(SIGNATURE))
        assert repository.resolve(fallback_tag(ROOT.digest)).media_type == mt.OCI_INDEX
        assert [entry.digest for entry in repository.referrers(ROOT)] == [SIGNED.digest]


class TestGithub:
    HOME = "https://ghcr.io"

    def test_blobs_go_in_one_piece_whatever_their_size(self) -> None:
        def quirk(sent: Sent, core: "Callable[[Sent], Answer]") -> Answer | None:
            if sent.method == "PATCH" and len(sent.body) > 4 << 20:
                return Answer(416, {}, b"request body is too large, the maximum is 4.00MiB")
            return None

        network = simulated(self.HOME, quirk)
        data = bytes(9 << 20)
        blob = Descriptor.of("application/wasm", data)
        repository = network.repository("ghcr.io/me/app")
        repository.push(blob, BytesContent(data))
        assert [sent.method for sent in network.sent] == ["POST", "PUT"]
        assert repository.exists(blob)

    def test_a_broken_push_goes_on_in_chunks_that_it_takes(self) -> None:
        cut = iter([True])

        def quirk(sent: Sent, core: "Callable[[Sent], Answer]") -> Answer | None:
            if sent.method == "PATCH" and len(sent.body) > 4 << 20:
                return Answer(416, {}, b"request body is too large, the maximum is 4.00MiB")
            if sent.method == "PUT" and next(cut, False):
                core(
                    Sent(
                        sent.origin,
                        "PATCH",
                        sent.url.partition("&digest")[0].partition("?digest")[0],
                        {},
                        sent.body[:5000],
                    )
                )
                return Answer(502)
            return None

        network = simulated(self.HOME, quirk)
        data = bytes(range(256)) * (9 << 12)
        blob = Descriptor.of("application/wasm", data)
        repository = network.repository("ghcr.io/me/app")
        repository.push(blob, BytesContent(data))
        assert b"".join(repository.fetch(blob)) == data
        patches = [sent for sent in network.sent if sent.method == "PATCH"]
        assert [len(sent.body) for sent in patches] == [3_670_016, 3_670_016, len(data) - 5000 - 2 * 3_670_016]

    @pytest.mark.parametrize("status", [303, 404])
    def test_referrers_are_sent_to_a_web_page_so_the_tag_is_used(self, status: int) -> None:
        def quirk(sent: Sent, core: "Callable[[Sent], Answer]") -> Answer | None:
            if "/referrers/" in sent.path:
                return Answer(status, {"Location": "https://github.com/-/v2/packages"}, b"<html>")
            return core(sent).changed("oci-subject")

        network = simulated(self.HOME, quirk)
        network.hosts["https://github.com"] = lambda _: Answer(429, {}, b"<html>")
        repository = network.repository("ghcr.io/me/app")
        push_all(repository)
        repository.push(SIGNED, BytesContent(SIGNATURE))
        (found,) = repository.referrers(ROOT)
        assert (found.digest, found.artifact_type) == (SIGNED.digest, "application/signature")
        assert network.at("https://github.com") == []
        assert len([sent for sent in network.sent if "/referrers/" in sent.path]) == 1, "asked once, then known"

    def test_a_denied_push_says_what_to_do(self) -> None:
        def quirk(sent: Sent, core: "Callable[[Sent], Answer]") -> Answer | None:
            body = {"errors": [{"code": "DENIED", "message": "permission_denied: write_package"}]}
            return Answer(403, {}, json.dumps(body).encode()) if sent.method == "POST" else None

        network = simulated(self.HOME, quirk)
        with pytest.raises(AccessError, match="write_package") as caught:
            network.repository("ghcr.io/me/app").push(BLOB, BytesContent(DATA))
        assert "Manage Actions access" in (caught.value.hint or "")

    def test_the_job_token_is_used_by_itself(self) -> None:
        def quirk(sent: Sent, core: "Callable[[Sent], Answer]") -> Answer | None:
            if sent.path == "/token":
                assert sent.headers["authorization"] == "Basic b2N0b2NhdDpnaHNfeA=="
                return token_answer()
            if "authorization" not in sent.headers:
                return Answer(401, {"WWW-Authenticate": f'Bearer realm="{self.HOME}/token",service="ghcr.io"'})
            return None

        network = simulated(self.HOME, quirk)
        environ = {"GITHUB_TOKEN": "ghs_x", "GITHUB_ACTOR": "octocat"}
        assert_round_trip(network.repository("ghcr.io/me/app", environ=environ, writes=True))


class TestAzure:
    HOME = "https://my.azurecr.io"

    @pytest.mark.parametrize("credential", [IdentityToken("refresh"), Basic(AZURE_NULL_USER, "refresh")])
    def test_tokens_come_by_post_from_an_identity_token(self, credential: IdentityToken | Basic) -> None:
        def quirk(sent: Sent, core: "Callable[[Sent], Answer]") -> Answer | None:
            if sent.path == "/oauth2/token":
                assert sent.method == "POST"
                assert sent.form["grant_type"] == "refresh_token"
                assert sent.form["refresh_token"] == "refresh"
                assert sent.form["scope"] == "repository:me/app:pull,push"
                return Answer(200, {}, b'{"access_token":"t"}')
            if sent.headers.get("authorization") != "Bearer t":
                return Answer(
                    401, {"WWW-Authenticate": f'Bearer realm="{self.HOME}/oauth2/token",service="my.azurecr.io"'}
                )
            return None

        network = simulated(self.HOME, quirk)
        assert_round_trip(network.repository("my.azurecr.io/me/app", credential=credential, writes=True))

    def test_its_links_are_relative_and_carry_a_parameter(self) -> None:
        def quirk(sent: Sent, core: "Callable[[Sent], Answer]") -> Answer | None:
            if not sent.path.endswith("/tags/list"):
                return None
            if "last" not in sent.query:
                return Answer(
                    200, {"Link": '</v2/me/app/tags/list?last=a&n=1&orderby=>; rel="next"'}, b'{"tags":["a"]}'
                )
            assert sent.query == {"last": ["a"], "n": ["1"], "orderby": [""]}
            return Answer(200, {}, b'{"tags":["b"]}')

        assert list(simulated(self.HOME, quirk).repository("my.azurecr.io/me/app").tags()) == ["a", "b"]

    def test_a_push_without_the_role_says_so(self) -> None:
        network = Network({self.HOME: lambda _: Answer(403, {}, b'{"errors":[{"code":"DENIED","message":"denied"}]}')})
        with pytest.raises(AccessError) as caught:
            network.repository("my.azurecr.io/me/app").push(BLOB, BytesContent(DATA))
        assert "AcrPush" in (caught.value.hint or "")


class TestAmazon:
    HOME = "https://1.dkr.ecr.eu-west-1.amazonaws.com"
    NAME = "1.dkr.ecr.eu-west-1.amazonaws.com/me/app"

    def test_chunks_are_answered_with_201_and_a_stale_range(self) -> None:
        broke = iter([True])
        wanted = 5_000_000

        def quirk(sent: Sent, core: "Callable[[Sent], Answer]") -> Answer | None:
            if sent.method == "PUT" and "/uploads/" in sent.path and next(broke, False):
                location = sent.url.partition("&digest")[0].partition("?digest")[0]
                core(Sent(sent.origin, "PATCH", location, {}, sent.body[:wanted]))
                return Answer(503, {"Retry-After": "1"})
            if sent.method == "PATCH":
                start, _, end = sent.headers["content-range"].partition("-")
                if int(end) + 1 < len(data) and len(sent.body) < wanted:
                    return Answer(400, {}, b'{"errors":[{"code":"LayerPartTooSmallException"}]}')
                answer = core(sent)
                kept = answer.changed("range", range=f"0-{start}")
                return Answer(201, kept.headers)
            return None

        data = bytes(range(251)) * 90_000
        blob = Descriptor.of("application/wasm", data)
        network = simulated(self.HOME, quirk)
        repository = network.repository(self.NAME)
        repository.push(blob, BytesContent(data))
        assert b"".join(repository.fetch(blob)) == data
        assert network.slept == [1.0]

    def test_more_than_a_thousand_tags_are_not_asked_for(self) -> None:
        def quirk(sent: Sent, core: "Callable[[Sent], Answer]") -> Answer | None:
            if sent.path.endswith("/tags/list") and int(sent.query["n"][0]) > 1000:
                return Answer(400)
            return None

        network = simulated(self.HOME, quirk)
        push_all(network.repository(self.NAME))
        assert list(network.repository(self.NAME).tags()) == ["v1"]

    def test_a_repository_that_is_not_there_has_to_be_made_first(self) -> None:
        body = {"errors": [{"code": "NAME_UNKNOWN", "message": "The repository with name 'me/app' does not exist"}]}
        network = Network({self.HOME: lambda _: Answer(404, {}, json.dumps(body).encode())})
        with pytest.raises(NameUnknownError) as caught:
            network.repository(self.NAME).push(BLOB, BytesContent(DATA))
        assert "create-repository --repository-name me/app" in (caught.value.hint or "")

    def test_a_referrer_that_it_does_not_take(self) -> None:
        network = simulated(
            self.HOME,
            lambda sent, _: Answer(405, {}, b"") if sent.method == "PUT" and "/manifests/" in sent.path else None,
        )
        repository = network.repository(self.NAME)
        with pytest.raises(UnsupportedError):
            repository.push(SIGNED, BytesContent(SIGNATURE))


class TestGoogle:
    HOME = "https://europe-docker.pkg.dev"
    NAME = "europe-docker.pkg.dev/project/repository/app"

    def test_a_refusal_without_a_challenge_falls_back_on_the_roots(self) -> None:
        def quirk(sent: Sent, core: "Callable[[Sent], Answer]") -> Answer | None:
            if sent.path == "/token":
                return token_answer()
            if sent.path == "/v2/" and "authorization" not in sent.headers:
                return Answer(401, {"WWW-Authenticate": f'Bearer realm="{self.HOME}/token",service="google"'})
            return Answer(401) if "authorization" not in sent.headers else None

        network = simulated(self.HOME, quirk)
        assert_round_trip(network.repository(self.NAME, credential=Basic("oauth2accesstoken", "x"), writes=True))

    def test_locations_are_at_another_path_and_absolute(self) -> None:
        def quirk(sent: Sent, core: "Callable[[Sent], Answer]") -> Answer | None:
            if sent.method == "POST" and "/uploads/" in sent.path:
                answer = core(sent)
                (location,) = [v for n, v in answer.pairs() if n.lower() == "location"]
                separator = "&" if "?" in location else "?"
                moved = f"{self.HOME}/artifacts-uploads{location}{separator}upload_id=A%2BB"
                return answer.changed("location", location=moved)
            if sent.path.startswith("/artifacts-uploads"):
                assert sent.query["upload_id"] == ["A+B"]
                url = sent.url.replace("/artifacts-uploads", "").replace("upload_id=A%2BB&", "")
                return core(Sent(sent.origin, sent.method, url, sent.headers, sent.body))
            return None

        assert_round_trip(simulated(self.HOME, quirk).repository(self.NAME, writes=True))

    def test_a_denied_push_names_the_role(self) -> None:
        body = {"errors": [{"code": "DENIED", "message": 'Permission "artifactregistry.uploadArtifacts" denied'}]}
        network = Network({self.HOME: lambda _: Answer(403, {}, json.dumps(body).encode())})
        with pytest.raises(AccessError) as caught:
            network.repository(self.NAME).push(BLOB, BytesContent(DATA))
        assert "roles/artifactregistry.writer" in (caught.value.hint or "")


class TestGitlab:
    HOME = "https://registry.gitlab.com"

    def test_tokens_of_five_minutes_are_renewed_in_the_middle_of_a_push(self) -> None:
        issued: list[float] = []

        def quirk(sent: Sent, core: "Callable[[Sent], Answer]") -> Answer | None:
            network.time += 70.0  # everything takes long
            good = f"Bearer t{len(issued)}"
            fresh = bool(issued) and network.time - issued[-1] < 300.0
            if sent.headers.get("authorization") != good or not fresh:
                realm = 'Bearer realm="https://gitlab.com/jwt/auth",service="container_registry"'
                return Answer(401, {"WWW-Authenticate": realm})
            return None

        def auth(sent: Sent) -> Answer:
            issued.append(network.time)
            return token_answer(f"t{len(issued)}", expires_in=300)

        network = simulated(self.HOME, quirk)
        network.hosts["https://gitlab.com"] = auth
        repository = network.repository("registry.gitlab.com/me/app", credential=Basic("me", "x"), writes=True)
        assert_round_trip(repository)
        assert len(issued) == 2
        anonymous = [sent for sent in network.at(self.HOME) if "authorization" not in sent.headers]
        assert len(anonymous) == 1, "only the very first request goes without a token, none with an old one"

    def test_deleting_has_a_scope_of_its_own(self) -> None:
        def quirk(sent: Sent, core: "Callable[[Sent], Answer]") -> Answer | None:
            action = "delete" if sent.method == "DELETE" else "pull"
            if action not in sent.headers.get("authorization", ""):
                realm = f'Bearer realm="https://gitlab.com/jwt/auth",service="c",scope="repository:me/app:{action}"'
                return Answer(401, {"WWW-Authenticate": realm})
            return None

        network = simulated(self.HOME, quirk)
        network.hosts["https://gitlab.com"] = lambda sent: token_answer(sent.query["scope"][0])
        repository = network.repository("registry.gitlab.com/me/app", credential=Basic("me", "x"))
        push_all(repository)
        repository.delete(ROOT)
        assert [sent.query["scope"] for sent in network.at("https://gitlab.com")][-1] == ["repository:me/app:delete"]


class TestHarbor:
    HOME = "https://harbor.example"

    def test_its_cookies_are_never_sent_back(self) -> None:
        def quirk(sent: Sent, core: "Callable[[Sent], Answer]") -> Answer | None:
            if "cookie" in sent.headers:
                return Answer(403, {}, b'{"errors":[{"code":"FORBIDDEN","message":"CSRF token not found in request"}]}')
            answer = core(sent)
            return answer.changed(set_cookie="sid=1; Path=/")

        assert_round_trip(simulated(self.HOME, quirk).repository("harbor.example/me/app", writes=True))

    def test_lengths_of_head_and_get_may_differ(self) -> None:
        def quirk(sent: Sent, core: "Callable[[Sent], Answer]") -> Answer | None:
            if sent.method == "HEAD" and "/manifests/" in sent.path:
                return core(sent).changed("content-length")
            return None

        network = simulated(self.HOME, quirk)
        repository = network.repository("harbor.example/me/app", writes=True)
        assert_round_trip(repository)
        assert repository.resolve("v1") == ROOT

    def test_robot_names_hold_a_dollar(self) -> None:
        network = Network(
            {
                self.HOME: lambda sent: (
                    Answer(200)
                    if sent.headers.get("authorization") == "Basic cm9ib3QkbWUreDp0"
                    else Answer(401, {"WWW-Authenticate": 'Basic realm="harbor"'})
                )
            }
        )
        network.connector(credential=Basic("robot$me+x", "t")).ping("harbor.example")


class TestQuay:
    HOME = "https://quay.io"

    @pytest.mark.parametrize("status", [400, 404, 405, 500])
    def test_a_mount_that_is_refused_only_means_that_bytes_flow(self, status: int) -> None:
        def quirk(sent: Sent, core: "Callable[[Sent], Answer]") -> Answer | None:
            return Answer(status) if "mount" in sent.query else None

        network = simulated(self.HOME, quirk)
        connector = network.connector()
        source = connector.repository(Reference.parse("quay.io/me/source"))
        target = connector.repository(Reference.parse("quay.io/me/target"), writes=True)
        push_all(source)
        result = copy(source, "v1", target, "v1")
        assert result.root.digest == ROOT.digest
        assert target.exists(BLOB)

    def test_it_has_no_action_called_delete(self) -> None:
        def quirk(sent: Sent, core: "Callable[[Sent], Answer]") -> Answer | None:
            if sent.path == "/v2/auth":
                if any("delete" in scope for scope in sent.query.get("scope", [])):
                    return Answer(400, {}, b"Unable to decode repository and actions")
                return token_answer(" ".join(sent.query["scope"]))
            action = "*" if sent.method == "DELETE" else "push"
            if action not in sent.headers.get("authorization", ""):
                realm = f'Bearer realm="{self.HOME}/v2/auth",service="quay.io",scope="repository:me/app:{action}"'
                return Answer(401, {"WWW-Authenticate": realm})
            return None

        repository = simulated(self.HOME, quirk).repository("quay.io/me/app", credential=Basic("me", "x"), writes=True)
        push_all(repository)
        repository.delete(ROOT)


class TestOthers:
    def test_artifactory_answers_an_anonymous_ping_and_refuses_an_anonymous_push(self) -> None:
        network = Network(
            {
                "https://a.example": lambda sent: (
                    Answer(200)
                    if sent.path == "/v2/"
                    else Answer(401, {"WWW-Authenticate": 'Basic realm="Artifactory"'})
                )
            }
        )
        connector = network.connector()
        connector.ping("a.example")
        with pytest.raises(AccessError, match="no credentials found"):
            connector.repository(Reference.parse("a.example/x/y")).push(BLOB, BytesContent(DATA))

    def test_distribution_names_the_digest_in_another_algorithm(self) -> None:
        digest = Digest.of(RAW, "sha512")

        def quirk(sent: Sent, core: "Callable[[Sent], Answer]") -> Answer | None:
            return core(sent).changed("docker-content-digest", docker_content_digest=str(ROOT.digest))

        network = simulated("https://d.example", quirk)
        repository = network.repository("d.example/me/app", writes=True)
        push_all(repository)
        wide = Descriptor(mt.OCI_MANIFEST, digest, len(RAW))
        repository.push(wide, BytesContent(RAW), tag="wide")
        puts = [sent.path for sent in network.sent if sent.method == "PUT" and "/manifests/" in sent.path]
        assert puts[-2:] == [f"/v2/me/app/manifests/{digest}", "/v2/me/app/manifests/wide"]
        assert repository.resolve(digest).digest == digest
        assert repository.fetch_manifest(digest)[1] == RAW

    def test_distribution_removes_no_tag_alone(self) -> None:
        network = simulated(
            "https://d.example", lambda sent, _: Answer(405, {}, b"{}") if sent.method == "DELETE" else None
        )
        repository = network.repository("d.example/me/app", writes=True)
        push_all(repository)
        with pytest.raises(UnsupportedError, match="remove a tag alone"):
            repository.untag("v1")
        with pytest.raises(UnsupportedError, match="does not delete"):
            repository.delete(ROOT)

    def test_a_registry_that_is_whole_lists_referrers_itself(self) -> None:
        network = simulated("https://zot.example", lambda *_: None)
        repository = network.repository("zot.example/me/app", writes=True)
        push_all(repository)
        repository.push(SIGNED, BytesContent(SIGNATURE))
        assert [entry.digest for entry in repository.referrers(ROOT, "application/signature")] == [SIGNED.digest]
        assert list(repository.referrers(ROOT, "other")) == []
        assert list(repository.tags()) == ["v1"]
        repository.delete(SIGNED)
        assert list(repository.referrers(ROOT)) == []

    @pytest.mark.parametrize("path", ["manifests", "tags", "referrers"])
    def test_a_web_site_is_not_a_registry(self, path: str) -> None:
        network = Network({"https://www.example": lambda _: Answer(200, {"Content-Type": "text/html"}, b"<html>hello")})
        repository = network.repository("www.example/me/app")
        asks: dict[str, Callable[[], object]] = {
            "manifests": lambda: repository.fetch_manifest("v1"),
            "tags": lambda: list(repository.tags()),
            "referrers": lambda: list(repository.referrers(ROOT)),
        }
        with pytest.raises(RegistryError, match="web page"):
            asks[path]()

    def test_a_storage_that_answers_no_head_still_has_the_blob(self) -> None:
        network = Network(
            {
                "https://r.example": lambda sent: Answer(307, {"Location": f"https://s.example{sent.path}?sig=x"}),
                "https://s.example": lambda sent: Answer(403) if sent.method == "HEAD" else Answer(200, {}, DATA),
            }
        )
        repository = network.repository("r.example/me/app")
        assert repository.exists(BLOB)
        assert b"".join(repository.fetch(BLOB)) == DATA

    def test_a_broken_connection_is_not_a_missing_blob(self) -> None:
        network = Network({"https://r.example": lambda _: broken()})
        with pytest.raises(RegistryError):
            network.repository("r.example/me/app").exists(BLOB)
        assert len(network.sent) == 4
