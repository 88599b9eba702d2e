"""Who may do what: passwords, rights in repositories, and where a registry may be reached."""

import base64
import json
import os
import threading
from pathlib import Path

import bcrypt
import pytest

from tests.support.certificates import make_authority
from wasm2oci.errors import InvalidInputError, NotFoundError, UsageError
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.endpoints import Action
from wasm2oci.oci.host import is_loopback
from wasm2oci.oci.http import Headers, basic_credentials
from wasm2oci.server.access import ANONYMOUS, BasicAccess, Everyone
from wasm2oci.server.call import Rules
from wasm2oci.server.exposure import TlsFilesError, check_exposure, parse_listen, tls_context
from wasm2oci.server.memory import MemoryStorage
from wasm2oci.server.messages import Request, Response
from wasm2oci.server.passwords import HtpasswdError, HtpasswdFile, OneUser
from wasm2oci.server.registry import Registry

BLOB = b"private"
DIGEST = Digest.of(BLOB)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def ask(registry: Registry, method: str, target: str, body: bytes = b"", **headers: str) -> Response:
    pairs = Headers((name.replace("_", "-"), value) for name, value in headers.items())
    return registry.handle(Request(method, target, pairs, [body], len(body)))


class Own:
    """Everybody may do everything in the repositories below his own name, and pull `public`."""

    challenge = 'Basic realm="own"'

    def identify(self, authorization: str | None, peer: str = "") -> str | None:
        del peer
        credentials = basic_credentials(authorization)
        return credentials[0] if credentials else None

    def allows(self, user: str, action: Action, repository: str) -> bool:
        return not repository or repository.startswith(f"{user}/") or (repository, action) == ("public", "pull")


