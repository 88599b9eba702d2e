"""The fast path against the specification's algorithm: it may be unsure, it may not be wrong."""

import random

import pytest

from tests.support.mutations import excerpt, kernels, mutate, real_modules, suite_modules
from wasm2oci.engine.binary import decode_module
from wasm2oci.engine.errors import ModuleError
from wasm2oci.engine.syntax.features import FEATURE_NAMES, Feature
from wasm2oci.engine.syntax.module import Module, Span
from wasm2oci.engine.validate.body import validate_body
from wasm2oci.engine.validate.context import Context
from wasm2oci.engine.validate.fast import NOT_SURE, FastPath

_ALL = Feature(sum(FEATURE_NAMES))


def _compare(module: Module, only: set[Span] | None = None) -> tuple[int, int]:
    """Runs both on bodies of a module, all or those at some places; gives how many were settled, and how many not."""
    signatures = Context(module, _ALL).signatures
    fast = FastPath(module, signatures)
    settled = unsure = 0
    for index, (start, end) in enumerate(module.codes, module.imported_funcs):
        if only is not None and (start, end) not in only:
            continue
        type_ = signatures[module.func_types[index]]
        used = fast.settles(type_, start, end)
        if used == NOT_SURE:
            unsure += 1
            continue
        settled += 1
        context = Context(module, _ALL)
        context.refs = set(range(len(module.func_types)))
        context.features.clear()
        try:
            validate_body(context, type_, start, end)
        except ModuleError as error:
            raise AssertionError(f"the fast path accepts what is wrong: {error}") from error
        assert feature_bits(context) == used
    return settled, unsure


def feature_bits(context: Context) -> int:
    return sum(context.features)


@pytest.mark.parametrize("name", sorted(real_modules()))
def test_settles_nearly_all_bodies_of_real_modules(name: str) -> None:
    settled, unsure = _compare(decode_module(real_modules()[name]))
    assert unsure <= settled / 50


def test_agrees_on_the_kernels_and_settles_them() -> None:
    if not kernels():
        pytest.skip("the kernels of the test data are absent")
    for data in kernels().values():
        assert _compare(decode_module(data))[1] == 0


def test_agrees_on_the_suite() -> None:
    if not suite_modules():
        pytest.skip("the suite of the test data is absent")
    totals = [_compare(decode_module(data)) for data in suite_modules()]
    assert sum(settled for settled, _ in totals) > 5_000


@pytest.mark.parametrize("seed", range(4))
def test_is_never_wrong_on_mutated_bodies(seed: int) -> None:
    rng = random.Random(seed)
    sources = list(real_modules().values()) + list(kernels().values())
    if not sources:
        pytest.skip("neither the real modules nor the kernels are there")
    settled = 0
    for _ in range(12):
        data, spans = excerpt(rng.choice(sources), 4, rng)
        for _ in range(60):
            mutated = mutate(data, [rng.choice(spans)], rng)
            try:
                module = decode_module(mutated)
            except ModuleError:
                continue
            settled += _compare(module, only=set(spans))[0]
    assert settled > 0
