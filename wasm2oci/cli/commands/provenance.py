"""`wasm2oci provenance`."""

from typing import Annotated

from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.output import Output
from wasm2oci.cli.terminal import Terminal
from wasm2oci.client import Client
from wasm2oci.errors import UsageError

__all__ = ["command"]


def command(
    output: Output,
    terminal: Terminal,
    *,
    ref: Annotated[str | None, Argument("[REF]", "The artifact to attach it to.")] = None,
    key: Annotated[
        str | None, Option("--key", "-k", metavar="KEY", help="Private key that signs: FILE or env://NAME.")
    ] = None,
    client: Client,
) -> None:
    """Print the provenance of this CI job (SLSA v1), or sign it and attach it to REF.

    Made from the variables of GitHub Actions, GitLab CI or Azure Pipelines. Where
    one that is needed is missing, that is an error: nothing is guessed.
    """
    from wasm2oci.cli.commands.sign import show_signed

    if (ref is None) != (key is None):
        raise UsageError("a REF to attach it to and --key go together")
    document = client.provenance()
    if ref is None or key is None:
        output.raw(document.raw)
        return
    kind, ask = document.predicate_type, terminal.ask_password
    show_signed(output, client.attest(ref, key, document.raw, predicate_type=kind, ask_password=ask))
