"""Functions of components that are called with values, on both engines."""

import pytest

from tests.support.guests import ENGINES, Captured
from wasm2oci.engine.text import assemble
from wasm2oci.errors import ExitCode, UsageError
from wasm2oci.runtime.choose import run
from wasm2oci.runtime.request import (
    Ending,
    EngineChoice,
    EntryError,
    GuestSetupError,
    RunLimits,
    RunOutcome,
    RunRequest,
)
from wasm2oci.runtime.wasmtime_values import WasmtimeValueError

REALLOC = """(global $top (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $top) (global.set $top (i32.add (global.get $top) (i32.and (i32.add (local.get 3) (i32.const 15))
        (i32.const -16)))))"""

LIBRARY = assemble(f"""(component
  (core module $m (memory (export "memory") 1) {REALLOC}
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "fail") unreachable)
    (func (export "spin") (loop (br 0)))
    (func (export "echo") (param i32 i32 i32) (result i32)
      (i32.store (i32.const 64) (local.get 0)) (i32.store (i32.const 68) (local.get 1))
      (i32.store (i32.const 72) (local.get 2)) (i32.const 64)))
  (core instance $i (instantiate $m))
  (func $add (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add")))
  (func $echo (param "text" string) (param "number" s32) (result (tuple string s32))
    (canon lift (core func $i "echo") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
  (instance $math (export "add" (func $add)))
  (type $r (resource (rep i32)))
  (core func $new (canon resource.new $r))
  (core module $n (import "" "new" (func (param i32) (result i32))) (export "make" (func 0)))
  (core instance $j (instantiate $n (with "" (instance (export "new" (func $new))))))
  (export $thing "thing" (type $r))
  (func $make (param "rep" u32) (result (own $thing)) (canon lift (core func $j "make")))
  (export "make" (func $make))
  (export "local:lib/math@0.1.0" (instance $math))
  (func $fail (canon lift (core func $i "fail")))
  (func $spin (canon lift (core func $i "spin")))
  (export "fail" (func $fail))
  (export "spin" (func $spin))
  (export "echo" (func $echo)))""")

TYPES = """(type $p (record (field "x" u8) (field "a-b" (option string)))) (export $point "point" (type $p))
  (type $v (variant (case "dot") (case "circle" f64) (case "named" string))) (export $shape "shape" (type $v))
  (type $s (variant (case "nothing") (case "both" (tuple u8 u8)) (case "one" $point))) (export $sum "sum" (type $s))
  (type $f (flags "read" "write" "run")) (export $flags "flags" (type $f))
  (type $e (enum "red" "green")) (export $color "color" (type $e))"""

ECHOED = {
    "u8": "[1, 255]",
    "s8": "[-128]",
    "bool": "[true, false]",
    "s64": "[-9223372036854775808]",
    "u64": "[18446744073709551615]",
    "f32": "[1.5, -0.0, inf, nan]",
    "f64": "[1e+300, -inf, 0.1]",
    "char": "['a', '😀', '\\'']",
    "string": '["", "grüße\\u{0}", "\\n"]',
    "(list u8)": "[[1, 2], []]",
    "(list string)": '[["a"], []]',
    "(tuple u8 string)": '[(1, "b")]',
    "$point": '[{x: 1, a-b: none}, {x: 2, a-b: some("z")}]',
    "$flags": "[{read, run}, {}]",
    "$color": "[red, green]",
    "$shape": '[dot, circle(2.5), named("a")]',
    "$sum": "[nothing, both((1, 2)), one({x: 1, a-b: none})]",
    "(option u32)": "[none, some(7)]",
    "(option (option u32))": "[none, some(none), some(some(1))]",
    "(option $color)": "[none, some(green)]",
    "(result)": "[ok, err]",
    "(result u32 (error string))": '[ok(1), err("x")]',
    "(result u32 (error u32))": "[ok(1), err(2)]",
    "(result (error string))": '[ok, err("x")]',
    "(result $color (error string))": '[ok(red), err("red")]',
    "(result string (error (option u8)))": '[ok("a"), err(none), err(some(3))]',
    "(result bool (error u8))": "[ok(true), err(1), ok(false), err(0)]",
    "(result (option bool) (error (result u8 (error bool))))": "[ok(none), ok(some(true))]",
}
"""By type: values that a function takes and gives back."""


def echo(type_: str) -> bytes:
    """A component whose function `echo` gives back a list of values of this type."""
    return assemble(f"""(component {TYPES}
      (core module $m (memory (export "memory") 1) {REALLOC}
        (func (export "echo") (param i32 i32) (result i32)
          (i32.store (i32.const 64) (local.get 0)) (i32.store (i32.const 68) (local.get 1)) (i32.const 64)))
      (core instance $i (instantiate $m))
      (func $echo (param "values" (list {type_})) (result (list {type_}))
        (canon lift (core func $i "echo") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
      (export "echo" (func $echo)))""")


