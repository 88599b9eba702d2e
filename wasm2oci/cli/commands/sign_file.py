"""`wasm2oci sign-file`."""

from pathlib import Path
from typing import Annotated

from wasm2oci.cli.commands.sign import check_signer
from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.options import KeylessOption, SignKeyOption, TrustConfigOption
from wasm2oci.cli.output import Output, fields
from wasm2oci.cli.terminal import Terminal
from wasm2oci.client import Client, SignatureFormat

__all__ = ["command"]


def command(
    output: Output,
    terminal: Terminal,
    *,
    file: Annotated[Path, Argument("FILE", "The file to sign.")],
    out: Annotated[
        Path | None, Option("--output", "-o", metavar="FILE", help="The bundle; FILE.sigstore.json if not given.")
    ] = None,
    key: SignKeyOption = None,
    keyless: KeylessOption = False,
    trust_config: TrustConfigOption = None,
    client: Client,
) -> None:
    r"""Sign a file that is in no registry, with a key or as a CI job.

    The signature goes into a bundle beside the file, which cosign reads too:

      wasm2oci sign-file app.wasm --key cosign.key
      wasm2oci verify-file app.wasm --key cosign.pub
      cosign verify-blob --key cosign.pub --insecure-ignore-tlog=true \
        --bundle app.wasm.sigstore.json app.wasm
    """
    private = check_signer(key, SignatureFormat.BUNDLE, trust_config, keyless=keyless)
    signed = client.sign_file(
        file, private, output=out, ask_password=terminal.ask_password, keyless=keyless, trust_config=trust_config
    )
    lines = fields(
        ("Signed", str(signed.file)),
        ("Digest", signed.digest),
        ("Key", signed.key_id),
        ("Identity", signed.identity),
        ("Issuer", signed.issuer),
        ("Bundle", str(signed.bundle)),
    )
    output.result(signed, lines, quiet=str(signed.bundle))
