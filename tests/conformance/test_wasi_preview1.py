"""The preview 1 suite of WebAssembly/wasi-testsuite: 72 programs, each on three paths.

wasmtime   wasmtime with its own WASI, as `run` uses it
trace      wasmtime with ours, as `run --trace` uses it
embedded   the embedded engine with ours
"""

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.data import data_path, missing_reason, unpack
from wasm2oci.runtime.choose import run
from wasm2oci.runtime.request import EngineChoice, RunLimits, RunRequest
from wasm2oci.wasi.context import Preopen

ARCHIVE = ("wasi-testsuite", "preview1.tar.xz")
PATHS = ("wasmtime", "trace", "embedded")

pytestmark = pytest.mark.spec


def programs() -> list[str]:
    """Every program in the archive, as a path inside it."""
    if not data_path(*ARCHIVE).exists():
        return []
    with tarfile.open(data_path(*ARCHIVE)) as archive:
        return sorted(name for name in archive.getnames() if name.endswith(".wasm"))


PROGRAMS = programs()


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive unpacked."""
    folder = tmp_path_factory.mktemp("suite")
    unpack(data_path(*ARCHIVE), folder)
    return folder


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where generated code is kept between tests."""
    return tmp_path_factory.mktemp("code")


def test_suite_is_whole() -> None:
    if not PROGRAMS:
        pytest.skip(missing_reason(*ARCHIVE))
    assert len(PROGRAMS) == 72


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda name: Path(name).stem)
def test_program(program: str, path: str, suite: Path, code: Path, tmp_path: Path) -> None:
    file = suite / program
    settings = file.with_suffix(".json")
    expected: dict[str, Any] = json.loads(settings.read_text()) if settings.exists() else {}
    preopens: tuple[Preopen, ...] = ()
    if expected.get("root"):
        root = tmp_path / "root"
        shutil.copytree(file.parent / expected["root"], root, symlinks=True)
        preopens = (Preopen(root, "/"),)
    stdout, stderr, lines = bytearray(), bytearray(), list[str]()
    outcome = run(
        RunRequest(
            module=file.read_bytes(),
            args=(file.name.encode(), *(text.encode() for text in expected.get("args", []))),
            environment=tuple((name.encode(), value.encode()) for name, value in expected.get("env", {}).items()),
            preopens=preopens,
            stdout=stdout.extend,
            stderr=stderr.extend,
            engine=EngineChoice.EMBEDDED if path == "embedded" else EngineChoice.WASMTIME,
            trace=lines.append if path == "trace" else None,
            cache=code,
            limits=RunLimits(timeout_s=100),
        )
    )
    assert outcome.exit_code == expected.get("exit_code", 0), (outcome, bytes(stderr))
    if "stdout" in expected:
        assert stdout.decode() == expected["stdout"]
    if path == "trace":
        assert lines
