"""`wasm2oci tag`."""

from typing import Annotated

from wasm2oci.cli.declare import Argument
from wasm2oci.cli.options import ReferenceArgument
from wasm2oci.cli.output import Output, descriptor_document, fields
from wasm2oci.operations.environment import Environment

__all__ = ["command"]


def command(
    output: Output,
    ref: ReferenceArgument,
    tags: Annotated[list[str], Argument("TAG...", "The further tags.")],
    environment: Environment,
) -> None:
    """Give an artifact further tags, in the place where it is."""
    from wasm2oci.oci.reference import parse_location
    from wasm2oci.operations.tag import tag

    result = tag(parse_location(ref), tuple(tags), environment)
    document = {"reference": ref, "tags": list(result.tags), **descriptor_document(result.manifest)}
    lines = fields(("Tagged", list(result.tags)), ("Manifest", result.manifest.digest))
    output.result(document, lines, quiet=str(result.manifest.digest))
