"""Components on the embedded engine, with WASI 0.2: what they are given, what they are refused, and their limits."""

import re
from pathlib import Path

import pytest

from tests.support.guests import ENGINES, Captured
from tests.support.programs import fixture
from wasm2oci.engine.component.unsupported import ComponentUnsupportedError
from wasm2oci.engine.text import assemble
from wasm2oci.errors import ExitCode, RemedyKind
from wasm2oci.runtime.choose import run
from wasm2oci.runtime.request import Ending, EngineChoice, GuestSetupError, RunLimits, RunOutcome, RunRequest
from wasm2oci.wasi.context import Preopen

CALLS = fixture("calls.component.wasm")


def command(body: str, before: str = "", imports: str = "", given: str = "") -> bytes:
    """A component that is a command; its core function is `body`, and its core module imports what is `given`."""
    return assemble(f"""(component
      {imports}
      (core module $m {before} (func (export "run") (result i32) {body}))
      (core instance $i (instantiate $m {given}))
      (func $run (result (result)) (canon lift (core func $i "run")))
      (instance $run-interface (export "run" (func $run)))
      (export "wasi:cli/run@0.2.0" (instance $run-interface)))""")


def go(module: bytes, *words: str, **more: object) -> tuple[RunOutcome, Captured]:
    captured = Captured()
    request = {
        "module": module,
        "args": (b"calls", *(word.encode() for word in words)),
        "engine": EngineChoice.EMBEDDED,
        **captured.streams,
        **more,
    }
    return run(RunRequest(**request)), captured


@pytest.mark.parametrize(
    "words", ["open 3 1 file.txt 0 2 + read 4 + stat 3 0 file.txt", "open 3 0 ../x 0 2", "mkdir 3 new"]
)
def test_a_program_does_the_same_on_both_engines(words: str, tmp_path: Path) -> None:
    said = []
    for engine in ENGINES:
        inside = tmp_path / engine
        inside.mkdir()
        (inside / "file.txt").write_text("public")
        outcome, captured = go(CALLS, *words.split(), engine=engine, preopens=(Preopen(inside, "/"),))
        said.append((outcome.exit_code, bytes(captured.out), bytes(captured.err)))
    assert said[0] == said[1]
    assert said[0][0] == 0


def test_nothing_in_a_read_only_directory_is_changed(tmp_path: Path) -> None:
    outcome, captured = go(CALLS, "mkdir", "3", "new", preopens=(Preopen(tmp_path, "/", read_only=True),))
    assert outcome.exit_code == 0
    assert not captured.out.decode().startswith("0")
    assert list(tmp_path.iterdir()) == []


def test_a_trace_shows_the_calls_of_wasi_with_their_values(tmp_path: Path) -> None:
    lines: list[str] = []
    go(CALLS, "mkdir", "3", "new", preopens=(Preopen(tmp_path, "/"),), trace=lines.append)
    shown = [line for line in lines if "create-directory-at" in line]
    assert len(shown) == 1
    assert re.fullmatch(
        r"wasi:filesystem/types@0\.2\.\d+#\[method\]descriptor\.create-directory-at"
        r'\(descriptor, "new"\) = ok <0\.\d{6}>\n',
        shown[0],
    )


def test_limits_end_a_component() -> None:
    loop = command("(loop (br 0)) (i32.const 0)")
    assert go(loop, limits=RunLimits(fuel=10_000))[0].trap.reason.startswith("out of fuel")  # type: ignore[union-attr]
    assert go(loop, limits=RunLimits(timeout_s=0.2))[0].ending is Ending.TIMED_OUT
    grows = command("(drop (memory.grow (i32.const 60000))) (memory.size) (i32.eqz)", "(memory 1)")
    assert go(grows, limits=RunLimits(max_memory=1 << 20))[0].exit_code == 0
    starts = command("(i32.const 0)", "(memory 100)")
    with pytest.raises(Exception, match="memory"):
        go(starts, limits=RunLimits(max_memory=1 << 20))


def test_a_realloc_that_lies_is_a_trap() -> None:
    lies = assemble("""(component
      (import "wasi:cli/environment@0.2.0" (instance $e (export "get-arguments" (func (result (list string))))))
      (core module $libc (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0x7ffffff0)))
      (core instance $libc (instantiate $libc))
      (core func $get (canon lower (func $e "get-arguments")
        (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
      (core module $m (import "" "get" (func $get (param i32)))
        (func (export "run") (result i32) (call $get (i32.const 0)) (i32.const 0)))
      (core instance $i (instantiate $m (with "" (instance (export "get" (func $get))))))
      (func $run (result (result)) (canon lift (core func $i "run")))
      (instance $run-interface (export "run" (func $run)))
      (export "wasi:cli/run@0.2.0" (instance $run-interface)))""")
    outcome, _ = go(lies)
    assert (outcome.ending, outcome.exit_code) == (Ending.TRAPPED, ExitCode.TRAP)
    assert outcome.trap is not None
    assert outcome.trap.reason == "canonical ABI: realloc return: beyond end of memory"


