"""`wasm2oci delete`."""

from typing import Annotated

from wasm2oci.cli.declare import Option
from wasm2oci.cli.options import Connection, ReferenceArgument, Reporting
from wasm2oci.cli.output import descriptor_document, fields
from wasm2oci.cli.session import Session
from wasm2oci.errors import UsageError

__all__ = ["command"]


def command(
    session: Session,
    *,
    ref: ReferenceArgument,
    tag_only: Annotated[bool, Option.of("--tag-only", help="Remove this tag and keep the artifact.")] = False,
    yes: Annotated[bool, Option.of("--yes", "-y", help="Do not ask.")] = False,
    reporting: Reporting,
    connection: Connection,
) -> None:
    """Remove an artifact with all its tags, or (--tag-only) one tag.

    Most registries free the space of blobs later, when they clean up.
    """
    from wasm2oci.oci.reference import parse_location
    from wasm2oci.operations.delete import delete

    output = session.output(reporting)
    location = parse_location(ref)
    what = f"the tag {ref}" if tag_only else f"{ref} and every other tag of the same artifact"
    if not yes and not session.confirm(f"Remove {what}?"):
        raise UsageError("not removed: nobody said yes", hint="--yes says it beforehand")
    result = delete(location, session.environment(output, connection), tag_only=tag_only)
    document = {"reference": ref, "tag": result.tag, **descriptor_document(result.manifest)}
    lines = fields(("Removed", f"tag {result.tag}" if result.tag else ref), ("Manifest", result.manifest.digest))
    output.result(document, lines, quiet=str(result.manifest.digest))
