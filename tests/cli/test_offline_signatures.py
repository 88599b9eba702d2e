"""Runs of signed artifacts without their registry: what was fetched before is verified again, and not believed."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.support.registry_server import registry_server
from tests.support.signing_tool import make_keys, make_tool
from wasm2oci.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


OURS = '[[rule.all_of]]\nkind = "key"\npath = "ours.pub"\n'
THEIRS = OURS.replace("ours", "theirs")
RUN = ("run", "--invoke", "run")
NEVER = (*RUN, "--pull", "never")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_keys(tmp_path_factory.mktemp("keys"))


class Offline:
    """The tool, with a registry that can be shut down."""

    def __init__(self, folder: Path, keys: Path, stack: ExitStack) -> None:
        self._stack = stack
        self.tool = make_tool(folder, keys, stack.enter_context(registry_server()))
        self.cache = folder / "home" / ".cache" / "wasm2oci"
        self.digest = self.tool.push()
        self.tool("sign", self.tool.ref, "--key", "ours.key")
        self.tool.policy(self.tool.rule(OURS))

    def end(self) -> None:
        """Shut the registry down."""
        self._stack.close()


@pytest.fixture
def offline(tmp_path: Path, keys: Path) -> Iterator[Offline]:
    with ExitStack() as stack:
        yield Offline(tmp_path, keys, stack)


def test_what_was_verified_once_runs_without_the_registry(offline: Offline) -> None:
    tool = offline.tool
    refused = tool(*NEVER, tool.ref, code=ExitCode.NOT_FOUND)
    assert "was not fetched before" in refused.stderr
    tool(*RUN, tool.ref)
    offline.end()
    assert tool(*NEVER, tool.ref).stdout == "42\n"
    tool(*NEVER, "--verify-key", "ours.pub", tool.ref)
    for name in (tool.ref, f"{tool.ref.removesuffix(':v1')}@{offline.digest}"):
        ran = tool(*RUN, name)
        assert "when it was last fetched" in ran.stderr
        assert ran.stdout == "42\n"


def test_the_policy_of_now_decides_about_the_signatures_of_then(offline: Offline) -> None:
    tool = offline.tool
    tool(*RUN, tool.ref)
    offline.end()
    tool.policy(tool.rule(THEIRS))
    for command in (NEVER, RUN):
        assert "not signed by the key" in tool(*command, tool.ref, code=ExitCode.INTEGRITY).stderr
    tool.policy(tool.rule(OURS))
    refused = tool(*NEVER, "--verify-key", "theirs.pub", tool.ref, code=ExitCode.INTEGRITY)
    assert "not signed by the key" in refused.stderr
    tool.policy(tool.rule(OURS + "[rule.module]\nmax_size = 1\n"))
    assert "the policy allows 1" in tool(*NEVER, tool.ref, code=ExitCode.INTEGRITY).stderr
    tool.policy(tool.rule('enforce = "warn"\n' + THEIRS))
    assert "warning: " in tool(*NEVER, tool.ref).stderr


def test_signatures_that_were_never_fetched_are_missing(offline: Offline) -> None:
    tool = offline.tool
    tool.policy("")
    tool(*RUN, tool.ref)  # without a policy it fetches only the module
    offline.end()
    tool(*NEVER, tool.ref)
    tool.policy(tool.rule(OURS))
    assert "must not be asked" in tool(*NEVER, tool.ref, code=ExitCode.INTEGRITY).stderr
    tool(*RUN, tool.ref, code=ExitCode.REGISTRY)


@pytest.mark.parametrize("damage", ["the documents", "the notes", "the list", "another artifact's list"])
def test_a_cache_that_was_changed_does_not_make_an_artifact_signed(offline: Offline, damage: str) -> None:
    tool = offline.tool
    tool(*RUN, tool.ref)
    before = {path: path.read_bytes() for path in offline.cache.glob("blobs/sha256/*")}
    assert before
    if damage == "the documents":
        for path, raw in before.items():
            if b"sigstore" in raw or b"docker-manifest-digest" in raw:
                path.write_bytes(raw.replace(b"1", b"2"))
    elif damage == "the notes":
        for path in offline.cache.glob("references/*.json"):
            path.write_bytes(path.read_bytes().replace(b"sha256:", b"sha256:0")[:-1])
    elif damage == "the list":
        for path, raw in before.items():
            if b'"signatures"' in raw:
                path.write_bytes(b"{" * len(raw))
    else:
        other = f"{tool.registry.address}/team/other:v1"
        tool.push(b"\0asm\1\0\0\0", other)
        tool("sign", other, "--key", "ours.key")
        tool("verify", other, "--key", "ours.pub")
        theirs = offline.cache / "theirs"
        shutil.copytree(offline.cache / "references", theirs)
        for path in offline.cache.glob("references/*.json"):
            path.write_bytes(next(one for one in theirs.glob("*.json") if one.name != path.name).read_bytes())
    offline.end()
    tool(*NEVER, tool.ref, code=ExitCode.NOT_FOUND if damage in {"the notes", "another artifact's list"} else 6)
