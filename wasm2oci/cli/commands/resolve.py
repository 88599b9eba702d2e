"""`wasm2oci resolve`."""

from wasm2oci.cli.options import ReferenceArgument
from wasm2oci.cli.output import Output, descriptor_document
from wasm2oci.operations.environment import Environment

__all__ = ["command"]


def command(output: Output, ref: ReferenceArgument, environment: Environment) -> None:
    """Print the digest that a tag names, without downloading anything."""
    from wasm2oci.oci.reference import parse_location
    from wasm2oci.operations.resolve import resolve

    result = resolve(parse_location(ref), environment)
    digest = str(result.manifest.digest)
    document = {"reference": ref, **descriptor_document(result.manifest)}
    output.result(document, [digest], quiet=digest)
