"""What the engine changes in its process, it changes back."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.data import ROOT

SCRIPT = """
import gc, sys, threading
from wasm2oci.engine import Engine, Linker, Module
from wasm2oci.engine.text import assemble
engine = Engine()
module = Module(engine, assemble('(module (func (export "f") (param i32) (result i32) (local.get 0)))'))
caller = Module(engine, assemble('(module (func (import "h" "f") (result i32)) (export "f" (func 0)))'))
def instance():
    return Linker(engine).instantiate(module)
def calling(host):
    linker = Linker(engine)
    linker.define_function("h", "f", [], ["i32"], host)
    return linker.instantiate(caller)
"""


def run(script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT + script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_recursion_limit_is_raised_while_a_guest_runs() -> None:
    run(
        """
assert sys.getrecursionlimit() == 1000
one = calling(sys.getrecursionlimit)
assert sys.getrecursionlimit() == 1000
raised = one.call("f")
assert raised > 16000
assert sys.getrecursionlimit() == 1000
inner = calling(lambda: one.call("f") and sys.getrecursionlimit())
assert inner.call("f") == raised
assert sys.getrecursionlimit() == 1000
"""
    )


def test_the_recursion_limit_is_set_back_after_a_trap() -> None:
    run(
        """
try:
    calling(lambda: 1 // 0).call("f")
except ZeroDivisionError:
    pass
assert sys.getrecursionlimit() == 1000
"""
    )


def test_a_limit_that_the_embedder_chose_stays() -> None:
    run(
        """
sys.setrecursionlimit(5000)
assert calling(sys.getrecursionlimit).call("f") == 5000
assert sys.getrecursionlimit() == 5000
calling(lambda: sys.setrecursionlimit(1234) or 0).call("f")
assert sys.getrecursionlimit() == 1234
"""
    )


@pytest.mark.parametrize("threads", [8])
def test_guests_may_run_on_many_threads_at_once(threads: int) -> None:
    run(
        f"""
seen = []
def work():
    one = calling(sys.getrecursionlimit)
    for _ in range(20):
        seen.append(one.call("f"))
workers = [threading.Thread(target=work) for _ in range({threads})]
[worker.start() for worker in workers]
[worker.join() for worker in workers]
assert len(seen) == 20 * {threads} and min(seen) > 16000, seen
assert sys.getrecursionlimit() == 1000
"""
    )


def test_garbage_may_be_collected_in_the_guests_deepest_frame() -> None:
    run(
        """
from wasm2oci.engine import Trap
deep = Module(engine, assemble('(module (func $f (export "f") (call $f)))'))
unraisable = []
sys.unraisablehook = unraisable.append
gc.set_threshold(1)  # a collection wherever one may come
for _ in range(3):
    instance()
    try:
        Linker(engine).instantiate(deep).call("f")
    except Trap as error:
        assert "call stack exhausted" in str(error), error
    else:
        raise AssertionError("an endless recursion ended")
gc.collect()
assert not unraisable, unraisable[0]
"""
    )


def test_a_run_with_a_stack_of_its_own_leaves_the_limit_as_it_was() -> None:
    run(
        """
from wasm2oci.engine.runtime.limits import allowed_calls
with allowed_calls(3000):
    assert sys.getrecursionlimit() == 3400
    with allowed_calls(2000):
        assert sys.getrecursionlimit() == 3400
    one = instance()
    assert sys.getrecursionlimit() == 3400
    del one
assert sys.getrecursionlimit() == 1000
held = instance()
raised = sys.getrecursionlimit()
with allowed_calls(50000):
    assert sys.getrecursionlimit() == 50400
assert sys.getrecursionlimit() == raised
"""
    )
