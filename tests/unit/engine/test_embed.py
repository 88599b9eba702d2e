"""The engine as its embedders see it. Modules are written as bytes; each says in a comment what it is."""

import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from wasm2oci.engine import (
    WASM_1,
    WASM_2,
    WASM_3,
    Caller,
    Engine,
    ExportNotFoundError,
    Feature,
    FeatureError,
    Function,
    HostFunction,
    Instance,
    Linker,
    Module,
    ResourceLimitError,
    ResourceLimits,
    Trap,
    TrapKind,
    UnlinkableError,
    ValueTypeError,
    WasmException,
    new_global,
    new_memory,
    new_table,
    new_tag,
)
from wasm2oci.errors import UsageError

I32, I64, F32, F64, V128, FUNCREF, EXTERNREF = 0x7F, 0x7E, 0x7D, 0x7C, 0x7B, 0x70, 0x6F
MAGIC = b"\0asm\x01\0\0\0"


def _vec(items: Sequence[bytes]) -> bytes:
    return bytes((len(items),)) + b"".join(items)


def _name(text: str) -> bytes:
    return bytes((len(text),)) + text.encode()


def _section(number: int, items: Sequence[bytes]) -> bytes:
    content = _vec(items)
    return bytes((number, len(content))) + content


def _type(params: Sequence[int], results: Sequence[int]) -> bytes:
    return b"\x60" + bytes((len(params), *params, len(results), *results))


def _code(body: bytes) -> bytes:
    return bytes((len(body) + 2, 0)) + body + b"\x0b"


def _one(params: Sequence[int], results: Sequence[int], body: bytes, *more: bytes) -> bytes:
    """A module that exports one function "f"; `more` are sections to put before its code."""
    return (
        MAGIC
        + _section(1, [_type(params, results)])
        + _section(3, [b"\x00"])
        + b"".join(more)
        + _section(7, [_name("f") + b"\x00\x00"])
        + _section(10, [_code(body)])
    )


def _host(params: Sequence[int], results: Sequence[int]) -> bytes:
    """A module that imports "h" "f" and exports "f", which hands its arguments to it, and a memory."""
    body = b"".join(bytes((0x20, index)) for index in range(len(params))) + b"\x10\x00"
    return (
        MAGIC
        + _section(1, [_type(params, results)])
        + _section(2, [_name("h") + _name("f") + b"\x00\x00"])
        + _section(3, [b"\x00"])
        + _section(5, [b"\x00\x01"])
        + _section(7, [_name("f") + b"\x00\x01", _name("memory") + b"\x02\x00"])
        + _section(10, [_code(body)])
    )


ADD = _one([I32, I32], [I32], b"\x20\x00\x20\x01\x6a")
FOREVER = _one([], [], b"\x03\x40\x0c\x00\x0b")


def _instance(data: bytes, engine: Engine | None = None, **options: Any) -> Instance:
    engine = engine or Engine()
    return Linker(engine).instantiate(Module(engine, data), **options)


def test_importing_the_package_loads_nothing_of_the_engine() -> None:
    script = "import sys, wasm2oci.engine; print(sum(m.startswith('wasm2oci.engine.') for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


def test_integers_are_signed_outside() -> None:
    instance = _instance(ADD)
    assert instance.call("f", 2, 3) == 5
    assert instance.call("f", -1, -1) == -2
    assert instance.call("f", 0xFFFFFFFF, 0) == -1
    assert instance.function("f").invoke(0xFFFFFFFF, 0) == 0xFFFFFFFF


