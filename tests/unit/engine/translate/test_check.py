"""The checker of control-flow trees: it accepts what is right and finds faults of every kind that can be planted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import wasmtime

from tests.support.tree_faults import FAULTS, sites
from tests.unit.engine.translate.test_control_flow import FUNCTIONS, TICK
from wasm2oci.engine.embed import Engine, Linker, Module
from wasm2oci.engine.runtime.trap import Trap
from wasm2oci.engine.text import assemble
from wasm2oci.engine.translate import Options, function
from wasm2oci.engine.translate.check import ControlFlowError, check
from wasm2oci.engine.translate.function import translate_function
from wasm2oci.engine.translate.instructions import decode_body
from wasm2oci.engine.translate.states import dispatch_states
from wasm2oci.engine.translate.structuring import structure
from wasm2oci.engine.translate.tree import Break, Carry, Close, Code, Head, If, Open, Return, Tree, While

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wasm2oci.engine.translate.body import Body

HANDLERS = """(func (export "f") (param i32) (result i32) (local i32)
  (block $got (result i32)
    (block $other
      (loop $l (call $tick)
        (try_table (catch $e $got) (catch $f $other) (catch_all $l)
          (local.set 1 (i32.add (local.get 1) (i32.const 1)))
          (if (i32.eq (local.get 0) (i32.const 1)) (then (throw $e (i32.const 5))))
          (if (i32.eq (local.get 0) (i32.const 2)) (then (throw $f)))
          (if (i32.lt_u (local.get 1) (i32.const 3)) (then (throw $g)))
          (br_if $l (i32.lt_u (local.get 1) (i32.const 6)))))
      (return (i32.mul (local.get 1) (i32.const 100))))
    (i32.const 77)))"""

VALUES_IN_A_TABLE = """(func (export "f") (param i32) (result i32) (local i32)
  (block $a (result i32) (loop $l (result i32) (call $tick)
    (block $b (result i32) (block $c (result i32)
      (local.set 1 (i32.add (local.get 1) (i32.const 1)))
      (br_table $a $b $c $a (i32.add (local.get 0) (local.get 1)) (local.get 0)))
      (i32.add (i32.const 1000))) (i32.add (i32.const 100))
    (br_if $l (i32.lt_u (local.get 1) (i32.const 4))) (i32.add (i32.const 10)))))"""

INTERPRETER = """(func (export "f") (param i32) (result i32) (local i32 i32)
  (block $out
    (loop $next (call $tick)
      (local.set 1 (i32.and (local.get 0) (i32.const 7)))
      (local.set 0 (i32.shr_u (local.get 0) (i32.const 3)))
      (block $6 (block $5 (block $4 (block $3 (block $2 (block $1 (block $0
        (br_table $0 $1 $2 $3 $4 $5 $6 $out (local.get 1)))
        (br_if $out (local.get 2))
        (br $next))
        (local.set 2 (i32.add (local.get 2) (i32.const 1)))
        (br $next))
        (local.set 2 (i32.mul (local.get 2) (i32.const 3))))
        (local.set 2 (i32.add (local.get 2) (i32.const 5)))
        (br_if $next (local.get 0)))
        (if (i32.eqz (local.get 0)) (then (br $out)))
        (br $5))
        (local.set 2 (i32.xor (local.get 2) (i32.const 85))))
      (loop $in (call $tick)
        (br_if $in (i32.lt_u (local.tee 2 (i32.add (local.get 2) (i32.const 9))) (i32.const 60)))
        (br_if $next (local.get 0))
        (br $out))))
  (local.get 2))"""

NESTS = """(func (export "f") (param i32) (result i32) (local i32)
  (block $a (block $b (block $c
    (br_if $a (i32.eqz (local.get 0)))
    (local.set 1 (i32.const 1))
    (br_if $a (i32.eq (local.get 0) (i32.const 1)))
    (if (i32.eq (local.get 0) (i32.const 2))
      (then (local.set 1 (i32.const 2)) (br $a))
      (else (local.set 1 (i32.const 3))))
    (br_if $c (i32.eq (local.get 0) (i32.const 3)))
    (local.set 1 (i32.add (local.get 1) (i32.const 10)))
    (br_if $b (i32.eq (local.get 0) (i32.const 4))))
    (local.set 1 (i32.add (local.get 1) (i32.const 100))))
    (loop $l (param) (call $tick)
      (br_if $a (i32.gt_u (local.tee 1 (i32.add (local.get 1) (i32.const 50))) (i32.const 400)))
      (if (i32.and (local.get 1) (i32.const 1)) (then (br $l)))
      (local.set 1 (i32.add (local.get 1) (i32.const 1)))
      (br_if $l (i32.lt_u (local.get 1) (i32.const 300)))))
  (local.get 1))"""

LOOP_VALUES = """(func (export "f") (param i32) (result i32)
  (i32.const 1)
  (loop $l (param i32) (result i32) (call $tick)
    (i32.mul (i32.const 3))
    (local.tee 0)
    (if (param i32) (result i32) (i32.gt_u (local.get 0) (i32.const 100))
      (then (i32.add (i32.const 1)))
      (else (br_if $l (i32.lt_u (local.get 0) (i32.const 50))) (i32.add (i32.const 7))))))"""

ONE_WAY = """(func (export "f") (param i32) (result i32) (local i32)
  (block $a (br_if $a (call $count)) )
  (block $b (br_table $b $b (call $count)))
  (block $c (result i32) (br_table $c $c (call $count) (call $count))))
  (func $count (result i32) (global.set $turns (i32.sub (global.get $turns) (i32.const 1))) (global.get $turns))"""

ARM_THAT_BEGINS_WITH_A_BRANCH = """(func (export "f") (param i32) (result i32)
  (local.get 0) (i32.and (local.get 0) (i32.const 1)) (i32.and (local.get 0) (i32.const 2))
  (if (param i32 i32) (result i32)
    (then (br_if 0)
      (if (result i32) (i32.and (local.get 0) (i32.const 4))
        (then (i32.const 30))
        (else (i32.const 40)))
      (i32.add))
    (else (i32.add)))
  (i32.mul (i32.const 3)))"""
"""Its operands are all outside, so the branch, which holds the rest of the arm, is the arm's only node."""

