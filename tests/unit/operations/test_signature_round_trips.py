"""What signing adds to a push, and verifying to a pull, in exchanges that a user waits for: two at most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.network import Answer, Network
from tests.unit.registry.test_round_trips import KINDS, REGISTRY, TOKENS, Line, artifact, kind, line, registry, tokens
from wasm2oci.content.copy import copy
from wasm2oci.content.target import open_manifest
from wasm2oci.oci.reference import Reference
from wasm2oci.operations.environment import Environment
from wasm2oci.operations.guard import Guard, start_check
from wasm2oci.operations.pending import Pending
from wasm2oci.operations.push_signed import SignedFirst
from wasm2oci.operations.sign import SignRequest, prepare_signature
from wasm2oci.operations.trust import SignatureFormat
from wasm2oci.packager.recognise import recognise
from wasm2oci.signing.keys import PrivateKey
from wasm2oci.signing.policy import REQUIRE, Rule
from wasm2oci.signing.requirement import KeyRequirement

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.network import Handler, Sent
    from wasm2oci.packager.artifact import Artifact

__all__ = ["artifact", "kind", "line"]

REFERENCE = Reference.parse("registry.example/me/app:1")
KEY = PrivateKey.generate()


def signed_push(line: Line, artifact: Artifact, environment: Environment, form: SignatureFormat) -> int:
    connector = line.fresh()
    prepared = prepare_signature(SignRequest(REFERENCE, KEY, {}, form), artifact.root, environment)
    with line.clock.installed(line.patch):
        target = connector.repository(REFERENCE, writes=True)
        apart = connector.repository(REFERENCE, writes=True, apart=True)
        attaching = Pending(lambda: prepared.attach(apart, artifact.root))
        copy(artifact.target(), artifact.root, SignedFirst(target, artifact.root, attaching), ("1",))
        attaching.wait()
    return line.clock.now


def pull(line: Line, guard: Guard | None) -> int:
    connector = line.fresh()
    with line.clock.installed(line.patch):
        target = connector.repository(REFERENCE)
        root = open_manifest(target, "1")
        pending = None
        if guard is not None:
            pending = start_check(guard, connector.repository(REFERENCE, apart=True), REFERENCE, root)
        b"".join(recognise(target, root).content)
        if pending is not None:
            pending.wait()
    return line.clock.now


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment({}, tmp_path)


@pytest.mark.parametrize("form", list(SignatureFormat))
def test_signing_adds_at_most_two_exchanges_to_a_push(
    line: Line, kind: str, artifact: Artifact, environment: Environment, form: SignatureFormat
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        plain = Line(kind, patch).push(artifact)
    signed = signed_push(line, artifact, environment, form)
    assert signed <= plain + 2, line.clock.ticks


def without_referrers(handler: Handler) -> Handler:
    """A registry that knows no referrers: they are listed under the fallback tag."""

    def answer(sent: Sent) -> Answer:
        if "/referrers/" in sent.path:
            return Answer(404)
        found = handler(sent)
        assert isinstance(found, Answer)
        return found.changed("oci-subject")

    return answer


@pytest.mark.parametrize("form", list(SignatureFormat))
def test_signing_adds_at_most_two_exchanges_where_the_fallback_tag_is_written(
    line: Line, kind: str, artifact: Artifact, environment: Environment, form: SignatureFormat
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        plain = Line(kind, patch).push(artifact)
    line.network = Network({REGISTRY: without_referrers(registry(kind)), TOKENS: tokens})
    signed = signed_push(line, artifact, environment, form)
    assert signed <= plain + 2, line.clock.ticks


@pytest.mark.parametrize("form", list(SignatureFormat))
def test_verifying_adds_at_most_two_exchanges_to_a_pull(
    line: Line, artifact: Artifact, environment: Environment, form: SignatureFormat
) -> None:
    signed_push(line, artifact, environment, form)
    plain = pull(line, None)
    rule = Rule("test", REQUIRE, all_of=(KeyRequirement(KEY.public),))
    verified = pull(line, Guard(rule, (), None, environment))
    assert verified <= plain + 2, line.clock.ticks


assert KINDS
