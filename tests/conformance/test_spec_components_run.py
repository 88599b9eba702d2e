"""The component model's suite, run: what instances give, and where they trap.

A component that needs what is not built (threads of its own, values, memories of 64 bits) has to be refused with
`ComponentUnsupportedError` before any of its code runs; commands on it are counted as such, and the counts are checked.
"""

import math
import struct
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.component_suite import missing, scripts
from wasm2oci.engine import Engine, Trap, WasmException
from wasm2oci.engine.component.host import HostCall
from wasm2oci.engine.component.instance import ComponentInstance
from wasm2oci.engine.component.store import LoadedComponent, Store
from wasm2oci.engine.component.unsupported import ComponentUnsupportedError

pytestmark = [pytest.mark.spec, pytest.mark.skipif(missing() is not None, reason=missing() or "")]

_COMPONENT = b"\0asm\x0d\0\x01\0"
_FOLDERS = ("linking", "resources", "values")


class _Host:
    def interface(self, name: str) -> dict[str, HostCall] | None:
        return {"return-three": HostCall("() -> u32", lambda: 3)} if name == "host" else None

    def wait(self, waits: Sequence[Any], *, block: bool) -> Sequence[int]:
        raise AssertionError(waits, block)


def _value(raw: dict[str, Any]) -> Any:
    kind: str = raw["type"]
    value: Any = raw.get("value")
    if kind == "bool":
        return value in {True, "1", "true"}
    if kind in {"f32", "f64"}:
        return _float(kind, value)
    if kind[0] in "su" and kind[1:].isdigit():
        return int(value)
    if kind == "list":
        items = [_value(each) for each in value]
        return bytes(items) if value and value[0]["type"] == "u8" else items
    if kind == "tuple":
        return tuple(_value(each) for each in value)
    if kind == "record":
        return {label: _value(each) for label, each in (value if isinstance(value, list) else value.items())}
    if kind == "variant":
        given = value if isinstance(value, dict) else raw
        return given["case"], _value(given["payload"]) if given.get("payload") else None
    if kind == "enum":
        return value, None
    if kind == "flags":
        return frozenset(value)
    if kind == "option":
        return ("none", None) if value is None else ("some", _value(value))
    if kind == "result":
        case, payload = next(iter(value.items()))
        return {"Ok": "ok", "Err": "error"}[case], _value(payload) if payload else None
    return value


def _float(kind: str, text: str) -> float:
    if text.startswith("nan"):
        return math.nan
    size, letter = (4, "f") if kind == "f32" else (8, "d")
    number: float = struct.unpack(f"<{letter}", int(text).to_bytes(size, "little"))[0]
    return number


def _same(got: Any, wanted: Any) -> bool:
    if isinstance(wanted, float):
        return got == wanted or (math.isnan(got) and math.isnan(wanted))
    if isinstance(wanted, list | bytes):
        return list(got) == list(wanted)
    return bool(got == wanted)


