"""The specification's test suite, unpacked once for each user and machine, and read as commands.

Two folders below one in the system's place for temporary files: `json/NAME/` as converted in the test data, and
`legacy/NAME/`, which Debian's `wast2json` makes of the four files about legacy exceptions (absent without it).
"""

import functools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.data import data_path, missing_reason, unpack

__all__ = [
    "Command",
    "SpecFile",
    "core_files",
    "custom_files",
    "legacy_files",
    "missing",
    "proposal_files",
    "spec_file",
]

_ARCHIVE = ("spec-testsuite", "core-3.0-json.tar.xz")
_SOURCES = ("spec-testsuite", "wast.tar.xz")
_LEGACY = ("rethrow", "throw", "try_catch", "try_delegate")
CORE_FILES = 257


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a script.

    Attributes:
        type: `module`, `assert_return`, ...
        line: its line in the `.wast` file.
        raw: the whole JSON object.
        folder: where the files it names are.
    """

    type: str
    line: int
    raw: dict[str, Any]
    folder: Path

    @property
    def binary(self) -> bytes | None:
        """The module of this command, or None where it has none or stands in the text format only."""
        name = str(self.raw.get("binary_filename") or self.raw.get("filename") or "")
        if not name.endswith(".wasm"):
            return None
        return (self.folder / name).read_bytes()

    @property
    def text(self) -> str:
        """What an assertion says goes wrong."""
        return str(self.raw.get("text", ""))


@dataclass(frozen=True, slots=True)
class SpecFile:
    """One `.wast` file, converted."""

    name: str
    folder: Path

    def commands(self) -> Iterator[Command]:
        """Its commands in order."""
        script = json.loads((self.folder / "t.json").read_text())
        for raw in script["commands"]:
            yield Command(raw["type"], raw["line"], raw, self.folder)


def missing() -> str | None:
    """Why the suite cannot be read, or None where it can."""
    return None if data_path(*_ARCHIVE).exists() else missing_reason(*_ARCHIVE)


def _names() -> list[str]:
    if missing():
        return []
    return sorted(entry.name for entry in (_unpacked() / "json").iterdir())


def core_files() -> list[SpecFile]:
    """The files of WebAssembly 3.0's core suite; empty where the data is absent."""
    names = [name for name in _names() if not name.startswith(("custom_", "legacy_", "proposals_"))]
    if names and len(names) != CORE_FILES:
        raise AssertionError(f"{len(names)} core files instead of {CORE_FILES}")
    return [spec_file(name) for name in names]


def custom_files() -> list[SpecFile]:
    """The files about custom sections."""
    return [spec_file(name) for name in _names() if name.startswith("custom_")]


def proposal_files(proposal: str) -> list[SpecFile]:
    """The files of one proposal: `threads`, `wide-arithmetic`, `custom-page-sizes`, `custom-descriptors`."""
    return [spec_file(name) for name in _names() if name.startswith(f"proposals_{proposal}_")]


def legacy_files() -> list[SpecFile]:
    """The files about legacy exceptions; empty where the data or `wast2json` is absent."""
    if missing() or shutil.which("wast2json") is None or not data_path(*_SOURCES).exists():
        return []
    return [SpecFile(f"legacy_{name}", _converted() / name) for name in _LEGACY]


def spec_file(name: str) -> SpecFile:
    """One file by its name in the archive: `i32`, `proposals_threads_atomic`."""
    return SpecFile(name, _unpacked() / "json" / name)


def _cache(archive: Path) -> Path:
    """A folder of this user's, and of this archive's: another archive is unpacked beside it."""
    status = archive.stat()
    base = Path(tempfile.gettempdir()) / f"wasm2oci-spec-{os.getuid()}"
    base.mkdir(mode=0o700, exist_ok=True)
    if base.stat().st_uid != os.getuid():
        raise AssertionError(f"{base} is not ours")
    return base / f"{status.st_size:x}-{int(status.st_mtime):x}"


@functools.cache
def _unpacked() -> Path:
    archive = data_path(*_ARCHIVE)
    target = _cache(archive)
    if not (target / "json").exists():
        target.mkdir(exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=target))
        unpack(archive, scratch)
        _rename(scratch / "js", target / "json")
        shutil.rmtree(scratch)
    return target


@functools.cache
def _converted() -> Path:
    sources = data_path(*_SOURCES)
    target = _cache(sources) / "legacy"
    if not target.exists():
        target.parent.mkdir(exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=target.parent))
        unpack(sources, scratch / "wast")
        for name in _LEGACY:
            (scratch / "out" / name).mkdir(parents=True)
            source, output = scratch / "wast" / "legacy" / f"{name}.wast", scratch / "out" / name / "t.json"
            subprocess.run(["wast2json", "--enable-all", source, "-o", output], check=True, capture_output=True)
        _rename(scratch / "out", target)
        shutil.rmtree(scratch)
    return target


def _rename(source: Path, target: Path) -> None:
    """Moves a finished folder into place; another process may have been quicker."""
    try:
        source.rename(target)
    except OSError:
        if not target.exists():
            raise
