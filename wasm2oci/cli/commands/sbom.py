"""`wasm2oci sbom`."""

from enum import StrEnum
from typing import Annotated

from wasm2oci.cli.declare import Option
from wasm2oci.cli.options import KeylessOption, SignKeyOption, SubjectArgument, TrustConfigOption
from wasm2oci.cli.output import Output
from wasm2oci.cli.terminal import Terminal
from wasm2oci.client import Client, SignatureFormat
from wasm2oci.errors import UsageError

__all__ = ["command"]


class SbomFormatName(StrEnum):
    """The format of the document."""

    CYCLONEDX = "cyclonedx"
    SPDX = "spdx"


def command(
    output: Output,
    terminal: Terminal,
    *,
    subject: SubjectArgument,
    sbom_format: Annotated[SbomFormatName, Option("--sbom-format", help="The format of the document.")] = (
        SbomFormatName.CYCLONEDX
    ),
    attach: Annotated[bool, Option("--attach", help="Sign it with --key or --keyless, and attach it to REF.")] = False,
    key: SignKeyOption = None,
    keyless: KeylessOption = False,
    trust_config: TrustConfigOption = None,
    client: Client,
) -> None:
    """Print the software bill of materials (SBOM) of a module.

    It lists the crates that cargo-auditable recorded, the modules and components inside,
    and the tools that made the module, as far as the module names them. The same
    module always gives the same document.
    """
    from wasm2oci.cli.commands.attest import attest
    from wasm2oci.cli.commands.sign import check_signer, show_signed

    if attach:
        key = check_signer(key, SignatureFormat.BUNDLE, trust_config, keyless=keyless)
    elif key is not None or keyless or trust_config is not None:
        raise UsageError("--key, --keyless and --trust-config go with --attach")
    found = terminal.read_subject(subject)
    if attach:
        if not isinstance(found, str):
            raise UsageError("only an artifact takes an SBOM: push the file, and name where it is")
        found = client.resolve(found).pinned  # the module and the manifest of the SBOM have to be one artifact
    document = client.sbom(found, sbom_format.value)
    if document.listed == 0:
        output.note("the module lists no crates: build it with cargo auditable to have them")
    if not attach or not isinstance(found, str):
        output.raw(document.raw)
        return
    show_signed(output, attest(client, found, document, key, trust_config=trust_config, terminal=terminal))
