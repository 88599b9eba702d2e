"""`wasm2oci discover`."""

from typing import Annotated

from wasm2oci.cli.declare import Option
from wasm2oci.cli.options import ReferenceArgument
from wasm2oci.cli.output import Output
from wasm2oci.client import Client

__all__ = ["command"]


def command(
    output: Output,
    *,
    ref: ReferenceArgument,
    artifact_type: Annotated[
        str | None, Option("--artifact-type", metavar="TYPE", help="Only referrers of this type.")
    ] = None,
    depth: Annotated[
        int | None, Option("--depth", metavar="N", help="Levels to show; 1 is what refers to REF itself.", minimum=1)
    ] = None,
    client: Client,
) -> None:
    """List what refers to an artifact, and what refers to that.

    What cosign keeps under tags (signatures, attestations, SBOMs) is listed with its
    tag. Nothing is verified. `tree` shows parts and signatures as well.
    """
    result = client.discover(ref, artifact_type=artifact_type, depth=depth)
    lines = [f"{ref}  {result.manifest.digest}"]
    for found in result.referrers:
        manifest = found.manifest
        lines.append(f"{'  ' * found.depth}{manifest.artifact_type or manifest.media_type}  {manifest.digest}")
        if found.tag is not None:
            lines.append(f"{'  ' * found.depth}  {found.tag}")
    output.result(result, lines, quiet=[str(found.manifest.digest) for found in result.referrers])
