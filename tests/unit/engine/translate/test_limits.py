"""CPython's limits never show: any valid function becomes code that compiles and does what it should."""

import pytest
import wasmtime

from wasm2oci.engine.embed import Engine, Instance, Linker, Module
from wasm2oci.engine.runtime.trap import Trap
from wasm2oci.engine.text import assemble


def instance(text: str, engine: Engine | None = None) -> Instance:
    engine = engine or Engine()
    return Linker(engine).instantiate(Module(engine, assemble(text)))


@pytest.fixture(params=["structured", "states"])
def control(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways control flow is written; what the first one gives up goes to the second anyway."""
    if request.param == "states":
        monkeypatch.setattr("wasm2oci.engine.translate.structuring.MAX_ATTEMPTS", 0)
    return str(request.param)


def invoke(made: Instance, name: str, *values: int) -> object:
    return made.function(name).invoke(*values)


@pytest.mark.parametrize("depth", [25, 120, 500])
def test_nested_blocks_with_branches_to_each(depth: int) -> None:
    # Each block is left when its number is the argument; what was passed on the way is counted.
    body = "".join("(block " for _ in range(depth))
    body += "".join(
        f"(br_if 0 (i32.eq (local.get 0) (i32.const {i}))) (local.set 1 (i32.add (local.get 1) (i32.const 1)))"
        f"(br_if {min(i, 3)} (i32.gt_u (local.get 0) (i32.const {depth})))) "
        if i < depth - 4
        else ") "
        for i in range(depth)
    )
    made = instance(f'(module (func (export "f") (param i32) (result i32) (local i32) {body} (local.get 1)))')
    assert invoke(made, "f", depth) == depth - 4
    assert invoke(made, "f", 3) == depth - 5


@pytest.mark.parametrize("depth", [30, 300])
def test_nested_loops(depth: int) -> None:
    text = "(local.set 1 (i32.add (local.get 1) (i32.const 1)))"
    for i in range(depth):
        again = f"(i32.and (i32.eq (local.get 0) (i32.const {i})) (i32.lt_u (local.get 1) (i32.const 9)))"
        text = f"(loop {text} (br_if 0 {again}))"
    made = instance(f'(module (func (export "f") (param i32) (result i32) (local i32) {text} (local.get 1)))')
    assert invoke(made, "f", depth // 2) == 9
    assert invoke(made, "f", depth + 1) == 1


@pytest.mark.parametrize("depth", [120, 400])
def test_nested_ifs(depth: int) -> None:
    text = "(local.set 1 (i32.const 77))"
    for i in range(depth):
        text = f"(if (i32.gt_u (local.get 0) (i32.const {i})) (then {text}) (else (local.set 1 (i32.const {i}))))"
    made = instance(f'(module (func (export "f") (param i32) (result i32) (local i32) {text} (local.get 1)))')
    assert invoke(made, "f", depth) == 77
    assert invoke(made, "f", 5) == depth - 1


@pytest.mark.parametrize("depth", [25, 60])
def test_nested_handlers(depth: int) -> None:
    # Thrown innermost, caught by the handler of the depth asked for.
    text = "(throw $e (local.get 0))"
    for i in range(depth):
        text = (
            f"(block $h{i} (result i32) (try_table (catch $e $h{i}) {text}) (i32.const 0))"
            f"(local.set 0) (local.set 1 (i32.const {i})) "
            f"(if (i32.gt_u (local.get 0) (i32.const {i})) (then (throw $e (local.get 0))))"
        )
    made = instance(
        f'(module (tag $e (param i32)) (func (export "f") (param i32) (result i32) (local i32) {text} (local.get 1)))'
    )
    assert invoke(made, "f", 7) == depth - 1
    assert invoke(made, "f", 0) == depth - 1


@pytest.mark.parametrize("arms", [40, 2_000, 10_000])
def test_a_table_of_many_arms(arms: int, control: str) -> None:
    opens = "(block " * arms
    labels = " ".join(map(str, range(arms)))
    closes = "".join(f") (return (i32.const {i * 7 % 1000003}))" for i in range(arms))
    text = f'(module (func (export "f") (param i32) (result i32) {opens} (br_table {labels} (local.get 0)) {closes}))'
    made = instance(text)
    for index in (0, 1, arms // 2, arms - 1):
        assert invoke(made, "f", index) == index * 7 % 1000003
    assert invoke(made, "f", 0xFFFFFFFF) == (arms - 1) * 7 % 1000003


def test_a_table_with_values_and_outer_targets(control: str) -> None:
    text = """(module (func (export "f") (param i32) (result i32) (local i32)
      (block $a (result i32) (loop $l (result i32) (block $b (result i32) (block $c (result i32)
        (local.set 1 (i32.add (local.get 1) (i32.const 1)))
        (br_table $a $b $c $a (i32.add (local.get 0) (local.get 1)) (local.get 0)))
        (i32.add (i32.const 1000))) (i32.add (i32.const 100)) ) (i32.add (i32.const 10)))))"""
    made = instance(text)
    assert [invoke(made, "f", n) for n in range(5)] == [1, 112, 1113, 4, 5]


def test_many_locals(control: str) -> None:
    count = 5_000
    sets = "".join(f"(local.set {i} (i32.add (local.get {i - 1}) (i32.const 1)))" for i in range(1, count))
    made = instance(
        f'(module (func (export "f") (param i32) (result i32) (local {"i32 " * (count - 1)}) {sets}'
        f" (local.get {count - 1})))"
    )
    assert invoke(made, "f", 1) == count
    assert invoke(made, "f", 0xFFFFFFFF) == count - 2


@pytest.mark.parametrize("op", ["add", "mul", "xor", "shl", "rotl", "div_u", "lt_s"])
def test_deeply_nested_expressions(op: str, control: str) -> None:
    depth = 1_000
    left = right = "(local.get 0)"
    for _ in range(depth):
        left = f"(i32.{op} {left} (local.get 1))"
        right = f"(i32.{op} (local.get 1) {right})"
    signature = "(param i32 i32) (result i32)"
    text = f'(module (func (export "f") {signature} {left}) (func (export "g") {signature} {right}))'
    made = instance(text)
    store = wasmtime.Store()
    module = wasmtime.Module(store.engine, assemble(text))
    theirs = wasmtime.Instance(store, module, []).exports(store)
    for name in ("f", "g"):
        for x, y in ((1, 3), (0xFFFFFFFF, 0x80000001), (12345, 1)):
            try:
                expected = theirs[name](store, x - (x >> 31 << 32), y - (y >> 31 << 32)) & 0xFFFFFFFF  # type: ignore[operator]
            except wasmtime.Trap:
                with pytest.raises(Trap, match="integer divide by zero"):
                    invoke(made, name, x, y)
            else:
                assert invoke(made, name, x, y) == expected


def test_a_thousand_parameters_and_results() -> None:
    count = 1_000
    gets = "".join(f"(local.get {count - 1 - i})" for i in range(count))
    types = "i32 " * count
    made = instance(
        f'(module (func $g (param {types}) (result {types}) {gets}) (func (export "f") (param {types}) (result {types})'
        f" {''.join(f'(local.get {i})' for i in range(count))} (call $g)))"
    )
    assert invoke(made, "f", *range(count)) == tuple(reversed(range(count)))
