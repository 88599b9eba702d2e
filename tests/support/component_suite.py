"""The component model's suites: component-model, wasm-tools, wasmtime; see docs/development.md, 'Test data'."""

import functools
import json
import tarfile
from typing import Any, NamedTuple

from tests.support.data import data_path, missing_reason

__all__ = ["SUITES", "ComponentCommand", "binaries", "missing", "scripts", "suite_files"]

SUITES = ("component-model", "wasm-tools", "wasmtime")


class ComponentCommand(NamedTuple):
    """A command of a script that has a component or a core module.

    Attributes:
        suite: `component-model`, ...
        file: the script's name.
        line: where in it.
        type: `module`, `assert_invalid`, ...
        binary: the component or module.
        reason: what an assertion says is wrong.
        raw: the whole JSON object.
    """

    suite: str
    file: str
    line: int
    type: str
    binary: bytes
    reason: str
    raw: dict[str, Any]

    @property
    def place(self) -> str:
        """Where it stands, as lists of exceptions name it."""
        return f"{self.suite}/{self.file}:{self.line}"


def missing() -> str | None:
    """Why the suites cannot be read, or None where they can."""
    paths = [("component-tests", f"{suite}.tar.xz") for suite in SUITES]
    return next((missing_reason(*parts) for parts in paths if not data_path(*parts).exists()), None)


@functools.cache
def suite_files(suite: str) -> dict[str, bytes]:
    """The binaries of a suite, its scripts as JSON (`t.json`) and its texts (`text.json`), by name."""
    files: dict[str, bytes] = {}
    with tarfile.open(data_path("component-tests", f"{suite}.tar.xz")) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.name.endswith((".wasm", "/t.json", "text.json")) else None
            if file is not None:
                files[member.name] = file.read()
    return files


def scripts(suite: str) -> dict[str, list[dict[str, Any]]]:
    """The commands of each script of a suite, with their binaries below the key `binary`, bytes or None."""
    if missing():
        return {}
    files, out = suite_files(suite), {}
    for name in sorted(files):
        if not name.endswith("/t.json"):
            continue
        folder = name.removesuffix("t.json")
        commands = json.loads(files[name])["commands"]
        for raw in commands:
            binary = str(raw.get("binary_filename") or raw.get("filename") or "")
            raw["binary"] = files.get(folder + binary.rpartition("/")[2]) if binary.endswith(".wasm") else None
        out[folder.partition("/js/")[2].rstrip("/")] = commands
    return out


def binaries(suite: str) -> list[ComponentCommand]:
    """The commands of a suite that have a binary."""
    return [
        ComponentCommand(suite, file, raw["line"], raw["type"], raw["binary"], str(raw.get("text", "")), raw)
        for file, commands in scripts(suite).items()
        for raw in commands
        if raw["binary"] is not None
    ]
