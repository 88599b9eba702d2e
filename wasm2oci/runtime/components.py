"""Running a component that is a command (`wasi:cli/run`) on wasmtime, with its WASI preview 2."""

import contextlib
import re
from collections.abc import Sequence
from typing import Any, Final

import wasmtime
from wasmtime.component import Component, Instance, Linker, Variant

from wasm2oci.engine.binary import decode_component
from wasm2oci.errors import Remedy, RemedyKind, UnsupportedError
from wasm2oci.runtime.preflight import run_interface
from wasm2oci.runtime.request import EntryError, GuestSetupError, RunOutcome, RunRequest
from wasm2oci.runtime.wasmtime import WasmtimeRefusedError, WasmtimeSession, guarded
from wasm2oci.runtime.wasmtime_traps import calling, instantiating
from wasm2oci.wasi import Interrupt, ProcExit

__all__ = ["run_component"]

_LATER: Final = re.compile(r"wasi:[a-z-]+/[a-z-]+@0\.[3-9].*")
_HTTP: Final = "wasi:http/"
_HANDLER: Final = "wasi:http/outgoing-handler@"


class WasiVersionError(UnsupportedError):
    """The component is built for a later WASI than is offered."""


def run_component(request: RunRequest, why: str) -> RunOutcome:
    """Run a component's `wasi:cli/run`.

    Raises:
        EntryError: it exports no such interface.
        WasiVersionError: it needs WASI 0.3 or later.
        GuestSetupError: it cannot be linked or started.
        WasmtimeRefusedError: wasmtime finds it invalid.
    """
    outline = decode_component(request.module)
    later = next((x.name for x in (*outline.exports, *outline.imports) if _LATER.fullmatch(x.name)), None)
    if later is not None:
        raise WasiVersionError(
            f"the component is built for another WASI than the 0.2 offered here: {later}",
            hint="build it for WASI 0.2 (target wasm32-wasip2)",
        )
    if request.invoke is not None:
        raise GuestSetupError(
            "on wasmtime --invoke calls functions of core modules, and this is a component",
            remedy=Remedy(RemedyKind.USE_EMBEDDED),
        )
    if request.trace is not None:
        raise GuestSetupError("--trace follows preview 1 calls, and a component makes none")
    if request.network:
        raise GuestSetupError(
            "wasmtime's Python binding lets a component reach every host or none, not the ones that are named",
            remedy=Remedy(RemedyKind.USE_EMBEDDED),
        )
    imports = [item.name for item in outline.imports]
    entry = run_interface([export.name for export in outline.exports])
    with Interrupt() as interrupt:
        session = WasmtimeSession(request, interrupt)
        return guarded(session, lambda: _call(session, entry, imports), why)


def _call(session: WasmtimeSession, interface: str, imports: Sequence[str]) -> tuple[str, ...]:
    component = _component(session)
    store = session.store()
    linker = Linker(session.engine)
    linker.add_wasip2()
    with contextlib.ExitStack() as held:
        session.set_wasi(store, held)
        if any(name.startswith(_HTTP) for name in imports):
            _add_http(linker, store, imports)
        with instantiating():
            instance = linker.instantiate(store, component)
        function = _run_function(instance, store, interface)
        with calling():
            result = function(store)
    if isinstance(result, Variant) and result.tag == "err":
        raise ProcExit(1)
    return ()


def _add_http(linker: Linker, store: wasmtime.Store, imports: Sequence[str]) -> None:
    """Offers wasi:http, whose requests are all denied: no host is named."""
    linker.add_wasi_http()
    store.set_wasi_http()
    linker.allow_shadowing = True
    for name in imports:
        if name.startswith(_HANDLER):
            with linker.root() as root, root.add_instance(name) as handler:
                handler.add_func("handle", lambda *_: Variant("HTTP-request-denied"))


def _run_function(instance: Instance, store: wasmtime.Store, interface: str) -> Any:
    index = instance.get_export_index(store, interface)
    inner = None if index is None else instance.get_export_index(store, "run", index)
    found = None if inner is None else instance.get_func(store, inner)
    if found is None:
        raise EntryError(f"the component's {interface} has no function 'run'")
    return found


def _component(session: WasmtimeSession) -> Component:
    data = session.request.module
    component = session.code.load(session.sha256, lambda path: Component.deserialize_file(session.engine, path))
    if component is None:
        try:
            component = Component(session.engine, data)
        except wasmtime.WasmtimeError as error:
            text = str(error).splitlines()[0] if str(error) else "no reason given"
            raise WasmtimeRefusedError(f"wasmtime does not take the component: {text}") from error
        session.code.keep(session.sha256, component)
    return component
