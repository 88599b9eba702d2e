"""Completion of registries, layouts and tags."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.support import invoke
from tests.cli.transcripts import HELLO
from tests.support.registry_server import registry_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A home with credentials, and a folder with a layout in it."""
    config = tmp_path / ".docker" / "config.json"
    config.parent.mkdir()
    entry = {"auth": "bWU6aXQ="}
    auths = {"ghcr.io": entry, "https://index.docker.io/v1/": entry, "quay.io/me/app": entry, "weird://x": entry}
    config.write_text(json.dumps({"auths": auths, "credHelpers": {"gcr.io": "gcloud"}}))
    (tmp_path / "hello.wasm").write_bytes(HELLO)
    (tmp_path / ".hidden").mkdir()
    assert invoke("push", "hello.wasm", "oci-layout:lay/out:v1", cwd=tmp_path).code == 0
    assert invoke("push", "hello.wasm", "oci-layout:lay/out:w2", cwd=tmp_path).code == 0
    return tmp_path


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    with registry_server() as running:
        yield running.address


def found(folder: Path, *words: str, env: dict[str, str] | None = None) -> list[str]:
    ran = invoke("__complete", *words, cwd=folder, env={"HOME": str(folder), **(env or {})})
    assert (ran.code, ran.stderr) == (0, "")
    return ran.stdout.splitlines()


def test_registries_with_kept_credentials_are_completed(folder: Path) -> None:
    hosts = ["docker.io", "gcr.io", "ghcr.io", "quay.io"]
    assert found(folder, "login", "") == hosts
    assert found(folder, "logout", "g") == ["gcr.io", "ghcr.io"]
    assert found(folder, "resolve", "") == [*(f"{host}/" for host in hosts), "oci-archive:", "oci-layout:"]
    assert found(folder, "push", "hello.wasm", "ghc") == ["ghcr.io/"]
    assert found(folder, "copy", "oci-layout:lay/out:v1", "q") == ["quay.io/"]


def test_archives_and_their_tags_are_completed(folder: Path) -> None:
    assert invoke("copy", "oci-layout:lay/out:v1", "oci-archive:lay/saved.tar:v1", cwd=folder).code == 0
    assert found(folder, "pull", "oci-ar") == ["oci-archive:"]
    assert found(folder, "pull", "oci-archive:") == ["oci-archive:lay/"]
    assert found(folder, "pull", "oci-archive:lay/") == ["oci-archive:lay/out/", "oci-archive:lay/saved.tar:"]
    assert found(folder, "pull", "oci-archive:lay/saved.tar:") == ["oci-archive:lay/saved.tar:v1"]


@pytest.mark.parametrize("command", ["inspect", "run", "validate"])
def test_where_a_file_may_come_the_shell_completes_it(folder: Path, command: str) -> None:
    assert found(folder, command, "") == []
    assert found(folder, command, "hel") == []
    assert found(folder, command, "oci-layout:lay/out:v") == ["oci-layout:lay/out:v1"]


def test_layouts_and_their_tags_are_completed(folder: Path) -> None:
    assert found(folder, "pull", "oci-layout:") == ["oci-layout:lay/"]
    assert found(folder, "pull", "oci-layout:.h") == ["oci-layout:.hidden/"]
    assert found(folder, "pull", "oci-layout:lay/") == ["oci-layout:lay/out:"]
    assert found(folder, "pull", f"oci-layout:{folder}/lay/o") == [f"oci-layout:{folder}/lay/out:"]
    assert found(folder, "pull", "oci-layout:lay/out:") == ["oci-layout:lay/out:v1", "oci-layout:lay/out:w2"]
    assert found(folder, "pull", "oci-layout:nothing/") == []
    assert found(folder, "pull", "oci-layout:" + "a" * 300) == []


def test_tags_of_a_registry_are_asked_for_with_the_options_so_far(folder: Path, registry: str) -> None:
    assert invoke("push", "hello.wasm", f"{registry}/me/app:v1,v2,old", cwd=folder).code == 0
    place = f"{registry}/me/app"
    assert found(folder, "pull", f"{place}:v") == [f"{place}:v1", f"{place}:v2"]
    assert found(folder, "pull", "--plain-http", "-o", "x", f"{place}:o") == [f"{place}:old"]
    assert found(folder, "pull", "--ca-file", "nothing.pem", f"{place}:v") == []
    assert found(folder, "pull", "--nosuch", f"{place}:v") == []
    assert found(folder, "pull", f"{registry}/no/such:") == []
    assert found(folder, "pull", "127.0.0.1:1/me/app:") == []
    assert found(folder, "login", "-u", "me", "--password-stdin", "gh") == ["ghcr.io"]


def test_a_broken_configuration_completes_nothing_and_says_nothing(folder: Path) -> None:
    (folder / ".docker" / "config.json").write_text("{")
    assert found(folder, "login", "") == []
