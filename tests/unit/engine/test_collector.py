from __future__ import annotations

import gc
from threading import Thread

import pytest

from wasm2oci.engine.binary import decode_module
from wasm2oci.engine.collector import Pause
from wasm2oci.engine.text import assemble
from wasm2oci.engine.translate.function import translate_function
from wasm2oci.engine.translate.options import Options

BRANCHES = """(module (tag $t) (func (param i32) (result i32)
  (block $out (loop $again
    (block $caught (try_table (catch $t $caught) (if (local.get 0) (then (throw $t)) (else (br $out)))))
    (br_if $again (i32.eqz (local.get 0)))
    (br_table $again $out (local.get 0))))
  (local.get 0)))"""


@pytest.mark.parametrize("on", [True, False])
def test_two_threads_that_overlap_leave_the_collector_as_it_was(*, on: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if on else gc.disable)()
        first, second = Pause(), Pause()
        steps = [first.__enter__, second.__enter__, lambda: first.__exit__(None, None, None)]
        for step in steps:  # each on a thread of its own, one after the other: the order that left it off
            thread = Thread(target=step)
            thread.start()
            thread.join()
            assert not gc.isenabled()
        second.__exit__(None, None, None)
        assert gc.isenabled() is on
    finally:
        (gc.enable if before else gc.disable)()


def test_a_pause_inside_of_a_pause_ends_with_the_outer_one() -> None:
    before = gc.isenabled()
    with Pause():
        with Pause():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled() is before


def test_translation_leaves_nothing_to_the_collector() -> None:
    """The collector would take a twentieth of a cold start, and memory would grow until it ran."""
    module = decode_module(assemble(BRANCHES))

    def kept() -> int:
        modules = (
            str(type(each).__module__) for each in gc.get_objects()
        )  # some types have a descriptor there, not text
        return sum(module.startswith("wasm2oci.engine.translate") for module in modules)

    translate_function(module, 0, Options())
    gc.collect()
    with Pause():
        before = kept()
        translate_function(module, 0, Options())
        assert kept() == before
