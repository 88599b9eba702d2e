"""`wasm2oci sign`."""

from typing import TYPE_CHECKING, Annotated

from wasm2oci.cli.declare import Option
from wasm2oci.cli.options import ReferenceArgument, SignatureFormatOption, SignKeyOption
from wasm2oci.cli.output import Output, fields
from wasm2oci.cli.terminal import Terminal
from wasm2oci.operations.environment import Environment
from wasm2oci.operations.trust import SignatureFormat

if TYPE_CHECKING:
    from wasm2oci.operations.sign import Signed

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
    environment: Environment,
) -> None:
    """Sign an artifact with a key, in the formats that cosign reads.

    What is signed is the manifest that REF names now, by its digest. A bundle is
    attached as a referrer, for cosign 3 and newer tools; the legacy signature lies
    under the tag sha256-....sig, for cosign 1 and 2, kwctl and others.
    """
    from wasm2oci.oci.reference import parse_location
    from wasm2oci.operations.keys import load_private_key
    from wasm2oci.operations.sign import SignRequest, sign
    from wasm2oci.packager.annotations import parse_annotation

    source = parse_location(ref)
    annotations = dict(parse_annotation(text) for text in annotation or ())
    private = load_private_key(key, environment, terminal.ask_password)
    show_signed(output, sign(SignRequest(source, private, annotations, signature_format), environment))


def show_signed(output: Output, signed: "Signed") -> None:
    """Print what was signed, and how another tool verifies it."""
    from wasm2oci.oci.reference import Reference
    from wasm2oci.operations.names import pinned
    from wasm2oci.signing.statement import COSIGN_SIGNATURE

    name = pinned(signed.source, signed.manifest.digest)
    document = {
        "reference": str(signed.source),
        "pinned": name,
        "manifest": signed.manifest,
        "keyId": signed.key_id,
        "predicateType": signed.predicate_type,
        "signature": {
            "referrer": None if signed.referrer is None else str(signed.referrer.digest),
            "tag": signed.tag,
        },
    }
    is_signature = signed.predicate_type == COSIGN_SIGNATURE
    lines = fields(
        ("Signed", name),
        ("Statement", None if is_signature else signed.predicate_type),
        ("Key", signed.key_id),
        ("Bundle", signed.referrer.digest if signed.referrer is not None else None),
        ("Legacy tag", signed.tag),
    )
    if isinstance(signed.source, Reference):
        what = "verify" if is_signature else f"verify-attestation --type {signed.predicate_type}"
        output.note(f"cosign {what} --key cosign.pub --insecure-ignore-tlog=true {name}")
    output.result(document, lines, quiet=name)
