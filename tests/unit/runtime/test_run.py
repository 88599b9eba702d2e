"""Running guests: exit codes, streams, invoked functions, traps, and which engine is taken."""

import os
import re
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.guests import DIVIDE, ENGINES, EXIT, HELLO, Captured, call
from wasm2oci.base.folders import CODE_LIMIT
from wasm2oci.cli.remedies import hint_for
from wasm2oci.engine.errors import ModuleError
from wasm2oci.engine.text import assemble
from wasm2oci.errors import ExitCode, RemedyKind, UnsupportedError, UsageError, Wasm2OciError
from wasm2oci.runtime import choose
from wasm2oci.runtime.choose import EngineMissingError, EngineUnsuitedError, run
from wasm2oci.runtime.request import Ending, EngineChoice, EntryError, GuestSetupError, RunLimits, RunRequest
from wasm2oci.wasi.context import Preopen

each_engine = pytest.mark.parametrize("engine", ENGINES)

ADD = '(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))'


@each_engine
def test_output_comes_through(engine: EngineChoice) -> None:
    captured = Captured()
    outcome = call(HELLO, engine, **captured.streams)
    assert (outcome.ending, outcome.exit_code, outcome.engine) == (Ending.EXITED, 0, engine)
    assert bytes(captured.out) == b"hello\n"


