"""`wasm2oci copy`."""

from typing import Annotated

from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.options import DESTINATION, TrustGroup
from wasm2oci.cli.output import Output, fields, size_text
from wasm2oci.cli.progress import transfer
from wasm2oci.client import Client, ConnectOptions

__all__ = ["command"]


def command(
    output: Output,
    *,
    source: Annotated[
        str,
        Argument("SOURCE", "HOST/NAME:TAG, ...@DIGEST or oci-layout:DIR:TAG."),
    ],
    destination: Annotated[
        str,
        Argument("DESTINATION", "The same; without a tag, SOURCE's is kept."),
    ],
    recursive: Annotated[
        bool, Option("--recursive", "-r", help="Take along signatures and all else that refers to it.")
    ] = False,
    trust: TrustGroup,
    client: Client,
    destination_options: Annotated[ConnectOptions, DESTINATION],
) -> None:
    """Copy an artifact between registries and layouts, byte for byte.

    Connection options go for both sides; those that start with --to- go for the
    destination, and then none of the others do. A password is never sent to two
    registries: say --to-username and --to-password-stdin for the second.
    """
    with transfer(output, "Copied", "Copying") as progress:
        result = client.copy(
            source,
            destination,
            recursive=recursive,
            trust=trust,
            destination_options=None if destination_options == ConnectOptions() else destination_options,
            progress=progress,
        )
    lines = fields(
        ("Copied", f"{result.source} to {result.reference}"),
        ("Digest", result.manifest.digest),
        ("Moved", size_text(result.transferred_bytes)),
    )
    output.result(result, lines, quiet=str(result.manifest.digest))