class _Script:
    """One script: the instances it has made, and what came of its commands."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.wrong: list[str] = []
        self._stores: dict[str | None, bytes] = {}
        self._instances: dict[str | None, ComponentInstance | None] = {}

    def run(self, raw: dict[str, Any]) -> None:
        kind = raw["type"]
        try:
            outcome = self._command(kind, raw)
        except ComponentUnsupportedError:
            outcome = "unsupported"
        if outcome:
            self.counts[kind, outcome] += 1
        if outcome == "wrong":
            self.wrong.append(f"{raw['line']}: {kind}")

    def _command(self, kind: str, raw: dict[str, Any]) -> str | None:
        data = raw["binary"]
        if kind in {"module", "module_definition"} and data.startswith(_COMPONENT):
            self._stores[None] = self._stores[raw.get("name")] = data
            if kind == "module":
                self._instances[None] = self._instances[raw.get("name")] = None
                self._instances[None] = self._instances[raw.get("name")] = self._instantiate(data)
            return "right"
        if kind == "module_instance":
            self._instances[None] = self._instances[raw.get("instance")] = None
            made = self._instantiate(self._stores[raw.get("module")])
            self._instances[None] = self._instances[raw.get("instance")] = made
            return "right"
        if kind in {"assert_return", "action", "assert_trap"}:
            return self._call(kind, raw)
        if kind == "assert_uninstantiable":
            with pytest.raises(Trap):
                self._instantiate(data)
            return "right"
        return None

    @staticmethod
    def _instantiate(data: bytes) -> ComponentInstance:
        return Store(LoadedComponent(Engine(), data), _Host()).instantiate()

    def _call(self, kind: str, raw: dict[str, Any]) -> str:
        action = raw["action"]
        instance = self._instances.get(action.get("module"))
        if instance is None:
            return "unsupported"
        call = instance.exports[action["field"]][1].call
        arguments = [_value(each) for each in action.get("args", [])]
        if kind == "assert_trap":
            try:
                call(*arguments)
            except (Trap, WasmException):
                return "right"
            return "wrong"
        got, wanted = call(*arguments), [_value(each) for each in raw.get("expected", [])]
        return "right" if kind == "action" or (_same(got, wanted[0]) if wanted else got is None) else "wrong"


def _run(
    suite: str, folders: tuple[str, ...], *, without: frozenset[str] = frozenset()
) -> tuple[Counter[tuple[str, str]], list[str]]:
    counts, wrong = Counter[tuple[str, str]](), []
    for file, commands in scripts(suite).items():
        if not file.startswith(folders) or file in without:
            continue
        script = _Script()
        for raw in commands:
            script.run(raw)
        counts += script.counts
        wrong += [f"{file}:{line}" for line in script.wrong]
    return counts, wrong


def test_linking_resources_and_values_of_the_specification() -> None:
    counts, wrong = _run("component-model", _FOLDERS)
    assert not wrong, "\n".join(wrong)
    assert counts == {
        ("module", "right"): 97,
        ("module_definition", "right"): 17,
        ("module_instance", "right"): 32,
        ("module_instance", "unsupported"): 28,
        ("assert_return", "right"): 288,
        ("assert_trap", "right"): 37,
        ("assert_trap", "unsupported"): 28,
    }


def test_asynchronous_functions_of_the_specification() -> None:
    counts, wrong = _run("component-model", ("async",))
    assert not wrong, "\n".join(wrong)
    assert counts == {
        ("module", "right"): 17,
        ("module", "unsupported"): 4,
        ("module_definition", "right"): 14,
        ("module_instance", "right"): 61,
        ("module_instance", "unsupported"): 38,
        ("assert_return", "right"): 82,
        ("assert_return", "unsupported"): 18,
        ("assert_trap", "right"): 37,
        ("assert_trap", "unsupported"): 32,
        ("assert_uninstantiable", "right"): 2,
        ("action", "right"): 1,
    }


def _refusal(data: bytes) -> str | None:
    try:
        LoadedComponent(Engine(), data)
    except ComponentUnsupportedError as error:
        return str(error)
    return None


def test_what_is_refused_of_asynchronous_functions_has_threads_of_its_own() -> None:
    refused = set()
    for file, commands in scripts("component-model").items():
        for raw in commands if file.startswith("async") else ():
            if raw["type"] in {"module", "module_definition"} and raw["binary"].startswith(_COMPONENT):
                reason = _refusal(raw["binary"])
                if reason is not None:
                    assert "threads of its own (thread." in reason
                    refused.add(file.removeprefix("async/"))
    assert refused == {
        "during-sync-call-may-block-if-other-ready-threads",
        "during-sync-call-no-exclusive-resume",
        "during-sync-call-no-sibling-resume",
        "trap-if-block-and-sync",
        "trap-if-sync-and-waitable-set",
    }


def test_asynchronous_functions_of_wasmtimes_suite() -> None:
    """Without those of its host's functions, and without lists in lists that share their elements."""
    counts, wrong = _run("wasmtime", ("async",), without=_OF_WASMTIMES_HOST | {"async/streams-massive-send"})
    assert not wrong, "\n".join(wrong)
    assert counts == {
        ("module", "right"): 88,
        ("module", "unsupported"): 3,
        ("module_definition", "right"): 11,
        ("module_instance", "right"): 70,
        ("assert_return", "right"): 44,
        ("assert_trap", "right"): 97,
        ("assert_trap", "unsupported"): 3,
    }


_OF_WASMTIMES_HOST = frozenset(
    f"async/{name}"
    for name in ("cancel-host", "cancel-starting-subtask-does-not-leak", "drop-host", "lower", "task-builtins")
)
