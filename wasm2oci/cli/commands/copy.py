"""`wasm2oci copy`."""

from typing import Annotated

from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.options import DESTINATION, TrustGroup
from wasm2oci.cli.output import Output, descriptor_document, fields, size_text
from wasm2oci.cli.progress import transfer
from wasm2oci.operations.environment import Environment
from wasm2oci.registry.options import ConnectOptions

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
    environment: Environment,
    destination_options: Annotated[ConnectOptions, DESTINATION],
) -> None:
    """Copy an artifact between registries and layouts, byte for byte.

    Connection options go for both sides; those that start with --to- go for the
    destination, and then none of the others do.
    """
    from wasm2oci.oci.reference import parse_location
    from wasm2oci.operations.copy import CopyRequest, copy

    destination_options.check()
    request = CopyRequest(
        parse_location(source),
        parse_location(destination),
        recursive=recursive,
        trust=trust,
        destination_options=None if destination_options == ConnectOptions() else destination_options,
    )
    with transfer(output, "Copied", "Copying") as progress:
        result = copy(request, environment, progress)
    name = destination if request.destination.tag or result.tag is None else f"{destination}:{result.tag}"
    document = {
        "source": source,
        "reference": name,
        **descriptor_document(result.manifest),
        "copied": result.copied,
        "existed": result.existed,
        "mounted": result.mounted,
        "transferredBytes": result.transferred,
    }
    lines = fields(
        ("Copied", f"{source} to {name}"),
        ("Manifest", result.manifest.digest),
        ("Moved", size_text(result.transferred)),
    )
    output.result(document, lines, quiet=str(result.manifest.digest))