class TestPasswords:
    def test_one_user(self) -> None:
        user = OneUser("me", "secret")
        assert user.check("me", "secret")
        assert not user.check("me", "wrong")
        assert not user.check("you", "secret")

    @pytest.mark.parametrize("prefix", [b"2a", b"2b"])
    def test_a_file_of_bcrypt_hashes(self, tmp_path: Path, prefix: bytes) -> None:
        path = tmp_path / "htpasswd"
        long = "x" * 72
        entries = {"me": "secret", "you": "pä:ss", "long": long}
        lines = [
            f"{user}:{bcrypt.hashpw(text.encode(), bcrypt.gensalt(4, prefix)).decode()}"
            for user, text in entries.items()
        ]
        path.write_text("# users\n\n" + "\n".join(lines).replace("$2b$", "$2y$") + "\n")
        users = HtpasswdFile(path)
        for user, text in entries.items():
            assert users.check(user, text)
            assert users.check(user, text), "remembered"
            assert not users.check(user, text[:-1])
        assert users.check("long", long + "more"), "bcrypt looks at 72 bytes"
        assert not users.check("nobody", "secret")
        assert not users.check("me", "secret\0")

    def test_what_is_remembered_is_bounded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("wasm2oci.server.passwords._REMEMBERED", 1)
        path = tmp_path / "htpasswd"
        hashed = bcrypt.hashpw(b"x", bcrypt.gensalt(4)).decode()
        path.write_text(f"a:{hashed}\nb:{hashed}\n")
        users = HtpasswdFile(path)
        assert all(users.check(user, "x") for user in "abab")

    @pytest.mark.parametrize("costs", [(5,), (4, 6), (4, 5, 7)])
    def test_every_name_takes_the_rounds_of_the_highest_cost(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, costs: tuple[int, ...]
    ) -> None:
        """`htpasswd -B` costs 5, and a comparison of cost 10 for unknown names told them from known ones."""
        rounds: list[int] = []

        def counted(password: bytes, hashed: bytes) -> bool:
            del password
            rounds.append(2 ** int(hashed[4:6]))
            return False

        path = tmp_path / "htpasswd"
        path.write_text("".join(f"user{cost}:{bcrypt.hashpw(b'x', bcrypt.gensalt(cost)).decode()}\n" for cost in costs))
        monkeypatch.setattr(bcrypt, "checkpw", counted)
        users = HtpasswdFile(path)
        for user in ("nobody", "", "x" * 1000, *(f"user{cost}" for cost in costs)):
            rounds.clear()
            assert not users.check(user, "wrong")
            assert sum(rounds) == 2 ** max(costs), user

    @pytest.mark.parametrize("cost", ["00", "03", "18", "31", "99"])
    def test_a_cost_that_would_hold_the_registry_is_refused(self, tmp_path: Path, cost: str) -> None:
        path = tmp_path / "htpasswd"
        hashed = bcrypt.hashpw(b"x", bcrypt.gensalt(4)).decode()
        path.write_text(f"me:{hashed.replace('$04$', f'${cost}$')}\n")
        with pytest.raises(HtpasswdError, match="cost"):
            HtpasswdFile(path)

    def test_a_file_that_is_too_large_is_refused_whole(self, tmp_path: Path) -> None:
        path = tmp_path / "htpasswd"
        hashed = bcrypt.hashpw(b"x", bcrypt.gensalt(4)).decode()
        path.write_text(f"me:{hashed}\n" * 20_000)
        with pytest.raises(HtpasswdError, match="larger"):
            HtpasswdFile(path)

    def test_a_login_overtakes_the_wrong_ones_of_others(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """200 connections with wrong passwords once delayed a right one by 49 s."""
        path = tmp_path / "htpasswd"
        path.write_text(f"me:{bcrypt.hashpw(b'right', bcrypt.gensalt(4)).decode()}\n")
        checked: list[bytes] = []
        begun, go_on = threading.Semaphore(0), threading.Semaphore(0)

        def slow(password: bytes, hashed: bytes) -> bool:
            del hashed
            checked.append(password)
            begun.release()
            assert go_on.acquire(timeout=30)
            return password == b"right"

        monkeypatch.setattr(bcrypt, "checkpw", slow)
        monkeypatch.setattr(os, "cpu_count", lambda: 2)
        users = HtpasswdFile(path)
        threads = [
            threading.Thread(target=users.check, args=("me", f"wrong{number}", f"192.0.2.1:{number}"))
            for number in range(20)
        ]
        threads.append(threading.Thread(target=users.check, args=("me", "right", "192.0.2.2:1")))
        for thread in threads[:-1]:
            thread.start()
        assert all(begun.acquire(timeout=30) for _ in range(2))
        while sum(map(len, users.turns.waiting().values())) < 18:
            threading.Event().wait(0.001)
        threads[-1].start()
        while len(users.turns.waiting()) < 2:
            threading.Event().wait(0.001)
        for _ in range(2):  # one of the others comes first, since they were there first
            go_on.release()
            assert begun.acquire(timeout=30)
        assert b"right" in checked
        assert len(checked) == 4
        for _ in threads:
            go_on.release()
        for thread in threads:
            thread.join(30)

    def test_a_login_does_not_wait_until_a_wrong_one_of_others_is_checked(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "htpasswd"
        path.write_text(f"me:{bcrypt.hashpw(b'right', bcrypt.gensalt(4)).decode()}\n")
        begun, go_on = threading.Semaphore(0), threading.Semaphore(0)

        def slow(password: bytes, hashed: bytes) -> bool:
            del hashed
            if password == b"again":
                begun.release()
                assert go_on.acquire(timeout=30)
            return password == b"right"

        monkeypatch.setattr(bcrypt, "checkpw", slow)
        monkeypatch.setattr(os, "cpu_count", lambda: 2)
        users = HtpasswdFile(path)
        assert not users.check("me", "wrong", "192.0.2.1:1")
        threads = [threading.Thread(target=users.check, args=("me", "again", "192.0.2.1:1")) for _ in range(5)]
        for thread in threads:
            thread.start()
        assert begun.acquire(timeout=30)
        assert users.check("me", "right", "192.0.2.1:2")
        assert not begun.acquire(blocking=False)  # one of the others at a time
        for _ in threads:
            go_on.release()
        for thread in threads:
            thread.join(30)

    @pytest.mark.parametrize(
        "text",
        ["", "# nobody\n", "me\n", ":x\n", "me:$apr1$abc$def\n", "me:{SHA}xyz\n", "me:secret\n", "me:$2y$short\n"],
    )
    def test_anything_else_is_refused(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "htpasswd"
        path.write_text(text)
        with pytest.raises(HtpasswdError):
            HtpasswdFile(path)
        with pytest.raises(NotFoundError):
            HtpasswdFile(tmp_path / "absent")

    @pytest.mark.parametrize(
        "value",
        [
            None,
            "",
            "Basic",
            "Basic !!!",
            "Bearer abc",
            "Basic " + "A" * 5000,
            "Basic bm9jb2xvbg==",
            "Basic OnB3",
            "Basic /w==",
        ],
    )
    def test_a_malformed_basic_credential_proves_no_user(self, value: str | None) -> None:
        assert basic_credentials(value) is None
        assert BasicAccess(OneUser("me", "x")).identify(value) is None


class TestRights:
    def test_without_credentials_the_answer_is_a_challenge_everywhere(self) -> None:
        registry = Registry(MemoryStorage(), access=BasicAccess(OneUser("me", "secret")))
        for target in ("/v2/", "/v2/a/tags/list", "/", "/nothing"):
            for proof in ("", "Bearer abc", basic("me", "wrong")):
                response = ask(registry, "GET", target, Authorization=proof)
                assert response.status == 401
                assert (response.header("WWW-Authenticate") or "").startswith("Basic realm=")
                problem = json.loads(response.read())["errors"][0]
                said = "user name or password is wrong" if "Basic" in proof else "credentials are needed"
                assert (problem["code"], problem["message"]) == ("UNAUTHORIZED", said)
        assert ask(registry, "GET", "/v2/", Authorization=basic("me", "secret")).status == 200

    def test_an_unidentified_user_may_nothing(self) -> None:
        assert not BasicAccess(OneUser("me", "x")).allows(ANONYMOUS, "pull", "a")
        assert Everyone().identify("anything") == ANONYMOUS

    def test_rights_are_asked_for_each_repository_and_action(self) -> None:
        registry = Registry(MemoryStorage(), access=Own())
        me, you = basic("me", "x"), basic("you", "x")
        assert ask(registry, "POST", f"/v2/me/a/blobs/uploads/?digest={DIGEST}", BLOB, Authorization=me).status == 201
        for method, target in (
            ("GET", f"/v2/me/a/blobs/{DIGEST}"),
            ("HEAD", f"/v2/me/a/blobs/{DIGEST}"),
            ("GET", "/v2/me/a/tags/list"),
            ("POST", "/v2/me/a/blobs/uploads/"),
            ("PUT", "/v2/me/a/manifests/v1"),
            ("DELETE", f"/v2/me/a/blobs/{DIGEST}"),
            ("PUT", "/v2/public/manifests/v1"),
        ):
            assert ask(registry, method, target, Authorization=you).status == 403
        assert json.loads(ask(registry, "GET", "/v2/_catalog", Authorization=you).read()) == {"repositories": []}
        assert json.loads(ask(registry, "GET", "/v2/_catalog", Authorization=me).read()) == {"repositories": ["me/a"]}

    @pytest.mark.parametrize("source", ["&from=me/a", ""])
    def test_nothing_is_mounted_from_where_the_user_may_not_pull(self, source: str) -> None:
        registry = Registry(MemoryStorage(), access=Own())
        me, you = basic("me", "x"), basic("you", "x")
        ask(registry, "POST", f"/v2/me/a/blobs/uploads/?digest={DIGEST}", BLOB, Authorization=me)
        there = ask(registry, "POST", f"/v2/you/b/blobs/uploads/?mount={DIGEST}{source}", Authorization=you)
        absent = ask(registry, "POST", f"/v2/you/b/blobs/uploads/?mount={Digest.of(b'-')}{source}", Authorization=you)
        assert there.status == absent.status == 202, "whether it is there cannot be learned"
        assert ask(registry, "HEAD", f"/v2/you/b/blobs/{DIGEST}", Authorization=you).status == 404
        assert ask(registry, "POST", f"/v2/me/b/blobs/uploads/?mount={DIGEST}{source}", Authorization=me).status == 201

    @pytest.mark.parametrize(
        ("origin", "host", "status"),
        [
            ("http://evil.example", "localhost:5", 403),
            ("null", "localhost:5", 403),
            ("http://localhost:5", "localhost:5", 202),
            ("http://127.0.0.1:5", "127.0.0.1:5", 202),
            ("http://[::1]:5", "[::1]:5", 202),
            ("http://evil.example:5", "evil.example:5", 403),  # a name that its owner made point to this machine
            ("http://localhost.evil.example", "localhost.evil.example", 403),
        ],
    )
    def test_pages_of_other_sites_may_not_write(self, origin: str, host: str, status: int) -> None:
        registry = Registry(MemoryStorage())
        response = ask(registry, "POST", "/v2/a/blobs/uploads/", Origin=origin, Host=host)
        assert response.status == status

    def test_a_page_of_the_registrys_own_name_may_write_for_a_user(self) -> None:
        registry = Registry(MemoryStorage(), access=Own())
        host, mine = "hub.example", basic("me", "x")
        response = ask(
            registry, "POST", "/v2/me/a/blobs/uploads/", Origin=f"https://{host}", Host=host, Authorization=mine
        )
        assert response.status == 202


class TestExposure:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("127.0.0.1:5000", ("127.0.0.1", 5000)),
            ("[::1]:0", ("::1", 0)),
            (":80", ("127.0.0.1", 80)),
            ("5000", ("127.0.0.1", 5000)),
            ("localhost:1", ("localhost", 1)),
        ],
    )
    def test_addresses(self, text: str, expected: tuple[str, int]) -> None:
        assert parse_listen(text) == expected

    @pytest.mark.parametrize("text", ["", "a", "a:", "a:65536", "::1:5000", "a:-1", "a:\u0661"])
    def test_what_is_no_address(self, text: str) -> None:
        with pytest.raises(InvalidInputError):
            parse_listen(text)

    def test_only_the_loopback_is_open_to_everybody(self) -> None:
        assert all(is_loopback(host) for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST"))
        for host in ("0.0.0.0", "::", "192.0.2.1", "example.org", "localhost.example.org", ""):
            check_exposure(host, authenticated=True)
            with pytest.raises(UsageError, match="without authentication"):
                check_exposure(host, authenticated=False)

    def test_a_certificate_and_its_key(self, tmp_path: Path) -> None:
        authority = make_authority(tmp_path)
        one, other = authority.issue("one"), authority.issue("other")
        both = tmp_path / "both.pem"
        both.write_bytes(one.certificate_file.read_bytes() + one.key_file.read_bytes())
        assert tls_context(one.certificate_file, one.key_file).minimum_version.name == "TLSv1_2"
        assert tls_context(both, None).minimum_version.name == "TLSv1_2"
        for certificate, key in ((one.certificate_file, other.key_file), (one.key_file, None)):
            with pytest.raises(TlsFilesError) as caught:
                tls_context(certificate, key)
            assert "_ssl.c" not in caught.value.message
        with pytest.raises(NotFoundError):
            tls_context(one.certificate_file, tmp_path / "absent")

    def test_a_key_with_a_password_is_not_asked_for_one(self, tmp_path: Path) -> None:
        from cryptography.hazmat.primitives import serialization

        issued = make_authority(tmp_path).issue("one")
        encryption = serialization.BestAvailableEncryption(b"secret")
        form = serialization.PrivateFormat.PKCS8
        pem = issued.key.private_bytes(serialization.Encoding.PEM, form, encryption)
        issued.key_file.write_bytes(pem)
        with pytest.raises(TlsFilesError, match="password"):
            tls_context(issued.certificate_file, issued.key_file)


class TestHosts:
    """A page of another site can make its own name lead to this machine, and then read what is here."""

    @pytest.mark.parametrize("target", ["/v2/", "/v2/_catalog", "/v2/a/tags/list", "/", "/r/a"])
    @pytest.mark.parametrize("host", ["evil.example", "evil.example:5000", "localhost.evil.example", "", "127.0.0.1.x"])
    def test_a_foreign_name_is_not_answered(self, target: str, host: str) -> None:
        registry = Registry(MemoryStorage(), rules=Rules(hosts=frozenset()))
        response = ask(registry, "GET", target, Host=host)
        assert response.status == 403
        assert b"DENIED" in response.read()

    @pytest.mark.parametrize(
        "host", ["127.0.0.1", "127.0.0.1:5000", "localhost:5000", "LOCALHOST", "[::1]:5000", "build.local:5000"]
    )
    def test_addresses_localhost_and_allowed_names_are(self, host: str) -> None:
        registry = Registry(MemoryStorage(), rules=Rules(hosts=frozenset({"build.local"})))
        assert ask(registry, "GET", "/v2/", Host=host).status == 200

    def test_who_has_a_password_may_call_it_as_he_likes(self) -> None:
        access = BasicAccess(OneUser("me", "x"))
        registry = Registry(MemoryStorage(), access=access, rules=Rules(hosts=frozenset()))
        assert ask(registry, "GET", "/v2/", Host="any.example", Authorization=basic("me", "x")).status == 200
        assert ask(registry, "GET", "/v2/", Host="any.example").status == 401
