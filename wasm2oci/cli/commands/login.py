"""`wasm2oci login`."""

from typing import Annotated

from wasm2oci.cli.declare import Argument
from wasm2oci.cli.options import Connection, Reporting
from wasm2oci.cli.output import fields
from wasm2oci.cli.session import Session
from wasm2oci.errors import UsageError

__all__ = ["command"]


def command(
    session: Session,
    host: Annotated[str, Argument("HOST", "The registry: ghcr.io, HOST:PORT.")],
    reporting: Reporting,
    connection: Connection,
) -> None:
    """Check credentials with a registry, and keep them where docker keeps its own.

    Asks for what is not given, on a terminal. In scripts:

      printenv TOKEN | wasm2oci login ghcr.io -u NAME --password-stdin
    """
    from wasm2oci.cli.hosts import check_host
    from wasm2oci.operations.login import login

    output = session.output(reporting)
    check_host(host)
    if session.interactive and not connection.password_stdin:
        if connection.username is None and not connection.identity_token:
            connection = connection._replace(username=session.ask("User name: "))
        if connection.password is None:
            connection = connection._replace(password=session.ask_secret("Password: "))
        if not connection.password or not (connection.username or connection.identity_token):
            raise UsageError("login needs a user name and a password")
    result = login(host, session.environment(output, connection))
    if result.plaintext:
        output.warn(f"the password is kept unencrypted in {result.where}; a credential helper would keep it safer")
    if result.hidden_by is not None:
        output.warn(f"other credentials for {host} are used before these: {result.hidden_by} is asked first")
    document = {"registry": host, "stored": result.where, "plaintext": result.plaintext}
    output.result(document, fields(("Logged in to", host), ("Kept in", result.where)), quiet=None)