def invoke(
    name: str,
    *values: str,
    engine: EngineChoice = EngineChoice.AUTO,
    module: bytes = LIBRARY,
    limits: RunLimits | None = None,
) -> RunOutcome:
    captured = Captured()
    request = RunRequest(
        module=module,
        args=(b"lib",),
        invoke=name,
        values=values,
        engine=engine,
        limits=limits or RunLimits(),
        **captured.streams,
    )
    return run(request)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("type_", ECHOED)
def test_values_go_in_and_come_out(type_: str, engine: EngineChoice) -> None:
    assert invoke(f"echo({ECHOED[type_]})", engine=engine, module=echo(type_)).results == (ECHOED[type_],)


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("(result (option u8) (error string))", '[ok(none), err("x")]'),
        ("(result u8 (error bool))", "[err(true)]"),
        ("(option " * 13 + "u8" + ")" * 13, "[]"),
    ],
)
def test_values_that_the_binding_of_wasmtime_would_mistake_are_passed_by_the_embedded_engine(
    type_: str, text: str
) -> None:
    module = echo(type_)
    with pytest.raises(WasmtimeValueError, match="binding cannot pass") as caught:
        invoke(f"echo({text})", engine=EngineChoice.WASMTIME, module=module)
    assert caught.value.exit_code == ExitCode.UNSUPPORTED
    chosen = invoke(f"echo({text})", module=module)
    assert (chosen.results, chosen.engine) == ((text,), EngineChoice.EMBEDDED)
    assert "binding" in chosen.why


@pytest.mark.parametrize("engine", ENGINES)
def test_functions_of_a_component_are_called_with_values(engine: EngineChoice) -> None:
    assert invoke("add", "2", "3", engine=engine).results == ("5",)
    assert invoke("add(2, 0x10)", engine=engine).results == ("18",)
    assert invoke("local:lib/math@0.1.0#add", "1", "1", engine=engine).results == ("2",)
    assert invoke("echo", '"grüße"', "-7", engine=engine).results == ('("grüße", -7)',)
    assert invoke('echo("(", -1)', engine=engine).results == ('("(", -1)',)


@pytest.mark.parametrize("engine", ENGINES)
def test_limits_and_traps_end_a_function(engine: EngineChoice) -> None:
    failed = invoke("fail", engine=engine)
    assert (failed.ending, failed.exit_code) == (Ending.TRAPPED, ExitCode.TRAP)
    assert failed.trap is not None
    assert failed.trap.reason == "unreachable"
    assert invoke("spin", engine=engine, limits=RunLimits(timeout_s=0.2)).ending is Ending.TIMED_OUT
    spent = invoke("spin()", engine=engine, limits=RunLimits(fuel=10_000))
    assert spent.trap is not None
    assert spent.trap.reason.startswith("out of fuel")


@pytest.mark.parametrize("engine", ENGINES)
def test_what_cannot_be_called_says_why(engine: EngineChoice) -> None:
    with pytest.raises(EntryError, match="no function 'sub'") as caught:
        invoke("sub", "1", engine=engine)
    assert caught.value.hint is not None
    assert "local:lib/math@0.1.0#add" in caught.value.hint
    with pytest.raises(UsageError, match="takes 2 values, 1 given"):
        invoke("add", "1", engine=engine)
    with pytest.raises(UsageError, match="and after it"):
        invoke("add(1, 2)", "3", engine=engine)
    with pytest.raises(GuestSetupError, match="takes or returns resources"):
        invoke("make(1)", engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("type_", ['(param "n" u32) (result (result))', "(result u32)", "", "(result (result u8))"])
def test_a_command_has_a_function_run_of_its_type(type_: str, engine: EngineChoice) -> None:
    params, results = ("i32" if "param" in type_ else ""), ("i32" if "result" in type_ else "")
    module = assemble(f"""(component
      (core module $m (memory (export "memory") 1)
        (func (export "run") (param {params}) (result {results}) unreachable))
      (core instance $i (instantiate $m))
      (func $run {type_} (canon lift (core func $i "run") (memory (core memory $i "memory"))))
      (instance $run-interface (export "run" (func $run)))
      (export "wasi:cli/run@0.2.0" (instance $run-interface)))""")
    captured = Captured()
    with pytest.raises(EntryError, match="'run' that takes nothing"):
        run(RunRequest(module=module, args=(b"x",), engine=engine, **captured.streams))
