"""`wasm2oci provenance`."""

from typing import Annotated

from wasm2oci.cli.declare import Argument
from wasm2oci.cli.options import KeylessOption, SignKeyOption, TrustConfigOption
from wasm2oci.cli.output import Output
from wasm2oci.cli.terminal import Terminal
from wasm2oci.client import Client, SignatureFormat
from wasm2oci.errors import UsageError

__all__ = ["command"]


def command(
    output: Output,
    terminal: Terminal,
    *,
    ref: Annotated[str | None, Argument("[REF]", "The artifact to attach it to.")] = None,
    key: SignKeyOption = None,
    keyless: KeylessOption = False,
    trust_config: TrustConfigOption = None,
    client: Client,
) -> None:
    """Print the provenance of this CI job (SLSA v1), or sign it and attach it to REF.

    It is made from the variables of GitHub Actions, GitLab CI or Azure Pipelines; a
    missing variable is an error.
    """
    from wasm2oci.cli.commands.attest import attest
    from wasm2oci.cli.commands.sign import check_signer, show_signed

    if ref is not None:
        key = check_signer(key, SignatureFormat.BUNDLE, trust_config, keyless=keyless)
    elif key is not None or keyless or trust_config is not None:
        raise UsageError("--key, --keyless and --trust-config go with a REF to attach it to")
    document = client.provenance()
    if ref is None:
        output.raw(document.raw)
        return
    show_signed(output, attest(client, ref, document, key, trust_config=trust_config, terminal=terminal))
