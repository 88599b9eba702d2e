"""`wasm2oci resolve`."""

from wasm2oci.cli.options import Connection, ReferenceArgument, Reporting
from wasm2oci.cli.output import descriptor_document
from wasm2oci.cli.session import Session

__all__ = ["command"]


def command(session: Session, ref: ReferenceArgument, reporting: Reporting, connection: Connection) -> None:
    """Print the digest that a tag names, without downloading anything."""
    from wasm2oci.oci.reference import parse_location
    from wasm2oci.operations.resolve import resolve

    output = session.output(reporting)
    result = resolve(parse_location(ref), session.environment(output, connection))
    digest = str(result.manifest.digest)
    document = {"reference": ref, **descriptor_document(result.manifest)}
    output.result(document, [digest], quiet=digest)
