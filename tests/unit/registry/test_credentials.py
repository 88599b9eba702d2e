"""Where credentials are found, in which order, and that nothing wrong with a source stops the search."""

import base64
import json
import os
import signal
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from wasm2oci.oci.http import encode_basic
from wasm2oci.registry.credentials import Anonymous, Basic, CredentialChain, IdentityToken, RegistryToken
from wasm2oci.registry.docker_config import auth_keys, decode_entry, parse_auth_file
from wasm2oci.registry.flavours import HUB_KEY
from wasm2oci.registry.helpers import HelperError, erase_with_helper, get_from_helper, store_with_helper
from wasm2oci.registry.login import store_credential

HOST = "registry.example"


def auth(username: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}


def write(path: Path, **content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def helper(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / f"docker-credential-{name}"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def warned() -> list[str]:
    return []


def find(home: Path, environ: dict[str, str] | None = None, host: str = HOST, **more: Any) -> Any:
    return CredentialChain(environ or {}, home, **more).lookup(host, "me/app")


def test_no_credentials_means_anonymous(home: Path) -> None:
    assert find(home) == Anonymous()


def test_each_source_goes_before_the_next(home: Path, tmp_path: Path) -> None:
    runtime, config = tmp_path / "run", tmp_path / "xdg"
    docker = tmp_path / "docker"
    environ = {"XDG_RUNTIME_DIR": str(runtime), "XDG_CONFIG_HOME": str(config), "DOCKER_CONFIG": str(docker)}
    write(home / ".dockercfg", **{HOST: auth("legacy", "x")})
    assert find(home, environ).username == "legacy"
    write(docker / "config.json", auths={HOST: auth("docker", "x")})
    assert find(home, environ).username == "docker"
    write(config / "containers" / "auth.json", auths={HOST: auth("podman", "x")})
    assert find(home, environ).username == "podman"
    write(runtime / "containers" / "auth.json", auths={HOST: auth("podman-run", "x")})
    assert find(home, environ).username == "podman-run"
    named = write(tmp_path / "named.json", auths={HOST: auth("named", "x")})
    environ["REGISTRY_AUTH_FILE"] = str(named)
    assert find(home, environ).username == "named"
    environ["DOCKER_AUTH_CONFIG"] = json.dumps({"auths": {HOST: auth("variable", "x")}})
    assert find(home, environ).username == "variable"
    environ |= {"WASM2OCI_REGISTRY": HOST, "WASM2OCI_REGISTRY_USER": "own", "WASM2OCI_REGISTRY_PASSWORD": "x"}
    assert find(home, environ).username == "own"
    only = write(tmp_path / "only.json", auths={HOST: auth("only", "x")})
    assert find(home, environ, registry_config=only).username == "only"
    given = Basic("given", "x")
    assert find(home, environ, registry_config=only, override=given) is given


def test_an_explicit_file_is_the_only_one(home: Path, tmp_path: Path) -> None:
    write(home / ".docker" / "config.json", auths={HOST: auth("docker", "x")})
    empty = write(tmp_path / "empty.json")
    assert find(home, {"GITHUB_TOKEN": "x"}, registry_config=empty) == Anonymous()
    assert find(home, {"GITHUB_TOKEN": "x"}, registry_config=empty, host="ghcr.io") == Anonymous()


def test_an_explicit_file_that_is_not_there_is_reported(home: Path, tmp_path: Path) -> None:
    chain = CredentialChain({}, home, registry_config=tmp_path / "typo.json")
    assert chain.lookup(HOST) == Anonymous()
    assert chain.tried == [f"{tmp_path / 'typo.json'} (not there)"]


def test_home_folders_are_looked_into_without_variables(home: Path) -> None:
    write(home / ".docker" / "config.json", auths={HOST: auth("docker", "x")})
    assert find(home) == Basic("docker", "x")
    assert find(home).source == str(home / ".docker" / "config.json")
    write(home / ".config" / "containers" / "auth.json", auths={HOST: auth("podman", "x")})
    assert find(home).username == "podman"


OWN = {"WASM2OCI_REGISTRY": HOST, "WASM2OCI_REGISTRY_USER": "me", "WASM2OCI_REGISTRY_PASSWORD": "x"}


def test_our_own_variables_are_for_the_registry_that_they_name(home: Path) -> None:
    found = find(home, OWN)
    assert (found, found.source) == (Basic("me", "x"), "WASM2OCI_REGISTRY_PASSWORD")
    assert find(home, OWN, host="other.example") == Anonymous()
    assert find(home, OWN, host=f"{HOST}:5000") == Anonymous()
    assert find(home, {**OWN, "WASM2OCI_REGISTRY": "docker.io"}, host="index.docker.io") == Basic("me", "x")
    assert find(home, {**OWN, "WASM2OCI_REGISTRY_USER": "<token>"}) == IdentityToken("x")


@pytest.mark.parametrize("written", [f"https://{HOST}/", f"{HOST}/team/app", f"{HOST.upper()}\n", f" http://{HOST}"])
def test_the_registry_of_our_variables_may_be_written_as_a_ci_writes_it(written: str, home: Path) -> None:
    assert find(home, {**OWN, "WASM2OCI_REGISTRY": written}) == Basic("me", "x")
    assert find(home, {**OWN, "WASM2OCI_REGISTRY": written}, host="other.example") == Anonymous()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_line_end_of_a_secret_is_no_part_of_it(end: str, home: Path) -> None:
    assert find(home, {**OWN, "WASM2OCI_REGISTRY_PASSWORD": f"x{end}"}) == Basic("me", "x")
    assert find(home, {"GITHUB_TOKEN": f"ghs{end}"}, host="ghcr.io") == Basic("unset", "ghs")


def test_an_error_can_say_which_registry_a_password_is_for(home: Path) -> None:
    chain = CredentialChain(OWN, home)
    assert chain.lookup("other.example") == Anonymous()
    assert f"WASM2OCI_REGISTRY_PASSWORD (for {HOST})" in chain.tried


@pytest.mark.parametrize("user", ["me:hush@", "hush@", "me:hu/hush@", "me:hush/a@b@", "hush:x@", "me:hush?@"])
@pytest.mark.parametrize("address", ["https://{}{}/team", "{}{}", "{}{}/team"])
def test_a_password_in_the_address_of_the_registry_is_not_shown(user: str, address: str, home: Path) -> None:
    chain = CredentialChain({**OWN, "WASM2OCI_REGISTRY": address.format(user, HOST)}, home)
    assert chain.lookup("other.example") == Anonymous()
    assert "hush" not in "".join(chain.tried)
    assert f"(for {HOST})" in "".join(chain.tried)


def test_a_password_without_a_registry_is_not_used_and_reported(home: Path, warned: list[str]) -> None:
    environ = {name: value for name, value in OWN.items() if name != "WASM2OCI_REGISTRY"}
    assert find(home, environ, warn=warned.append) == Anonymous()
    assert warned == ["WASM2OCI_REGISTRY_PASSWORD is not used: WASM2OCI_REGISTRY does not say which registry it is for"]
    assert "x" not in find(home, {"WASM2OCI_REGISTRY": HOST}).source.split()


def test_githubs_token_is_for_its_registry_only(home: Path) -> None:
    environ = {"GITHUB_TOKEN": "ghs", "GITHUB_ACTOR": "octocat"}
    assert find(home, environ, host="ghcr.io") == Basic("octocat", "ghs")
    assert find(home, {"GITHUB_TOKEN": "ghs"}, host="ghcr.io") == Basic("unset", "ghs")
    assert find(home, {}, host="ghcr.io") == Anonymous()
    assert find(home, environ) == Anonymous()
    write(home / ".docker" / "config.json", auths={"ghcr.io": auth("own", "x")})
    assert find(home, environ, host="ghcr.io").username == "own"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (auth("bob", "a:b:c"), Basic("bob", "a:b:c")),
        ({"auth": base64.b64encode(b"bob:x\0\0").decode()}, Basic("bob", "x")),
        ({"username": "bob", "password": "x", "auth": "ignored"}, Basic("bob", "x")),
        # connaisseur#550 and oras#1143: what docker's client reads.
        ({"username": "old", "password": "stale", **auth("bob", "x")}, Basic("bob", "x")),
        ({"username": "bob", **auth("bob", "x")}, Basic("bob", "x")),
        ({"auth": "Ym9i\nOng=\r\n"}, Basic("bob", "x")),
        ({"Auth": auth("bob", "x")["auth"]}, Basic("bob", "x")),
        ({"auth": base64.b64encode("b\xf6b:\xfc".encode("latin-1")).decode()}, Basic("b\udcf6b", "\udcfc")),
        ({"auth": base64.b64encode(b"<token>:").decode(), "identitytoken": "id"}, IdentityToken("id")),
        ({"identitytoken": "id"}, IdentityToken("id")),
        ({"registrytoken": "reg", "identitytoken": "id"}, RegistryToken("reg")),
        ({"username": "<token>", "password": "id"}, IdentityToken("id")),
        ({"email": "me@example"}, Anonymous()),
        ({}, Anonymous()),
        ({"auth": ""}, Anonymous()),
        ({"username": 5}, Anonymous()),
    ],
)
def test_what_an_entry_says(home: Path, entry: dict[str, Any], expected: object) -> None:
    write(home / ".docker" / "config.json", auths={HOST: entry})
    assert find(home) == expected


