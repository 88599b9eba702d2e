"""`wasm2oci tags`."""

from typing import Annotated

from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.output import Output
from wasm2oci.client import Client, TagOrder

__all__ = ["command"]


def command(
    output: Output,
    client: Client,
    *,
    repository: Annotated[str, Argument("REPOSITORY", "HOST/NAME, oci-layout:DIR or oci-archive:FILE.")],
    everything: Annotated[
        bool, Option("--all", "-a", help="Also the sha256-... tags of signatures and referrers.")
    ] = False,
    order: Annotated[TagOrder, Option("--sort", help="Sort by name, or by version: 1.9 before 1.10.")] = TagOrder.NAME,
    reverse: Annotated[bool, Option("--reverse", help="Reverse the order.")] = False,
    limit: Annotated[int | None, Option("--limit", metavar="N", help="Print at most N tags.", minimum=1)] = None,
    of: Annotated[
        str | None, Option("--of", metavar="DIGEST|TAG", help="Only tags of the same artifact as this one.")
    ] = None,
) -> None:
    """List the tags of a repository, one a line.

      wasm2oci tags ghcr.io/me/app --sort version --reverse --limit 1
      wasm2oci tags ghcr.io/me/app --of latest

    With --of, each tag costs one request.
    """
    result = client.tags(repository, everything=everything, order=order, reverse=reverse, limit=limit, of=of)
    if result.hidden:
        output.note(f"{result.hidden} tags of signatures and referrers are not shown; --all shows them")
    if result.more:
        output.note(f"{result.more:,} more tags are not shown; see --limit")
    output.result(result, result.tags, quiet=result.tags, empty=f"{repository} has no tags to show")
