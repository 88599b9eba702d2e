"""`wasm2oci logout`."""

from pathlib import Path
from typing import Annotated

from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.options import Connection, Reporting
from wasm2oci.cli.output import fields
from wasm2oci.cli.session import Session

__all__ = ["command"]


def command(
    session: Session,
    *,
    host: Annotated[str, Argument("HOST", "The registry: ghcr.io, HOST:PORT.")],
    registry_config: Annotated[
        Path | None, Option.of("--registry-config", metavar="FILE", help="Credentials file to use (config.json).")
    ] = None,
    reporting: Reporting,
) -> None:
    """Forget the credentials of a registry."""
    from wasm2oci.cli.hosts import check_host
    from wasm2oci.operations.login import logout

    output = session.output(reporting)
    check_host(host)
    result = logout(host, session.environment(output, Connection(registry_config=registry_config)))
    document = {"registry": host, "removed": list(result.where)}
    output.result(document, fields(("Logged out of", host), ("Removed from", list(result.where))), quiet=None)
