"""A policy on what modules may do looks into every module that would be copied, wherever an artifact keeps it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.transcripts import HELLO
from tests.support.artifacts import Stash, tar
from tests.support.registry_server import registry_server
from tests.support.signing_tool import make_tool
from tests.support.wasm_sections import custom, module
from wasm2oci.errors import ExitCode
from wasm2oci.oci import media_type as mt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.signing_tool import Tool

SLEEPS = module(bytes.fromhex("010401600000") + b"\x02\x0d\x01\x03env\x05sleep\x00\x00")
"""A module that imports `env.sleep`."""
RULE = '[rule.module]\ndeny_imports = ["env"]\n'
TITLE = "org.opencontainers.image.title"

SECOND_LAYERS: dict[str, tuple[str, bytes, str | None]] = {
    "of the same type": ("application/wasm", SLEEPS, None),
    "of another tool's type": ("application/vnd.module.wasm.content.layer.v1+wasm", SLEEPS, None),
    "of an unknown type with a title": ("application/vnd.example.part", SLEEPS, "part.wasm"),
    "of an unknown type": ("application/octet-stream", SLEEPS, None),
    "that says it is text": ("text/plain", SLEEPS, "README.txt"),
    "in an archive": (mt.OCI_LAYER_TAR_GZIP, tar({"a/b": SLEEPS}), None),
    "in an archive beside another": (mt.OCI_LAYER_TAR, tar({"a": HELLO, "z": SLEEPS}, compress=False), None),
    "in a layer of docker": (mt.DOCKER_LAYER_TAR_GZIP, tar({"plugin.wasm": HELLO, "b.wasm": SLEEPS}), None),
    "that says it is an archive": (mt.OCI_LAYER_TAR, SLEEPS, None),
}


@pytest.fixture
def tool(tmp_path: Path) -> Iterator[Tool]:
    keys = tmp_path / "keys"
    keys.mkdir()
    with registry_server() as registry:
        made = make_tool(tmp_path, keys, registry)
        made.policy(made.rule(RULE))
        yield made


def refused(tool: Tool, *more: str, source: str = "") -> None:
    ran = tool("copy", *more, source or tool.ref, "oci-layout:to", code=ExitCode.INTEGRITY)
    assert "imports env.sleep" in ran.stderr
    assert not (tool.folder / "to").exists()


@pytest.mark.parametrize("place", SECOND_LAYERS)
@pytest.mark.parametrize("first", [True, False])
def test_a_second_module_is_looked_into(tool: Tool, place: str, *, first: bool) -> None:
    media_type, data, title = SECOND_LAYERS[place]
    with tool.repository() as target:
        stash = Stash(target)
        layers = [
            stash.put("application/wasm", HELLO),
            stash.put(media_type, data, annotations={} if title is None else {TITLE: title}),
        ]
        stash.manifest(*(layers if first else reversed(layers)), tag="v1")
    refused(tool)
    refused(tool, "-r")
    refused(tool, "--tags", "*", source=tool.ref.removesuffix(":v1"))
    checked = tool("policy", "check", tool.ref, code=ExitCode.INTEGRITY)
    assert "imports env.sleep" in checked.stdout
    tool.policy(tool.rule('[rule.module]\ndeny_imports = ["other"]\n'))
    tool("copy", tool.ref, "oci-layout:to")


def test_a_layer_that_is_no_module_is_none(tool: Tool) -> None:
    with tool.repository() as target:
        stash = Stash(target)
        data = [stash.put("text/plain", text) for text in (b"", b"\0as", b"\0asn" + SLEEPS[4:], b" " + SLEEPS)]
        stash.manifest(stash.put("application/wasm", HELLO), *data, tag="v1")
    tool("copy", tool.ref, "oci-layout:to")


def test_a_file_that_an_upper_layer_hides_is_not_there(tool: Tool) -> None:
    with tool.repository() as target:
        Stash(target).image(tar({"a.wasm": SLEEPS}), tar({".wh.a.wasm": b"", "b.wasm": HELLO}), tag="v1")
    tool("copy", tool.ref, "oci-layout:to")


def test_an_image_is_looked_into_although_it_does_not_speak_of_modules(tool: Tool) -> None:
    with tool.repository() as target:
        stash = Stash(target)
        image = stash.image(tar([("bin/app", SLEEPS)]), config={"os": "linux", "architecture": "amd64"})
        stash.index(stash.module(HELLO), image, tag="v1")
    refused(tool)


def test_what_refers_to_an_artifact_is_looked_into_where_it_is_copied_along(tool: Tool) -> None:
    with tool.repository() as target:
        stash = Stash(target)
        subject = stash.module(HELLO, tag="v1")
        stash.manifest(stash.put("application/wasm", SLEEPS), subject=subject, artifactType="application/vnd.example")
    tool("copy", tool.ref, "oci-layout:plain")
    refused(tool, "-r")


@pytest.mark.parametrize("ending", ["sig", "att", "sbom"])
def test_what_lies_under_a_legacy_tag_is_looked_into_where_it_is_copied_along(tool: Tool, ending: str) -> None:
    with tool.repository() as target:
        stash = Stash(target)
        subject = stash.module(HELLO, tag="v1")
        stash.module(SLEEPS, tag=f"{subject.digest}.{ending}".replace(":", "-"))
    tool("copy", tool.ref, "oci-layout:plain")
    refused(tool, "-r")


def test_an_index_of_modules_for_several_platforms_is_explained(tool: Tool) -> None:
    with tool.repository() as target:
        stash = Stash(target)
        entries = [
            {**stash.module(data).to_json(), "platform": {"os": name, "architecture": "wasm"}}
            for name, data in (("wasi", HELLO), ("wasip1", HELLO + custom("x", b"y")))
        ]
        stash.document(mt.OCI_INDEX, {"manifests": entries}, "v1")
    assert tool("policy", "check", tool.ref).stdout == "allowed\n"
    tool.policy(tool.rule("[rule.module]\nmax_size = 10\n"))
    explained = json.loads(tool("policy", "explain", tool.ref, "--format", "json").stdout)
    assert len(explained["decisions"][0]["missing"]) == 2


def test_an_artifact_of_more_than_may_be_copied_is_not_read(tool: Tool) -> None:
    with tool.repository() as target:
        stash = Stash(target)
        layer = stash.put("text/plain", b"x" * 2000)
        stash.manifest(stash.put("application/wasm", HELLO), layer, tag="v1")
    ran = tool("copy", "--max-size", "1000", tool.ref, "oci-layout:to", code=ExitCode.INVALID)
    assert "the limit is 1,000, and no module in it was looked into" in ran.stderr
    assert "hint: allow it with --max-size 1GiB" in ran.stderr