@pytest.mark.parametrize(
    "key",
    [
        HOST,
        f"https://{HOST}",
        f"https://{HOST}/v1/",
        f"https://{HOST}/v2/",
        f"http://{HOST}",
        f"https://{HOST}/v1",
        f"https://{HOST}/some/path",
        f"HTTPS://{HOST}",
        f"{HOST}/",
        f"{HOST}/me/app",
        f"{HOST}/me",
    ],
)
def test_keys_of_all_times(home: Path, key: str) -> None:
    write(home / ".docker" / "config.json", auths={key: auth("bob", "x"), "other.example": auth("eve", "x")})
    assert find(home) == Basic("bob", "x")


@pytest.mark.parametrize("before", ["", "\n ", "\ufeff"])
def test_what_follows_the_object_in_a_file_does_not_count(home: Path, before: str) -> None:
    """Docker's client decodes the first value of config.json and reads no further."""
    file = home / ".docker/config.json"
    file.parent.mkdir(parents=True)
    file.write_text(f'{before}{{"auths": {{"r.example": {{"auth": "dTpw"}}}}}}\n}}\n', encoding="utf-8")
    assert CredentialChain({}, home).lookup("r.example") == Basic("u", "p")
    store_credential("other.example", Basic("v", "q"), {}, home)
    assert sorted(json.loads(file.read_text())["auths"]) == ["other.example", "r.example"]