@each_engine
def test_output_to_descriptors(engine: EngineChoice, tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file:
        call(HELLO, engine, stdout=file.fileno())
    assert (tmp_path / "out").read_bytes() == b"hello\n"


@each_engine
@pytest.mark.parametrize(
    ("code", "status"), [(0, 0), (1, 1), (42, 42), (125, 125), (126, 126), (255, 255), (256, 1), (-1, 255)]
)
def test_exit_code_is_the_guests_own(engine: EngineChoice, code: int, status: int) -> None:
    assert call(EXIT.format(code=code), engine).exit_code == status


@each_engine
def test_trap_says_why_and_where(engine: EngineChoice) -> None:
    module = assemble(DIVIDE)
    outcome = run(RunRequest(module=module, args=(b"guest",), engine=engine))
    assert (outcome.ending, outcome.exit_code) == (Ending.TRAPPED, ExitCode.TRAP)
    assert outcome.trap is not None
    assert outcome.trap.reason == "integer divide by zero"
    assert [(frame.function, frame.name) for frame in outcome.trap.frames] == [
        (0, "divide"),
        (1, "middle"),
        (2, "_start"),
    ]
    offset = outcome.trap.frames[0].offset
    assert offset is not None
    assert module[offset] == 0x6E  # i32.div_u
    assert re.fullmatch(r"  0: divide at 0x[0-9a-f]+", outcome.trap.lines[0])
    assert outcome.trap.lines[2].startswith("  2: _start at ")


@each_engine
def test_function_is_invoked_with_typed_values(engine: EngineChoice) -> None:
    def invoke(text: str, name: str, *values: str) -> tuple[str, ...]:
        return call(text, engine, invoke=name, values=values).results

    assert invoke(ADD, "add", "2", "0x28") == ("42",)
    assert invoke(ADD, "add", "4294967295", "-2147483648") == ("2147483647",)
    many = """(module (func (export "f") (param i64 f32 f64) (result f64 f32 i64)
      (local.get 2) (local.get 1) (local.get 0)))"""
    assert invoke(many, "f", "18446744073709551615", "0.1", "-inf") == ("-inf", "0.1", "-1")
    assert invoke('(module (func (export "none")))', "none") == ()
    assert invoke('(module (func (export "r") (result externref) (ref.null extern)))', "r") == ("null",)


@each_engine
@pytest.mark.parametrize("values", [(), ("1",), ("1", "2", "3"), ("1", "x"), ("1", "4294967296"), ("1", "1.5")])
def test_values_that_do_not_fit_are_usage_errors(engine: EngineChoice, values: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        call(ADD, engine, invoke="add", values=values)


def test_the_hint_for_a_reference_says_that_null_is_one() -> None:
    text = '(module (func (export "f") (param externref)))'
    with pytest.raises(UsageError, match="'x' is not a value of type externref") as caught:
        call(text, EngineChoice.AUTO, invoke="f", values=("x",))
    assert caught.value.hint == "only null can be given"


@each_engine
def test_library_is_initialized_before_it_is_called(engine: EngineChoice) -> None:
    text = """(module (global $g (mut i32) (i32.const 0))
      (func (export "_initialize") (global.set $g (i32.const 7)))
      (func (export "get") (result i32) (global.get $g)))"""
    assert call(text, engine, invoke="get").results == ("7",)


@each_engine
def test_nothing_to_call_is_not_found(engine: EngineChoice) -> None:
    with pytest.raises(EntryError, match="not a program") as caught:
        call(ADD, engine)
    assert caught.value.remedy == (RemedyKind.INVOKE, "add")
    with pytest.raises(EntryError, match="'sub'") as caught:
        call(ADD, engine, invoke="sub")
    assert caught.value.hint == "it exports add"
    with pytest.raises(EntryError, match="'ad'") as caught:
        call(ADD, engine, invoke="ad")
    assert caught.value.hint == "did you mean add? it exports add"
    with pytest.raises(GuestSetupError, match="takes or returns values"):
        call('(module (func (export "_start") (param i32)))', engine)


@each_engine
def test_an_import_that_is_not_offered_is_named(engine: EngineChoice) -> None:
    with pytest.raises(GuestSetupError, match=r"imports env\.print and 1 more, which is not provided") as caught:
        call('(module (import "env" "print" (func)) (import "env" "b" (global i32)) (func (export "_start")))', engine)
    assert caught.value.exit_code is ExitCode.TOOL_FAILED


@each_engine
def test_import_of_another_type_is_an_error(engine: EngineChoice) -> None:
    with pytest.raises(Wasm2OciError, match="fd_close"):
        call('(module (import "wasi_snapshot_preview1" "fd_close" (func)) (func (export "_start")))', engine)


@each_engine
def test_invalid_module_is_an_error(engine: EngineChoice) -> None:
    with pytest.raises(Wasm2OciError) as caught:
        call('(module (func (export "_start") (i32.add)))', engine)
    assert caught.value.exit_code is ExitCode.INVALID
    with pytest.raises(ModuleError):
        run(RunRequest(module=b"\0asm\x01\0\0\0\xff", args=(b"x",), engine=engine))


@each_engine
def test_directory_that_is_not_there(engine: EngineChoice, tmp_path: Path) -> None:
    with pytest.raises(GuestSetupError, match=r"cannot open the directory .*No such file"):
        call(HELLO, engine, preopens=(Preopen(tmp_path / "absent", "/"),))


@each_engine
def test_start_function_that_traps(engine: EngineChoice) -> None:
    outcome = call('(module (func $boom unreachable) (start $boom) (func (export "_start")))', engine)
    assert outcome.trap is not None
    assert outcome.trap.reason == "unreachable"


@each_engine
def test_uncaught_exception_is_a_trap(engine: EngineChoice) -> None:
    outcome = call('(module (tag $t) (func (export "_start") (throw $t)))', engine)
    assert outcome.exit_code == ExitCode.TRAP
    assert outcome.trap is not None
    assert outcome.trap.reason == "uncaught exception"


@each_engine
def test_trace_has_a_line_for_each_call(engine: EngineChoice) -> None:
    lines: list[str] = []
    captured = Captured()
    call(HELLO, engine, trace=lines.append, **captured.streams)
    assert len(lines) == 1
    assert re.fullmatch(r'fd_write\(1, \[6\]"hello\\n"\) = 0 nwritten=6 <0\.\d{6}>\n', lines[0])


NO_MEMORY = """(module (import "wasi_snapshot_preview1" "random_get" (func $r (param i32 i32) (result i32)))
  (func (export "f") (result i32) (call $r (i32.const 0) (i32.const 4))))"""


def test_module_without_memory_can_still_call() -> None:
    lines: list[str] = []
    outcome = call(NO_MEMORY, EngineChoice.EMBEDDED, invoke="f", trace=lines.append)
    assert outcome.results == ("21",)
    assert len(lines) == 1


@each_engine
def test_trace_of_a_shared_memory_shows_what_was_written(engine: EngineChoice) -> None:
    lines: list[str] = []
    captured = Captured()
    outcome = call(HELLO.replace("1)", "1 2 shared)", 1), engine, trace=lines.append, **captured.streams)
    assert (outcome.exit_code, bytes(captured.out)) == (0, b"hello\n")
    assert [line.partition(" <")[0] for line in lines] == ['fd_write(1, [6]"hello\\n") = 0 nwritten=6']


@pytest.mark.parametrize("traced", [False, True])
def test_module_without_memory_traps_on_wasmtime_traced_or_not(*, traced: bool) -> None:
    lines: list[str] = []
    outcome = call(NO_MEMORY, EngineChoice.WASMTIME, invoke="f", trace=lines.append if traced else None)
    assert (outcome.ending, outcome.exit_code) == (Ending.TRAPPED, ExitCode.TRAP)
    assert outcome.trap is not None
    assert "memory" in outcome.trap.reason
    assert len(lines) == traced


def test_trace_of_memory_of_64_bits_and_of_a_start_function() -> None:
    """The start function calls before the instance exists; an address of 64 bits is wrapped by the guest itself."""
    text = """(module (import "wasi_snapshot_preview1" "random_get" (func $r (param i32 i32) (result i32)))
      (memory (export "memory") i64 1) (global $g (mut i32) (i32.const 9))
      (func $s (global.set $g (call $r (i32.const 0) (i32.const 4)))) (start $s)
      (func (export "f") (result i32 i32) (global.get $g) (i32.eqz (i32.load (i64.const 0)))))"""
    lines: list[str] = []
    plain = call(text, EngineChoice.WASMTIME, invoke="f")
    traced = call(text, EngineChoice.WASMTIME, invoke="f", trace=lines.append)
    assert (plain.ending, plain.results) == (traced.ending, traced.results)
    assert len(lines) == 1


@pytest.mark.parametrize("traced", [False, True])
def test_value_that_wasi_does_not_know_is_a_trap_on_wasmtime_traced_or_not(*, traced: bool) -> None:
    """wasmtime takes such a value for a fault of the guest's; a trap of the host's is a trap."""
    text = """(module (import "wasi_snapshot_preview1" "fd_seek" (func $s (param i32 i64 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (func $inner (result i32) (call $s (i32.const 0) (i64.const 0) (i32.const 9) (i32.const 0)))
      (func (export "_start") (drop (call $inner))))"""
    outcome = call(text, EngineChoice.WASMTIME, trace=len if traced else None)
    assert (outcome.ending, outcome.exit_code) == (Ending.TRAPPED, ExitCode.TRAP)
    assert outcome.trap is not None
    assert "Whence" in outcome.trap.reason
    assert [frame.name for frame in outcome.trap.frames] == ["inner", "_start"]


VECTOR = '(module (func (export "v") (param v128) (result v128) (local.get 0)))'
AGGREGATE = '(module (type $s (struct)) (func (export "s") (result (ref $s)) (struct.new $s)))'


@pytest.mark.parametrize("text", [VECTOR, AGGREGATE])
def test_values_that_would_end_the_process_on_wasmtime_are_refused_first(text: str) -> None:
    name = text.split('"')[1]
    values = ("0x1",) if name == "v" else ()
    with pytest.raises(UnsupportedError, match="wasmtime's Python binding cannot pass"):
        call(text, EngineChoice.WASMTIME, invoke=name, values=values)


def test_vectors_go_to_the_embedded_engine() -> None:
    outcome = call(VECTOR, EngineChoice.AUTO, invoke="v", values=("0x0102030405060708090a0b0c0d0e0f10",))
    assert outcome.engine is EngineChoice.EMBEDDED
    assert outcome.results == ("0x0102030405060708090a0b0c0d0e0f10",)


def test_wasmtime_is_taken_when_it_can() -> None:
    assert call(HELLO, EngineChoice.AUTO, **Captured().streams).engine is EngineChoice.WASMTIME


def test_embedded_is_taken_without_wasmtime(monkeypatch: pytest.MonkeyPatch) -> None:
    module = assemble(HELLO)
    monkeypatch.setattr(choose, "wasmtime_missing", lambda: "wasmtime is not installed")
    outcome = run(RunRequest(module=module, args=(b"x",), **Captured().streams))
    assert (outcome.engine, outcome.why) == (EngineChoice.EMBEDDED, "wasmtime is not installed")
    with pytest.raises(UnsupportedError, match="not installed"):
        run(RunRequest(module=module, args=(b"x",), engine=EngineChoice.WASMTIME))


def test_an_old_wasmtime_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its binding lacks what ours names: each run ended as an internal error."""
    module = assemble(HELLO)
    (tmp_path / "wasmtime").mkdir()
    (tmp_path / "wasmtime" / "__init__.py").write_text("raise AssertionError\n")
    (tmp_path / "wasmtime-49.2.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "wasmtime")
    outcome = run(RunRequest(module=module, args=(b"x",), **Captured().streams))
    assert (outcome.engine, outcome.why) == (EngineChoice.EMBEDDED, "wasmtime 49.2.0 is too old: 50 is needed")
    for guest in (module, assemble(COMPONENT)):
        with pytest.raises(EngineMissingError, match=r"wasmtime 49\.2\.0 is too old: 50 is needed"):
            run(RunRequest(module=guest, args=(b"x",), engine=EngineChoice.WASMTIME))


def test_the_oldest_wasmtime_is_the_one_that_the_package_asks_for() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert project["optional-dependencies"]["wasmtime"] == [f"wasmtime>={choose._OLDEST}"]


def test_timings_name_functions() -> None:
    text = """(module (func $work (result i32) (local i32)
        (loop (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 20000)))) (local.get 0))
      (func (export "f") (result i32) (i32.add (call $work) (call $work))))"""
    outcome = call(text, EngineChoice.AUTO, invoke="f", timings=True)
    assert outcome.results == ("40000",)
    rows = {row.name: row for row in outcome.timings}
    assert rows["work"].calls == 2
    assert rows["work"].own_s > 0


COMPONENT = "(component)"


@pytest.mark.parametrize("engine", ENGINES)
def test_component_that_is_no_command(engine: EngineChoice) -> None:
    with pytest.raises(EntryError, match="wasi:cli/run"):
        call(COMPONENT, engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_component_with_a_long_name_is_refused_in_a_short_message(engine: EngineChoice) -> None:
    with pytest.raises(EntryError, match="is not a command") as caught:
        call(f'(component (instance $i) (export "{"a" * 5000}" (instance $i)))', engine)
    assert len(caught.value.hint or "") < 100


@pytest.mark.parametrize("engine", ENGINES)
def test_command_component_runs(engine: EngineChoice) -> None:
    text = """(component
      (core module $m (func (export "run") (result i32) (i32.const RESULT)))
      (core instance $i (instantiate $m))
      (func $run (result (result)) (canon lift (core func $i "run")))
      (instance $run-interface (export "run" (func $run)))
      (export "wasi:cli/run@0.2.0" (instance $run-interface)))"""
    assert call(text.replace("RESULT", "0"), engine).exit_code == 0
    assert call(text.replace("RESULT", "1"), engine).exit_code == 1


def test_compiled_code_is_kept_and_taken_from_a_safe_folder_only(tmp_path: Path) -> None:
    captured = Captured()

    def go() -> None:
        call(HELLO, EngineChoice.WASMTIME, cache=tmp_path, **captured.streams)

    go()
    (kept,) = (tmp_path / "wasmtime").glob("*.cwasm")
    os.utime(kept, (1000, 1000))
    before = kept.stat().st_ino
    go()
    assert kept.stat().st_ino == before
    assert kept.stat().st_mtime > 1000  # used: others go before it
    kept.write_bytes(b"damaged")  # made again
    go()
    assert kept.stat().st_size > 100
    planted = kept.read_bytes()
    kept.chmod(0o666)  # others might have written it: not loaded, made again
    go()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.stat().st_size == len(planted)
    kept.unlink()
    kept.symlink_to(os.devnull)
    go()
    assert not kept.is_symlink()
    assert bytes(captured.out) == b"hello\n" * 5


@pytest.mark.parametrize(
    ("body", "feature", "hint"),
    [
        (b"\x06\x40\x19\x0b", "legacy-exceptions", "wasm-use-legacy-eh=false"),
        (b"\x42\x01\x42\x01\xfc\x15\x1a\x1a", "wide-arithmetic", "--engine wasmtime may"),
    ],
)
def test_what_the_embedded_engine_does_not_run_is_unsupported(body: bytes, feature: str, hint: str) -> None:
    code = bytes([len(body) + 2]) + b"\0" + body + b"\x0b"
    module = (
        b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x07\x0a\x01\x06_start\0\0\x0a"
        + bytes([len(code) + 1])
        + b"\x01"
        + code
    )
    with pytest.raises(EngineUnsuitedError, match=f"uses {feature} ") as caught:
        run(RunRequest(module=module, args=(b"x",), engine=EngineChoice.EMBEDDED))
    assert hint in (hint_for(caught.value) or "")
    assert caught.value.exit_code is ExitCode.UNSUPPORTED


def test_compiled_code_used_longest_ago_makes_room(tmp_path: Path) -> None:
    folder = tmp_path / "wasmtime"
    folder.mkdir(mode=0o700)
    for number in range(3):
        old = folder / f"{number}.cwasm"
        old.touch()
        os.truncate(old, CODE_LIMIT // 2)
        os.utime(old, (1000 + number,) * 2)
    call(HELLO, EngineChoice.WASMTIME, cache=tmp_path, **Captured().streams)
    assert {path.name for path in folder.iterdir()} & {"0.cwasm", "1.cwasm", "2.cwasm"} == {"2.cwasm"}
    assert len(list(folder.glob("*.cwasm"))) == 2


def test_code_kept_for_a_function_is_not_taken_for_a_program(tmp_path: Path) -> None:
    """What is kept spares the look at a program's start; the start of this one would end the process."""
    text = '(module (func (export "f")) (func (export "_start") (param v128)))'
    for invoke in ("f", None, "f", None):
        if invoke is None:
            with pytest.raises(GuestSetupError, match="takes or returns values"):
                call(text, EngineChoice.AUTO, cache=tmp_path)
        else:
            assert call(text, EngineChoice.AUTO, cache=tmp_path, invoke=invoke).exit_code == 0


