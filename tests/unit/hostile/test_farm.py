"""The fuzz farm itself: each target has cases, a case is the same each time, and what is found is reported."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from tests.fuzz import farm
from tests.fuzz.mutation import hostile_text, mutated
from tests.fuzz.targets import TARGETS

if TYPE_CHECKING:
    import random


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # of the thread of a worker of pytest-xdist
@pytest.mark.parametrize("name", sorted(TARGETS))
def test_a_few_cases_of_each_target_find_nothing(name: str) -> None:
    for number in range({"wire": 2, "guests": 6}.get(name, 60)):
        farm.run_case(name, 7, number)


def test_a_case_is_made_from_its_numbers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[bytes, str]] = []

    def target(rng: random.Random) -> None:
        made.append((mutated(rng, [b"one", b"another"]), hostile_text(rng)))

    monkeypatch.setitem(TARGETS, "fake", target)
    for number in (5, 6, 5):
        farm.run_case("fake", 1, number)
    farm.run_case("fake", 2, 5)
    assert made[0] == made[2]
    assert len({made[0], made[1], made[3]}) == 3


def test_what_is_found_is_reported_and_can_be_run_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    counter = itertools.count()

    def target(rng: random.Random) -> None:
        del rng
        if next(counter) == 3:
            raise ZeroDivisionError("found")

    monkeypatch.setitem(TARGETS, "fake", target)
    assert farm.main(["--seconds", "60", "--seed", "9", "fake"]) == 1
    said = capsys.readouterr()
    assert "--seed 9 --case 3 fake" in said.out
    assert "ZeroDivisionError" in said.err
    assert farm.main(["--case", "3", "fake"]) == 0


def test_a_hang_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def target(rng: random.Random) -> None:
        while rng is not None:
            pass

    monkeypatch.setitem(TARGETS, "fake", target)
    monkeypatch.setattr(farm, "CPU_SECONDS", 0.05)
    with pytest.raises(farm.HangError):
        farm.run_case("fake", 1, 1)


def test_growth_is_found(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    memory = itertools.count(0, 200 << 20)
    monkeypatch.setitem(TARGETS, "fake", lambda _: None)
    monkeypatch.setattr(farm, "_memory", lambda: next(memory))
    assert farm.main(["--case", "1", "fake"]) == 0
    monkeypatch.setattr(farm, "GROWTH", 100 << 20)
    assert farm.main(["--case", "1", "fake"]) == 1
    assert "memory grew" in capsys.readouterr().out
