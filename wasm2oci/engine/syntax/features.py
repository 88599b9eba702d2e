"""The features of WebAssembly, one bit each, and the versions of the specification as sets of them.

Names are those compilers write into the `target_features` section where they have one, else the proposal's. Everything
that reads features (the opcode table, the validator, `--features`, the docs) reads this file.
"""

from __future__ import annotations

from enum import IntFlag

from wasm2oci.errors import UsageError

__all__ = [
    "DEFAULT",
    "EXECUTED",
    "FEATURE_NAMES",
    "PROPOSALS",
    "VERSIONS",
    "WASM_1",
    "WASM_2",
    "WASM_3",
    "Feature",
    "feature_names",
    "parse_features",
]


class Feature(IntFlag):
    """One bit for each feature. `MVP` is no bit at all: every module may use it."""

    MVP = 0
    # 2.0
    SIGN_EXT = 1 << 0
    NONTRAPPING_FPTOINT = 1 << 1
    MULTIVALUE = 1 << 2
    BULK_MEMORY = 1 << 3
    REFERENCE_TYPES = 1 << 4
    SIMD = 1 << 5
    # 3.0
    RELAXED_SIMD = 1 << 6
    TAIL_CALL = 1 << 7
    EXTENDED_CONST = 1 << 8
    FUNCTION_REFERENCES = 1 << 9
    GC = 1 << 10
    EXCEPTIONS = 1 << 11
    MEMORY64 = 1 << 12
    MULTI_MEMORY = 1 << 13
    # beyond 3.0
    LEGACY_EXCEPTIONS = 1 << 14
    THREADS = 1 << 15
    WIDE_ARITHMETIC = 1 << 16
    CUSTOM_PAGE_SIZES = 1 << 17


FEATURE_NAMES: dict[Feature, str] = {
    Feature.SIGN_EXT: "sign-ext",
    Feature.NONTRAPPING_FPTOINT: "nontrapping-fptoint",
    Feature.MULTIVALUE: "multivalue",
    Feature.BULK_MEMORY: "bulk-memory",
    Feature.REFERENCE_TYPES: "reference-types",
    Feature.SIMD: "simd128",
    Feature.RELAXED_SIMD: "relaxed-simd",
    Feature.TAIL_CALL: "tail-call",
    Feature.EXTENDED_CONST: "extended-const",
    Feature.FUNCTION_REFERENCES: "function-references",
    Feature.GC: "gc",
    Feature.EXCEPTIONS: "exception-handling",
    Feature.MEMORY64: "memory64",
    Feature.MULTI_MEMORY: "multimemory",
    Feature.LEGACY_EXCEPTIONS: "legacy-exceptions",
    Feature.THREADS: "atomics",
    Feature.WIDE_ARITHMETIC: "wide-arithmetic",
    Feature.CUSTOM_PAGE_SIZES: "custom-page-sizes",
}

WASM_1 = Feature.MVP
WASM_2 = (
    Feature.SIGN_EXT
    | Feature.NONTRAPPING_FPTOINT
    | Feature.MULTIVALUE
    | Feature.BULK_MEMORY
    | Feature.REFERENCE_TYPES
    | Feature.SIMD
)
WASM_3 = (
    WASM_2
    | Feature.RELAXED_SIMD
    | Feature.TAIL_CALL
    | Feature.EXTENDED_CONST
    | Feature.FUNCTION_REFERENCES
    | Feature.GC
    | Feature.EXCEPTIONS
    | Feature.MEMORY64
    | Feature.MULTI_MEMORY
)
EXECUTED = WASM_3 | Feature.THREADS
"""What the engine runs; of the rest it only knows whether it is valid."""
DEFAULT = EXECUTED | Feature.LEGACY_EXCEPTIONS
"""What is accepted unless the caller says otherwise: all of 3.0, atomics, and the exceptions LLVM still emits."""

VERSIONS: dict[str, Feature] = {"wasm1": WASM_1, "wasm2": WASM_2, "wasm3": WASM_3}

PROPOSALS: dict[str, Feature] = {
    "sign-extension": Feature.SIGN_EXT,
    "saturating-float-to-int": Feature.NONTRAPPING_FPTOINT,
    "multi-value": Feature.MULTIVALUE,
    "bulk-memory-opt": Feature.BULK_MEMORY,
    "simd": Feature.SIMD,
    "exceptions": Feature.EXCEPTIONS,
    "multi-memory": Feature.MULTI_MEMORY,
    "threads": Feature.THREADS,
}
"""Other names they go by: those of proposals and of other tools, accepted and never written."""

_BY_NAME = PROPOSALS | {name: feature for feature, name in FEATURE_NAMES.items()} | VERSIONS
_BY_NAME |= {"all": Feature(sum(FEATURE_NAMES)), "default": DEFAULT}


def feature_names(features: int) -> tuple[str, ...]:
    """The names of the bits in `features`, in the order of `Feature`."""
    return tuple(name for feature, name in FEATURE_NAMES.items() if feature & features)


def parse_features(text: str) -> Feature:
    """Reads a set of features as the command line writes it.

    Args:
        text: names separated by commas: a version (`wasm1`, `wasm2`, `wasm3`), `default`, `all`, or features. A name
            with `+` or `-` before it adds to or takes from what is left of it; a list that starts with one of
            those starts from `default`.

    Raises:
        UsageError: a name is not known.
    """
    items = [item.strip() for item in text.split(",") if item.strip()]
    features = DEFAULT if items and items[0][0] in "+-" else WASM_1
    for item in items:
        name = item.lstrip("+-").lower()
        if name not in _BY_NAME:
            known = [other for other in _BY_NAME if other not in PROPOSALS]
            raise UsageError(f"unknown feature: {name}", hint=f"one of {', '.join(known)}")
        features = features & ~_BY_NAME[name] if item[0] == "-" else features | _BY_NAME[name]
    return features
