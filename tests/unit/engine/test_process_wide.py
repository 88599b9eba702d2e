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
def instance():
    return Linker(engine).instantiate(module)
"""


def run(script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT + script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_recursion_limit_is_raised_as_long_as_there_is_an_instance() -> None:
    run(
        """
assert sys.getrecursionlimit() == 1000
one, two = instance(), instance()
raised = sys.getrecursionlimit()
assert raised > 16000
del one; gc.collect()
assert sys.getrecursionlimit() == raised
del two; gc.collect()
assert sys.getrecursionlimit() == 1000, sys.getrecursionlimit()
three = instance()
assert sys.getrecursionlimit() == raised
"""
    )


def test_a_limit_that_the_embedder_chose_stays() -> None:
    run(
        """
sys.setrecursionlimit(5000)
one = instance()
assert sys.getrecursionlimit() == 5000
del one; gc.collect()
assert sys.getrecursionlimit() == 5000
two = instance()
sys.setrecursionlimit(1234)
del two; gc.collect()
assert sys.getrecursionlimit() == 1234
"""
    )


@pytest.mark.parametrize("threads", [8])
def test_threads_may_make_and_drop_instances_at_once(threads: int) -> None:
    run(
        f"""
def work():
    for _ in range(20):
        instance()
workers = [threading.Thread(target=work) for _ in range({threads})]
[worker.start() for worker in workers]
[worker.join() for worker in workers]
gc.collect()
assert sys.getrecursionlimit() == 1000
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