def test_limits_hold_for_programs_run_before(tmp_path: Path) -> None:
    text = '(module (memory 100) (func (export "_start")))'
    assert call(text, EngineChoice.WASMTIME, cache=tmp_path).exit_code == 0
    with pytest.raises(GuestSetupError, match=r"asks for 6\.2MiB of memory; the limit is 1MiB"):
        call(text, EngineChoice.WASMTIME, cache=tmp_path, limits=RunLimits(max_memory=1 << 20))


def test_trap_of_a_program_run_before_has_names(tmp_path: Path) -> None:
    for _ in range(2):
        trap = call(DIVIDE, EngineChoice.WASMTIME, cache=tmp_path).trap
        assert trap is not None
        assert [frame.name for frame in trap.frames] == ["divide", "middle", "_start"]


def test_text_that_is_no_module() -> None:
    with pytest.raises(Wasm2OciError, match=r"line 2") as caught:
        assemble("(module\n  (func (i32.nonsense)))")
    assert caught.value.exit_code is ExitCode.INVALID


def test_rust_names_are_readable() -> None:
    from wasm2oci.runtime.request import readable_name

    assert readable_name("_ZN4core3fmt9Formatter9write_str17h0123456789abcdefE") == "core::fmt::Formatter::write_str"
    assert readable_name(
        "_ZN60_$LT$alloc..string..String$u20$as$u20$core..fmt..Display$GT$3fmt17h0123456789abcdefE"
    ) == ("<alloc::string::String as core::fmt::Display>::fmt")
    assert readable_name("main.main") == "main.main"
    assert readable_name("_ZNbroken") == "_ZNbroken"


