"""`wasm2oci tags`."""

from typing import Annotated

from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.options import Connection, Reporting
from wasm2oci.cli.session import Session

__all__ = ["command"]


def command(
    session: Session,
    *,
    repository: Annotated[str, Argument("REPOSITORY", "HOST/NAME or oci-layout:DIR.")],
    everything: Annotated[
        bool, Option.of("--all", "-a", help="Also the sha256-... tags of signatures and referrers.")
    ] = False,
    reporting: Reporting,
    connection: Connection,
) -> None:
    """List the tags of a repository, one a line."""
    from wasm2oci.oci.reference import parse_location
    from wasm2oci.operations.tags import tags

    output = session.output(reporting)
    result = tags(parse_location(repository), session.environment(output, connection), everything=everything)
    if result.hidden:
        output.note(f"{len(result.hidden)} tags of signatures and referrers are not shown; --all shows them")
    document = {"repository": repository, "tags": list(result.shown)}
    output.result(document, result.shown, quiet=result.shown)
