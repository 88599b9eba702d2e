"""Policy files that cannot be used: each command is refused, and writes nothing."""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.support import invoke
from tests.cli.transcripts import HELLO
from tests.support.registry_server import registry_server
from tests.support.signing_tool import make_keys, make_tool
from tests.support.wasm_sections import custom, module
from wasm2oci.errors import ExitCode, LocalIOError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.operations.environment import Environment
from wasm2oci.operations.trust import TrustOptions, policy_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.signing_tool import Tool

OURS = '[[rule.all_of]]\nkind = "key"\npath = "ours.pub"\n'
SLEEPS = module(bytes.fromhex("010401600000") + b"\x02\x0d\x01\x03env\x05sleep\x00\x00")
"""A module that imports `env.sleep`."""


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def tool(tmp_path: Path, keys: Path) -> Iterator[Tool]:
    with registry_server() as registry:
        made = make_tool(tmp_path, keys, registry)
        made.push()
        yield made


def _link_to_nothing(path: Path) -> None:
    path.symlink_to(path.with_name("not-there"))


def _link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def _folder(path: Path) -> None:
    path.mkdir()


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _not_text(path: Path) -> None:
    path.write_bytes(b"version = 1\n\xff\xfe")


def _large(path: Path) -> None:
    path.write_bytes(b"#" * (1024 * 1024 + 1))


