"""`wasm2oci tag`."""

from typing import Annotated

from wasm2oci.cli.declare import Argument
from wasm2oci.cli.options import ReferenceArgument
from wasm2oci.cli.output import Output, fields
from wasm2oci.client import Client

__all__ = ["command"]


def command(
    output: Output,
    client: Client,
    ref: ReferenceArgument,
    tags: Annotated[list[str], Argument("TAG...", "The further tags.")],
) -> None:
    """Give an artifact further tags in its repository."""
    result = client.tag(ref, *tags)
    lines = fields(("Tagged", result.tags), ("Digest", result.manifest.digest))
    output.result(result, lines, quiet=str(result.manifest.digest))
