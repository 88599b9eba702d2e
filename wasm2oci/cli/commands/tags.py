"""`wasm2oci tags`."""

from typing import Annotated

from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.output import Output
from wasm2oci.client import Client

__all__ = ["command"]


def command(
    output: Output,
    client: Client,
    *,
    repository: Annotated[str, Argument("REPOSITORY", "HOST/NAME or oci-layout:DIR.")],
    everything: Annotated[
        bool, Option("--all", "-a", help="Also the sha256-... tags of signatures and referrers.")
    ] = False,
) -> None:
    """List the tags of a repository, one a line."""
    result = client.tags(repository, everything=everything)
    if result.hidden:
        output.note(f"{result.hidden} tags of signatures and referrers are not shown; --all shows them")
    output.result(result, result.tags, quiet=result.tags)
