"""Real programs do the same on both engines: exit code, output, verdicts of their own tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.real import graphviz, sources, torture
from tests.real.parts import both
from tests.real.programs import programs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.real.runs import Program

pytestmark = pytest.mark.real

TORTURE_STEP = 20
"""Each of so many of gcc's tests is run here; `tests.real.torture` runs all."""
SAMPLE = [program for program in programs() if program.sample]
REST = [program for program in programs() if not program.sample]


@pytest.fixture(scope="session")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where both engines keep code, so that a module that several tests run is translated once."""
    return tmp_path_factory.mktemp("code")


def check(program: Program, cache: Path) -> None:
    if not program.module.exists():
        group = "go-sample" if program.group == "go" and program.sample else program.group
        pytest.skip(f"{program.name} is not there: python -m tests.real.sources {group}")
    found = both(program, cache)
    ours, theirs = found.ours, found.theirs
    assert not found.left_out
    assert ours.code == theirs.code, f"embedded ended with {ours.code}, wasmtime with {theirs.code}\n{ours.text}"
    if program.ends is not None:
        assert ours.code == program.ends, ours.text
    assert ours.output == theirs.output


def test_the_sample_covers_its_groups() -> None:
    assert {program.group for program in SAMPLE} == {"quickjs", "boolector", "go"}


@pytest.mark.parametrize("program", SAMPLE, ids=lambda program: program.name)
def test_sample_does_the_same_on_both_engines(program: Program, code: Path) -> None:
    check(program, code)


@pytest.mark.slow
@pytest.mark.parametrize("program", REST, ids=lambda program: program.name)
def test_does_the_same_on_both_engines(program: Program, code: Path) -> None:
    check(program, code)


@pytest.mark.slow
@pytest.mark.parametrize("layout", graphviz.LAYOUTS)
def test_graphviz_draws_the_same_on_both_engines(layout: str) -> None:
    if not graphviz.MODULE.exists():
        pytest.skip("graphviz is not there: python -m tests.real.sources graphviz")
    assert graphviz.embedded(layout) == graphviz.reference(layout)


@pytest.mark.slow
def test_gccs_tests_do_the_same_on_both_engines() -> None:
    found = sources.torture_tests()[::TORTURE_STEP]
    if not found:
        pytest.skip("gcc's tests are not there: python -m tests.real.sources torture")
    ends = {path.stem: (torture.reference(data := path.read_bytes()), data) for path in found}
    compared = {name: (theirs, data) for name, (theirs, data) in ends.items() if theirs[0] != torture.LONG}
    assert {name: torture.embedded(data) for name, (_, data) in compared.items()} == {
        name: theirs for name, (theirs, _) in compared.items()
    }
