"""Choosing an engine and running a guest on it.

what                            auto takes
a component                     wasmtime; embedded without it, for a trace, with hosts named or imports missing
timings are wanted             embedded
no wasmtime, or an old one      embedded
more code than it is quick for  embedded, unless wasmtime has it compiled already
vectors or GC at the border     embedded (wasmtime's binding would end the process)
a name that is not UTF-8        embedded (wasmtime takes nothing else)
wasmtime refuses the module     embedded, if that takes it; else wasmtime's reason
wasmtime finds no room          embedded (it reserves gigabytes of addresses)
anything else                   wasmtime
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from wasm2oci.errors import Remedy, RemedyKind, UnsupportedError
from wasm2oci.runtime.request import EngineChoice, GuestSetupError

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.runtime.preflight import Preflight
    from wasm2oci.runtime.request import RunOutcome, RunRequest

__all__ = ["EngineMissingError", "EngineUnsuitedError", "run", "wasmtime_missing"]


class EngineMissingError(UnsupportedError):
    """The requested engine is not installed, or is too old."""


class EngineUnsuitedError(UnsupportedError):
    """The requested engine cannot do this."""


_MUCH_CODE: Final = 32 << 20
"""Bytes of code from which on compiling all of it takes longer than most runs on the embedded engine, which translates
what is called: 57 s and 1.5 GB against 7 s and 0.3 GB for yosys (53 MiB of code); below, either may be first."""
_OLDEST: Final = 50
"""The first wasmtime that is used, as in `pyproject.toml`: 45 to 47 lack what is asked of their binding, and WASI of 48
and 49 answers a path that it has to refuse."""
_CAN: Final = "installed, and can run the module"


def wasmtime_missing() -> str | None:
    """Why wasmtime's Python binding cannot be used; None when it can.

    Its version is in the name of a folder beside it: `importlib.metadata` takes as long to import as wasmtime.
    """
    found = importlib.util.find_spec("wasmtime")
    if found is None:
        return "wasmtime is not installed"
    for place in found.submodule_search_locations or ():
        try:
            names = os.listdir(f"{place}/..")  # noqa: PTH208 - nothing of a path is needed
        except OSError:
            continue
        for name in names:
            if name.startswith("wasmtime-") and name.endswith(".dist-info"):
                version = name.removeprefix("wasmtime-").removesuffix(".dist-info")
                major = version.partition(".")[0]
                if major.isdecimal() and int(major) < _OLDEST:
                    return f"wasmtime {version} is too old: {_OLDEST} is needed"
    return None


def run(request: RunRequest) -> RunOutcome:
    """Run a guest to its end.

    Raises:
        ModuleError: the module is malformed or invalid.
        EntryError: there is nothing to call in it.
        GuestSetupError: it could not be started, or the tool failed around it.
        UnsupportedError: the engine asked for is missing, or cannot run it.
        UsageError: the values of an invoked function do not fit.
    """
    if request.isolated:
        from wasm2oci.runtime.child import can_run_in_child, run_in_child, wait_for_threads  # noqa: PLC0415 - as below

        if can_run_in_child(request):
            wait_for_threads()
            return run_in_child(request, lambda: _run(request))
    return _run(request)


def _run(request: RunRequest) -> RunOutcome:
    """Run a guest in this process."""
    known = _run_known(request)
    if known is not None:
        return known
    from wasm2oci.runtime.preflight import look  # noqa: PLC0415 - slow to import, and a known program needs it not

    preflight = look(request)
    if preflight.module is None:
        return _run_component(request)
    outcome = _run_module(request, preflight)
    return outcome if outcome.trap is None else replace(outcome, trap=preflight.named(outcome.trap))


def _run_known(request: RunRequest) -> RunOutcome | None:
    """Run a program on wasmtime from the code that was kept when it ran before; None when there is none."""
    plain = request.invoke is None and not request.timings and not request.missing_as_traps
    if not plain or request.cache is None or request.engine is EngineChoice.EMBEDDED or wasmtime_missing():
        return None
    if request.engine is EngineChoice.AUTO and request.not_text is not None:
        return None
    from wasm2oci.runtime.wasmtime import WasmtimeRoomError, run_known  # noqa: PLC0415 - slow to import

    why = "asked for" if request.engine is EngineChoice.WASMTIME else _CAN
    try:
        outcome = run_known(request, why)
    except WasmtimeRoomError:
        if request.engine is EngineChoice.WASMTIME:
            raise
        return None
    except GuestSetupError:
        from wasm2oci.runtime.preflight import look  # noqa: PLC0415 - as above

        look(request)  # says better what is wrong, if it is with the module
        raise
    if outcome is None or outcome.trap is None:
        return outcome
    from wasm2oci.runtime.preflight import look  # noqa: PLC0415 - as above

    return replace(outcome, trap=look(request).named(outcome.trap))


def _run_module(request: RunRequest, preflight: Preflight) -> RunOutcome:
    engine, why = _choose(request, preflight)
    if engine is EngineChoice.EMBEDDED:
        return _run_embedded(request, preflight, why)
    from wasm2oci.runtime.wasmtime import run_module  # noqa: PLC0415 - slow to import

    return _or_embedded(
        request,
        lambda: run_module(request, preflight, why),
        lambda again, reason: _run_embedded(again, preflight, reason),
    )


def _or_embedded(
    request: RunRequest, on_wasmtime: Callable[[], RunOutcome], on_embedded: Callable[[RunRequest, str], RunOutcome]
) -> RunOutcome:
    """What wasmtime makes of a guest; the embedded engine, given the reason, where wasmtime cannot begin with it.

    Of what wasmtime refuses, which may be invalid, nothing is run before all of it is validated.
    """
    from wasm2oci.engine.errors import ModuleError  # noqa: PLC0415 - as above
    from wasm2oci.runtime.wasmtime import WasmtimeRefusedError, WasmtimeRoomError  # noqa: PLC0415 - slow to import

    try:
        return on_wasmtime()
    except WasmtimeRoomError:
        if request.engine is EngineChoice.WASMTIME:
            raise
        return on_embedded(request, "wasmtime finds no room")
    except WasmtimeRefusedError as refusal:
        if request.engine is EngineChoice.WASMTIME:
            raise
        try:
            return on_embedded(replace(request, deferred=False), "wasmtime does not take it")
        except ModuleError:
            raise refusal from None
        except UnsupportedError as unsuited:
            raise EngineUnsuitedError(f"{unsuited}, and neither does wasmtime", hint=unsuited.hint) from refusal


def _choose(request: RunRequest, preflight: Preflight) -> tuple[EngineChoice, str]:
    if request.engine is EngineChoice.EMBEDDED:
        return EngineChoice.EMBEDDED, "asked for"
    unsafe = preflight.unsafe_for_wasmtime
    missing = wasmtime_missing()
    if request.engine is EngineChoice.WASMTIME:
        if missing is not None:
            raise EngineMissingError(missing, remedy=Remedy(RemedyKind.USE_EMBEDDED))
        if request.timings:
            raise EngineUnsuitedError(
                "only the embedded engine measures timings", remedy=Remedy(RemedyKind.USE_EMBEDDED)
            )
        if unsafe is not None:
            from wasm2oci.runtime.preflight import TypeUnsupportedError  # noqa: PLC0415 - as above

            raise TypeUnsupportedError(
                f"{unsafe}, which wasmtime's Python binding cannot pass", remedy=Remedy(RemedyKind.USE_EMBEDDED)
            )
        return EngineChoice.WASMTIME, "asked for"
    if request.timings:
        return EngineChoice.EMBEDDED, "timings are wanted"
    if missing is not None:
        return EngineChoice.EMBEDDED, missing
    if unsafe is not None:
        return EngineChoice.EMBEDDED, unsafe
    if (odd := request.not_text) is not None:
        return EngineChoice.EMBEDDED, f"{odd!r} is not UTF-8"
    if preflight.code_size > _MUCH_CODE:
        return EngineChoice.EMBEDDED, f"wasmtime would compile {preflight.code_size >> 20} MiB of code first"
    return EngineChoice.WASMTIME, _CAN


def _run_embedded(request: RunRequest, preflight: Preflight, why: str) -> RunOutcome:
    from wasm2oci.engine.errors import FeatureError  # noqa: PLC0415 - not needed on wasmtime
    from wasm2oci.runtime.embedded import run_module  # noqa: PLC0415 - the same

    try:
        return run_module(request, preflight, why)
    except FeatureError as error:
        legacy = error.feature == "legacy-exceptions"
        raise EngineUnsuitedError(
            f"the module uses {error.feature} (at offset {error.offset:#x}), which the embedded engine does not run",
            hint="rebuild it with the exceptions of WebAssembly 3.0 (clang: -mllvm -wasm-use-legacy-eh=false)"
            if legacy
            else None,
            remedy=Remedy(RemedyKind.USE_WASMTIME),
        ) from error


def _run_component(request: RunRequest) -> RunOutcome:
    if request.timings:
        raise GuestSetupError("timings are for core modules, but this is a component")
    if request.listeners:
        raise GuestSetupError("components cannot be given listening sockets")
    reason = _why_embedded(request)
    if reason is not None:
        return _embedded_component(request, reason)
    missing = wasmtime_missing()
    if missing is not None:
        raise EngineMissingError(missing, remedy=Remedy(RemedyKind.INSTALL, "wasmtime"))
    from wasm2oci.runtime.wasmtime_components import WasiVersionError, run_component  # noqa: PLC0415 - slow to import
    from wasm2oci.runtime.wasmtime_values import WasmtimeValueError  # noqa: PLC0415 - the same

    try:
        return _or_embedded(request, lambda: run_component(request, _CAN), _embedded_component)
    except WasiVersionError:
        if request.engine is EngineChoice.WASMTIME:
            raise
        return _embedded_component(request, "wasmtime's Python binding offers no WASI 0.3")
    except WasmtimeValueError as error:
        if request.engine is EngineChoice.WASMTIME:
            raise
        return _embedded_component(request, str(error))


def _embedded_component(request: RunRequest, why: str) -> RunOutcome:
    from wasm2oci.runtime.embedded_components import run_component  # noqa: PLC0415 - slow to import

    return run_component(request, why)


def _why_embedded(request: RunRequest) -> str | None:
    """Why the embedded engine runs a component; None when wasmtime does."""
    if request.engine is EngineChoice.EMBEDDED:
        return "asked for"
    if request.engine is EngineChoice.AUTO:
        if (missing := wasmtime_missing()) is not None:
            return missing
        if request.trace is not None:
            return "a trace is wanted"
        if request.missing_as_traps:
            return "imports may be missing"
        if request.network:
            return "hosts of the network are named"
    return None
