"""`wasm2oci tags`."""

from typing import Annotated

from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.output import Output
from wasm2oci.operations.environment import Environment

__all__ = ["command"]


def command(
    output: Output,
    *,
    repository: Annotated[str, Argument("REPOSITORY", "HOST/NAME or oci-layout:DIR.")],
    everything: Annotated[
        bool, Option("--all", "-a", help="Also the sha256-... tags of signatures and referrers.")
    ] = False,
    environment: Environment,
) -> None:
    """List the tags of a repository, one a line."""
    from wasm2oci.oci.reference import parse_location
    from wasm2oci.operations.tags import tags

    result = tags(parse_location(repository), environment, everything=everything)
    if result.hidden:
        output.note(f"{len(result.hidden)} tags of signatures and referrers are not shown; --all shows them")
    document = {"repository": repository, "tags": list(result.shown)}
    output.result(document, result.shown, quiet=result.shown)
