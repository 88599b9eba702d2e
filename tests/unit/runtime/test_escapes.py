"""The table of attempts to get out of a preopened directory, made by a real guest on each engine.

`component` is the same guest as a component, through WASI 0.2 on the embedded engine.
"""

from pathlib import Path

import pytest

from tests.support.escapes import ATTEMPTS, Attempt, lay_out, renames, snapshot
from tests.support.guests import ENGINES, Captured
from tests.support.programs import fixture
from wasm2oci.runtime.choose import run
from wasm2oci.runtime.request import EngineChoice, RunRequest
from wasm2oci.wasi.context import Preopen

ALLOWED = "open 3 1 sub/../here/file.txt 0 2 + read 4 + mkdir 3 new + stat 3 0 new"
PATHS = [*(engine.value for engine in ENGINES), "trace", "component"]


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where generated code is kept between tests."""
    return tmp_path_factory.mktemp("code")


def make(words: tuple[str, ...], inside: Path, path: str, cache: Path) -> list[str]:
    captured = Captured()
    outcome = run(
        RunRequest(
            module=fixture("calls.component.wasm" if path == "component" else "calls.wasm"),
            args=(b"calls", *(word.encode() for word in words)),
            preopens=(Preopen(inside, "/"),),
            engine=EngineChoice.EMBEDDED if path in {"embedded", "component"} else EngineChoice.WASMTIME,
            trace=(lambda line: None) if path == "trace" else None,
            cache=cache,
            **captured.streams,
        )
    )
    assert (outcome.exit_code, bytes(captured.err)) == (0, b""), outcome
    return captured.out.decode(errors="replace").splitlines()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
def test_attempt_is_refused(attempt: Attempt, path: str, code: Path, tmp_path: Path) -> None:
    inside = lay_out(tmp_path)
    before = snapshot(tmp_path)
    if path == "component" and attempt.name == "not UTF-8":
        # A string of a component is Unicode: passing another one traps before the host sees it.
        with pytest.raises(AssertionError, match="TRAPPED"):
            make(attempt.words, inside, path, code)
        assert snapshot(tmp_path) == before
        return
    lines = make(attempt.words, inside, path, code)
    assert len(lines) == len(attempt.calls)
    assert not lines[-1].startswith("0"), lines
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("path", PATHS)
def test_what_is_inside_can_be_had(path: str, code: Path, tmp_path: Path) -> None:
    assert make(tuple(ALLOWED.split()), lay_out(tmp_path), path, code) == ["0 4", "0 public", "0", "0"]


@pytest.mark.parametrize("path", PATHS)
def test_renames_while_opening_never_lead_out(path: str, code: Path, tmp_path: Path) -> None:
    inside = lay_out(tmp_path)
    opened = 0
    with renames(inside):
        # A busy machine may run a whole storm between two renames: storms go on until one saw both sides.
        for _ in range(200):
            (line,) = make(("storm", "2000", "3", "flip/secret.txt"), inside, path, code)
            leaked, found = line.split()
            assert leaked == "0"
            opened += int(found)
            if opened:
                break
    assert opened > 0
