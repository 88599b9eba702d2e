"""The page of features and instructions, made from the engine's tables."""

import io
from typing import Final

from wasm2oci.engine.syntax.features import DEFAULT, FEATURE_NAMES, WASM_1, WASM_2, WASM_3, Feature, feature_names
from wasm2oci.engine.syntax.opcodes import ADDRESS, OPCODES, Opcode
from wasm2oci.engine.syntax.types import type_text

__all__ = ["opcodes_page"]

_PREFIXES: Final = {
    0x00: "One byte",
    0xFB: "Prefix 0xFB: aggregates, casts",
    0xFC: "Prefix 0xFC: saturating truncation, bulk memory and tables, wide arithmetic",
    0xFD: "Prefix 0xFD: vectors",
    0xFE: "Prefix 0xFE: atomics",
}


def opcodes_page(head: str) -> str:
    """The whole page, after the line that says it is generated."""
    page = io.StringIO()
    page.write(f"{head}\n# Features and instructions\n\n")
    page.write(
        "What [the engine](engine.md) decodes and validates; the tables are `wasm2oci/engine/syntax/features.py` and\n"
        "`opcodes.py`. `wasm2oci validate --features LIST` takes the names of this table, `wasm1`, `wasm2`, `wasm3`,\n"
        "`default` and `all`, separated by commas; `+NAME` and `-NAME` add to and take from what stands before.\n\n"
        "| feature | since | allowed by default | instructions |\n|---|---|---|---|\n"
    )
    for feature, name in FEATURE_NAMES.items():
        count = sum(1 for row in OPCODES.values() if row.feature & feature)
        page.write(f"| `{name}` | {_since(feature)} | {'yes' if feature & DEFAULT else 'no'} | {count or '-'} |\n")
    mvp = sum(1 for row in OPCODES.values() if row.feature == Feature.MVP)
    page.write(f"\n{mvp} instructions need no feature; {len(OPCODES)} there are in all.\n")
    page.write(
        "\nIn the tables below an operand `address` is `i32` or `i64`, as the memory or table is indexed; a signature\n"
        "that depends on more than that is given as *by hand*: a rule in `wasm2oci/engine/validate`.\n"
    )
    for prefix, title in _PREFIXES.items():
        page.write(f"\n## {title}\n\n| code | instruction | immediates | type | feature |\n|---|---|---|---|---|\n")
        page.writelines(_row(row) for _, row in sorted(OPCODES.items()) if row.code >> 16 == prefix)
    return page.getvalue()


def _since(feature: Feature) -> str:
    for version, features in (("1.0", WASM_1), ("2.0", WASM_2), ("3.0", WASM_3)):
        if feature & features:
            return version
    return "a proposal"


def _row(row: Opcode) -> str:
    code = f"0x{row.code:02X}" if row.code < 0x100 else f"0x{row.code >> 16:02X} {row.code & 0xFFFF}"
    immediates = " ".join(kind.value for kind in row.immediates)
    signature = "*by hand*"
    if row.params is not None and row.results is not None:
        signature = f"`[{_types(row.params)}] -> [{_types(row.results)}]`"
    needs = " ".join(feature_names(row.feature))
    return f"| {code} | `{row.mnemonic}` | {immediates} | {signature} | {needs} |\n"


def _types(types: tuple[int, ...]) -> str:
    return " ".join("address" if type_ == ADDRESS else type_text(type_) for type_ in types)