def test_bytes_of_a_password_that_are_not_utf8_are_sent_as_they_are() -> None:
    entry = base64.b64encode(b"b\xf6b:\xfc").decode()
    assert encode_basic(*decode_entry({"auth": entry})[:2]) == entry


def test_names_in_a_file_may_be_in_any_case(home: Path) -> None:
    write(home / ".docker" / "config.json", Auths={HOST: auth("bob", "x")})
    assert find(home) == Basic("bob", "x")


@pytest.mark.parametrize("key", [f"{HOST}/other", f"ftp://{HOST}", f"{HOST}.evil", f"https://{HOST}.evil/v1/"])
def test_keys_of_others(home: Path, key: str) -> None:
    write(home / ".docker" / "config.json", auths={key: auth("bob", "x")})
    assert find(home) == Anonymous()


def test_the_most_specific_key_counts(home: Path) -> None:
    auths = {HOST: auth("host", "x"), f"{HOST}/me": auth("group", "x"), f"{HOST}/me/app": auth("app", "x")}
    write(home / ".docker" / "config.json", auths=auths)
    assert find(home).username == "app"
    del auths[f"{HOST}/me/app"]
    write(home / ".docker" / "config.json", auths=auths)
    assert find(home).username == "group"


@pytest.mark.parametrize(
    "key", [HUB_KEY, "docker.io", "index.docker.io", "https://registry-1.docker.io", "docker.io/me"]
)
def test_docker_hub_has_many_names(home: Path, key: str) -> None:
    write(home / ".docker" / "config.json", auths={key: auth("bob", "x")})
    assert find(home, host="docker.io") == Basic("bob", "x")
    assert auth_keys("docker.io", "")[0] == HUB_KEY


@pytest.mark.parametrize(
    "text", ["{", "[]", "\xff", '{"auths": {"registry.example": {"auth": "%%%"}}}', "x" * 5_000_000]
)
def test_a_file_that_cannot_be_used_is_passed_over_with_a_warning(home: Path, warned: list[str], text: str) -> None:
    path = home / ".config" / "containers" / "auth.json"
    path.parent.mkdir(parents=True)
    path.write_text(text, "latin-1")
    write(home / ".docker" / "config.json", auths={HOST: auth("bob", "x")})
    assert find(home, warn=warned.append) == Basic("bob", "x")
    assert len(warned) == 1
    assert str(path) in warned[0]