def _marked(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbfversion = 2\n")


UNUSABLE: list[Callable[[Path], None]] = [
    _link_to_nothing,
    _link_to_itself,
    _folder,
    _empty,
    _not_text,
    _large,
    _marked,
]
USES = [("pull", "-o", "out.wasm"), ("run",), ("copy",), ("verify",), ("policy", "check")]


def _used(tool: Tool, use: tuple[str, ...], ref: str = "", **env: str) -> tuple[int, str]:
    """Uses an artifact; returns how that ended."""
    to = ("oci-layout:copied:v1",) if use[0] == "copy" else ()
    variables = {"HOME": str(tool.folder / "home"), **env}
    ran = invoke(*use, ref or tool.ref, *to, env=variables, cwd=tool.folder)
    assert "Traceback" not in ran.stderr
    return ran.code, ran.stderr


@pytest.mark.parametrize("use", USES, ids=lambda use: str(use[0]))
@pytest.mark.parametrize("make", UNUSABLE, ids=lambda make: make.__name__.strip("_"))
@pytest.mark.parametrize("place", ["project", "user"])
def test_a_policy_file_that_cannot_be_read_is_never_passed_over(
    tool: Tool, place: str, make: Callable[[Path], None], use: tuple[str, ...]
) -> None:
    path = tool.folder / "wasm2oci.policy.toml"
    if place == "user":
        path = tool.folder / "home" / ".config" / "wasm2oci" / "policy.toml"
        path.parent.mkdir(parents=True)
    make(path)
    code, message = _used(tool, use)
    assert code in {ExitCode.LOCAL_IO, ExitCode.INVALID, ExitCode.USAGE}, message
    assert path.name in message
    assert not (tool.folder / "out.wasm").exists()
    assert not (tool.folder / "copied").exists()


@pytest.mark.parametrize("home", ["a" * 300, "loop/home"], ids=["name that is too long", "links in a circle"])
def test_where_it_cannot_be_known_whether_there_is_a_policy_nothing_is_used(tool: Tool, home: str) -> None:
    (tool.folder / "loop").symlink_to(tool.folder / "loop")
    for use in USES:
        code, message = _used(tool, use, HOME=str(tool.folder / home))
        assert code == ExitCode.LOCAL_IO, message
    with pytest.raises(LocalIOError, match=r"cannot see|leads nowhere"):
        policy_files(TrustOptions(), Environment({}, tool.folder / home))
    named = Environment({"WASM2OCI_POLICY": "named.toml"}, tool.folder / home)
    assert policy_files(TrustOptions(), named) == (Path("named.toml"),)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only the super-user becomes another one")
def test_a_home_that_is_closed_to_this_user_is_an_error(tool: Tool) -> None:
    closed = tool.folder / "closed"
    (closed / ".config" / "wasm2oci").mkdir(parents=True)
    (closed / ".config" / "wasm2oci" / "policy.toml").write_text("version = 1\n" + tool.rule(OURS))
    closed.chmod(0o700)
    for folder in (tool.folder, *tool.folder.parents):
        folder.chmod(folder.stat().st_mode | 0o055)
    os.seteuid(65534)
    try:
        code, message = _used(tool, ("verify",), HOME=str(closed))
        with pytest.raises(LocalIOError, match=r"cannot see|leads nowhere"):
            policy_files(TrustOptions(), Environment({}, closed))
    finally:
        os.seteuid(0)
    assert code == ExitCode.LOCAL_IO, message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_in_the_place_of_a_policy_is_refused_and_not_waited_for(tool: Tool) -> None:
    pipe = tool.folder / "wasm2oci.policy.toml"
    os.mkfifo(pipe)

    def write() -> None:  # so that who reads from it fails, and does not hang
        with suppress(OSError):
            pipe.write_bytes(b"version = 1\n")

    threading.Thread(target=write, daemon=True).start()
    code, message = _used(tool, USES[0])
    assert code == ExitCode.LOCAL_IO, message
    assert "not a regular file" in message


def test_another_spelling_of_the_registry_does_not_lead_past_a_rule(tool: Tool) -> None:
    tool.policy(tool.rule(OURS))
    port = tool.registry.address.rpartition(":")[2]
    for host in ("127.1", "2130706433", "0x7f.1", "127.0.1"):
        code, message = _used(tool, USES[0], f"{host}:{port}/team/app:v1")
        assert code == ExitCode.INTEGRITY, (host, message)
        assert "is not signed" in message
    code, message = _used(tool, USES[0], f"127.0.0.1:0{port}/team/app:v1")
    assert code == ExitCode.INVALID, message


def test_a_refusal_names_the_file_that_requires_a_signature(tool: Tool) -> None:
    tool.policy('default = "require"\n')
    code, message = _used(tool, USES[0])
    assert code == ExitCode.INTEGRITY
    assert "no rule of the policy covers this repository" in message
    assert "hint: required by " in message
    assert "wasm2oci.policy.toml" in message


def test_the_setting_of_a_trusted_root_counts_for_policies_as_for_pulls(tool: Tool) -> None:
    tool.policy(tool.rule(OURS))
    for use in (USES[0], ("policy", "check")):
        code, message = _used(tool, use, WASM2OCI_TRUSTED_ROOT="nowhere.json")
        assert code == ExitCode.NOT_FOUND, use
        assert "nowhere.json" in message


def test_another_way_to_a_layout_does_not_lead_past_its_rule(tool: Tool) -> None:
    tool("copy", tool.ref, "oci-layout:srv/app:v1")
    (tool.folder / "link").symlink_to(tool.folder / "srv")
    (tool.folder / "deep").mkdir()
    for scope in ("oci-layout:srv/app", "oci-layout:./link/app", f"oci-layout:{tool.folder}/srv/*"):
        tool.policy(f'[[rule]]\nscope = "{scope}"\n{OURS}')
        for way in ("srv/app", "link/app", "deep/../srv/app", "./srv/app", f"{tool.folder}/link/app"):
            code, message = _used(tool, USES[0], f"oci-layout:{way}:v1")
            assert code == ExitCode.INTEGRITY, (scope, way, message)
            assert "is not signed" in message


def _index(tool: Tool, *platforms: tuple[str, bytes]) -> str:
    """Push an index of modules; returns its reference."""
    entries = []
    for number, (platform, data) in enumerate(platforms):
        tool.push(data, f"{tool.registry.address}/team/app:part{number}")
        with tool.repository() as place:
            found = place.resolve(f"part{number}")
        system, _, architecture = platform.partition("/")
        entries.append({**found.to_json(), "platform": {"os": system, "architecture": architecture}})
    raw = json.dumps({"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": entries}).encode()
    with tool.repository() as place:
        place.push(Descriptor.of(mt.OCI_INDEX, raw), [raw], tag="all")
    return f"{tool.registry.address}/team/app:all"


def test_a_copy_looks_into_every_module_of_an_index(tool: Tool) -> None:
    tool.policy(tool.rule('[rule.module]\ndeny_imports = ["env.*"]\n'))
    good = _index(tool, ("wasi/wasm", HELLO), ("linux/amd64", HELLO + custom("x", b"y")))
    tool("copy", good, "oci-layout:good:v1")
    bad = _index(tool, ("wasi/wasm", HELLO), ("linux/amd64", SLEEPS))
    for more in ((), ("-r",), ("--tags", "all")):
        source = bad.removesuffix(":all") if more and more[0] == "--tags" else bad
        to = "oci-layout:bad" if source != bad else "oci-layout:bad:v1"
        refused = tool("copy", *more, source, to, code=ExitCode.INTEGRITY)
        assert "imports env.sleep" in refused.stderr
        assert not list(tool.folder.glob("bad/blobs/*/*")), more
