"""`wasm2oci attest`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from wasm2oci.cli.commands.sign import check_signer, show_signed
from wasm2oci.cli.declare import Option
from wasm2oci.cli.options import (
    KeylessOption,
    ReferenceArgument,
    SignatureFormatOption,
    SignKeyOption,
    TrustConfigOption,
)
from wasm2oci.cli.output import Output
from wasm2oci.cli.terminal import Terminal
from wasm2oci.client import Client, SignatureFormat

if TYPE_CHECKING:
    from wasm2oci.client import Document, Signed

__all__ = ["attest", "command"]


def command(
    output: Output,
    terminal: Terminal,
    *,
    ref: ReferenceArgument,
    key: SignKeyOption = None,
    keyless: KeylessOption = False,
    trust_config: TrustConfigOption = None,
    predicate: Annotated[Path, Option("--predicate", metavar="FILE", help="The statement's predicate, a JSON file.")],
    type_: Annotated[
        str, Option("--type", metavar="TYPE", help="cyclonedx, spdx, slsaprovenance1, openvex, vuln, custom, or a URI.")
    ] = "custom",
    signature_format: SignatureFormatOption = SignatureFormat.BUNDLE,
    client: Client,
) -> None:
    """Sign a statement about an artifact, and attach it.

      wasm2oci attest REF --key cosign.key --type cyclonedx --predicate bom.json

    verify checks it with --type, and attestations shows it.
    """
    private = check_signer(key, signature_format, trust_config, keyless=keyless)
    if private is None:
        signed = client.sign_keyless(ref, predicate=predicate, predicate_type=type_, trust_config=trust_config)
    else:
        signed = client.attest(
            ref,
            private,
            predicate,
            predicate_type=type_,
            signature_format=signature_format,
            ask_password=terminal.ask_password,
        )
    show_signed(output, signed)


def attest(
    client: Client, ref: str, document: "Document", key: str | None, *, trust_config: Path | None, terminal: Terminal
) -> "Signed":
    """Sign a document about an artifact and attach it; without a key as this CI job."""
    kind = document.predicate_type
    if key is None:
        return client.sign_keyless(ref, predicate=document.raw, predicate_type=kind, trust_config=trust_config)
    return client.attest(ref, key, document.raw, predicate_type=kind, ask_password=terminal.ask_password)