@pytest.mark.parametrize(
    "content",
    [{"auths": {HOST: {"auth": "bm9jb2xvbg=="}}}, {"auths": 5}, {"auths": {HOST: 5}}, {"credHelpers": []}, {}],
)
def test_odd_shapes_hold_nothing(home: Path, content: dict[str, Any]) -> None:
    write(home / ".docker" / "config.json", **content)
    assert find(home) == Anonymous()


def test_an_empty_file_and_a_folder(home: Path, warned: list[str]) -> None:
    (home / ".docker").mkdir(parents=True)
    (home / ".docker" / "config.json").write_text("\n")
    (home / ".config" / "containers" / "auth.json").mkdir(parents=True)
    assert find(home, warn=warned.append) == Anonymous()
    assert len(warned) == 1


def test_a_variable_that_cannot_be_used(home: Path, warned: list[str]) -> None:
    chain = CredentialChain({"DOCKER_AUTH_CONFIG": "{"}, home, warn=warned.append)
    assert chain.lookup(HOST) == Anonymous()
    assert warned == ["DOCKER_AUTH_CONFIG is not JSON"]
    assert chain.tried == ["DOCKER_AUTH_CONFIG"]


def test_a_helper_may_be_for_a_pattern_of_hosts(home: Path, tmp_path: Path) -> None:
    # docker/cli#2928: one line for all of a company's registries, which come and go.
    file = parse_auth_file(
        json.dumps(
            {
                "credHelpers": {"*.ecr.*.example": "ecr", HOST: "own", "*": "rest"},
                "auths": {},
            }
        ),
        "test",
    )
    assert file.helper_for("1.ecr.eu.example") == ("ecr", "1.ecr.eu.example")
    assert file.helper_for(HOST) == ("own", HOST)
    assert file.helper_for("other.example") == ("rest", "other.example")
    assert file.hosts == {HOST}
    bin_folder = tmp_path / "bin"
    helper(bin_folder, "ecr", """read host; echo "{\\"Username\\": \\"$host\\", \\"Secret\\": \\"s\\"}" """)
    write(home / ".docker" / "config.json", credHelpers={"*.ecr.*.example": "ecr"})
    environ = {"PATH": f"{bin_folder}:/usr/bin:/bin"}
    assert find(home, environ, "1.ecr.eu.example") == Basic("1.ecr.eu.example", "s")
    assert find(home, environ, "1.ecr.example") == Anonymous()


def test_what_was_tried_is_remembered(home: Path) -> None:
    write(home / ".docker" / "config.json", auths={}, credHelpers={HOST: "absent"})
    chain = CredentialChain({"PATH": ""}, home)
    assert chain.lookup(HOST) == Anonymous()
    assert chain.tried == [str(home / ".docker" / "config.json"), "docker-credential-absent"]
    chain.lookup(HOST)
    assert len(chain.tried) == 2


