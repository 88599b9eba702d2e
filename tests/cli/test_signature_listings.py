"""Registries whose listing of referrers is not what the specification says: empty, wrongly typed, endless, or a lie."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.transcripts import HELLO
from tests.support.registry_server import registry_server
from tests.support.signing_tool import make_keys, make_tool
from tests.support.wasm_sections import custom
from wasm2oci.errors import ExitCode
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.server.messages import BytesBody, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.signing_tool import Tool
    from wasm2oci.server.messages import Request

    Handle = Callable[[Request], Response]

EVIL = HELLO + custom("evil", b"x")
SIGNED = ("--sign", "--key", "ours.key")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def tool(tmp_path: Path, keys: Path) -> Iterator[Tool]:
    with registry_server() as registry:
        yield make_tool(tmp_path, keys, registry)


def referrers_answer(body: bytes) -> Callable[[Handle], Handle]:
    def wrap(handle: Handle) -> Handle:
        def answered(request: Request) -> Response:
            if "/referrers/" not in request.target:
                return handle(request)
            return Response(200, (("Content-Type", mt.OCI_INDEX),), BytesBody(body))

        return answered

    return wrap


def without_api(handle: Handle) -> Handle:
    def answered(request: Request) -> Response:
        return Response(404, (), BytesBody(b"")) if "/referrers/" in request.target else handle(request)

    return answered


def test_a_listing_that_is_empty_although_the_fallback_tag_is_not(tmp_path: Path, keys: Path) -> None:
    empty = json.dumps({"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": []}).encode()
    switch: list[Callable[[Handle], Handle]] = [without_api]

    def wrap(handle: Handle) -> Handle:
        def answered(request: Request) -> Response:
            return switch[0](handle)(request)

        return answered

    with registry_server(wrap=wrap) as registry:
        tool = make_tool(tmp_path, keys, registry)
        tool.push(HELLO, "", *SIGNED, "--signature-format", "bundle")
        switch[0] = referrers_answer(empty)
        tool("verify", tool.ref, "--key", "ours.pub")


@pytest.mark.parametrize(
    "kind", [None, "application/vnd.oci.empty.v1+json", "application/vnd.oci.image.config.v1+json"]
)
def test_a_listing_with_the_wrong_artifact_type(tmp_path: Path, keys: Path, kind: str | None) -> None:
    def wrap(handle: Handle) -> Handle:
        def answered(request: Request) -> Response:
            response = handle(request)
            if "/referrers/" not in request.target:
                return response
            value = json.loads(response.read())
            for entry in value["manifests"]:
                entry.pop("artifactType")
                entry.pop("annotations", None)
                if kind is not None:
                    entry["artifactType"] = kind
            return Response(200, (("Content-Type", mt.OCI_INDEX),), BytesBody(json.dumps(value).encode()))

        return answered

    with registry_server(wrap=wrap) as registry:
        tool = make_tool(tmp_path, keys, registry)
        tool.push(HELLO, "", *SIGNED, "--signature-format", "bundle")
        tool("verify", tool.ref, "--key", "ours.pub")


def test_a_listing_without_end_is_refused(tmp_path: Path, keys: Path) -> None:
    entry = {"mediaType": mt.OCI_MANIFEST, "size": 2, "artifactType": "application/vnd.dev.sigstore.bundle.v0.3+json"}
    many = [{**entry, "digest": str(Digest.of(str(number).encode()))} for number in range(1000)]
    body = json.dumps({"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": many}).encode()
    with registry_server(wrap=referrers_answer(body)) as registry:
        tool = make_tool(tmp_path, keys, registry)
        tool.push(HELLO, "", *SIGNED)
        refused = tool("verify", tool.ref, "--key", "ours.pub", code=ExitCode.INTEGRITY)
        assert "1,000 referrers" in refused.stderr
        other = [{**one, "artifactType": "application/vnd.example.scan"} for one in many]
    body = json.dumps({"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": other}).encode()
    with registry_server(wrap=referrers_answer(body)) as registry:
        tool = make_tool(tmp_path, keys, registry)
        tool.push(HELLO, "", *SIGNED, "--signature-format", "legacy")
        tool("verify", tool.ref, "--key", "ours.pub")  # what says that it is something else is not read


def test_a_referrer_of_another_artifact_is_refused(tool: Tool) -> None:
    tool.push(HELLO, "", *SIGNED, "--signature-format", "bundle")
    other = f"{tool.registry.address}/team/app:other"
    tool.push(EVIL, other)
    listing = tool("inspect", tool.ref, "--format", "json")
    (entry,) = json.loads(listing.stdout)["referrers"]
    digest = tool("resolve", other).stdout.strip().rpartition("@")[2] or tool("resolve", other).stdout.strip()
    index = json.dumps({"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": [entry]}).encode()
    descriptor = Descriptor.of(mt.OCI_INDEX, index)
    with tool.repository(other) as place:
        place.push(descriptor, [index], tag=digest.replace(":", "-"))
    refused = tool("verify", other, "--key", "ours.pub", code=ExitCode.INTEGRITY)
    assert "the referrer is about another artifact" in refused.stderr
