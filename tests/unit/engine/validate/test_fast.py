"""The fast path against the specification's algorithm: it may be unsure, it may not be wrong."""

import random

import pytest

from tests.support.mutations import excerpt, kernels, mutate, real_modules, suite_modules
from wasm2oci.engine.binary import decode_module
from wasm2oci.engine.errors import ModuleError
from wasm2oci.engine.syntax.features import FEATURE_NAMES, Feature
from wasm2oci.engine.syntax.module import Module, Span
from wasm2oci.engine.text import assemble
from wasm2oci.engine.validate.body import validate_body
from wasm2oci.engine.validate.context import Context
from wasm2oci.engine.validate.fast import FastPath
from wasm2oci.engine.validate.fast_tables import NOT_SURE

LEGACY = """(module
  (tag $n) (tag $i (param i32)) (tag $two (param i64 f32))
  (func $f) (func $g (param i32) (result i64) (i64.const 1))
  (func (try (do (call $f)) (catch_all)))
  (func (try (do (call $f)) (catch $n) (catch $i drop) (catch_all (rethrow 0))))
  (func (param i32) (result i32)
    (try (result i32) (do (throw $i (local.get 0))) (catch $i) (catch $two drop drop (i32.const 2))))
  (func (result i64 i32) (try (result i64 i32) (do (i64.const 1) (i32.const 2))
    (catch_all (i64.const 3) (block (br_if 1 (i64.const 7) (i32.const 4) (i32.const 0)) drop drop) (i32.const 5))))
  (func (try (do (try (do (call $f)) (delegate 0))) (catch $n (try (do (rethrow 1)) (catch_all (rethrow 1))))))
  (func (result i64) (try (result i64) (do (call $g (i32.const 1))) (delegate 0)))
  (func (param i32) (result i64) (local.get 0)
    (try (param i32) (result i64) (do (call $g)) (catch_all (unreachable))))
  (func (loop $l (try (do (br $l)) (catch $n (br $l)) (catch_all (return)))))
  (func (if (i32.const 1) (then (try (do) (delegate 1))) (else (try (do) (catch_all)))))
  (func (try (do (throw $n)) (delegate 0)))
  (func (try (do (call $f)))))"""
"""The legacy exceptions: handlers of all kinds, with and without values, in and behind code that is not reached."""

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


def test_settles_legacy_exceptions() -> None:
    assert _compare(decode_module(assemble(LEGACY)))[1] == 0


@pytest.mark.parametrize("seed", range(3))
def test_is_never_wrong_on_mutated_legacy_exceptions(seed: int) -> None:
    rng = random.Random(seed)
    data = assemble(LEGACY)
    spans = list(decode_module(data).codes)
    settled = unsure = 0
    for _ in range(400):
        try:
            module = decode_module(mutate(data, [rng.choice(spans)], rng))
        except ModuleError:
            continue
        found = _compare(module)
        settled, unsure = settled + found[0], unsure + found[1]
    assert settled > 0 < unsure
