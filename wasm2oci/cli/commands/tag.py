"""`wasm2oci tag`."""

from typing import Annotated

from wasm2oci.cli.declare import Argument
from wasm2oci.cli.options import Connection, ReferenceArgument, Reporting
from wasm2oci.cli.output import descriptor_document, fields
from wasm2oci.cli.session import Session

__all__ = ["command"]


def command(
    session: Session,
    ref: ReferenceArgument,
    tags: Annotated[list[str], Argument("TAG...", "The further tags.")],
    reporting: Reporting,
    connection: Connection,
) -> None:
    """Give an artifact further tags, in the place where it is."""
    from wasm2oci.oci.reference import parse_location
    from wasm2oci.operations.tag import tag

    output = session.output(reporting)
    result = tag(parse_location(ref), tuple(tags), session.environment(output, connection))
    document = {"reference": ref, "tags": list(result.tags), **descriptor_document(result.manifest)}
    lines = fields(("Tagged", list(result.tags)), ("Manifest", result.manifest.digest))
    output.result(document, lines, quiet=str(result.manifest.digest))
