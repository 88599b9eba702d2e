"""Implementation limits: how big a module may be, each with its source.

The specification lets an implementation limit sizes (core, appendix "Implementation limitations") and prints no
numbers. Most here are those all browsers share (WebAssembly JavaScript API, "Limits"); where this engine's is another,
the line says why. Exceeding one is a malformed or an invalid module, like any other fault.
"""

from __future__ import annotations

__all__ = [
    "MAX_ARRAY_NEW_FIXED",
    "MAX_BLOCK_NESTING",
    "MAX_BODY_SIZE",
    "MAX_BR_TABLE_SIZE",
    "MAX_COMPONENT_NESTING",
    "MAX_DATA_SEGMENTS",
    "MAX_ELEMENT_SEGMENTS",
    "MAX_EXPORTS",
    "MAX_FUNCTIONS",
    "MAX_GLOBALS",
    "MAX_IMPORTS",
    "MAX_LOCALS",
    "MAX_MEMORIES",
    "MAX_MEMORY32_PAGES",
    "MAX_MEMORY64_PAGES",
    "MAX_MODULE_SIZE",
    "MAX_OPERAND_STACK",
    "MAX_PARAMS",
    "MAX_RESULTS",
    "MAX_STRING_SIZE",
    "MAX_STRUCT_FIELDS",
    "MAX_SUBTYPE_CHECKS",
    "MAX_SUBTYPING_DEPTH",
    "MAX_TABLES",
    "MAX_TAGS",
    "MAX_TYPES",
]

MAX_MODULE_SIZE = 1 << 30  # JS API: 1 GiB
MAX_TYPES = 1_000_000  # JS API, counted over all recursion groups; the same for the groups
MAX_SUBTYPING_DEPTH = 63  # JS API
MAX_FUNCTIONS = 1_000_000  # JS API
MAX_IMPORTS = 1_000_000  # JS API (raised from 100,000 in 2023)
MAX_EXPORTS = 1_000_000  # JS API (the same)
MAX_GLOBALS = 1_000_000  # JS API
MAX_TAGS = 1_000_000  # JS API
MAX_TABLES = 100_000  # JS API
MAX_MEMORIES = 100  # JS API
MAX_DATA_SEGMENTS = 100_000  # JS API
MAX_ELEMENT_SEGMENTS = 10_000_000  # JS API
MAX_PARAMS = 1_000  # JS API
MAX_RESULTS = 1_000  # JS API
MAX_STRUCT_FIELDS = 10_000  # JS API
MAX_ARRAY_NEW_FIXED = 10_000  # JS API
MAX_LOCALS = 50_000  # JS API, parameters included
MAX_BODY_SIZE = 7_654_321  # JS API, bytes
MAX_STRING_SIZE = 100_000  # wasmparser: bytes of an import's, export's or custom section's name
MAX_BR_TABLE_SIZE = MAX_BODY_SIZE  # wasmparser: no more labels than a body has bytes
MAX_BLOCK_NESTING = 1_000_000  # ours: labels are counted, never recursed into, so this only bounds memory
MAX_OPERAND_STACK = 1_000_000  # ours: a call of two bytes may push a thousand values; this bounds memory
MAX_SUBTYPE_CHECKS = 8  # ours, a byte of a body: a branch of two may carry a thousand values of subtypes; bounds time
MAX_COMPONENT_NESTING = 100  # wasmparser: components within components
MAX_MEMORY32_PAGES = 1 << 16  # the specification: 4 GiB
MAX_MEMORY64_PAGES = 1 << 48  # the specification: 2**64 bytes
