"""What login and logout leave behind, and what they leave alone."""

import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.support.network import Answer, Network
from wasm2oci.errors import InvalidInputError, LocalIOError
from wasm2oci.registry.credentials import Anonymous, Basic, CredentialChain, IdentityToken
from wasm2oci.registry.docker_config import update_auth_file
from wasm2oci.registry.flavours import HUB_KEY
from wasm2oci.registry.login import IncompleteLogoutError, Stored, erase_credential, store_credential

HOST = "registry.example"
BOB = Basic("bob", "s3cret")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def read(path: Path) -> dict[str, Any]:
    value = json.loads(path.read_text())
    assert isinstance(value, dict)
    return value


def test_a_login_is_found_again_and_readable_only_by_its_user(home: Path) -> None:
    path = home / ".docker" / "config.json"
    assert store_credential(HOST, BOB, {}, home) == Stored(str(path), plaintext=True)
    assert read(path) == {"auths": {HOST: {"auth": "Ym9iOnMzY3JldA=="}}}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert CredentialChain({}, home).lookup(HOST) == BOB
    assert [entry.name for entry in path.parent.iterdir()] == ["config.json"]


def test_an_identity_token_is_found_again(home: Path) -> None:
    store_credential(HOST, IdentityToken("refresh"), {}, home)
    assert CredentialChain({}, home).lookup(HOST) == IdentityToken("refresh")


def test_docker_hub_is_kept_under_its_own_key(home: Path) -> None:
    store_credential("docker.io", BOB, {}, home)
    assert list(read(home / ".docker" / "config.json")["auths"]) == [HUB_KEY]
    assert CredentialChain({}, home).lookup("docker.io") == BOB
    assert erase_credential("docker.io", {}, home) == [str(home / ".docker" / "config.json")]


def test_everything_else_in_the_file_stays(home: Path) -> None:
    path = home / ".docker" / "config.json"
    path.parent.mkdir()
    before = {"HttpHeaders": {"X": "y"}, "unknown": [1, {"deep": None}], "auths": {"other.example": {"auth": "eA=="}}}
    path.write_text(json.dumps(before))
    path.chmod(0o644)
    store_credential(HOST, BOB, {}, home)
    after = read(path)
    assert after.pop("auths") == {"other.example": {"auth": "eA=="}, HOST: {"auth": "Ym9iOnMzY3JldA=="}}
    assert after == {"HttpHeaders": {"X": "y"}, "unknown": [1, {"deep": None}]}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert erase_credential(HOST, {}, home) == [str(path)]
    assert read(path) == before


def test_a_symbolic_link_stays_one(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles.json"
    target.write_text("{}")
    (home / ".docker").mkdir()
    (home / ".docker" / "config.json").symlink_to(target)
    store_credential(HOST, BOB, {}, home)
    assert (home / ".docker" / "config.json").is_symlink()
    assert HOST in read(target)["auths"]


def test_the_file_that_is_named_is_the_one(home: Path, tmp_path: Path) -> None:
    named = tmp_path / "named.json"
    assert store_credential(HOST, BOB, {"REGISTRY_AUTH_FILE": str(named)}, home).where == str(named)
    explicit = tmp_path / "explicit.json"
    assert store_credential(HOST, BOB, {"REGISTRY_AUTH_FILE": str(named)}, home, explicit).where == str(explicit)
    docker = tmp_path / "docker"
    assert store_credential(HOST, BOB, {"DOCKER_CONFIG": str(docker)}, home).where == str(docker / "config.json")
    assert not (home / ".docker").exists()


def test_a_login_replaces_what_the_next_command_would_use(home: Path) -> None:
    podman = home / ".config" / "containers" / "auth.json"
    podman.parent.mkdir(parents=True)
    podman.write_text(json.dumps({"auths": {f"https://{HOST}/v1/": {"auth": "b2xkOm9sZA=="}}}))
    assert store_credential(HOST, BOB, {}, home) == Stored(str(podman), plaintext=True)
    assert CredentialChain({}, home).lookup(HOST) == BOB


@pytest.mark.parametrize(
    ("environ", "source"),
    [
        ({"DOCKER_AUTH_CONFIG": json.dumps({"auths": {HOST: {"auth": "b2xkOm9sZA=="}}})}, "DOCKER_AUTH_CONFIG"),
        ({"WASM2OCI_REGISTRY": HOST, "WASM2OCI_REGISTRY_PASSWORD": "old"}, "WASM2OCI_REGISTRY_PASSWORD"),
    ],
)
def test_a_variable_that_goes_before_a_login_is_reported(home: Path, environ: dict[str, str], source: str) -> None:
    assert store_credential(HOST, BOB, environ, home).hidden_by == source


def test_a_logout_forgets_everywhere(home: Path) -> None:
    for path in (home / ".docker" / "config.json", home / ".config" / "containers" / "auth.json"):
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"auths": {HOST: {"auth": "eDp5"}, f"https://{HOST}/v1/": {"auth": "eDp5"}}}))
    assert len(erase_credential(HOST, {}, home)) == 2
    assert erase_credential(HOST, {}, home) == []
    assert not read(home / ".docker" / "config.json")["auths"]