class TestHelpers:
    @pytest.fixture
    def bin_(self, tmp_path: Path) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir()
        return folder

    @pytest.fixture
    def environ(self, bin_: Path) -> dict[str, str]:
        return {"PATH": f"{bin_}:{os.environ['PATH']}"}

    def test_a_hosts_helper_goes_before_the_store_and_the_entry(
        self, home: Path, bin_: Path, environ: dict[str, str]
    ) -> None:
        helper(bin_, "one", 'read s; echo "{\\"ServerURL\\":\\"$s\\",\\"Username\\":\\"one\\",\\"Secret\\":\\"$s\\"}"')
        helper(bin_, "all", 'read s; echo "{\\"Username\\":\\"all\\",\\"Secret\\":\\"$s\\"}"')
        write(
            home / ".docker" / "config.json",
            auths={HOST: auth("entry", "x")},
            credHelpers={HOST: "one"},
            credsStore="all",
        )
        assert find(home, environ) == Basic("one", HOST)
        assert find(home, environ).source == "docker-credential-one"
        assert find(home, environ, host="other.example") == Basic("all", "other.example")
        assert find(home, environ, host="docker.io") == Basic("all", HUB_KEY)

    def test_a_token_is_an_identity_token(self, home: Path, bin_: Path, environ: dict[str, str]) -> None:
        helper(bin_, "t", 'echo \'{"Username":"<token>","Secret":"refresh"}\'')
        write(home / ".docker" / "config.json", credsStore="t")
        assert find(home, environ) == IdentityToken("refresh")

    @pytest.mark.parametrize(
        "answer",
        [
            '{"serverurl":"x","username":"bob","secret":"x"}',
            '  {"Username":"bob","Secret":"x"}\\nlogged in',
            '{"Username":"bob","Secret":"x"}{"Username":"eve"}',
        ],
    )
    def test_an_answer_is_read_as_dockers_client_reads_it(
        self, home: Path, bin_: Path, environ: dict[str, str], answer: str
    ) -> None:
        helper(bin_, "t", f"printf '{answer}'")
        write(home / ".docker" / "config.json", credsStore="t")
        assert find(home, environ) == Basic("bob", "x")

    def test_what_the_helper_does_not_know_may_stand_in_the_file(
        self, home: Path, bin_: Path, environ: dict[str, str], warned: list[str]
    ) -> None:
        helper(bin_, "none", "echo credentials not found in native keychain; exit 1")
        write(home / ".docker" / "config.json", auths={HOST: auth("entry", "x")}, credsStore="none")
        assert find(home, environ, warn=warned.append) == Basic("entry", "x")
        assert warned == []

    def test_a_helper_that_is_not_installed_is_passed_over(self, home: Path, warned: list[str]) -> None:
        write(home / ".docker" / "config.json", credsStore="desktop.exe")
        assert find(home, {"PATH": ""}, warn=warned.append) == Anonymous()
        assert warned == ["docker-credential-desktop.exe is configured but not installed"]

    @pytest.mark.parametrize(
        "script",
        [
            "echo boom >&2; exit 3",
            "exit 3",
            "echo nonsense",
            "echo '[]'",
            "echo '{}'",
            'echo \'{"Username":1,"Secret":"x"}\'',
        ],
    )
    def test_a_helper_that_fails_is_passed_over(
        self, home: Path, bin_: Path, environ: dict[str, str], warned: list[str], script: str
    ) -> None:
        helper(bin_, "bad", script)
        write(home / ".docker" / "config.json", credsStore="bad")
        assert find(home, environ, warn=warned.append) == Anonymous()
        assert len(warned) == 1
        assert "docker-credential-bad" in warned[0]

    @pytest.mark.parametrize("verb", ["get", "store", "erase"])
    @pytest.mark.parametrize(
        "script",
        [
            'echo \'{"Username":"bob","Secret":"hunter2"}\'',
            'set -x; x=\'{"secret":"hunter2"}\'',
            "cat >&2; echo hunter2 >&2; cat >/dev/null",
        ],
    )
    def test_what_a_helper_says_when_it_fails_shows_no_secret(
        self, bin_: Path, environ: dict[str, str], script: str, verb: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An answer and then a failure, a shell that shows what it does, one that repeats what it was given."""
        monkeypatch.setitem(environ, "PATH", f"{environ['PATH']}:/usr/bin:/bin")
        script = script if verb == "store" else script.replace("echo hunter2", "echo '\"Secret\": hunter2'")
        known = 'echo \'{"Username":"bob","Secret":"hunter2"}\''
        helper(bin_, "bad", f'[ "$1" = {verb} ] || {{ {known}; exit 0; }}\n{script}; exit 3')
        calls: dict[str, Any] = {
            "get": lambda: get_from_helper("bad", HOST, environ),
            "store": lambda: store_with_helper("bad", HOST, "bob", "hunter2", environ),
            "erase": lambda: erase_with_helper("bad", HOST, environ),
        }
        with pytest.raises(HelperError, match="docker-credential-bad failed: exit code 3") as caught:
            calls[verb]()
        assert "hunter2" not in str(caught.value)

    def test_a_helper_with_nothing_to_say(self, bin_: Path, environ: dict[str, str]) -> None:
        helper(bin_, "empty", 'echo \'{"Username":"","Secret":""}\'')
        assert get_from_helper("empty", HOST, environ) is None

    def test_a_helper_is_a_name_and_not_a_path(self, environ: dict[str, str]) -> None:
        with pytest.raises(HelperError, match="not the name"):
            get_from_helper("../../bin/sh", HOST, environ)

    def test_a_helper_that_cannot_be_started(self, bin_: Path, environ: dict[str, str]) -> None:
        path = bin_ / "docker-credential-broken"
        path.write_bytes(b"\x7fELF nonsense")
        path.chmod(0o700)
        with pytest.raises(HelperError, match="cannot be started"):
            get_from_helper("broken", HOST, environ)

    @pytest.mark.parametrize("script", ["exec yes", "yes >&2", "yes | cat"])
    def test_a_helper_that_prints_without_end_is_ended(
        self, bin_: Path, environ: dict[str, str], script: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its output was read until the memory was full: "internal error, a bug"."""
        monkeypatch.setitem(environ, "PATH", f"{environ['PATH']}:/usr/bin:/bin")
        helper(bin_, "endless", script)
        with pytest.raises(HelperError, match="prints more than"):
            get_from_helper("endless", HOST, environ)

    def test_a_child_that_a_helper_leaves_behind_does_not_cost_its_answer(
        self, bin_: Path, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It held the output open, which cost 60 s, a valid credential, and a thread (so no guest was isolated)."""
        monkeypatch.setitem(environ, "PATH", f"{environ['PATH']}:/usr/bin:/bin")
        answer = json.dumps({"ServerURL": HOST, "Username": "bob", "Secret": "x"})
        helper(bin_, "agent", f"sleep 600 & echo $! > {tmp_path}/child; echo '{answer}'")
        try:
            before = set(threading.enumerate())
            assert get_from_helper("agent", HOST, environ) == ("bob", "x")
            assert not set(threading.enumerate()) - before
        finally:
            os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)

    def test_a_helper_that_is_waited_for_is_named(
        self, bin_: Path, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It answers after it was named, and not before."""
        monkeypatch.setattr("wasm2oci.registry.helpers.SILENCE", 0.01)
        monkeypatch.setitem(environ, "PATH", f"{environ['PATH']}:/usr/bin:/bin")
        named = tmp_path / "named"
        os.mkfifo(named)
        helper(bin_, "slow", f'read line < {named}; echo "{{\\"Username\\": \\"$line\\", \\"Secret\\": \\"x\\"}}"')

        def warn(text: str) -> None:
            named.write_text(f"{text}\n")

        found = get_from_helper("slow", HOST, environ, warn)
        assert found == ("still waiting for docker-credential-slow", "x")

    def test_a_helper_that_does_not_answer_is_ended_with_its_children(
        self, bin_: Path, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("wasm2oci.registry.helpers._PATIENCE", 0.3)
        monkeypatch.setitem(environ, "PATH", f"{environ['PATH']}:/usr/bin:/bin")
        lives = tmp_path / "lives"
        os.mkfifo(lives)
        helper(bin_, "stuck", f"sleep 600 > {lives} & sleep 600")
        reader = os.open(lives, os.O_RDONLY | os.O_NONBLOCK)
        with pytest.raises(HelperError, match="did not answer"):
            get_from_helper("stuck", HOST, environ)
        os.set_blocking(reader, True)
        assert os.read(reader, 1) == b"", "its child has ended too"
        os.close(reader)

    def test_a_helper_that_reads_nothing_is_not_waited_for(self, bin_: Path, environ: dict[str, str]) -> None:
        helper(bin_, "deaf", 'exec 0<&-; echo \'{"Username":"a","Secret":"b"}\'')
        store_with_helper("deaf", HOST, "bob", "x" * 1_000_000, environ)

    def test_storing_and_erasing(self, bin_: Path, environ: dict[str, str], tmp_path: Path) -> None:
        kept = tmp_path / "kept"
        helper(
            bin_,
            "file",
            f"case $1 in store) cat > {kept};; get) [ -f {kept} ] && cat {kept} || "
            f"{{ echo credentials not found; exit 1; }};; erase) rm {kept};; esac",
        )
        assert not erase_with_helper("file", HOST, environ)
        store_with_helper("file", HOST, "bob", "x", environ)
        assert json.loads(kept.read_text()) == {"ServerURL": HOST, "Username": "bob", "Secret": "x"}
        assert get_from_helper("file", HOST, environ) == ("bob", "x")
        assert erase_with_helper("file", HOST, environ)
        assert not kept.exists()

    def test_storing_and_erasing_that_fail(self, bin_: Path, environ: dict[str, str]) -> None:
        helper(bin_, "ro", 'case $1 in get) echo \'{"Username":"a","Secret":"b"}\';; *) echo locked; exit 1;; esac')
        with pytest.raises(HelperError, match="locked"):
            store_with_helper("ro", HOST, "bob", "x", environ)
        with pytest.raises(HelperError, match="locked"):
            erase_with_helper("ro", HOST, environ)
