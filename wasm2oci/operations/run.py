"""Run: fetch a module, verify it, and run it with nothing but what it is given."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from wasm2oci.operations.fetch_module import FetchPolicy, fetch
from wasm2oci.operations.module_info import ModuleInfo
from wasm2oci.operations.subject import subject_name

if TYPE_CHECKING:
    from pathlib import Path

    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment
    from wasm2oci.runtime.request import Ending, EngineChoice, FunctionTime, RunRequest

__all__ = ["FetchAndRun", "Ran", "TrapInfo", "run"]


class FetchAndRun(NamedTuple):
    """A module to fetch and run.

    Attributes:
        subject: a file, its bytes, or where an artifact is.
        request: how it is run. Its `module` and `cache` are filled in here; its `args` are without the program's name,
            and are the typed values when a function is invoked.
        policy: how the module is fetched.
        cached: keep generated code for the next run.
    """

    subject: Path | Location | bytes
    request: RunRequest
    policy: FetchPolicy = FetchPolicy()
    cached: bool = True


class TrapInfo(NamedTuple):
    """Why a guest was stopped, and where: a line for each function, the innermost first."""

    reason: str
    backtrace: tuple[str, ...]


class Ran(NamedTuple):
    """What was run, and how it went.

    Attributes:
        subject: what was run, by its name.
        module: the module.
        ending: how the run ended.
        exit_code: what a process should end with: the guest's code, 124, 130, 134 or 137.
        engine: which engine ran.
        why: why that one.
        results: of an invoked function, as text.
        trap: why and where, when it trapped.
        timings: functions by time, the most expensive first.
    """

    subject: str
    module: ModuleInfo
    ending: Ending
    exit_code: int
    engine: EngineChoice
    why: str
    results: tuple[str, ...]
    trap: TrapInfo | None
    timings: tuple[FunctionTime, ...]


def run(request: FetchAndRun, environment: Environment) -> Ran:
    """Fetch a module and run it to its end."""
    from wasm2oci.content.cache import cache_folder
    from wasm2oci.content.cache_listing import CODE
    from wasm2oci.runtime.choose import run as run_module

    module = fetch(request.subject, request.policy, environment).checked()
    guest = request.request
    name = module.name.encode("utf-8", "surrogateescape")
    invoked = guest.invoke is not None
    outcome = run_module(
        replace(
            guest,
            module=module.data,
            sha256=module.sha256,
            args=(name, *(() if invoked else guest.args)),
            values=tuple(text.decode("utf-8", "surrogateescape") for text in guest.args) if invoked else (),
            cache=cache_folder(environment.variables, environment.home) / CODE if request.cached else None,
        )
    )
    environment.note(f"ran {module.digest} on the {outcome.engine} engine ({outcome.why})")
    return Ran(
        subject=subject_name(request.subject),
        module=ModuleInfo(module.digest, len(module.data)),
        ending=outcome.ending,
        exit_code=outcome.exit_code,
        engine=outcome.engine,
        why=outcome.why,
        results=outcome.results,
        trap=None if outcome.trap is None else TrapInfo(outcome.trap.reason, tuple(outcome.trap.lines)),
        timings=outcome.timings,
    )
