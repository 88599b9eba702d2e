"""The core suite's modules and malformed texts as text, and wasm-tools' parse failures; see docs/development.md."""

import functools
import json
import re
import tarfile
from typing import Any, NamedTuple

from tests.support import component_suite
from tests.support.data import data_path, missing_reason
from tests.support.spec_suite import spec_file
from wasm2oci.engine.text.cursor import Cursor

__all__ = [
    "ParseFailure",
    "TextCommand",
    "commands",
    "component_binaries",
    "component_commands",
    "missing",
    "parse_failures",
    "snapshots",
]

_CORE = ("text-tests", "core-text.tar.xz")
_TOOLS = ("text-tests", "wasm-tools-text.tar.xz")
_SNAPSHOTS = ("text-tests", "print-snapshots.tar.xz")


class TextCommand(NamedTuple):
    """A module of a script as it is written.

    Attributes:
        file: the script's name.
        line: where in it.
        type: `module`, `assert_malformed`, ...
        text: the module's text; of a quoted one what the quotes say.
        quoted: whether it was quoted.
        binary: what `wasm-tools` makes of it, or None where that is not recorded.
        reason: what an assertion says is wrong.
    """

    file: str
    line: int
    type: str
    text: bytes
    quoted: bool
    binary: bytes | None
    reason: str


class ParseFailure(NamedTuple):
    """A text that `wasm-tools` refuses, and where it says the fault is."""

    name: str
    text: bytes
    line: int
    column: int


def missing() -> str | None:
    """Why the texts cannot be read, or None where they can."""
    for parts in (_CORE, _TOOLS, _SNAPSHOTS, ("spec-testsuite", "core-3.0-json.tar.xz")):
        if not data_path(*parts).exists():
            return missing_reason(*parts)
    return None


def commands(sample: int = 1) -> list[TextCommand]:
    """The texts of the core suite, every `sample`-th of them; empty where the data is absent."""
    if missing():
        return []
    rows = [(file, raw) for file, raws in _core() for raw in raws if raw["kind"] != "binary"]
    return [_command(file, raw) for file, raw in rows[::sample]]


def _command(file: str, raw: dict[str, Any]) -> TextCommand:
    source, quoted = raw["source"], raw["kind"] == "quote"
    binary = None
    if raw["module_type"] == "binary":
        binary = (spec_file(file).folder / raw["filename"]).read_bytes()
    text = b" ".join(_strings(source)) if quoted else source.replace("(module definition", "(module", 1).encode()
    return TextCommand(file, raw["line"], raw["type"], text, quoted, binary, raw.get("text") or "")


def _strings(source: str) -> list[bytes]:
    """What the strings of `(module quote "..." "...")` say."""
    cursor = Cursor(source)
    cursor.open("module", "component")
    cursor.identifier()
    cursor.expect("quote")
    out = []
    while cursor.peek() != ")":
        out.append(cursor.string())
    return out


@functools.cache
def _core() -> list[tuple[str, list[dict[str, Any]]]]:
    out = []
    with tarfile.open(data_path(*_CORE)) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.name.endswith(".json") else None
            if file is not None:
                out.append((member.name.rpartition("/")[2].removesuffix(".json"), json.load(file)))
    return sorted(out)


def parse_failures() -> list[ParseFailure]:
    """wasm-tools' `parse-fail` texts."""
    if missing():
        return []
    files: dict[str, bytes] = {}
    with tarfile.open(data_path(*_TOOLS)) as tar:
        for member in tar:
            file = tar.extractfile(member) if "/parse-fail/" in member.name else None
            if file is not None:
                files[member.name.rpartition("/")[2]] = file.read()
    out = []
    for name, text in sorted(files.items()):
        place = re.search(rb":(\d+):(\d+)\n", files.get(f"{name}.err", b""))
        if place:
            out.append(ParseFailure(name, text, int(place[1]), int(place[2])))
    return out


def snapshots(folder: str) -> dict[str, str]:
    """What `wasm-tools print` printed: `NAME.wast/N` to text; `folder` is `testsuite`, `cli` or `component-model`."""
    if missing():
        return {}
    out: dict[str, str] = {}
    with tarfile.open(data_path(*_SNAPSHOTS)) as tar:
        for member in tar:
            _, _, rest = member.name.partition(f"/{folder}/")
            file = tar.extractfile(member) if rest.endswith(".print") else None
            if file is not None:
                out[rest.removesuffix(".print")] = file.read().decode()
    return out


def component_commands(sample: int = 1) -> list[TextCommand]:
    """The texts of three suites of components, every `sample`-th of them; empty where the data is absent."""
    return (
        []
        if component_suite.missing()
        else [row for suite in component_suite.SUITES for row in _component_texts(suite)][::sample]
    )


def component_binaries() -> dict[str, bytes]:
    """Every binary of the three suites by its name: valid, invalid and malformed ones."""
    out: dict[str, bytes] = {}
    for suite in () if component_suite.missing() else component_suite.SUITES:
        out |= {name: data for name, data in component_suite.suite_files(suite).items() if name.endswith(".wasm")}
    return out


@functools.cache
def _component_texts(suite: str) -> list[TextCommand]:
    files = component_suite.suite_files(suite)
    out = []
    for name in sorted(name for name in files if name.endswith("text.json")):
        folder = name.replace("/text/", "/js/", 1).removesuffix("/text.json")
        for raw in json.loads(files[name]):
            binary = files.get(f"{folder}/{raw['filename']}") if raw["module_type"] == "binary" else None
            if raw["kind"] == "quote":
                text = b"(component " + b" ".join(_strings(raw["source"])) + b")"
            elif raw["kind"] == "text" and binary is not None:
                text = raw["source"].replace(" definition", "", 1).encode()
            else:
                continue
            quoted = raw["kind"] == "quote"
            out.append(TextCommand(folder, raw["line"], raw["type"], text, quoted, binary, raw.get("text") or ""))
    return out
