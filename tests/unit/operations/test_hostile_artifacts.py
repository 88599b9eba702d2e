"""Artifacts that a stranger made: what is shown and checked of them stays bounded, and no check is left out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.artifacts import WASM, Stash, Watching
from wasm2oci.content.graph import ArtifactTooLargeError
from wasm2oci.content.layout import OciLayout
from wasm2oci.content.memory import MemoryTarget
from wasm2oci.content.target import ContentNotFoundError
from wasm2oci.content.verify import BytesContent
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import EMPTY_JSON, Descriptor
from wasm2oci.oci.reference import parse_location
from wasm2oci.oci.referrers import cosign_tag, fallback_tag
from wasm2oci.operations.copy import CopyRequest, copy
from wasm2oci.operations.environment import Environment
from wasm2oci.operations.find_signatures import find_signatures
from wasm2oci.operations.inspect import inspect_bytes
from wasm2oci.operations.modules_of import look_at_modules
from wasm2oci.operations.names import with_tag
from wasm2oci.operations.tree import tree
from wasm2oci.operations.trust import TrustOptions, guard_for
from wasm2oci.operations.verify import VerifyRequest, verify
from wasm2oci.packager.choice import NoModuleError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wasm2oci.content.target import Target
    from wasm2oci.oci.reference import Location

DEEP = 16


def push(target: Target, media_type: str, tag: str | None = None, **document: Any) -> Descriptor:
    raw = json.dumps({"schemaVersion": 2, "mediaType": media_type, **document}).encode()
    root = Descriptor.of(media_type, raw)
    target.push(root, BytesContent(raw), tag=tag)
    return root


def push_plain(target: Target, tag: str) -> Descriptor:
    """An artifact that holds no module."""
    target.push(EMPTY_JSON, BytesContent(b"{}"))
    empty = EMPTY_JSON.to_json()
    return push(target, mt.OCI_MANIFEST, tag, artifactType="text/plain", config=empty, layers=[empty])


def test_indexes_that_name_the_next_one_twice_are_shown_once(tmp_path: Path) -> None:
    """Their paths double with each: 60 small indexes would have been more lines than there is time to print."""
    layout = OciLayout.create(tmp_path / "layout")
    last = push(layout, mt.OCI_INDEX, manifests=[])
    for _ in range(DEEP):
        last = push(layout, mt.OCI_INDEX, manifests=[last.to_json(), last.to_json()])
    layout.tag(last, "v1")
    found = tree(parse_location(f"oci-layout:{tmp_path}/layout:v1"), TrustOptions(), Environment({}, tmp_path))
    assert [part.depth for part in found.parts] == [*range(1, DEEP + 1), *range(DEEP, 0, -1)]


@pytest.mark.parametrize("name", ["sig", "att", "fallback"])
def test_nonsense_under_a_tag_of_signatures_is_a_refusal(name: str) -> None:
    target = MemoryTarget()
    subject = push_plain(target, "v1")
    tag = fallback_tag(subject.digest) if name == "fallback" else cosign_tag(subject.digest, name)
    nonsense = Descriptor.of(mt.OCI_MANIFEST, b"nonsense")
    target.push(nonsense, BytesContent(b"nonsense"), tag=tag)
    found = find_signatures(target, subject)
    assert found.candidates == ()
    assert tag in {one.origin for one in found.refusals}


@pytest.mark.parametrize(
    "use",
    [
        lambda where, trust, world: verify(VerifyRequest(where, trust=trust), world),
        lambda where, trust, world: copy(CopyRequest(where, with_tag(where, "v2"), trust=trust), world),
    ],
    ids=["verify", "copy"],
)
def test_what_a_policy_says_about_the_module_is_not_met_where_there_is_none(
    tmp_path: Path, use: Callable[[Location, TrustOptions, Environment], object]
) -> None:
    push_plain(OciLayout.create(tmp_path / "layout"), "v1")
    source, policy = parse_location(f"oci-layout:{tmp_path}/layout:v1"), tmp_path / "policy.toml"
    warned: list[str] = []
    trust, world = TrustOptions(policy=policy), Environment({}, tmp_path, warn=warned.append)
    rule = 'version = 1\n[[rule]]\nscope = "*"\nenforce = "{}"\n[rule.module]\nmax_size = 10\n'
    policy.write_text(rule.format("require"))
    with pytest.raises(NoModuleError):
        use(source, trust, world)
    assert not warned
    policy.write_text(rule.format("warn"))
    use(source, trust, world)
    assert [text for text in warned if "no WebAssembly in it" in text]


def test_a_module_that_an_index_names_many_times_is_looked_into_once(tmp_path: Path) -> None:
    """An index of 4 MiB names one layer in 20,000 manifests: each was read, with all of its bytes."""
    layout, policy = OciLayout.create(tmp_path / "layout"), tmp_path / "policy.toml"
    policy.write_text('version = 1\n[[rule]]\nscope = "*"\nenforce = "require"\n[rule.module]\nmax_size = 100\n')
    stash = Stash(layout)
    layer = stash.put("application/wasm", WASM)
    stash.index(*(stash.manifest(layer, annotations={"n": str(number)}) for number in range(3)), tag="v1")
    with Environment({}, tmp_path).places() as places:
        location = parse_location(f"{layout}:v1")
        guard = guard_for(TrustOptions(policy=policy), Environment({}, tmp_path))
        assert guard is not None
        watched = Watching(layout)
        look_at_modules(
            watched,
            places.read(location).resolve("v1"),
            lambda data: guard.check_module(location, data),
            lambda error: guard.check_no_module(location, error),
        )
    assert watched.calls.count(("fetch", str(layer.digest))) == 1


def test_a_module_as_text_may_speak_of_signatures() -> None:
    found = inspect_bytes(b"(module (func $signature))", "a.wat")
    assert found.module.facts is not None
    assert found.embedded_keys == ()


def test_an_artifact_of_more_than_may_be_read_is_not_verified(tmp_path: Path) -> None:
    """A layer may say that it has 8 TiB, and a registry send them at a thousand bytes a second."""
    layout = OciLayout.create(tmp_path / "layout")
    layout.push(EMPTY_JSON, BytesContent(b"{}"))
    layer = {**Descriptor.of("application/wasm", b"x").to_json(), "size": 100 << 30}
    push(layout, mt.OCI_MANIFEST, "v1", config=EMPTY_JSON.to_json(), layers=[layer])
    environment, place = Environment(variables={}, home=tmp_path), parse_location(f"{layout}:v1")
    with pytest.raises(ArtifactTooLargeError, match="bytes of content; the limit is 68,719,476,736"):
        verify(VerifyRequest(place), environment)
    with pytest.raises(ContentNotFoundError):
        verify(VerifyRequest(place, max_size=101 << 30), environment)
