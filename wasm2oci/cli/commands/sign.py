"""`wasm2oci sign`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from wasm2oci.cli.declare import Option
from wasm2oci.cli.options import (
    KeylessOption,
    ReferenceArgument,
    SignatureFormatOption,
    SignKeyOption,
    TrustConfigOption,
)
from wasm2oci.cli.output import Output, fields
from wasm2oci.cli.terminal import Terminal
from wasm2oci.client import Client, SignatureFormat, parse_annotations
from wasm2oci.errors import UsageError

if TYPE_CHECKING:
    from wasm2oci.client import AttachedSignature, Signed

__all__ = ["check_signer", "command", "show_signed", "signer_name"]


def command(
    output: Output,
    terminal: Terminal,
    *,
    ref: ReferenceArgument,
    key: SignKeyOption = None,
    keyless: KeylessOption = False,
    trust_config: TrustConfigOption = None,
    annotation: Annotated[
        list[str] | None,
        Option("--annotation", "-a", metavar="KEY=VALUE", help="Annotation to add to the signature; repeatable."),
    ] = None,
    signature_format: SignatureFormatOption = SignatureFormat.BOTH,
    client: Client,
) -> None:
    """Sign an artifact with a key or as a CI job, in the formats that cosign reads.

    What is signed is the manifest that REF names now, by its digest. A bundle is
    attached as a referrer, for cosign 3 and newer tools; the legacy signature lies
    under the tag sha256-....sig, for cosign 1 and 2, kwctl and others.

    With --keyless, the identity of the CI job (GitHub Actions, GitLab and others,
    or the token in SIGSTORE_ID_TOKEN) signs, as a bundle. Sigstore's public log
    then lists the identity and the digest.
    """
    annotations = parse_annotations(annotation or ())
    private = check_signer(key, signature_format, trust_config, keyless=keyless)
    if private is None:
        signed = client.sign_keyless(ref, annotations=annotations, trust_config=trust_config)
    else:
        signed = client.sign(
            ref, private, annotations=annotations, signature_format=signature_format, ask_password=terminal.ask_password
        )
    show_signed(output, signed)


def check_signer(
    key: str | None, signature_format: SignatureFormat, trust_config: Path | None, *, keyless: bool
) -> str | None:
    """The key that signs; None for the identity of the job.

    Raises:
        UsageError: it is not clear which, or an option does not go with it.
    """
    if (key is None) != keyless:
        hint = None if keyless else "`wasm2oci key generate` makes a key"
        raise UsageError("give either --key or --keyless", hint=hint)
    if not keyless and trust_config is not None:
        raise UsageError("--trust-config goes with --keyless")
    if keyless and signature_format is SignatureFormat.LEGACY:
        raise UsageError("--keyless signs bundles, not the legacy format")
    return key


def signer_name(signed: "AttachedSignature") -> str:
    """Who signed, in one line."""
    if signed.key_id is not None:
        return f"key {signed.key_id[:12]}"
    return f"{signed.identity} ({signed.issuer})"


def show_signed(output: Output, signed: "Signed") -> None:
    """Print what was signed, and how another tool verifies it."""
    from wasm2oci.client import COSIGN_SIGNATURE

    is_signature = signed.predicate_type == COSIGN_SIGNATURE
    lines = fields(
        ("Signed", signed.pinned),
        ("Statement", None if is_signature else signed.predicate_type),
        ("Key", signed.key_id),
        ("Identity", signed.identity),
        ("Issuer", signed.issuer),
        ("Bundle", signed.referrer.digest if signed.referrer is not None else None),
        ("Legacy tag", signed.tag),
    )
    if not signed.reference.startswith(("oci-layout:", "oci-archive:")):
        who = "--key cosign.pub --insecure-ignore-tlog=true"
        if signed.identity is not None:
            who = f"--certificate-identity {signed.identity} --certificate-oidc-issuer {signed.issuer}"
        what = "verify" if is_signature else f"verify-attestation --type {signed.predicate_type}"
        output.note(f"cosign {what} {who} {signed.pinned}")
    output.result(signed, lines, quiet=signed.pinned)