def test_a_handle_dropped_twice_is_a_trap() -> None:
    twice = assemble("""(component
      (type $r (resource (rep i32)))
      (core func $new (canon resource.new $r))
      (core func $drop (canon resource.drop $r))
      (core module $m
        (import "" "new" (func $new (param i32) (result i32)))
        (import "" "drop" (func $drop (param i32)))
        (func (export "run") (result i32) (local i32)
          (local.set 0 (call $new (i32.const 7)))
          (call $drop (local.get 0)) (call $drop (local.get 0)) (i32.const 0)))
      (core instance $i (instantiate $m (with "" (instance
        (export "new" (func $new)) (export "drop" (func $drop))))))
      (func $run (result (result)) (canon lift (core func $i "run")))
      (instance $run-interface (export "run" (func $run)))
      (export "wasi:cli/run@0.2.0" (instance $run-interface)))""")
    outcome, _ = go(twice)
    assert outcome.trap is not None
    assert outcome.trap.reason == "canonical ABI: unknown handle index 1"


@pytest.mark.parametrize("start", ["(func $wait (call $wait-for-nothing)) (start $wait)", ""], ids=["start", "run"])
def test_a_wait_for_nothing_is_a_trap(start: str) -> None:
    wasi = """(import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type $p (sub resource)))
        (export "poll" (func (param "in" (list (borrow $p))) (result (list u32))))))
      (core module $libc (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0))
      (core instance $libc (instantiate $libc)) (alias core export $libc "memory" (core memory $memory))
      (alias core export $libc "realloc" (core func $realloc))
      (core func $poll (canon lower (func $poll "poll") (memory $memory) (realloc $realloc)))"""
    before = f"""(import "" "poll" (func $poll (param i32 i32 i32))) {start}
      (func $wait-for-nothing (call $poll (i32.const 0) (i32.const 0) (i32.const 8)))"""
    given = '(with "" (instance (export "poll" (func $poll))))'
    module = command("(call $wait-for-nothing) (i32.const 0)", before, wasi, given)
    outcome, _ = go(module)
    assert (outcome.ending, outcome.exit_code) == (Ending.TRAPPED, 134)
    assert outcome.trap is not None
    assert "there is nothing to wait for" in outcome.trap.reason


def test_an_import_that_is_not_offered_is_refused_or_traps() -> None:
    module = command("(i32.const 0)", imports='(import "wasi:http/types@0.2.0" (instance (export "f" (func))))')
    with pytest.raises(GuestSetupError, match="'f', which is not provided") as caught:
        go(module)
    assert caught.value.remedy is not None
    assert caught.value.remedy.kind is RemedyKind.TRAP_MISSING
    assert go(module, missing_as_traps=True)[0].exit_code == 0
    with pytest.raises(GuestSetupError, match="was not found") as caught:
        go(module, engine=EngineChoice.WASMTIME)
    assert caught.value.remedy is not None
    assert caught.value.remedy.kind is RemedyKind.TRAP_MISSING
    with pytest.raises(GuestSetupError, match="cannot tell which imports"):
        go(module, engine=EngineChoice.WASMTIME, missing_as_traps=True)
    assert go(module, engine=EngineChoice.AUTO, missing_as_traps=True)[0].engine is EngineChoice.EMBEDDED


@pytest.mark.parametrize("engine", ENGINES)
def test_what_components_do_not_take_is_refused_on_both_engines(engine: EngineChoice) -> None:
    with pytest.raises(GuestSetupError, match="timings are for core modules"):
        go(CALLS, engine=engine, timings=True)


def test_a_trace_of_a_component_on_wasmtime_is_refused_with_a_way_out() -> None:
    with pytest.raises(GuestSetupError, match="on wasmtime a trace shows calls of preview 1 only") as caught:
        go(CALLS, engine=EngineChoice.WASMTIME, trace=print)
    assert caught.value.remedy is not None
    assert caught.value.remedy.kind is RemedyKind.USE_EMBEDDED


