"""Random programs do the same translated as on wasmtime and interpreted: results, traps, globals, memories.

A failure's message is the smallest program found that shows the difference. `python -m tests.fuzz.differential` runs
any number of them.
"""

from __future__ import annotations

import pytest

from tests.support.generators.catalogue import GENERATORS, disagreements

pytestmark = pytest.mark.spec

COUNT = 2_000
CHUNK = 100


@pytest.mark.parametrize("first", range(0, COUNT, CHUNK))
@pytest.mark.parametrize("name", sorted(GENERATORS))
def test_random_programs_do_the_same_on_every_engine(name: str, first: int) -> None:
    differing = [str(found) for found in disagreements(name, first, CHUNK)]
    assert not differing, differing[0]
