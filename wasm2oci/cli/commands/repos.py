"""`wasm2oci repos`."""

from typing import Annotated

from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.output import Output
from wasm2oci.client import Client

__all__ = ["command"]


def command(
    output: Output,
    client: Client,
    *,
    registry: Annotated[str, Argument("HOST", "The registry, or HOST/PREFIX for what is below that.")],
    limit: Annotated[int | None, Option("--limit", metavar="N", help="Print at most N of them.", minimum=1)] = None,
) -> None:
    """List the repositories of a registry, one a line.

    Not every registry has this list: most that you run yourself do, most large hosted
    ones do not.
    """
    result = client.repositories(registry, limit=limit)
    if result.more:
        output.note("there are more repositories; see --limit")
    host = registry.partition("/")[0]
    lines = [f"{host}/{name}" for name in result.repositories]
    output.result(result, lines, quiet=result.repositories, empty=f"{registry} lists no repositories")