@pytest.mark.parametrize(
    "arguments", [(1,), (1, 2, 3), (1, "2"), (1, 2.5), (1 << 32, 0), (-(1 << 31) - 1, 0), (None, 0)]
)
def test_arguments_are_checked(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(ValueTypeError):
        _instance(ADD).call("f", *arguments)


def test_several_results_are_a_tuple() -> None:
    swap = _one([I64, F64], [F64, I64], b"\x20\x01\x20\x00")
    assert _instance(swap).call("f", -5, 1.5) == (1.5, -5)


def test_vectors_and_references_cross_the_border() -> None:
    assert _instance(_one([V128], [V128], b"\x20\x00")).call("f", bytes(range(16))) == int.from_bytes(
        bytes(range(16)), "little"
    )
    thing = object()
    extern = _instance(_one([EXTERNREF], [EXTERNREF], b"\x20\x00"))
    assert extern.call("f", thing) is thing
    assert extern.call("f", None) is None
    same = _instance(_one([FUNCREF], [FUNCREF], b"\x20\x00"))
    function = same.function("f")
    assert same.call("f", function) is function
    with pytest.raises(ValueTypeError):
        same.call("f", thing)


def test_f32_is_rounded_on_the_way_in() -> None:
    assert _instance(_one([F32], [F32], b"\x20\x00")).call("f", 0.1) == 0.10000000149011612


def test_an_engine_takes_no_features_it_cannot_run() -> None:
    with pytest.raises(UsageError, match="does not run legacy-exceptions, wide-arithmetic"):
        Engine(features=WASM_2 | Feature.LEGACY_EXCEPTIONS | Feature.WIDE_ARITHMETIC)
    Engine(features=WASM_3)


def test_a_missing_export_names_those_there_are() -> None:
    with pytest.raises(ExportNotFoundError) as caught:
        _instance(ADD).call("g")
    assert caught.value.hint == "it exports f"


# --- host functions ----------------------------------------------------------------------------
def _linked(data: bytes, item: Any, engine: Engine | None = None) -> Instance:
    engine = engine or Engine()
    linker = Linker(engine)
    linker.define("h", "f", item)
    return linker.instantiate(Module(engine, data))


def test_a_host_function_gets_and_gives_signed_integers() -> None:
    seen: list[Any] = []

    def host(a: int, b: float) -> int:
        seen.append((a, b))
        return -7

    instance = _linked(_host([I64, F64], [I64]), HostFunction(["i64", "f64"], ["i64"], host))
    assert instance.call("f", -1, 0.5) == -7
    assert seen == [(-1, 0.5)]


def test_a_raw_host_function_gets_what_the_guest_keeps() -> None:
    instance = _linked(_host([I32], [I32]), HostFunction(["i32"], ["i32"], lambda a: a ^ 1, raw=True))
    assert instance.function("f").invoke(0xFFFFFFFF) == 0xFFFFFFFE


@pytest.mark.parametrize("returned", [None, "1", 1.5, (1, 2)])
def test_what_a_host_function_returns_is_checked(returned: Any) -> None:
    with pytest.raises(ValueTypeError):
        _linked(_host([], [I32]), HostFunction([], ["i32"], lambda: returned)).call("f")


def test_what_a_host_raises_passes_through_untouched() -> None:
    class ProcExit(BaseException):
        pass

    for error in (
        ProcExit(),
        IndexError("the host's own"),
        ZeroDivisionError("so is this"),
        Trap(TrapKind.UNREACHABLE),
    ):

        def host(error: BaseException = error) -> None:
            raise error

        with pytest.raises(type(error)) as caught:
            _linked(_host([], []), HostFunction([], [], host)).call("f")
        assert caught.value is error


def test_a_host_function_gets_its_caller_and_the_callers_memory() -> None:
    def host(caller: Caller, address: int) -> None:
        assert caller.memory is not None
        caller.memory.write(address, b"hello")

    instance = _linked(_host([I32], []), HostFunction(["i32"], [], host, caller=True))
    instance.call("f", 3)
    assert instance.memory().read(3, 5) == b"hello"


def test_imports_are_matched() -> None:
    engine = Engine()
    module = Module(engine, _host([I32], []))
    linker = Linker(engine)
    with pytest.raises(UnlinkableError, match='unknown import "h" "f"'):
        linker.instantiate(module)
    linker.define_function("h", "f", ["i64"], [], lambda _: None)
    with pytest.raises(UnlinkableError, match="incompatible import type") as caught:
        linker.instantiate(module)
    assert "func (param i64) is offered where func (param i32) is wanted" in str(caught.value)
    for item in (new_memory(1), new_global("i32", 1), new_table("funcref", 1), new_tag(["i32"])):
        linker.define("h", "f", item)
        with pytest.raises(UnlinkableError, match="incompatible import type"):
            linker.instantiate(module)
    with pytest.raises(UsageError, match="another engine"):
        Linker(Engine(features=WASM_1)).instantiate(module)


def test_instances_share_what_they_export() -> None:
    engine = Engine()
    linker = Linker(engine)
    exporter = linker.instantiate(Module(engine, ADD))
    linker.define_instance("h", exporter)
    importer = linker.instantiate(Module(engine, _host([I32, I32], [I32])))
    assert importer.call("f", 20, 22) == 42


def test_a_guests_exception_reaches_the_host_with_its_values() -> None:
    throws = (
        MAGIC
        + _section(1, [_type([I32], [])])
        + _section(3, [b"\x00"])
        + _section(13, [b"\x00\x00"])
        + _section(7, [_name("f") + b"\x00\x00", _name("t") + b"\x04\x00"])
        + _section(10, [_code(b"\x20\x00\x08\x00")])
    )
    instance = _instance(throws)
    with pytest.raises(WasmException) as caught:
        instance.call("f", 9)
    assert caught.value.tag is instance.exports["t"]
    assert caught.value.values == (9,)


# --- limits ------------------------------------------------------------------------------------
GROW = _one([I32], [I32], b"\x20\x00\x40\x00", _section(5, [b"\x00\x01"]))


def test_memory_stays_within_its_limit() -> None:
    limits = ResourceLimits(memory_bytes=3 << 16)
    instance = _instance(GROW, limits=limits)
    assert instance.call("f", 2) == 1
    assert instance.call("f", 1) == -1
    with pytest.raises(ResourceLimitError):
        _instance(GROW, limits=ResourceLimits(memory_bytes=1 << 15))


def test_fuel_ends_a_loop_at_the_same_place_every_time() -> None:
    engine = Engine(fuel=True)
    left = set()
    for _ in range(2):
        linker = Linker(engine)
        instance = linker.instantiate(Module(engine, FOREVER), fuel=10_000)
        with pytest.raises(Trap) as caught:
            instance.call("f")
        assert caught.value.kind is TrapKind.OUT_OF_FUEL
        left.add(linker.fuel)
    assert len(left) == 1


def test_fuel_that_lasts_is_given_back() -> None:
    engine = Engine(fuel=True)
    linker = Linker(engine)
    instance = linker.instantiate(Module(engine, ADD), fuel=100)
    assert instance.call("f", 1, 2) == 3
    assert 90 <= linker.fuel < 100


def test_another_thread_can_interrupt() -> None:
    engine = Engine(interruptible=True)
    linker = Linker(engine)
    instance = linker.instantiate(Module(engine, FOREVER))
    timer = threading.Timer(0.05, linker.interrupt)
    timer.start()
    with pytest.raises(Trap) as caught:
        instance.call("f")
    timer.join()
    assert caught.value.kind is TrapKind.INTERRUPT


def test_endless_recursion_is_a_trap_with_frames() -> None:
    with pytest.raises(Trap) as caught:
        _instance(_one([], [], b"\x10\x00")).call("f")
    assert caught.value.kind is TrapKind.CALL_STACK
    assert caught.value.frames
    assert caught.value.frames[0].name == "f"


def test_a_refused_feature_is_unsupported() -> None:
    with pytest.raises(FeatureError):
        Module(Engine(features=WASM_1), _one([V128], [V128], b"\x20\x00"))


def test_the_start_function_runs_after_before_start() -> None:
    order: list[str] = []
    engine = Engine()
    linker = Linker(engine)
    linker.define_function("h", "f", [], [], lambda: order.append("start"))
    data = MAGIC + _section(1, [_type([], [])]) + _section(2, [_name("h") + _name("f") + b"\x00\x00"]) + b"\x08\x01\x00"
    linker.instantiate(Module(engine, data), before_start=lambda _: order.append("before"))
    assert order == ["before", "start"]


def test_code_is_kept_in_the_folder_handed_in(tmp_path: Path) -> None:
    engine = Engine(cache=tmp_path / "code")
    for expected in (False, True):
        module = Module(engine, ADD)
        assert module.code.known is expected
        assert Linker(engine).instantiate(module).call("f", 1, 1) == 2
        module.code.save()
    assert [path.suffix for path in (tmp_path / "code").iterdir() if path.suffix] == [".code"]


def test_what_a_module_imports_and_exports_can_be_read_before() -> None:
    module = Module(Engine(), _host([I32], []))
    assert [(item.module, item.name, item.kind.name) for item in module.imports] == [("h", "f", "FUNC")]
    assert [(item.name, item.kind.name) for item in module.exports] == [("f", "FUNC"), ("memory", "MEMORY")]
    assert isinstance(_linked(_host([I32], []), HostFunction(["i32"], [], print)).exports["f"], Function)
