"""`wasm2oci delete`."""

from typing import Annotated

from wasm2oci.cli.declare import Option
from wasm2oci.cli.options import YES, ReferenceArgument
from wasm2oci.cli.output import Output, fields
from wasm2oci.cli.terminal import Terminal
from wasm2oci.client import Client

__all__ = ["command"]


def command(
    output: Output,
    terminal: Terminal,
    *,
    ref: ReferenceArgument,
    tag_only: Annotated[bool, Option("--tag-only", help="Remove this tag and keep the artifact.")] = False,
    yes: Annotated[bool, YES] = False,
    client: Client,
) -> None:
    """Remove an artifact with all its tags, or (--tag-only) one tag.

    What cosign keeps about it under tags (.sig, .att, .sbom) is left, and named. Most
    registries free the space of blobs later, when they clean up.
    """
    what = f"the tag {ref}" if tag_only else f"{ref} and every other tag of the same artifact"
    terminal.confirm_removal(what, yes=yes)
    result = client.delete(ref, tag_only=tag_only)
    lines = fields(
        ("Removed", f"tag {result.tag}" if result.tag else ref),
        ("Tags", ", ".join(result.tags) if result.tags and len(result.tags) > 1 else None),
        ("Digest", result.manifest.digest),
        ("Left", list(result.left) or None),
    )
    output.result(result, lines, quiet=str(result.manifest.digest))