def test_a_function_of_wasi_has_the_type_that_wasi_gives_it() -> None:
    wrong = '(import "wasi:random/random@0.2.0" (instance (export "get-random-u64" (func (result string)))))'
    with pytest.raises(GuestSetupError, match=re.escape("as () -> string, and what is offered is () -> u64")):
        go(command("(i32.const 0)", imports=wrong))
    with pytest.raises(GuestSetupError, match=re.escape("as () -> string, and what is offered is () -> u64")):
        go(command("(i32.const 0)", imports=wrong.replace("0.2.0", "0.3.0")))
    other = '(import "wasi:random/random@0.4.0" (instance (export "get-random-u64" (func (result u64)))))'
    with pytest.raises(GuestSetupError, match="not provided"):
        go(command("(i32.const 0)", imports=other))


def test_a_type_of_gigabytes_of_text_is_another_type_than_that_of_wasi() -> None:
    label = "a" * 50_000
    doubled = "".join([f"(type $t{depth} (tuple $t{depth - 1} $t{depth - 1}))" for depth in range(1, 18)])
    imports = f"""(type $t0' (flags "{label}")) (import "t" (type $t0 (eq $t0'))) {doubled}
      (import "wasi:random/random@0.2.0" (instance (alias outer 1 $t17 (type $t17))
        (export "get-random-u64" (func (result $t17)))))"""
    with pytest.raises(GuestSetupError, match="what is offered is") as caught:
        go(command("(i32.const 0)", imports=imports))
    assert len(str(caught.value)) < 2000


def test_what_is_not_built_is_refused_before_anything_runs() -> None:
    with pytest.raises(ComponentUnsupportedError, match=r"threads of its own \(thread\.index\)"):
        go(command("unreachable", imports="(core func (canon thread.index))"))
    with pytest.raises(ComponentUnsupportedError, match="values and start functions"):
        go(command("unreachable", imports='(import "v" (value u8))'))


_ASYNC = """(component
  (core func $yield (canon thread.yield))
  (core module $m
    (import "" "yield" (func $yield (result i32)))
    (func (export "spins") (result i32) (i32.const 1))
    (func (export "spins-back") (param i32 i32 i32) (result i32) (i32.const 1))
    (func (export "loops") (loop (br 0)))
    (func (export "yields") (loop (drop (call $yield)) (br 0))))
  (core instance $i (instantiate $m (with "" (instance (export "yield" (func $yield))))))
  (func (export "spins") async (canon lift (core func $i "spins") async (callback (core func $i "spins-back"))))
  (func (export "loops") async (canon lift (core func $i "loops") async))
  (func (export "yields") async (canon lift (core func $i "yields") async)))"""


@pytest.mark.parametrize("function", ["spins", "loops", "yields"])
def test_the_time_limit_ends_an_asynchronous_function(function: str) -> None:
    outcome, _ = go(assemble(_ASYNC), invoke=function, limits=RunLimits(timeout_s=0.2))
    assert outcome.ending is Ending.TIMED_OUT


def test_generated_code_is_kept(tmp_path: Path) -> None:
    for _ in range(2):
        assert go(CALLS, "prestat", "9", cache=tmp_path)[0].ending is Ending.EXITED
    assert any(path.is_file() for path in (tmp_path / "embedded").rglob("*"))


def test_components_that_multiply_are_ended() -> None:
    # Each component makes ten instances of the one within.
    text = "(component $c0 (type u32))"
    for depth in range(1, 8):
        copies = " ".join([f"(instance (instantiate $c{depth - 1}))"] * 10)
        text = f"(component $c{depth} {text} {copies})"
    many = assemble(f"""(component {text} (instance (instantiate $c7))
      (core module $m (func (export "run") (result i32) (i32.const 0)))
      (core instance $i (instantiate $m))
      (func $run (result (result)) (canon lift (core func $i "run")))
      (instance $run-interface (export "run" (func $run)))
      (export "wasi:cli/run@0.2.0" (instance $run-interface)))""")
    with pytest.raises(GuestSetupError, match="more than 10,000 instances"):
        go(many)


def test_core_instances_are_counted() -> None:
    many = command("(i32.const 0)", imports="(core module $e) " + "(core instance (instantiate $e)) " * 10_001)
    with pytest.raises(GuestSetupError, match="more than 10,000 instances"):
        go(many)


def test_a_large_list_of_fixed_length_costs_what_is_passed() -> None:
    large = command(
        "(i32.const 0)",
        imports="""(component $c
          (import "f" (func $f (param "l" (list u8 268435455))))
          (core module $m (memory (export "memory") 1))
          (core instance $i (instantiate $m))
          (core func (canon lower (func $f) (memory (core memory $i "memory")))))""",
    )
    assert go(large)[0].exit_code == 0
