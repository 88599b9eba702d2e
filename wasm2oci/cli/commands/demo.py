"""`wasm2oci demo`."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wasm2oci.cli.demonstration import Step
from wasm2oci.cli.output import Output
from wasm2oci.cli.terminal import Terminal
from wasm2oci.client import ConnectOptions

__all__ = ["command"]


def command(output: Output, terminal: Terminal) -> int:
    """Show the main commands on this machine, with a temporary registry.

    Starts a registry on a free port of the loopback, then runs the commands a user would type: publish a module, look
    into it, get it back by digest, verify it, run it. Nothing is downloaded, and nothing stays.
    """
    from wasm2oci.cli.demonstration import DemoStepError, demo
    from wasm2oci.cli.output import size_text

    def say(*lines: str) -> None:
        if not output.as_json:
            output.text(lines)

    def started(address: str, size: int) -> None:
        say(f"A registry is up at {address}, and here is hello.wasm ({size_text(size)}).")

    def shown(step: "Step") -> None:
        said = [*step.stderr.splitlines(), *step.stdout.splitlines()] if step.code else step.stdout.splitlines()
        say("", f"# {step.purpose}", f"$ {step.command}", *said)

    try:
        done = demo(terminal.client(output, ConnectOptions()), terminal.variables, started, shown)
    except DemoStepError as error:
        output.warn(error.message)
        return error.code
    if output.as_json:
        output.result(done, ())
    say(
        "",
        f"All of it worked, in {done.seconds:.1f} seconds. Any registry takes the same commands:",
        "wasm2oci push hello.wasm ghcr.io/YOU/hello:v1",
    )
    return 0
