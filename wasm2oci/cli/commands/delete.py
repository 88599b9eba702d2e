"""`wasm2oci delete`."""

from typing import Annotated

from wasm2oci.cli.declare import Option
from wasm2oci.cli.options import ReferenceArgument
from wasm2oci.cli.output import Output, descriptor_document, fields
from wasm2oci.cli.terminal import Terminal
from wasm2oci.errors import UsageError
from wasm2oci.operations.environment import Environment

__all__ = ["command"]


def command(
    output: Output,
    terminal: Terminal,
    *,
    ref: ReferenceArgument,
    tag_only: Annotated[bool, Option("--tag-only", help="Remove this tag and keep the artifact.")] = False,
    yes: Annotated[bool, Option("--yes", "-y", help="Do not ask.")] = False,
    environment: Environment,
) -> None:
    """Remove an artifact with all its tags, or (--tag-only) one tag.

    Most registries free the space of blobs later, when they clean up.
    """
    from wasm2oci.oci.reference import parse_location
    from wasm2oci.operations.delete import delete

    location = parse_location(ref)
    what = f"the tag {ref}" if tag_only else f"{ref} and every other tag of the same artifact"
    if not yes and not terminal.confirm(f"Remove {what}?"):
        raise UsageError("nothing was removed: this needs a confirmation", hint="add --yes where there is no terminal")
    result = delete(location, environment, tag_only=tag_only)
    document = {"reference": ref, "tag": result.tag, **descriptor_document(result.manifest)}
    lines = fields(("Removed", f"tag {result.tag}" if result.tag else ref), ("Manifest", result.manifest.digest))
    output.result(document, lines, quiet=str(result.manifest.digest))
