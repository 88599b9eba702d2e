"""Bodies that are validated when they are called first: large programs start sooner, nothing invalid is run."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.support import invoke
from tests.support.wasm_sections import module as binary
from tests.support.wasm_sections import section, uleb
from wasm2oci.engine import Engine, Linker, Module
from wasm2oci.engine.component.store import LoadedComponent, Store
from wasm2oci.engine.errors import FeatureError, InvalidModuleError, MalformedError
from wasm2oci.engine.syntax.features import WASM_1
from wasm2oci.engine.text import assemble
from wasm2oci.runtime.choose import run
from wasm2oci.runtime.request import RunRequest
from wasm2oci.runtime.wasmtime import WasmtimeRefusedError

TEXT = """(module
  (func (export "good") (result i32) (i32.const 42))
  (func (export "bad") (result i32) (i64.const 1))
  (func (export "calls") (result i32) (call 1))
  (func (export "vector") (result i32) (i8x16.extract_lane_s 0 (v128.const i64x2 0 0))))"""
DEFERRED = Engine(deferred=0)


def test_an_invalid_body_is_refused_whenever_it_is_called() -> None:
    data = assemble(TEXT)
    with pytest.raises(InvalidModuleError) as eager:
        Module(Engine(), data)
    instance = Linker(DEFERRED).instantiate(Module(DEFERRED, data))
    for name in ("bad", "calls", "bad"):
        with pytest.raises(InvalidModuleError) as late:
            instance.call(name)
        assert str(late.value) == str(eager.value)
        assert instance.call("good") == 42


def test_a_feature_that_is_not_allowed_is_refused_in_a_body() -> None:
    engine = Engine(features=WASM_1, deferred=0)
    instance = Linker(engine).instantiate(Module(engine, assemble(TEXT)))
    assert instance.call("good") == 42
    with pytest.raises(FeatureError, match="simd"):
        instance.call("vector")


@pytest.mark.parametrize("local", ["externref", "v128", "(ref null func)"])
def test_a_feature_that_only_a_local_uses_is_refused(local: str) -> None:
    text = f"""(module
      (func (export "good") (result i32) (i32.const 42))
      (func (export "bad") (local {local})))"""
    engine = Engine(features=WASM_1, deferred=0)
    instance = Linker(engine).instantiate(Module(engine, assemble(text)))
    with pytest.raises(FeatureError) as late:
        instance.call("bad")
    with pytest.raises(FeatureError) as eager:
        Module(Engine(features=WASM_1), assemble(text))
    assert str(late.value) == str(eager.value)
    assert instance.call("good") == 42


@pytest.mark.parametrize(
    "text",
    ['(module (func) (export "a" (func 1)))', "(module (func (param i32)) (start 0))", "(module (memory 1 0))"],
)
def test_what_is_no_body_is_validated_before(text: str) -> None:
    with pytest.raises(InvalidModuleError) as eager:
        Module(Engine(), assemble(text))
    with pytest.raises(InvalidModuleError) as early:
        Module(DEFERRED, assemble(text))
    assert str(early.value) == str(eager.value)


def test_small_modules_are_validated_whole() -> None:
    engine = Engine(deferred=1000)
    with pytest.raises(InvalidModuleError):
        Module(engine, assemble(TEXT))


def test_kept_code_does_not_make_other_bodies_valid(tmp_path: Path) -> None:
    data = assemble(TEXT)
    engine = Engine(cache=tmp_path, deferred=0)
    for known in (False, True):
        module = Module(engine, data)
        assert module.code.known is known
        instance = Linker(engine).instantiate(module)
        assert instance.call("good") == 42
        with pytest.raises(InvalidModuleError):
            instance.call("bad")
        module.code.save()
    with pytest.raises(InvalidModuleError):
        Module(Engine(cache=tmp_path), data)


class Nothing:
    """A host that offers nothing."""

    def interface(self, name: str) -> None:
        assert name

    def wait(self, waits: Sequence[object], *, block: bool) -> Sequence[int]:
        raise AssertionError((waits, block))


def test_offsets_are_those_of_the_component() -> None:
    text = f"""(component (core {TEXT.replace("module", "module $m", 1)[1:]} (core instance $i (instantiate $m))
      (func (export "bad") (result u32) (canon lift (core func $i "bad"))))"""
    data = assemble(text)
    with pytest.raises(InvalidModuleError) as eager:
        LoadedComponent(Engine(), data)
    instance = Store(LoadedComponent(DEFERRED, data), Nothing()).instantiate()
    with pytest.raises(InvalidModuleError) as late:
        instance.exports["bad"][1].call()
    assert str(late.value) == str(eager.value)
    with pytest.raises(MalformedError) as broken:
        LoadedComponent(DEFERRED, data.replace(b"vector", b"\xff\xff\xff\xff\xff\xff"))
    assert broken.value.offset + 1 == data.index(b"vector")  # its length is before it


def large(start: bytes) -> bytes:
    """A program of more than a megabyte; the second function is invalid, the third one long."""
    bodies = [b"\x00" + start + b"\x0b", b"\x00\x41\x00\x0b", b"\x00" + b"\x01" * (1 << 20) + b"\x0b"]
    code = uleb(len(bodies)) + b"".join(uleb(len(body)) + body for body in bodies)
    return binary(
        section(1, b"\x01\x60\x00\x00"),
        section(3, b"\x03\x00\x00\x00"),
        section(7, b"\x01\x06_start\x00\x00"),
        section(10, code),
    )


def test_a_large_program_is_stopped_where_it_is_invalid(tmp_path: Path) -> None:
    file = tmp_path / "large.wasm"
    file.write_bytes(large(b""))
    assert invoke("run", "--engine", "embedded", str(file)).code == 0
    file.write_bytes(large(b"\x10\x01"))
    stopped = invoke("run", "--engine", "embedded", str(file))
    assert stopped.code == 3
    assert "type mismatch" in stopped.stderr
    assert invoke("validate", str(file)).code == 3


def test_what_wasmtime_refuses_is_validated_whole() -> None:
    with pytest.raises(WasmtimeRefusedError):
        run(RunRequest(module=large(b""), args=(b"large",)))
