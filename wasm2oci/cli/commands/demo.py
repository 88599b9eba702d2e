"""`wasm2oci demo`."""

from typing import TYPE_CHECKING, Any

from wasm2oci.cli.options import Reporting
from wasm2oci.cli.session import Session

if TYPE_CHECKING:
    from wasm2oci.operations.demo import Demonstrated, Step

__all__ = ["command"]


def command(session: Session, reporting: Reporting) -> int:
    """Show what this tool does, on this machine, with a registry of its own.

    Starts a registry on a free port of the loopback, then runs the commands a user would type: publish a module, look
    into it, get it back by digest, verify it, run it. Nothing is downloaded, and nothing stays.
    """
    from wasm2oci.cli.output import size_text
    from wasm2oci.operations.demo import DemoStepError, demo

    output = session.output(reporting)

    def say(*lines: str) -> None:
        if not output.as_json:
            output.result({}, lines)

    def started(address: str, size: int) -> None:
        say(f"A registry is up at {address}, and here is hello.wasm ({size_text(size)}).")

    def shown(step: "Step") -> None:
        said = [*step.stderr.splitlines(), *step.stdout.splitlines()] if step.code else step.stdout.splitlines()
        say("", f"# {step.purpose}", f"$ {step.command}", *said)

    try:
        done = demo(session.variables, started, shown)
    except DemoStepError as error:
        output.warn(error.message)
        return error.code
    if output.as_json:
        output.result(_document(done), ())
    say(
        "",
        f"All of it worked, in {done.seconds:.1f} seconds. Any registry takes the same commands:",
        "wasm2oci push hello.wasm ghcr.io/YOU/hello:v1",
    )
    return 0


def _document(done: "Demonstrated") -> dict[str, Any]:
    return {
        "address": done.address,
        "digest": done.digest,
        "seconds": round(done.seconds, 3),
        "steps": [
            {
                "purpose": step.purpose,
                "command": step.command,
                "output": step.stdout,
                "code": step.code,
                "seconds": round(step.seconds, 3),
            }
            for step in done.steps
        ],
    }