@pytest.mark.parametrize(
    "name", ["_ZN\u00b2E", "_ZN" + "5" * 5000 + "E", "_ZN3abE", "_ZN1E", "_ZNE", "_ZN2_$E", "_ZN" + "1a" * 20000 + "E"]
)
def test_symbols_that_only_look_mangled_have_a_name(name: str) -> None:
    from wasm2oci.runtime.request import StackFrame

    assert str(StackFrame(0, name, None))


def test_feature_that_no_engine_runs_is_named() -> None:
    with pytest.raises(EngineUnsuitedError, match=r"legacy-exceptions .* neither does wasmtime") as caught:
        call('(module (func (export "_start") (try (do) (catch_all))))', EngineChoice.AUTO)
    assert caught.value.hint is not None


COMMAND = """(component
  (core module $m (memory (export "memory") 1) (table 1 funcref)
    (func $inner (result i32) {body}) (func $middle (export "run") (result i32) (call $inner)))
  (core instance $i (instantiate $m))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (component $c (import "import-func-run" (func $f (result (result)))) (export "run" (func $f)))
  (instance $inst (instantiate $c (with "import-func-run" (func $run))))
  (export "wasi:cli/run@0.2.0" (instance $inst)))"""


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("unreachable", "unreachable"),
        ("(i32.load (i32.const 70000))", "out of bounds memory access"),
        ("(call $inner)", "call stack exhausted"),
        ("(loop (br 0)) (i32.const 0)", "out of fuel"),
        ("(i32.div_u (i32.const 1) (i32.const 0))", "integer divide by zero"),
        ("(call_indirect (result i32) (i32.const 9))", "out of bounds table access"),
        ("(i32.trunc_f32_s (f32.const nan))", "invalid conversion to integer"),
    ],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_trap_of_a_component_says_why_and_where(body: str, reason: str, engine: EngineChoice) -> None:
    outcome = call(COMMAND.format(body=body), engine, limits=RunLimits(fuel=1_000_000))
    assert (outcome.ending, outcome.exit_code) == (Ending.TRAPPED, ExitCode.TRAP)
    assert outcome.trap is not None
    if engine is EngineChoice.EMBEDDED and "call_indirect" in body:
        reason = "undefined element"  # the word of the specification's tests
    assert outcome.trap.reason == reason
    assert outcome.trap.frames[0].name == "inner"


