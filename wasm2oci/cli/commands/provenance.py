"""`wasm2oci provenance`."""

from typing import Annotated

from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.output import Output
from wasm2oci.cli.terminal import Terminal
from wasm2oci.errors import UsageError
from wasm2oci.operations.environment import Environment

__all__ = ["command"]


def command(
    output: Output,
    terminal: Terminal,
    *,
    ref: Annotated[str | None, Argument("[REF]", "The artifact to attach it to.")] = None,
    key: Annotated[
        str | None, Option("--key", "-k", metavar="KEY", help="Private key that signs: FILE or env://NAME.")
    ] = None,
    environment: Environment,
) -> None:
    """Print the provenance of this CI job (SLSA v1), or sign it and attach it to REF.

    Made from the variables of GitHub Actions, GitLab CI or Azure Pipelines. Where
    one that is needed is missing, that is an error: nothing is guessed.
    """
    from wasm2oci.cli.commands.sign import show_signed
    from wasm2oci.oci.reference import parse_location
    from wasm2oci.operations.keys import load_private_key
    from wasm2oci.operations.sbom import make_provenance
    from wasm2oci.operations.sign import AttestRequest, attest

    if (ref is None) != (key is None):
        raise UsageError("a REF to attach it to and --key go together")
    document = make_provenance(environment)
    if ref is None or key is None:
        output.raw(document.raw)
        return
    source = parse_location(ref)
    private = load_private_key(key, environment, terminal.ask_password)
    show_signed(output, attest(AttestRequest(source, private, document.predicate_type, document.raw), environment))
