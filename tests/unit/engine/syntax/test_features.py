"""Sets of features as the command line writes them."""

import pytest

from wasm2oci.engine.syntax.features import (
    DEFAULT,
    FEATURE_NAMES,
    WASM_1,
    WASM_2,
    WASM_3,
    Feature,
    feature_names,
    parse_features,
)
from wasm2oci.errors import UsageError


@pytest.mark.parametrize(
    ("text", "features"),
    [
        ("wasm1", WASM_1),
        ("wasm2", WASM_2),
        ("wasm3", WASM_3),
        ("default", DEFAULT),
        ("all", Feature(sum(FEATURE_NAMES))),
        ("", WASM_1),
        ("sign-ext, simd128", Feature.SIGN_EXT | Feature.SIMD),
        ("wasm2,+tail-call,-simd128", (WASM_2 | Feature.TAIL_CALL) & ~Feature.SIMD),
        ("-gc", DEFAULT & ~Feature.GC),
        ("+atomics", DEFAULT | Feature.THREADS),
        ("WASM2,GC", WASM_2 | Feature.GC),
    ],
)
def test_parse(text: str, features: Feature) -> None:
    assert parse_features(text) == features


def test_an_unknown_name_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="unknown feature: simd256") as caught:
        parse_features("wasm1,simd256")
    assert "simd128" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("other", "name"), [("threads", "atomics"), ("simd", "simd128"), ("multi-value", "multivalue")]
)
def test_features_go_by_the_names_of_their_proposals_too(other: str, name: str) -> None:
    assert parse_features(f"wasm1,{other}") == parse_features(f"wasm1,{name}")
    assert parse_features(f"-{other}") == parse_features(f"-{name}")


def test_names_of_all_bits() -> None:
    assert feature_names(WASM_1) == ()
    assert parse_features(",".join(feature_names(WASM_3))) == WASM_3