@pytest.mark.parametrize("engine", ENGINES)
def test_result_no_component_can_give_is_a_trap(engine: EngineChoice) -> None:
    outcome = call(COMMAND.format(body="(i32.const 7)"), engine)
    assert (outcome.ending, outcome.exit_code) == (Ending.TRAPPED, ExitCode.TRAP)


def test_start_function_of_a_component_traps() -> None:
    text = COMMAND.format(body="(i32.const 0)").replace("(memory", "(func $begin unreachable) (start $begin) (memory")
    outcome = call(text, EngineChoice.AUTO)
    assert (outcome.ending, outcome.exit_code) == (Ending.TRAPPED, ExitCode.TRAP)
    assert outcome.trap is not None
    assert outcome.trap.frames[0].name == "begin"


@each_engine
def test_colon_in_a_directory_that_is_not_there_gets_a_hint(engine: EngineChoice) -> None:
    with pytest.raises(GuestSetupError, match="cannot open the directory") as caught:
        call(HELLO, engine, preopens=(Preopen(Path(".:/data"), ".:/data"),))
    assert caught.value.hint == "a directory under another name is written HOST::GUEST"


def test_directory_whose_name_is_not_utf_8(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/d\xff"))
    folder.mkdir()
    for preopen in (Preopen(folder, "/d"), Preopen(tmp_path, "d\udcff")):
        for engine in (EngineChoice.AUTO, EngineChoice.EMBEDDED):
            outcome = call(HELLO, engine, preopens=(preopen,), stdout=len)
            assert (outcome.engine, outcome.exit_code) == (EngineChoice.EMBEDDED, 0)
        with pytest.raises(GuestSetupError, match="not UTF-8") as caught:
            call(HELLO, EngineChoice.WASMTIME, preopens=(preopen,))
        assert caught.value.remedy == (RemedyKind.USE_EMBEDDED, "")


@pytest.mark.parametrize(
    "text",
    [
        '(component (import "wasi:clocks/types@0.3.0" (instance)))',
        COMMAND.format(body="(i32.const 0)").replace("0.2.0", "0.3.0-rc-2026-01-06"),
    ],
)
def test_component_of_a_later_wasi_says_so(text: str) -> None:
    with pytest.raises(UnsupportedError, match=r"another WASI than the 0\.2") as caught:
        call(text, EngineChoice.WASMTIME)
    assert caught.value.remedy == (RemedyKind.USE_EMBEDDED, "")
    with pytest.raises(EntryError, match=r"exports no wasi:cli/run@0\.2 or 0\.3"):
        call(text, EngineChoice.AUTO)


def test_a_command_of_wasi_0_3_runs_on_the_embedded_engine() -> None:
    text = """(component
      (core func $return (canon task.return (result (result))))
      (core module $m
        (import "" "return" (func $return (param i32)))
        (func (export "run") (result i32) (call $return (i32.const 1)) (i32.const 0))
        (func (export "back") (param i32 i32 i32) (result i32) unreachable))
      (core instance $i (instantiate $m (with "" (instance (export "return" (func $return))))))
      (func $run async (result (result))
        (canon lift (core func $i "run") async (callback (core func $i "back"))))
      (instance $run-interface (export "run" (func $run)))
      (export "wasi:cli/run@0.3.0" (instance $run-interface)))"""
    outcome = call(text, EngineChoice.AUTO)
    assert (outcome.exit_code, outcome.engine) == (1, EngineChoice.EMBEDDED)


def test_arguments_and_variables_that_are_not_bytes_are_refused_where_they_are_given() -> None:
    for wrong in ({"args": ("x",)}, {"environment": (("A", b"1"),)}, {"environment": ((b"A", 1),)}):
        with pytest.raises(UsageError, match="are bytes"):
            RunRequest(**wrong)