@pytest.mark.parametrize("name", ["Auths", "AUTHS"])
def test_entries_under_a_name_in_another_case_are_changed_where_they_are(home: Path, name: str) -> None:
    """Docker's client reads them. They stayed there, and a new `auths` beside them hid those of other registries."""
    path = home / ".docker" / "config.json"
    path.parent.mkdir()
    path.write_text(json.dumps({name: {HOST: {"auth": "eDp5"}, "other.example": {"auth": "eDp5"}}}))
    store_credential(HOST, BOB, {}, home)
    assert CredentialChain({}, home).lookup("other.example") == Basic("x", "y")
    assert erase_credential(HOST, {}, home) == [str(path)]
    assert read(path) == {name: {"other.example": {"auth": "eDp5"}}}


def test_a_logout_forgets_an_entry_that_is_there_under_two_names(home: Path) -> None:
    path = home / ".docker" / "config.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"Auths": {HOST: {"auth": "eDp5"}}, "auths": {HOST: {"auth": "eDp5"}}}))
    erase_credential(HOST, {}, home)
    assert read(path) == {"Auths": {}, "auths": {}}


def test_a_logout_changes_the_legacy_file_too(home: Path) -> None:
    path = home / ".dockercfg"
    path.write_text(json.dumps({HOST: {"auth": "eDp5"}, "other.example": {"auth": "eDp5"}}))
    assert erase_credential(HOST, {}, home) == [str(path)]
    assert read(path) == {"other.example": {"auth": "eDp5"}}
    assert CredentialChain({}, home).lookup(HOST) == Anonymous()


def test_an_empty_entry_means_no_login(home: Path) -> None:
    path = home / ".docker" / "config.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"auths": {HOST: {}}}))
    assert erase_credential(HOST, {}, home) == []


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_broken_file_is_left_alone(home: Path, text: str) -> None:
    path = home / ".docker" / "config.json"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(InvalidInputError):
        store_credential(HOST, BOB, {}, home)
    assert path.read_text() == text
    with pytest.raises(IncompleteLogoutError, match="may still be stored"):
        erase_credential(HOST, {}, home)
    assert path.read_text() == text


def test_leftovers_of_a_killed_process_hinder_no_login(home: Path) -> None:
    path = home / ".docker" / "config.json"
    path.parent.mkdir(parents=True)
    (path.parent / f".config.json.{os.getpid()}.tmp").write_text("half")  # a container's processes have few numbers
    store_credential(HOST, Basic("me", "x"), {}, home)
    assert CredentialChain({}, home).lookup(HOST) == Basic("me", "x")


def test_headers_for_dockers_daemon_reach_no_registry(home: Path) -> None:
    path = home / ".docker" / "config.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"HttpHeaders": {"X-Secret": "for the daemon"}}))
    network = Network({f"https://{HOST}": lambda _: Answer(200, {}, b"{}")})
    with network.connector(environ={}, home=home) as connector:
        connector.ping(HOST)
    assert network.at(f"https://{HOST}")
    assert not [sent for sent in network.at(f"https://{HOST}") if "x-secret" in sent.headers]


