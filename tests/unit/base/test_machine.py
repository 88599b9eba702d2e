"""The engine refuses processors on which it would compute something else."""

import sys

import pytest

from wasm2oci.base.machine import check_processor
from wasm2oci.engine.embed import Engine, Linker, Module
from wasm2oci.engine.text import assemble
from wasm2oci.errors import UnsupportedError


def test_this_processor_is_good_enough() -> None:
    check_processor()


def test_big_endian_processors_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "byteorder", "big")
    with pytest.raises(UnsupportedError, match="little-endian"):
        check_processor()


def test_a_processor_that_rounds_twice_runs_no_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wasm2oci.base.machine._rounds_twice", lambda *_: True)
    engine = Engine()
    with pytest.raises(UnsupportedError, match="rounds floating-point numbers twice"):
        Linker(engine).instantiate(Module(engine, assemble("(module)")))