ALL = {
    **{name: text for name, text in FUNCTIONS.items() if "chain of" not in name},
    "chain of 6": FUNCTIONS["chain of 6, loop in 5"],
    "an arm that begins with a branch": ARM_THAT_BEGINS_WITH_A_BRANCH,
    "handlers": HANDLERS,
    "interpreter": INTERPRETER,
    "nests": NESTS,
    "values of loops": LOOP_VALUES,
    "one way": ONE_WAY,
    "values in a table": VALUES_IN_A_TABLE,
}
TAGS = "(tag $e (param i32)) (tag $f) (tag $g)"
ARGUMENTS = (0, 1, 2, 3, 4, 5, 6, 7, 11, 30, 200, 0o4321, 0o12345, 0o6543210, 0o55, 0o42)


def binary(name: str) -> bytes:
    return assemble(f"(module {TAGS} {TICK} {ALL[name]})")


def body_of(data: bytes) -> Body:
    return decode_body(Module(Engine(), data).syntax, 1)


@pytest.fixture(params=["structured", "states"])
def control(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "states":
        monkeypatch.setattr("wasm2oci.engine.translate.structuring.MAX_ATTEMPTS", 0)
    return str(request.param)


def ours(data: bytes) -> list[object]:
    """What the embedded engine makes of a module's `f`."""
    engine = Engine()
    module = Module(engine, data)
    found: list[object] = []
    for argument in ARGUMENTS:
        try:
            found.append(Linker(engine).instantiate(module).function("f").invoke(argument))
        except Trap as trap:
            found.append(trap.kind.name)
    return found


def theirs(data: bytes) -> list[object]:
    """What wasmtime makes of it."""
    config = wasmtime.Config()
    config.wasm_exceptions = True
    engine = wasmtime.Engine(config)
    module = wasmtime.Module(engine, data)
    found: list[object] = []
    for argument in ARGUMENTS:
        store = wasmtime.Store(engine)
        call = wasmtime.Instance(store, module, []).exports(store)["f"]
        assert isinstance(call, wasmtime.Func)
        try:
            found.append(call(store, argument) & 0xFFFFFFFF)
        except wasmtime.Trap:
            found.append("UNREACHABLE")
    return found


@pytest.mark.usefixtures("control")
@pytest.mark.parametrize("name", ALL)
def test_what_is_right_is_accepted_and_does_what_wasmtime_does(name: str) -> None:
    data = binary(name)
    body = body_of(data)
    check(body, structure(body))
    assert ours(data) == theirs(data)


def _instead(function: Callable[..., object], about: object, answer: object) -> Callable[..., object]:
    """A function that gives one answer where its last argument is as described."""
    return lambda *arguments: answer if arguments[-1] is about else function(*arguments)


def planted(fault: str, bodies: dict[str, Body]) -> Iterator[tuple[str, int, Tree]]:
    """Every tree that has a fault of a kind at one place: the program's name, the place, the tree."""
    for name, body in bodies.items():
        for build in (structure, lambda body: Tree(dispatch_states(body), dispatches=False)):
            for place in range(sum(1 for _ in sites(build(body).nodes))):
                tree = build(body)
                site = next(site for number, site in enumerate(sites(tree.nodes)) if number == place)
                if FAULTS[fault](site):
                    yield name, place, tree


@pytest.fixture(scope="module")
def expected() -> dict[str, list[object]]:
    return {name: theirs(binary(name)) for name in ALL}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_or_changes_nothing(
    fault: str, expected: dict[str, list[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    binaries = {name: binary(name) for name in ALL}
    bodies = {name: body_of(data) for name, data in binaries.items()}
    caught = 0
    for name, place, tree in planted(fault, bodies):
        with monkeypatch.context() as patch:
            patch.setattr(function, "decode_body", _instead(decode_body, 1, bodies[name]))
            patch.setattr(function, "structure", _instead(structure, bodies[name], tree))
            try:
                translate_function(Module(Engine(), binaries[name]).syntax, 1, Options())
            except (AssertionError, KeyError, ValueError):
                caught += 1  # what cannot be reached is not checked, but may not be writable either
                continue
            try:
                found = ours(binaries[name])
            except SyntaxError:
                continue
            assert found == expected[name], (name, place)
    assert caught, "never found"


def test_the_shape_that_ran_an_outer_loop_again_is_found() -> None:
    """Plain nested loops as they used to be written: a `break` for a label that is further out."""
    text = """(module (func (param i32)
      (block $out (loop $outer (loop $inner
        (br_if $out (local.get 0)) (br_if $outer (local.get 0)) (br $inner))))))"""
    body = decode_body(Module(Engine(), assemble(text)).syntax, 0)
    block, outer, inner = body.constructs[1:]
    at = {op: index for index, (op, _, _) in enumerate(body.code)}
    first, last = at[0x0C] - 4, at[0x0C] - 2
    inside, outside = While(inner), While(outer)
    inside.body = [
        Head(inner, alone=True),
        Code(inner.start + 1, first + 1),
        If(first + 1, [Carry(block, first + 1, back=False), Break()], []),
        Code(first + 2, last + 1),
        If(last + 1, [Carry(outer, last + 1, back=True), Break()], []),
        Carry(inner, at[0x0C], back=True),
    ]
    outside.body = [Head(outer, alone=True), Open(inner), inside, Close(inner, joins=False)]
    nodes = [Open(block), Open(outer), outside, Close(outer, joins=False), Close(block, joins=True)]
    with pytest.raises(ControlFlowError):
        check(body, Tree([*nodes, Return(len(body.code) - 1)], dispatches=False))
