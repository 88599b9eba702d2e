"""How much a guest may take, beyond what `test_limits` looks at."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.guests import ENGINES, call
from wasm2oci.engine.runtime.limits import ResourceLimitError
from wasm2oci.engine.text import assemble
from wasm2oci.runtime.choose import run
from wasm2oci.runtime.request import Ending, EngineChoice, RunLimits, RunRequest

if TYPE_CHECKING:
    from pathlib import Path

COUNT = """(module (func $f (export "f") (param i32) (result i32)
  (if (result i32) (local.get 0)
    (then (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1)))))
    (else (i32.const 0)))))"""


@pytest.mark.parametrize("engine", ENGINES)
def test_stack_is_as_deep_as_is_allowed(engine: EngineChoice, tmp_path: Path) -> None:
    """Each run has a process of its own: in one, the highest of the limits that hold at the same time counts."""
    module = tmp_path / "count.wasm"
    module.write_bytes(assemble(COUNT))
    command = [sys.executable, "-m", "wasm2oci", "run", "--engine", engine.value]

    def depth(calls: int, *limit: str) -> str:
        line = [*command, *limit, "--invoke", "f", str(module), str(calls)]
        ran = subprocess.run(line, capture_output=True, text=True, check=False)
        return ran.stdout.strip() or ran.stderr

    assert depth(15_000) == "15000"
    assert "call stack exhausted" in depth(15_000, "--max-stack", "64KiB")
    assert "call stack exhausted" in depth(200_000)
    assert depth(200_000, "--max-stack", "64MiB") == "200000"


def test_memory_above_what_the_embedded_engine_has_says_so() -> None:
    text = '(module (memory 40000) (func (export "_start")))'
    limits = RunLimits(max_memory=4 << 30)
    with pytest.raises(ResourceLimitError, match="at most 2 GiB") as caught:
        call(text, EngineChoice.EMBEDDED, limits=limits)
    assert caught.value.hint is not None
    assert "wasmtime" in caught.value.hint
    assert call(text, EngineChoice.WASMTIME, limits=limits).exit_code == 0


def test_module_of_100_000_exports_starts_at_once() -> None:
    """wasmtime's binding lists exports in quadratic time: two minutes for these."""
    exports = " ".join(f'(export "e{index}" (func $f))' for index in range(100_000))
    module = assemble(f'(module (func $f (export "_start")) {exports})')
    request = RunRequest(module=module, args=(b"x",), engine=EngineChoice.WASMTIME, limits=RunLimits(timeout_s=60))
    assert run(request).ending is Ending.EXITED
