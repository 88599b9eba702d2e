"""The search for wrong translations finds one that was made on purpose, and shows it as a small program."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.generators.cases import Call, Case, Referee, trace_wasmtime
from tests.support.generators.catalogue import GENERATORS, disagreements
from tests.support.generators.shrink import disagree, printed, shrink
from tests.support.generators.text import module_text
from tests.support.generators.tree import parse_body, rebuilt, size
from wasm2oci.engine.binary import decode_module
from wasm2oci.engine.syntax.opcodes import BY_MNEMONIC
from wasm2oci.engine.text import assemble
from wasm2oci.engine.translate.lowering import LOWERING

MULTIPLY, XOR = "i32.mul", "i32.xor"
ADD, SUBTRACT = "i64.add", "i64.sub"

PROGRAM = """(module
  (global (export "g") (mut i32) (i32.const 0))
  (func $helper (param i32) (result i32) (i32.add (local.get 0) (i32.const 3)))
  (func (export "run") (param i32 i32) (result i32) (local i64)
    (block $out (result i32)
      (local.set 2 (i64.extend_i32_u (call $helper (local.get 1))))
      (global.set 0 (i32.const 4))
      (loop $again
        (if (i32.eqz (local.get 0)) (then (global.set 0 (i32.const 9))) (else (global.set 0 (i32.const 5))))
        (local.set 0 (i32.shr_u (local.get 0) (i32.const 1)))
        (br_if $again (i32.gt_u (local.get 0) (i32.const 5))))
      (br_if $out (i32.const 7) (i32.mul (local.get 1) (local.get 0)))
      (drop)
      (i32.const 2))))"""


def plant(monkeypatch: pytest.MonkeyPatch, instruction: str, other: str) -> None:
    """Lets translation take one instruction for another."""
    monkeypatch.setitem(LOWERING, BY_MNEMONIC[instruction].code, LOWERING[BY_MNEMONIC[other].code])


def case(**more: Any) -> Case:
    calls = tuple(Call("run", (first, second)) for first in (0, 40) for second in (0, 5))
    return Case(assemble(PROGRAM), calls, **more)


def test_a_planted_fault_is_shrunk_to_the_instruction(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, MULTIPLY, XOR)
    small = shrink(case(), 0, (Referee.WASMTIME, Referee.INTERPRETER))
    module = decode_module(small.data)
    assert len(small.calls) == 1
    assert size(parse_body(module, 1).nodes) <= 8
    text = printed(small)
    assert "i32.mul" in text
    assert "loop" not in text
    again = replace(small, data=assemble(text))
    assert disagree(again, 0, (Referee.WASMTIME,))


@pytest.mark.parametrize("name", sorted(GENERATORS))
def test_every_generator_finds_a_planted_fault(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name in {"instructions", "signatures"}:
        plant(monkeypatch, MULTIPLY, XOR)
    elif name == "stack":
        plant(monkeypatch, "i32.add", "i32.sub")
    else:  # where ticks and counters are multiplied, programs would not end any more
        plant(monkeypatch, ADD, SUBTRACT)
    assert next(disagreements(name, 0, 200), None) is not None


def test_printing_keeps_what_a_program_does() -> None:
    for name, generator in GENERATORS.items():
        if Referee.WASMTIME not in generator.referees:
            continue
        for seed in range(12):
            made = generator.make((seed,))
            names = {export.name for export in decode_module(made.data).exports}
            text = module_text(made.data, names)
            printed_again = replace(made, data=assemble(text))
            assert trace_wasmtime(printed_again) == trace_wasmtime(made), f"{name}, seed {seed}"


def test_writing_a_parsed_body_gives_the_same_bytes() -> None:
    for generator in GENERATORS.values():
        for seed in range(12):
            module = decode_module(generator.make((seed,)).data)
            bodies = {defined: parse_body(module, defined) for defined in range(len(module.codes))}
            again = decode_module(rebuilt(module, bodies))
            for before, after in zip(module.codes, again.codes, strict=True):
                assert module.data[slice(*before)] == again.data[slice(*after)]
