"""Looking at a module from outside before any engine gets it: what it imports, what is called, what it asks for.

wasmtime's Python binding ends the whole process when it meets a vector or a garbage-collected reference in the
signature of a function it calls, so signatures are read here, by our own decoder, first. Bodies are not touched.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from wasm2oci.engine.binary import ModuleKind, decode_module, decode_names, preamble
from wasm2oci.engine.errors import InvalidModuleError
from wasm2oci.engine.syntax.types import EXTERNREF, F32, F64, FUNCREF, I32, I64, ExternKind, FuncType, type_text
from wasm2oci.errors import Remedy, RemedyKind, UnsupportedError
from wasm2oci.runtime.request import EntryError, GuestSetupError, StackFrame, TrapReport
from wasm2oci.wasi.functions import MODULE, PREVIEW0_MODULE, functions_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wasm2oci.engine.syntax.module import Export, Import, Module
    from wasm2oci.runtime.request import RunRequest

__all__ = [
    "DEFAULT",
    "INITIALIZE",
    "START",
    "TABLE_ELEMENT",
    "Preflight",
    "TypeUnsupportedError",
    "listed",
    "look",
    "run_interface",
]

START: Final = "_start"
INITIALIZE: Final = "_initialize"
DEFAULT: Final = ""
"""The export that is called where nothing else says what to call (wasmtime's convention for a default export)."""

_GIB: Final = 1 << 30
TABLE_ELEMENT: Final = 8
"""Bytes an element of a table counts for."""
_CALLABLE: Final = frozenset({I32, I64, F32, F64})
_SHOWN: Final = 80
_LISTED: Final = 8
_RUN: Final = re.compile(r"wasi:cli/run@0\.([23])\.[0-9]+")
_LOOKED_AT: Final = 10_000
_RETURNABLE: Final = _CALLABLE | {FUNCREF, EXTERNREF}


def _instructions(word: str, codes: Iterable[int], prefix: bytes = b"") -> dict[bytes, str]:
    return {prefix + bytes([code]): word for code in codes}


_GC: Final = b"\xfb"
_WORDS: Final = {
    "out of bounds table access": _instructions("undefined element", (0x11, 0x13)),
    "null reference": {
        **_instructions("null function reference", (0x14, 0x15)),
        **_instructions("null exception reference", (0x0A,)),
        **_instructions("null structure reference", range(0x02, 0x06), _GC),
        **_instructions("null array reference", range(0x0B, 0x14), _GC),
        **_instructions("null i31 reference", range(0x1D, 0x1F), _GC),
    },
}
"""By wasmtime's name and the instruction's bytes: the specification's words, which the embedded engine uses."""


class TypeUnsupportedError(UnsupportedError):
    """The engine cannot pass values of this type in or out."""


_NOTHING: Final = FuncType((), ())


@dataclass(frozen=True, slots=True)
class Preflight:
    """What was seen.

    Attributes:
        module: the decoded module; None for a component.
        entry: the exported function to call; None where instantiation, and `_initialize`, are all there is to do.
        type: its signature.
        initialize: whether `_initialize` is to be called before it.
        missing: imported functions that are not offered, which trap when they are called.
    """

    module: Module | None
    entry: str | None = START
    type: FuncType = _NOTHING
    initialize: bool = False
    missing: tuple[Import, ...] = ()

    def named(self, trap: TrapReport) -> TrapReport:
        """The report in the specification's words, and functions without a name called by what they are exported as."""
        if self.module is None:
            return trap
        exported = {e.index: e.name for e in self.module.exports if e.kind is ExternKind.FUNC}
        frames = [self._found(frame) for frame in trap.frames]
        frames = [f if f.name else StackFrame(f.function, exported.get(f.function), f.offset) for f in frames]
        return TrapReport(self._reason(trap), tuple(frames))

    def _found(self, frame: StackFrame) -> StackFrame:
        """A frame by its place, where wasmtime gives only a name, and "h" as "unsigned char": it demangles all."""
        if self.module is None or frame.function >= 0 or frame.offset is None:
            return frame
        place = bisect_right(self.module.codes, frame.offset, key=itemgetter(0)) - 1
        if place < 0 or frame.offset >= self.module.codes[place][1]:
            return frame
        index = self.module.imported_funcs + place
        return StackFrame(index, decode_names(self.module).functions.get(index), frame.offset)

    def _reason(self, trap: TrapReport) -> str:
        """What the specification calls a trap that wasmtime has one name for, by the instruction that trapped."""
        words = _WORDS.get(trap.reason)
        offset = trap.frames[0].offset if trap.frames else None
        if words is None or offset is None or self.module is None:
            return trap.reason
        code = self.module.data[offset : offset + 2]
        return words.get(bytes(code[:1])) or words.get(bytes(code)) or trap.reason

    @property
    def code_size(self) -> int:
        """Bytes of the code of all functions."""
        return 0 if self.module is None else sum(end - start for start, end in self.module.codes)

    @property
    def unsafe_for_wasmtime(self) -> str | None:
        """Why wasmtime's binding cannot call the entry; None when it can."""
        for type_ in self.type.params:
            if type_ not in _CALLABLE:
                return f"{self.entry!r} takes {_a(type_)}"
        for type_ in self.type.results:
            if type_ not in _RETURNABLE:
                return f"{self.entry!r} returns {_a(type_)}"
        return None


def look(request: RunRequest) -> Preflight:
    """Decode the module except its code.

    Raises:
        MalformedError: the bytes are not a module.
        InvalidModuleError: it exports a function that it does not have.
        EntryError: there is nothing to call.
        GuestSetupError: it imports what is not offered, or asks for more memory than it may have.
    """
    if preamble(request.module) is ModuleKind.COMPONENT:
        return Preflight(None)
    module = decode_module(request.module, segments=False)
    missing = _check_imports(module, allowed=request.missing_as_traps)
    _check_memories(module, request.limits.max_memory)
    exports = {export.name: export for export in module.exports if export.kind is ExternKind.FUNC}
    unknown = next((export for export in exports.values() if export.index >= len(module.func_types)), None)
    if unknown is not None:
        raise InvalidModuleError(f"unknown function {unknown.index}", unknown.offset)
    entry = _entry(request, module, exports)
    signature = _NOTHING if entry is None else module.func_type(exports[entry].index)
    if request.invoke is None and (signature.params or signature.results):
        raise GuestSetupError(
            f"{entry!r} takes or returns values, so it cannot start a program",
            remedy=Remedy(RemedyKind.INVOKE, f"'{entry}'"),
        )
    initialize = INITIALIZE in exports and entry != INITIALIZE
    if initialize and module.func_type(exports[INITIALIZE].index) != _NOTHING:
        raise GuestSetupError(f"{INITIALIZE!r} takes or returns values, so it cannot initialize a library")
    return Preflight(module, entry, signature, initialize, missing)


def _entry(request: RunRequest, module: Module, exports: Mapping[str, Export]) -> str | None:
    """What is called: the function asked for; the default export; a command's `_start`; else nothing, as on wasmtime.

    A module with a start function or, a reactor, with `_initialize` does its work without that.
    """
    if request.invoke is not None:
        if request.invoke not in exports:
            raise _no_entry(request.invoke, list(exports), invoked=True)
        return request.invoke
    for name in (DEFAULT, START):
        if name in exports:
            return name
    if module.start is None and INITIALIZE not in exports:
        raise _no_entry(START, list(exports), invoked=False)
    return None


def _a(type_: int) -> str:
    text = type_text(type_)
    return f"{'an' if text[0] in 'aei' else 'a'} {text}"


def _short(name: str) -> str:
    """A name for a message: a module may have names of a hundred thousand characters."""
    return name if len(name) <= _SHOWN else name[: _SHOWN - 3] + "..."


def listed(names: Sequence[str]) -> str:
    """The first names of many, for a message."""
    return ", ".join(map(_short, names[:_LISTED])) + (", ..." if len(names) > _LISTED else "")


def run_interface(names: Sequence[str]) -> str:
    """The interface whose function starts a component, among the names of what it exports; that of WASI 0.3 first.

    Raises:
        EntryError: it exports none.
    """
    found = {match[1]: match[0] for name in names if (match := _RUN.fullmatch(name))}
    if not found:
        raise EntryError(
            "the component is not a command: it exports no wasi:cli/run@0.2 or 0.3",
            hint=f"it exports {listed(names) or 'nothing'}",
        )
    return found[max(found)]


def _no_entry(entry: str, names: list[str], *, invoked: bool) -> EntryError:
    shown = listed(names)
    if invoked:
        hint = f"it exports {shown}" if names else "it exports none"
        close = _closest(entry, names)
        if close is not None:
            hint = f"did you mean {close}? {hint}"
        return EntryError(f"the module exports no function {_short(entry)!r}", hint=hint)
    if not names:
        return EntryError("the module exports no function", hint="there is nothing to run")
    return EntryError(f"the module is not a program: it exports no {START!r}", remedy=Remedy(RemedyKind.INVOKE, shown))


def _closest(entry: str, names: list[str]) -> str | None:
    from difflib import get_close_matches  # noqa: PLC0415 - only for a message

    found = get_close_matches(entry[:_SHOWN], [name for name in names[:_LOOKED_AT] if len(name) <= _SHOWN], 1)
    return found[0] if found else None


_TRAP_MISSING: Final = Remedy(RemedyKind.TRAP_MISSING, f"{MODULE} and {PREVIEW0_MODULE}")


def _check_imports(module: Module, *, allowed: bool) -> tuple[Import, ...]:
    offered = {name: {row.name for row in functions_of(name)} for name in {item.module for item in module.imports}}
    unknown = [
        item for item in module.imports if item.kind is not ExternKind.FUNC or item.name not in offered[item.module]
    ]
    if not unknown or (allowed and all(item.kind is ExternKind.FUNC for item in unknown)):
        return tuple(unknown)
    first = f"{_short(unknown[0].module)}.{_short(unknown[0].name)}"
    more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
    if first.startswith(("env.", "gojs.", "wbg.", "./", "go.")):
        hint = "it was built for a host of its own, such as a browser: build it for WASI (wasm32-wasip1)"
    else:
        hint = None
    raise GuestSetupError(
        f"the module imports {first}{more}, which is not provided here", hint=hint, remedy=_TRAP_MISSING
    )


def _check_memories(module: Module, allowed: int) -> None:
    """Add up what memories and tables start with: one account for all of them."""
    asked = sum(memory.limits.minimum << memory.page_bits for memory in module.mems)
    asked += sum(table.type.limits.minimum * TABLE_ELEMENT for table in module.tables)
    if asked > allowed:
        raise GuestSetupError(
            f"the module asks for {_size(asked)} of memory; the limit is {_size(allowed)}",
            remedy=Remedy(RemedyKind.RAISE_MEMORY, _option(asked)),
        )


def _size(count: int) -> str:
    for unit, size in (("GiB", _GIB), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count // size}{unit}" if count % size == 0 else f"{count / size:.1f}{unit}"
    return f"{count}B"


def _option(count: int) -> str:
    """A size that is no smaller, as the option takes it."""
    return f"{count // _GIB}GiB" if count % _GIB == 0 else f"{-(-count >> 20)}MiB"
