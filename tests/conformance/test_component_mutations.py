"""Mutated components: what this engine says of them beside what wasmtime says, by seeded mutations of the suites' own.

Where wasmtime refuses for a feature that it does not have or has turned off, it says nothing about the component.
"""

import random
import re
from typing import Any

import pytest

from tests.support.component_suite import SUITES, binaries, missing
from wasm2oci.engine.errors import ModuleError
from wasm2oci.engine.facts import validated
from wasm2oci.engine.syntax.features import parse_features

wasmtime = pytest.importorskip("wasmtime")
pytestmark = [pytest.mark.spec, pytest.mark.skipif(missing() is not None, reason=missing() or "")]

_MUTATIONS = 1_500
_LARGEST = 1_500
_ALL = parse_features("all")
_NO_VERDICT = re.compile(
    r"requires the|requires `?-|feature|not enabled|not supported|not implemented|unimplemented|support for"
    r"|is not valid at|root-level|reexport"
    # wasmtime takes `a1` and `a-1` for the same name, and the specification's suite for two.
    r"|conflicts with previous name `[a-zA-Z]+1`"
)
_BYTES = bytes([0, 1, 2, 3, 4, 5, 0x40, 0x41, 0x42, 0x7F, 0x79, 0x73, 0x72, 0x71, 0x70, 0x6A, 0x69, 0x68, 0xFF])


def _mutated(data: bytes, chance: random.Random) -> bytes:
    """The component with one or two bytes after its preamble changed."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 2))):
        place = chance.randrange(8, len(out))
        out[place] = chance.choice(
            (chance.choice(_BYTES), out[chance.randrange(8, len(out))], out[place] ^ 1 << chance.randrange(8))
        )
    return bytes(out)


def _ours(data: bytes) -> str | None:
    try:
        validated(data, _ALL)
    except ModuleError as error:
        return str(error)
    return None


def _theirs(engine: Any, data: bytes) -> str | None:
    from wasmtime.component import Component

    try:
        Component(engine, data)
    except wasmtime.WasmtimeError as error:
        return str(error)
    return None


def test_mutated_components_are_judged_as_wasmtime_judges_them() -> None:
    engine = wasmtime.Engine()
    bases = [
        command.binary
        for suite in SUITES
        for command in binaries(suite)
        if command.type == "module" and 20 < len(command.binary) < _LARGEST and _theirs(engine, command.binary) is None
    ]
    assert len(bases) > 100
    chance = random.Random(14)
    differ, judged = [], 0
    for number in range(_MUTATIONS):
        data = _mutated(chance.choice(bases), chance)
        ours, theirs = _ours(data), _theirs(engine, data)
        if theirs is not None and _NO_VERDICT.search(theirs):
            continue
        judged += 1
        if (ours is None) != (theirs is None):
            differ.append(f"{number}: ours {ours!r}, wasmtime {theirs!r}: {data.hex()}")
    assert not differ, "\n".join(differ)
    assert judged > _MUTATIONS // 2
