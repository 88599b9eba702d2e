"""`wasm2oci sign`."""

from typing import TYPE_CHECKING, Annotated

from wasm2oci.cli.declare import Option
from wasm2oci.cli.options import ReferenceArgument, SignatureFormatOption, SignKeyOption
from wasm2oci.cli.output import Output, fields
from wasm2oci.cli.terminal import Terminal
from wasm2oci.client import COSIGN_SIGNATURE, Client, SignatureFormat, parse_annotation

if TYPE_CHECKING:
    from wasm2oci.client import Signed

__all__ = ["command", "show_signed"]


def command(
    output: Output,
    terminal: Terminal,
    *,
    ref: ReferenceArgument,
    key: SignKeyOption,
    annotation: Annotated[
        list[str] | None,
        Option("--annotation", "-a", metavar="KEY=VALUE", help="What the signer says besides; repeatable."),
    ] = None,
    signature_format: SignatureFormatOption = SignatureFormat.BOTH,
    client: Client,
) -> None:
    """Sign an artifact with a key, in the formats that cosign reads.

    What is signed is the manifest that REF names now, by its digest. A bundle is
    attached as a referrer, for cosign 3 and newer tools; the legacy signature lies
    under the tag sha256-....sig, for cosign 1 and 2, kwctl and others.
    """
    signed = client.sign(
        ref,
        key,
        annotations=dict(map(parse_annotation, annotation or ())),
        signature_format=signature_format,
        ask_password=terminal.ask_password,
    )
    show_signed(output, signed)


def show_signed(output: Output, signed: "Signed") -> None:
    """Print what was signed, and how another tool verifies it."""
    is_signature = signed.predicate_type == COSIGN_SIGNATURE
    lines = fields(
        ("Signed", signed.pinned),
        ("Statement", None if is_signature else signed.predicate_type),
        ("Key", signed.key_id),
        ("Bundle", signed.referrer.digest if signed.referrer is not None else None),
        ("Legacy tag", signed.tag),
    )
    if not signed.reference.startswith(("oci-layout:", "oci-archive:")):
        what = "verify" if is_signature else f"verify-attestation --type {signed.predicate_type}"
        output.note(f"cosign {what} --key cosign.pub --insecure-ignore-tlog=true {signed.pinned}")
    output.result(signed, lines, quiet=signed.pinned)
