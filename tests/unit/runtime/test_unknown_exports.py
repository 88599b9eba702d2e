"""Exports of what a module does not have: seen before the module is asked for their types."""

import pytest

from tests.support.guests import ENGINES, Captured
from wasm2oci.engine.errors import InvalidModuleError
from wasm2oci.engine.facts import described
from wasm2oci.engine.text import assemble
from wasm2oci.engine.wit.document import wit_text
from wasm2oci.runtime.choose import run
from wasm2oci.runtime.request import EngineChoice, RunRequest

KINDS = {"func": "function", "memory": "memory", "table": "table", "global": "global", "tag": "tag"}


@pytest.mark.parametrize("kind", KINDS)
def test_in_a_core_module_of_a_component(kind: str) -> None:
    data = assemble(f'(component (core module (export "x" ({kind} 3))))')
    with pytest.raises(InvalidModuleError, match=f"unknown {KINDS[kind]} 3"):
        wit_text(data)
    assert described(data).size == len(data)


@pytest.mark.parametrize("name", ["_start", "_initialize", "f"])
@pytest.mark.parametrize("engine", ENGINES)
def test_of_a_program(name: str, engine: EngineChoice) -> None:
    data = assemble(f'(module (func $start) (export "{name}" (func 7)) (export "g" (func 0)))')
    captured = Captured()
    with pytest.raises(InvalidModuleError, match="unknown function 7"):
        run(RunRequest(module=data, args=(b"m",), engine=engine, invoke="g", **captured.streams))
