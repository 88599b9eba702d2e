"""Random programs do the same on our engine and on others: results, traps, globals, memories.

Against wasmtime, and against the plain interpreter for programs whose exported functions take and give vectors and
references, which wasmtime's Python binding cannot call.
A failing seed is the whole report: run it again by that number.
"""

from typing import TYPE_CHECKING

import pytest

from tests.support.differential import trace_ours, trace_wasmtime
from tests.support.interpreter import interpret
from tests.support.random_loops import loop_trace
from tests.support.random_program import random_program
from wasm2oci.engine.embed import Engine, Linker
from wasm2oci.engine.syntax.features import WASM_3

if TYPE_CHECKING:
    from wasm2oci.engine.embed import Module
    from wasm2oci.engine.runtime.instance import ModuleInstance

pytestmark = pytest.mark.spec

SEEDS_EACH = 25


class Interpreting(Linker):
    """A linker whose instances are interpreted instead of translated."""

    def _prepare(self, runtime: "ModuleInstance", module: "Module") -> None:
        interpret(runtime)


def _linker() -> Linker:
    return Linker(Engine(features=WASM_3))


@pytest.mark.parametrize("first", range(0, 16 * SEEDS_EACH, SEEDS_EACH))
def test_random_programs_do_what_they_do_on_wasmtime(first: int) -> None:
    for seed in range(first, first + SEEDS_EACH):
        program = random_program(seed)
        assert trace_ours(program, seed, _linker()) == trace_wasmtime(program, seed), f"seed {seed}"


@pytest.mark.parametrize("first", range(100_000, 100_000 + 8 * SEEDS_EACH, SEEDS_EACH))
def test_random_programs_with_any_signature_do_what_the_interpreter_does(first: int) -> None:
    for seed in range(first, first + SEEDS_EACH):
        program = random_program(seed, numbers_only=False)
        interpreted = trace_ours(program, seed, Interpreting(Engine(features=WASM_3)))
        assert trace_ours(program, seed, _linker()) == interpreted, f"seed {seed}"


@pytest.mark.parametrize("first", range(0, 12 * SEEDS_EACH, SEEDS_EACH))
def test_random_loops_do_what_they_do_on_wasmtime(first: int) -> None:
    for seed in range(first, first + SEEDS_EACH):
        ours, theirs = loop_trace(seed)
        assert ours == theirs, f"seed {seed}"
