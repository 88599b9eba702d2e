"""`wasm2oci resolve`."""

from wasm2oci.cli.options import ReferenceArgument
from wasm2oci.cli.output import Output
from wasm2oci.client import Client

__all__ = ["command"]


def command(output: Output, client: Client, ref: ReferenceArgument) -> None:
    """Print the digest that a tag names, without downloading anything."""
    result = client.resolve(ref)
    digest = str(result.manifest.digest)
    output.result(result, [digest], quiet=digest)
