"""What components import and export, in words. Spec: component model, WIT.md.

document   all of it, as the text of a WIT file
items      each import and export with its functions
scope      names and definitions of types

The types are those that validation found. A type with a name is an object of its own, and knows which one it was made
from: so a name that an interface took from another one is written as a `use` of it.
"""

from __future__ import annotations

from wasm2oci.base.records import NamedTuple

__all__ = ["Member"]


class Member(NamedTuple):
    """A function of an interface, or an import or export of a world.

    Attributes:
        name: as it is written: `run`, `[method]descriptor.read`, `wasi:io/streams@0.2.0`.
        kind: `func` in an interface; `import` or `export` in a world.
        type: of a function, as WIT writes it: `(len: u64) -> list<u8>`; else None.
    """

    name: str
    kind: str
    type: str | None
