"""One function of a module as Python source, with its line map."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final

from wasm2oci.engine.syntax.types import F32, F64, I32, I64, V128
from wasm2oci.engine.translate.check import check
from wasm2oci.engine.translate.codes import BITWISE, LOCAL_GET, LOCAL_WRITES, ROTATIONS
from wasm2oci.engine.translate.cse import WORTH_KEEPING, repeated, rotated
from wasm2oci.engine.translate.demanded_bits import narrow_constants
from wasm2oci.engine.translate.emitter import Emitter
from wasm2oci.engine.translate.instructions import decode_body
from wasm2oci.engine.translate.loops import Learned, LoopFacts
from wasm2oci.engine.translate.renderer import Renderer
from wasm2oci.engine.translate.structuring import structure
from wasm2oci.engine.translate.views import hoist_views

if TYPE_CHECKING:
    from wasm2oci.engine.syntax.module import Module
    from wasm2oci.engine.translate.body import Body
    from wasm2oci.engine.translate.options import Options

__all__ = ["Source", "translate_function"]

MAX_ASSUMING: Final = 4
"""After so many walks nothing is assumed any more that might not hold."""
MAX_REFINED: Final = 4000
"""Functions of more instructions are written in one walk, as briefly as can be."""
MAX_REPEATED: Final = 1000
"""Functions of more instructions are not walked again for the sake of better ranges alone."""


@dataclass(frozen=True, slots=True)
class Source:
    """A function as Python.

    Attributes:
        text: a module with one function definition, named `f` and the function's index.
        offsets: for each line the offset in the module of the instruction it came from.
        tails: it returns `TailCall`s, which its caller must run.
    """

    text: str
    offsets: tuple[int, ...]
    tails: bool


def translate_function(module: Module, index: int, options: Options) -> Source:
    """Translates a defined function.

    Args:
        module: a valid module.
        index: in the function index space.
        options: what the code is to be able to do.
    """
    body = decode_body(module, index)
    tree = structure(body)
    check(body, tree)
    refine = len(body.code) <= MAX_REFINED and not tree.dispatches
    again = refine and len(body.code) <= MAX_REPEATED
    used = {op for op, _, _ in body.code} if refine else set()
    if used & BITWISE:
        narrow_constants(body)
    repeats = repeated(body) if used & WORTH_KEEPING else {}
    mixed = rotated(body) if used & ROTATIONS else 0
    earlier = Learned(body.code, trusts=refine)
    for attempt in count():
        e = _begin(module, body, index, options)
        e.compact = not refine
        e.mixed = mixed
        if attempt > MAX_ASSUMING:
            earlier.trusts = False
        loops = LoopFacts(e, earlier)
        Renderer(e, loops, repeats).write(tree.nodes)
        hinted = earlier.hints is not None
        if loops.unfounded():  # and so may be whatever else was learned
            earlier.hints = None
            continue
        more = bool(loops.proven - earlier.given)
        earlier.hints = loops.learned
        earlier.given |= loops.proven
        if not more and (hinted or not again or not loops.useful()):
            break
    return _finish(e, body, index)


def _begin(module: Module, body: Body, index: int, options: Options) -> Emitter:
    e = Emitter(module, body, index)
    e.fuel = options.fuel
    e.polls = options.poll
    e.at = module.codes[index - module.imported_funcs][0]
    e.charge()
    e.poll()
    needed, used = _needed(body)
    zeros: dict[str, list[str]] = {}
    for local in range(body.params, len(body.locals)):
        type_ = body.locals[local]
        if local in needed:
            zeros.setdefault(_default(type_), []).append(f"l{local}")
        if type_ in {I32, I64} and local in used:
            e.ranges[local] = (0, 0, 64)
    for zero, names in zeros.items():
        for i in range(0, len(names), 50):
            e.line("=".join([*names[i : i + 50], zero]))
    return e


def _needed(body: Body) -> tuple[set[int], set[int]]:
    """Locals that need their initial value written, and those that are used at all."""
    written: set[int] = set()
    read_first: set[int] = set()
    first = body.control[0]
    for op, item, _ in body.code[:first]:
        if op == LOCAL_GET:
            if item not in written:
                read_first.add(item)
        elif op in LOCAL_WRITES and item not in read_first:
            written.add(item)
    later = {item for op, item, _ in body.code[first:] if op == LOCAL_GET or op in LOCAL_WRITES}
    return read_first | (later - written), read_first | written | later


def _default(type_: int) -> str:
    if type_ in {I32, I64, V128}:
        return "0"
    return "0.0" if type_ in {F32, F64} else "None"


def _finish(e: Emitter, body: Body, index: int) -> Source:
    if e.fuel:
        e.dead = True
        e.charge()
    lines = [text for text in e.out if text is not None]
    offsets = [offset for text, offset in zip(e.out, e.offsets, strict=True) if text is not None]
    if not e.compact:
        lines, offsets = hoist_views(lines, offsets)
    first = offsets[0] if offsets else 0
    parameters = ",".join(f"l{i}" for i in range(body.params))
    lines = [f"def f{index}({parameters}):", *(lines or [" pass"]), ""]
    return Source("\n".join(lines), (first, *(offsets or [first])), e.tails)
