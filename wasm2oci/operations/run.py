"""Run: fetch a module, verify it, and run it with nothing but what it is given."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from wasm2oci.oci.digest import Digest
from wasm2oci.oci.reference import Location
from wasm2oci.operations.fetch_module import FetchPolicy, fetch
from wasm2oci.runtime import EngineChoice, Limits, RunOutcome, RunRequest
from wasm2oci.runtime import run as run_module

if TYPE_CHECKING:
    from wasm2oci.operations.environment import Environment
    from wasm2oci.wasi import Preopen

__all__ = ["GuestOutcome", "GuestRequest", "run"]


class GuestRequest(NamedTuple):
    """A module to run, and what it gets.

    Attributes:
        subject: a file, or where an artifact is.
        args: its arguments, without the program's name.
        policy: how it is fetched.
        environment: its environment variables.
        preopens: directories it may use.
        stdin: a descriptor of this process, or bytes.
        stdout: a descriptor of this process, or a function that takes bytes.
        stderr: the same.
        invoke: the exported function to call; then `args` are its typed values.
        limits: what it may use.
        engine: which engine to take.
        missing_as_traps: let it start although it imports what nobody offers; calling that traps.
        trace: takes a line for each WASI call.
        profile: whether to say where time went.
        cached: keep generated code for the next run.
    """

    subject: Path | Location
    args: tuple[str, ...] = ()
    policy: FetchPolicy = FetchPolicy()
    environment: tuple[tuple[bytes, bytes], ...] = ()
    preopens: "tuple[Preopen, ...]" = ()
    stdin: int | bytes = 0
    stdout: int | Callable[[bytes], object] = 1
    stderr: int | Callable[[bytes], object] = 2
    invoke: str | None = None
    limits: Limits = Limits()
    engine: EngineChoice = EngineChoice.AUTO
    missing_as_traps: bool = False
    trace: Callable[[str], object] | None = None
    profile: bool = False
    cached: bool = True


class GuestOutcome(NamedTuple):
    """What was run, and how it went.

    Attributes:
        digest: of the module.
        outcome: how the run went.
    """

    digest: Digest
    outcome: RunOutcome


def run(request: GuestRequest, environment: "Environment") -> GuestOutcome:
    """Fetch a module and run it to its end.

    Raises:
        NotFoundError: there is no such file or artifact, or nothing to call in it.
        IntegrityError: it is not the module asked for; nothing of it was run.
        Wasm2OciError: it could not be fetched, or not be started.
    """
    module = fetch(request.subject, request.policy, environment)
    from wasm2oci.content.cache import cache_folder

    invoked = request.invoke is not None
    args = (module.name, *(() if invoked else request.args))
    outcome = run_module(
        RunRequest(
            module=module.data,
            sha256=module.sha256,
            args=tuple(text.encode("utf-8", "surrogateescape") for text in args),
            environment=request.environment,
            preopens=request.preopens,
            stdin=request.stdin,
            stdout=request.stdout,
            stderr=request.stderr,
            invoke=request.invoke,
            values=request.args if invoked else (),
            limits=request.limits,
            engine=request.engine,
            missing_as_traps=request.missing_as_traps,
            trace=request.trace,
            profile=request.profile,
            cache=cache_folder(environment.variables, environment.home) / "code" if request.cached else None,
        )
    )
    environment.note(f"ran {module.digest} on the {outcome.engine} engine ({outcome.why})")
    return GuestOutcome(module.digest, outcome)
