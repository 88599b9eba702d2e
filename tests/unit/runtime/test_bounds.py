"""How much a guest may take, beyond what `test_limits` looks at."""

from __future__ import annotations

import pytest

from tests.support.guests import ENGINES, call
from wasm2oci.engine.runtime.limits import ResourceLimitError
from wasm2oci.engine.text import assemble
from wasm2oci.runtime.choose import run
from wasm2oci.runtime.request import Ending, EngineChoice, RunLimits, RunRequest

COUNT = """(module (func $f (export "f") (param i32) (result i32)
  (if (result i32) (local.get 0)
    (then (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1)))))
    (else (i32.const 0)))))"""


@pytest.mark.parametrize("engine", ENGINES)
def test_stack_is_as_deep_as_is_allowed(engine: EngineChoice) -> None:
    def depth(calls: int, **limits: int) -> tuple[str, ...] | str:
        outcome = call(COUNT, engine, invoke="f", values=(str(calls),), limits=RunLimits(**limits))
        return outcome.results if outcome.trap is None else outcome.trap.reason

    assert depth(15_000) == ("15000",)
    assert depth(15_000, max_stack=64 << 10) == "call stack exhausted"
    assert depth(200_000) == "call stack exhausted"
    assert depth(200_000, max_stack=64 << 20) == ("200000",)
    assert depth(15_000) == ("15000",)


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
