"""`wasm2oci resolve`."""

from wasm2oci.cli.options import PlatformOption, ReferenceArgument
from wasm2oci.cli.output import Output
from wasm2oci.client import Client

__all__ = ["command"]


def command(output: Output, client: Client, *, ref: ReferenceArgument, platform: PlatformOption = None) -> None:
    """Print the digest that a tag names, without downloading anything."""
    result = client.resolve(ref, platform=platform)
    digest = str(result.manifest.digest)
    output.result(result, [digest], quiet=digest)