def test_a_place_that_cannot_be_written(home: Path) -> None:
    (home / ".docker").write_text("a file where the folder should be")
    with pytest.raises(LocalIOError):
        store_credential(HOST, BOB, {}, home)
    with pytest.raises(LocalIOError):
        store_credential(HOST, BOB, {}, home, home)
    assert [entry.name for entry in home.iterdir()] == [".docker"]


class TestWithAHelper:
    @pytest.fixture
    def environ(self, tmp_path: Path) -> dict[str, str]:
        path = tmp_path / "docker-credential-box"
        kept = tmp_path / "kept"
        path.write_text(
            f"#!/bin/sh\ncase $1 in store) cat > {kept};; get) [ -f {kept} ] && cat {kept} || "
            f"{{ echo credentials not found; exit 1; }};; erase) rm {kept};; esac\n"
        )
        path.chmod(0o700)
        return {"PATH": f"{tmp_path}:{os.environ['PATH']}"}

    @pytest.mark.parametrize("credential", [BOB, IdentityToken("refresh")])
    def test_the_secret_goes_to_the_helper_and_not_into_the_file(
        self, home: Path, environ: dict[str, str], credential: Basic | IdentityToken
    ) -> None:
        path = home / ".docker" / "config.json"
        path.parent.mkdir()
        path.write_text('{"credsStore": "box"}')
        assert store_credential(HOST, credential, environ, home) == Stored("docker-credential-box", plaintext=False)
        assert read(path) == {"credsStore": "box", "auths": {HOST: {}}}
        assert CredentialChain(environ, home).lookup(HOST) == credential
        assert erase_credential(HOST, environ, home) == ["docker-credential-box"]
        assert erase_credential(HOST, environ, home) == []

    def test_a_helper_that_is_not_installed_is_an_error_of_login_and_of_logout(self, home: Path) -> None:
        path = home / ".docker" / "config.json"
        path.parent.mkdir()
        path.write_text('{"credsStore": "absent"}')
        with pytest.raises(LocalIOError, match="not installed"):
            store_credential(HOST, BOB, {"PATH": ""}, home)
        with pytest.raises(IncompleteLogoutError, match="may still be stored: docker-credential-absent"):
            erase_credential(HOST, {"PATH": ""}, home)

    @pytest.mark.parametrize("verb", ["get", "erase"])
    def test_a_logout_goes_on_after_a_failing_helper_and_reports_it(
        self, home: Path, tmp_path: Path, verb: str
    ) -> None:
        path = tmp_path / "docker-credential-stuck"
        path.write_text(
            f"#!/bin/sh\n[ $1 = {verb} ] && {{ echo the vault is sealed; exit 1; }}\n"
            'echo \'{"ServerURL": "x", "Username": "bob", "Secret": "s3cret"}\'\n'
        )
        path.chmod(0o700)
        config, podman = home / ".docker" / "config.json", home / ".config" / "containers" / "auth.json"
        for file, extra in ((podman, {"credsStore": "stuck"}), (config, {})):
            file.parent.mkdir(parents=True)
            file.write_text(json.dumps({"auths": {HOST: {"auth": "eDp5"}}, **extra}))
        with pytest.raises(IncompleteLogoutError) as caught:
            erase_credential(HOST, {"PATH": f"{tmp_path}:{os.environ['PATH']}"}, home)
        assert "the vault is sealed" in caught.value.message
        assert str(config) in caught.value.message
        assert (read(config)["auths"], read(podman)["auths"]) == ({}, {})


def test_logins_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    """Of 8 at once 3 to 5 were kept, and all said that they were."""
    path = tmp_path / "docker" / "config.json"
    start = threading.Barrier(8)

    def login(number: int) -> None:
        start.wait(30)
        for again in range(5):
            update_auth_file(path, {f"r{number}-{again}.example": {"auth": "YTpi"}})

    threads = [threading.Thread(target=login, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    kept = json.loads(path.read_text())["auths"]
    assert len(kept) == 40
