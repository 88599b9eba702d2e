"""Stopping a guest: fuel, the polled flag, an exception from another thread, and a stack that grows for ever."""

import ctypes
import gc
import threading

import pytest

from wasm2oci.engine.embed import Engine, Instance, Linker, Module
from wasm2oci.engine.runtime.trap import Trap, TrapKind
from wasm2oci.engine.text import assemble

LOOPS = """(module (memory 1)
  (func $inner (param i32) (result i32) (i32.load8_u (i32.and (local.get 0) (i32.const 0xff))))
  (func (export "f") (param i32) (result i32) (local i32 i32)
    (loop $l
      (block $odd (br_if $odd (i32.and (local.get 1) (i32.const 1)))
        (local.set 2 (i32.add (local.get 2) (call $inner (local.get 1)))))
      (if (i32.eq (local.get 1) (i32.const 77)) (then (local.set 2 (i32.const 5))) (else (nop)))
      (br_if $l (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (local.get 0))))
    (local.get 2))
  (func (export "spin") (loop $l (br $l)))
  (func (export "deep") (param i32) (result i32) (i32.add (call 3 (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
  (func (export "even") (param i64) (result i32)
    (if (result i32) (i64.eqz (local.get 0)) (then (i32.const 1))
      (else (return_call $odd (i64.sub (local.get 0) (i64.const 1))))))
  (func $odd (param i64) (result i32)
    (if (result i32) (i64.eqz (local.get 0)) (then (i32.const 0))
      (else (return_call 4 (i64.sub (local.get 0) (i64.const 1)))))))"""


def instance(engine: Engine) -> tuple[Linker, Instance]:
    linker = Linker(engine)
    return linker, linker.instantiate(Module(engine, assemble(LOOPS)))


def spent(fuel: int, count: int) -> int:
    linker, made = instance(Engine(fuel=True))
    linker.fuel = fuel
    made.function("f").invoke(count)
    return fuel - linker.fuel


def test_the_same_run_costs_the_same_however_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    cost = spent(10**6, 300)
    assert cost == spent(10**7, 300)
    assert 300 * 10 < cost < 300 * 25
    assert spent(10**6, 301) > cost
    monkeypatch.setattr("wasm2oci.engine.translate.structuring.MAX_ATTEMPTS", 0)
    assert spent(10**6, 300) == cost


def test_without_fuel_it_stops_at_the_same_place() -> None:
    left = []
    for _ in range(2):
        linker, made = instance(Engine(fuel=True))
        linker.fuel = 5_000
        with pytest.raises(Trap) as caught:
            made.function("spin").invoke()
        assert caught.value.kind is TrapKind.OUT_OF_FUEL
        assert caught.value.frames[0].function == 2
        left.append(linker.fuel)
    assert left[0] == left[1] < 0


def test_a_polled_flag_stops_an_endless_loop() -> None:
    linker, made = instance(Engine(interruptible=True))
    timer = threading.Timer(0.05, linker.interrupt)
    timer.start()
    with pytest.raises(Trap) as caught:
        made.function("spin").invoke()
    assert caught.value.kind is TrapKind.INTERRUPT
    timer.join()


class Stopped(BaseException):
    pass


SPINS = """(module (import "host" "started" (func)) (func (export "f") (call 0) (loop $l (br $l))))"""


def test_an_exception_from_another_thread_stops_code_that_does_not_poll() -> None:
    started = threading.Event()
    thread = threading.get_ident()

    def stop() -> None:
        # Any earlier, and it might arrive in a finalizer, where Python prints it and goes on.
        started.wait()
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Stopped))

    linker = Linker(Engine())
    linker.define_function("host", "started", [], [], started.set)
    function = linker.instantiate(Module(linker.engine, assemble(SPINS))).function("f")
    stopper = threading.Thread(target=stop, daemon=True)
    stopper.start()
    with pytest.raises(Stopped):
        function.invoke()
    stopper.join()


def test_endless_recursion_is_a_trap_and_leaves_the_instance_usable() -> None:
    gc.collect()  # an earlier test's instance must not be finalized where no stack is left: pytest reports that
    _, made = instance(Engine())
    for _ in range(2):
        with pytest.raises(Trap) as caught:
            made.function("deep").invoke(0)
        assert caught.value.kind is TrapKind.CALL_STACK
        assert {frame.function for frame in caught.value.frames} == {3}
    assert made.function("f").invoke(5) == 0


def test_a_million_tail_calls_take_no_stack() -> None:
    _, made = instance(Engine())
    assert made.function("even").invoke(1_000_000) == 1
    assert made.function("even").invoke(99_999) == 0
