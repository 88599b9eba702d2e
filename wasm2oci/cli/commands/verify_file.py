"""`wasm2oci verify-file`."""

from pathlib import Path
from typing import Annotated

from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.options import FILE_GROUP
from wasm2oci.cli.output import Output, fields
from wasm2oci.client import Client, TrustOptions

__all__ = ["command"]


def command(
    output: Output,
    *,
    file: Annotated[Path, Argument("FILE", "The file that was signed.")],
    bundle: Annotated[
        Path | None, Option("--bundle", metavar="FILE", help="The bundle; FILE.sigstore.json if not given.")
    ] = None,
    trust: Annotated[TrustOptions, FILE_GROUP],
    client: Client,
) -> None:
    """Verify the signature of a file that is in no registry, in the bundle beside it.

    Bundles of sign-file and of cosign sign-blob --bundle are read, and statements about
    a file, such as GitHub's provenance. Exit code 6 if the signature does not count.

      wasm2oci verify-file app.wasm --key cosign.pub
      wasm2oci verify-file app.wasm --bundle made.json --type slsaprovenance1 ...
    """
    found = client.verify_file(file, trust, bundle=bundle)
    lines = fields(
        ("Verified", str(found.file)),
        ("Digest", found.digest),
        ("Signed by", found.signer),
        ("Bundle", str(found.bundle)),
    )
    output.result(found, lines, quiet=str(found.digest))
