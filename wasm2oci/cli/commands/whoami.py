"""`wasm2oci whoami`."""

from typing import Annotated, NamedTuple

from wasm2oci.cli.declare import Argument
from wasm2oci.cli.output import Output, fields
from wasm2oci.client import Client, KnownCredential
from wasm2oci.errors import ExitCode

__all__ = ["Credentials", "command"]


class Credentials(NamedTuple):
    """The registries that credentials are stored for."""

    credentials: tuple[KnownCredential, ...]


def command(
    output: Output,
    client: Client,
    *,
    registry: Annotated[
        str | None, Argument("[HOST]", "The registry, or HOST/PATH; without it, all with stored credentials.")
    ] = None,
) -> int:
    """Show which credentials are used at a registry, and whether it accepts them.

    Exit code 5 if it does not. Without HOST, every registry with stored credentials is
    listed, with the user name and the file or credential helper.
    """
    if registry is None:
        known = client.known_credentials()
        rows = [f"{one.registry}  {one.user or '-'}  {one.source}" for one in known]
        empty = "no credentials are stored: `wasm2oci login HOST` stores some"
        output.result(Credentials(known), rows, quiet=[one.registry for one in known], empty=empty)
        return ExitCode.OK
    found = client.whoami(registry)
    lines = fields(
        ("Registry", found.registry),
        ("User", found.user or ("anonymous" if found.kind == "anonymous" else found.kind)),
        ("From", found.source),
        ("Accepted", "yes" if found.accepted else "no"),
    )
    output.result(found, lines, quiet=found.user or found.kind)
    return ExitCode.OK if found.accepted else ExitCode.ACCESS
