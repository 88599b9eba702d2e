"""The table of WASI 0.2 beside wasmtime's: a component that imports each function by our type links there, too."""

import re
from collections.abc import Iterator

import pytest

from wasm2oci.engine.text import assemble
from wasm2oci.wasi.preview2.functions import FUNCTIONS, RESOURCES
from wasm2oci.wasi.preview2.rows import Preview2Function

wasmtime = pytest.importorskip("wasmtime")

_HOME = {name: interface for interface, names in RESOURCES.items() for name in names}
_GATED = {
    "exit-with-code",
    "network-error-code",
    "[method]response-outparam.send-informational",
}  # wasmtime offers it only where unstable functions are asked for
_TOKEN = re.compile(r"->|[A-Za-z0-9-]+|[(){}<>,:_]")


class _Writer:
    """Writes the type of a function in the text format, its parts as definitions before it."""

    def __init__(self, signature: str) -> None:
        self._tokens: list[str] = _TOKEN.findall(signature)
        self.lines: list[str] = []
        self.resources: set[str] = set()

    def _next(self, expected: str | None = None) -> str:
        token = self._tokens.pop(0)
        assert expected in {None, token}, (expected, token)
        return token

    def _more(self, end: str) -> Iterator[None]:
        while self._tokens[0] != end:
            yield
            if self._tokens[0] == ",":
                self._next()
        self._next(end)

    def function(self) -> str:
        self._next("(")
        parts = []
        for _ in self._more(")"):
            label = self._next()
            self._next(":")
            parts.append(f'(param "{label}" {self._type()})')
        if self._tokens:
            self._next("->")
            parts.append(f"(result {self._type()})")
        return f"(func {' '.join(parts)})"

    def _named(self, text: str) -> str:
        name = f"t{len(self.lines)}"
        self.lines.append(f'(type ${name}-def {text}) (export "{name}" (type ${name} (eq ${name}-def)))')
        return f"${name}"

    def _type(self) -> str:
        kind = self._next()
        if kind in {"enum", "flags"}:
            self._next("{")
            return self._named(f"({kind} {' '.join([_quoted(self._next()) for _ in self._more('}')])})")
        if kind in {"record", "variant"}:
            return self._fields(kind)
        if self._tokens and self._tokens[0] == "<":
            self._next("<")
            if kind in {"own", "borrow"}:
                resource = self._next()
                self._next(">")
                self.resources.add(resource)
                return f"({kind} ${resource})"
            inner = [self._type() for _ in self._more(">")]
            if kind == "result":
                good, bad = inner
                return f"(result {'' if good == '_' else good} {'' if bad == '_' else f'(error {bad})'})"
            return f"({kind} {' '.join(inner)})"
        return kind

    def _fields(self, kind: str) -> str:
        self._next("{")
        parts = []
        for _ in self._more("}"):
            label = self._next()
            if kind == "record":
                self._next(":")
                parts.append(f'(field "{label}" {self._type()})')
            elif self._tokens[0] == "(":
                self._next("(")
                parts.append(f'(case "{label}" {self._type()})')
                self._next(")")
            else:
                parts.append(f'(case "{label}")')
        return self._named(f"({kind} {' '.join(parts)})")


def _quoted(text: str) -> str:
    return f'"{text}"'


def _importing(row: Preview2Function) -> str:
    """A component that imports one function."""
    writer = _Writer(row.signature)
    function = writer.function()
    inside: list[str] = []
    homes: dict[str, list[str]] = {}
    for resource in sorted(writer.resources):
        home = _HOME[resource]
        if home == row.interface:
            inside.append(f'(export "{resource}" (type ${resource} (sub resource)))')
        else:
            homes.setdefault(home, []).append(resource)
            inside.append(
                f"(alias outer 1 $outer-{resource} (type $a-{resource}))"
                f'(export "{resource}" (type ${resource} (eq $a-{resource})))'
            )
    before = [_importing_resources(number, home, homes[home]) for number, home in enumerate(homes)]
    body = "\n".join([*inside, *writer.lines, f'(export "{row.name}" {function})'])
    return f'(component {"".join(before)} (import "{row.interface}@0.2.0" (instance {body})))'


def _importing_resources(number: int, home: str, resources: list[str]) -> str:
    exports = [f'(export "{resource}" (type (sub resource)))' for resource in resources]
    aliases = [f'(alias export $from-{number} "{resource}" (type $outer-{resource}))' for resource in resources]
    return f'(import "{home}@0.2.0" (instance $from-{number} {"".join(exports)})){"".join(aliases)}'


@pytest.mark.parametrize("row", FUNCTIONS, ids=lambda row: f"{row.interface}#{row.name}")
def test_wasmtime_offers_the_same_function(row: Preview2Function) -> None:
    from wasmtime.component import Component, Linker

    if row.name in _GATED:
        return
    engine = wasmtime.Engine()
    linker = Linker(engine)
    linker.add_wasip2()
    linker.add_wasi_http()
    store = wasmtime.Store(engine)
    store.set_wasi(wasmtime.WasiConfig())
    store.set_wasi_http()
    linker.instantiate(store, Component(engine, assemble(_importing(row))))


def test_a_function_of_another_type_is_refused_by_wasmtime() -> None:
    from wasmtime.component import Component, Linker

    row = next(row for row in FUNCTIONS if row.name == "get-random-u64")._replace(signature="() -> string")
    engine = wasmtime.Engine()
    linker = Linker(engine)
    linker.add_wasip2()
    linker.add_wasi_http()
    store = wasmtime.Store(engine)
    store.set_wasi(wasmtime.WasiConfig())
    store.set_wasi_http()
    with pytest.raises(wasmtime.WasmtimeError):
        linker.instantiate(store, Component(engine, assemble(_importing(row))))
