"""`push --annotate-from`: the module, git, and package files."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.support import invoke
from tests.cli.transcripts import HELLO
from tests.unit.packager.test_metadata import custom
from wasm2oci.packager.metadata import IMAGE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.support import Ran

ENV = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_CEILING_DIRECTORIES": "/"}


def push(folder: Path, *options: str, fails: int = 0) -> Ran:
    env = {**ENV, "HOME": str(folder / "home")}
    ran = invoke("push", "a.wasm", "oci-layout:out:v1", *options, cwd=folder, env=env)
    assert ran.code == fails, ran.stderr
    return ran


def stated(folder: Path) -> dict[str, Any]:
    ran = invoke("manifest", "get", "oci-layout:out:v1", cwd=folder)
    found: dict[str, Any] = json.loads(ran.stdout).get("annotations", {})
    return {key.removeprefix(IMAGE): value for key, value in found.items()}


def test_nothing_is_annotated_unless_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.wasm").write_bytes(HELLO + custom("version", b"1.0"))
    push(tmp_path)
    assert stated(tmp_path) == {}


def test_the_later_source_goes_first_and_what_is_stated_before_all(tmp_path: Path) -> None:
    (tmp_path / "a.wasm").write_bytes(HELLO + custom("version", b"1.0") + custom("licenses", b"MIT"))
    (tmp_path / "package.json").write_text('{"version": "2.0", "description": "d", "author": "a"}')
    push(tmp_path, "--annotate-from", "module", "--annotate-from", "package.json", "-a", f"{IMAGE}description=mine")
    assert stated(tmp_path) == {"version": "2.0", "licenses": "MIT", "authors": "a", "description": "mine"}
    push(tmp_path, "--annotate-from", "nothing.toml", fails=4)
    (tmp_path / "empty.json").write_text("{}")
    push(tmp_path, "--annotate-from", "empty.json", fails=3)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed: apt-get install git")
@pytest.mark.parametrize(
    ("remote", "source"),
    [
        ("https://me:secret@example.com/me/app.git", "https://example.com/me/app"),
        ("git@example.com:me/app.git", "https://example.com/me/app"),
        ("ssh://git@example.com:2222/me/app", "https://example.com/me/app"),
        ("/srv/app.git", None),
    ],
)
def test_git_says_source_revision_and_version(tmp_path: Path, remote: str, source: str | None) -> None:
    (tmp_path / "a.wasm").write_bytes(HELLO)

    def git(*words: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        ran = subprocess.run(
            ["git", *identity, *words],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
            env={**ENV, "PATH": "/usr/bin:/bin"},
        )
        return ran.stdout.strip()

    push(tmp_path, "--annotate-from", "git", fails=4)
    git("init", "-q", ".")
    push(tmp_path, "--annotate-from", "git", fails=3)
    git("remote", "add", "origin", remote)
    git("add", "a.wasm")
    git("commit", "-q", "-m", "one")
    git("tag", "v1.2")
    assert push(tmp_path, "--annotate-from", "git").stderr.count("warning") == 0
    expected = {"revision": git("rev-parse", "HEAD"), "version": "v1.2"}
    assert stated(tmp_path) == (expected if source is None else {**expected, "source": source})
    (tmp_path / "a.wasm").write_bytes(HELLO + custom("x", b"y"))
    assert "changes that are not committed" in push(tmp_path, "--annotate-from", "git").stderr
