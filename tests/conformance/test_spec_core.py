"""The core suite of WebAssembly 3.0: every command of every file does what it says.

A command known to fail is listed in expected_failures.toml under its file's name, with its line; a listed one that
passes is a failure too.
"""

import tomllib
from pathlib import Path

import pytest

from tests.support.spec_runner import ScriptRunner
from tests.support.spec_suite import SpecFile, core_files, missing, proposal_files
from wasm2oci.engine.embed import Engine
from wasm2oci.engine.syntax.features import WASM_3

pytestmark = [pytest.mark.spec, pytest.mark.skipif(missing() is not None, reason=missing() or "")]

_EXPECTED = tomllib.loads((Path(__file__).parent / "expected_failures.toml").read_text())


@pytest.mark.parametrize("file", core_files(), ids=lambda file: file.name)
def test_core_file(file: SpecFile) -> None:
    _run(file, Engine(features=WASM_3))


@pytest.mark.parametrize("file", proposal_files("threads"), ids=lambda file: file.name)
def test_atomics(file: SpecFile) -> None:
    """The threads proposal on one thread. Its files stand on version 1, which has one memory and one table."""
    _run(file, Engine(), unless=("multiple memories", "multiple tables"))


def _run(file: SpecFile, engine: Engine, unless: tuple[str, ...] = ()) -> None:
    runner = ScriptRunner(engine)
    failed: dict[int, str] = {}
    commands = [command for command in file.commands() if command.raw.get("text") not in unless]
    for command in commands:
        try:
            runner.run(command)
        except Exception as error:  # noqa: BLE001 -- whatever escapes is a failure of this command, and reported as one
            failed[command.line] = f"{command.type}: {type(error).__name__}: {error}"
    expected = set(_EXPECTED["core"].get(file.name, []))
    unexpected = {line: why for line, why in failed.items() if line not in expected}
    assert not unexpected, "\n".join(f"{file.name}.wast:{line}: {why}" for line, why in sorted(unexpected.items())[:20])
    assert expected <= set(failed), f"pass by now: lines {sorted(expected - set(failed))}"
    assert runner.ran + len(failed) == len(commands)


def test_nothing_of_core_is_expected_to_fail() -> None:
    assert _EXPECTED["core"] == {}
