"""Running a component on wasmtime, with its WASI 0.2: as a command (`wasi:cli/run`), or one function."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any, Final

import wasmtime
from wasmtime.component import Component, Linker, ResultType, Variant

from wasm2oci.engine.binary import decode_component
from wasm2oci.engine.validate.component.outside import component_type
from wasm2oci.errors import Remedy, RemedyKind, UnsupportedError
from wasm2oci.runtime.component_function import find_function
from wasm2oci.runtime.preflight import run_interface
from wasm2oci.runtime.request import EntryError, GuestSetupError
from wasm2oci.runtime.wasmtime import WasmtimeRefusedError, WasmtimeSession, guarded
from wasm2oci.runtime.wasmtime_traps import calling, cause, instantiating
from wasm2oci.runtime.wasmtime_values import check_type, from_wasmtime, to_wasmtime
from wasm2oci.runtime.wave import format_wave
from wasm2oci.wasi.endings import ProcExit
from wasm2oci.wasi.waiting import Interrupt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wasmtime.component import Func, FuncType, Instance

    from wasm2oci.runtime.request import RunOutcome, RunRequest

__all__ = ["WasiVersionError", "run_component"]

_LATER: Final = re.compile(r"wasi:[a-z-]+/[a-z-]+@0\.[3-9].*")
_NOT_FOUND: Final = "matching implementation was not found"
_HTTP: Final = "wasi:http/"
_HANDLER: Final = "wasi:http/outgoing-handler@"


class WasiVersionError(UnsupportedError):
    """The component is built for a later WASI than wasmtime's Python binding offers."""


def run_component(request: RunRequest, why: str) -> RunOutcome:
    """Run a component's `wasi:cli/run`, or the function that is asked for.

    Raises:
        EntryError: it exports no such interface or function.
        UsageError: the values of an invoked function do not fit.
        WasiVersionError: it needs WASI 0.3 or later.
        WasmtimeValueError: its values cannot be passed.
        GuestSetupError: it cannot be linked or started.
        ModuleError: a function is to be called, and the component is malformed or invalid.
        WasmtimeRefusedError: wasmtime finds it invalid.
    """
    outline = decode_component(request.module)
    later = next((x.name for x in (*outline.exports, *outline.imports) if _LATER.fullmatch(x.name)), None)
    if later is not None:
        raise WasiVersionError(
            f"the component is built for another WASI than the 0.2 that wasmtime's Python binding offers: {later}",
            remedy=Remedy(RemedyKind.USE_EMBEDDED),
        )
    if request.trace is not None:
        raise GuestSetupError(
            "on wasmtime a trace shows calls of preview 1 only, and a component makes none",
            remedy=Remedy(RemedyKind.USE_EMBEDDED),
        )
    if request.missing_as_traps:  # of WASI 0.2.2 it takes all for missing, since its own is called 0.2.0
        raise GuestSetupError(
            "wasmtime's Python binding cannot tell which imports of a component are missing",
            remedy=Remedy(RemedyKind.USE_EMBEDDED),
        )
    if request.network:
        raise GuestSetupError(
            "wasmtime's Python binding lets a component reach every host or none, not the ones that are named",
            remedy=Remedy(RemedyKind.USE_EMBEDDED),
        )
    imports = [item.name for item in outline.imports]
    if request.invoke is None:
        entry = run_interface([export.name for export in outline.exports])

        def work() -> tuple[str, ...]:
            return _run(session, imports, entry)
    else:
        wanted = find_function(component_type(request.module), request.invoke, request.values)
        for type_ in wanted.type.values():
            check_type(type_)
        pairs = zip(wanted.values, wanted.type.params, strict=True)
        values = [to_wasmtime(value, type_) for value, type_ in pairs]

        def work() -> tuple[str, ...]:
            result = _call(session, imports, wanted.path, values)
            type_ = wanted.type.result
            return () if type_ is None else (format_wave(from_wasmtime(result, type_), type_),)

    with Interrupt() as interrupt:
        session = WasmtimeSession(request, interrupt)
        return guarded(session, work, why)


def _run(session: WasmtimeSession, imports: Sequence[str], interface: str) -> tuple[str, ...]:
    result = _call(session, imports, (interface, "run"))
    if isinstance(result, Variant) and result.tag == "err":
        raise ProcExit(1)
    return ()


def _call(
    session: WasmtimeSession, imports: Sequence[str], path: Sequence[str], values: Sequence[Any] | None = None
) -> Any:
    """Calls the function of an instance, with values or, without any, as what starts a command."""
    component = _component(session)
    store = session.store()
    linker = Linker(session.engine)
    linker.add_wasip2()
    with contextlib.ExitStack() as held:
        session.set_wasi(store, held)
        if any(name.startswith(_HTTP) for name in imports):
            _add_http(linker, store, imports)
        try:
            with instantiating():
                instance = linker.instantiate(store, component)
        except wasmtime.WasmtimeError as error:
            if _NOT_FOUND not in str(error):
                raise
            raise GuestSetupError(cause(error), remedy=Remedy(RemedyKind.TRAP_MISSING, "WASI 0.2")) from error
        function = _function(instance, store, path)
        if values is None and not _is_command(function.type(store)):
            raise EntryError(f"the component's {path[0]} has no function 'run' that takes nothing and returns a result")
        with calling():
            return function(store, *(values or ()))


def _add_http(linker: Linker, store: wasmtime.Store, imports: Sequence[str]) -> None:
    """Offers wasi:http, whose requests are all denied: no host is named."""
    linker.add_wasi_http()
    store.set_wasi_http()
    linker.allow_shadowing = True
    for name in imports:
        if name.startswith(_HANDLER):
            with linker.root() as root, root.add_instance(name) as handler:
                handler.add_func("handle", lambda *_: Variant("HTTP-request-denied"))


def _function(instance: Instance, store: wasmtime.Store, path: Sequence[str]) -> Func:
    """An exported function by the names of what holds it and its own."""
    index = None
    for name in path:
        index = instance.get_export_index(store, name, index)
        if index is None:
            break
    found = None if index is None else instance.get_func(store, index)
    if found is None:
        raise EntryError(f"the component's {path[0]} has no function {path[-1]!r}")
    return found


def _is_command(type_: FuncType) -> bool:
    result = type_.result
    return not type_.params and isinstance(result, ResultType) and result.ok is None and result.err is None


def _component(session: WasmtimeSession) -> Component:
    data = session.request.module
    component = session.code.load(session.sha256, lambda path: Component.deserialize_file(session.engine, path))
    if component is None:
        try:
            component = Component(session.engine, data)
        except wasmtime.WasmtimeError as error:
            text = str(error).splitlines()[0] if str(error) else "no reason given"
            raise WasmtimeRefusedError(f"wasmtime rejects the component: {text}") from error
        session.code.keep(session.sha256, component)
    return component
