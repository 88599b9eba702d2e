"""Go's tests in parts: each test is run once and counted once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.real.parts import both
from tests.real.runs import ENGINES, OVER, Program, Run, counted, run

if TYPE_CHECKING:
    from tests.real.parts import Both

pytestmark = pytest.mark.real

BUDGET = 10
PROGRAM = Program("go made/up", Path("made_up.wasm"), reads="go", budget=BUDGET, skips="TestLeft")


class Package:
    """Tests with what each costs on the embedded engine and its verdict; one with a slash is part of the next."""

    def __init__(self, **tests: tuple[int, str]) -> None:
        self.tests = {name.replace("__", "/"): test for name, test in tests.items()}
        self.asked: list[str] = []

    def run(self, program: Program, engine: str, _cache: Path) -> Run:
        self.asked.append(f"{engine} {program.skips}")
        lines, spent, name = [], 0, ""
        for name, (cost, verdict) in self.tests.items():
            if re.search(program.skips, name.partition("/")[0]):
                continue
            spent += cost if engine == "embedded" else 0
            if spent > program.budget:
                break
            lines.append(f"--- {verdict}: {name}".encode())
        lines.sort()
        code = OVER if spent > program.budget else int(any(b"FAIL" in line for line in lines))
        running = name.partition("/")[0]
        return Run(code, b"\n".join(lines), counted(lines), min(spent, program.budget), 1, "", running)


def on_both(package: Package) -> Both:
    return both(PROGRAM, Path(), package.run)


def test_what_ends_within_its_budget_is_run_once() -> None:
    package = Package(TestA=(4, "PASS"), TestLeft=(100, "FAIL"), TestB=(6, "SKIP"))
    found = on_both(package)
    assert package.asked == ["embedded TestLeft", "wasmtime TestLeft"]
    assert found.same
    assert found.parts == 1
    assert found.ours.verdicts == {"PASS": 1, "SKIP": 1}


def test_a_test_whose_budget_others_took_gets_one_for_itself() -> None:
    package = Package(TestA=(4, "PASS"), TestB=(9, "PASS"), TestC=(1, "PASS"))
    found = on_both(package)
    assert package.asked == ["embedded TestLeft", "embedded TestLeft|^(TestA)$", "wasmtime TestLeft"]
    assert found.same
    assert (found.parts, found.left_out) == (2, ())
    assert found.ours.verdicts == {"PASS": 3}
    assert found.ours.seconds == 20


def test_a_test_that_does_not_end_is_left_out_on_both_engines() -> None:
    package = Package(TestA=(4, "PASS"), TestB=(11, "PASS"), TestC=(1, "PASS"))
    found = on_both(package)
    assert package.asked[-2:] == ["embedded TestLeft|^(TestA|TestB)$", "wasmtime TestLeft|^(TestB)$"]
    assert found.same
    assert found.left_out == ("TestB",)
    assert found.ours.verdicts == {"PASS": 2}


def test_a_failure_before_the_budget_ended_is_one_of_the_whole() -> None:
    found = on_both(Package(TestA=(4, "FAIL"), TestB=(9, "PASS")))
    assert found.same
    assert found.ours.code == 1


def test_parts_of_a_test_that_was_broken_off_count_once() -> None:
    found = on_both(Package(TestA=(4, "PASS"), TestB__one=(4, "PASS"), TestB__two=(4, "PASS"), TestB=(0, "PASS")))
    assert found.same
    assert found.ours.verdicts == {"PASS": 4}


@pytest.mark.parametrize("engine", ENGINES)
def test_the_end_of_a_budget_is_seen(engine: str, tmp_path: Path) -> None:
    module = tmp_path / "endless.wat"
    module.write_text('(module (memory (export "memory") 1) (func (export "_start") (loop br 0)))')
    assert run(Program("go endless", module, budget=3), engine, tmp_path).code == OVER


def test_a_program_that_does_not_come_to_its_first_test_is_not_the_same() -> None:
    found = both(PROGRAM, Path(), lambda program, engine, cache: Run(OVER, b"", counted([]), 10, 1, ""))
    assert (found.parts, found.ours.code) == (1, OVER)


def test_engines_that_disagree_are_seen_in_parts_too() -> None:
    def differs(program: Program, engine: str, cache: Path) -> Run:
        verdict = "FAIL" if engine == "embedded" else "PASS"
        return Package(TestA=(4, verdict), TestB=(9, "PASS")).run(program, engine, cache)

    assert not both(PROGRAM, Path(), differs).same
