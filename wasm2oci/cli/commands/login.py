"""`wasm2oci login`."""

from wasm2oci.cli.options import ConnectGroup, HostArgument
from wasm2oci.cli.output import Output, fields
from wasm2oci.cli.terminal import Terminal
from wasm2oci.errors import UsageError

__all__ = ["command"]


def command(output: Output, terminal: Terminal, host: HostArgument, options: ConnectGroup) -> None:
    """Check credentials with a registry, and store them where docker does.

    Asks for what is not given, on a terminal. In scripts:

      printenv TOKEN | wasm2oci login ghcr.io -u NAME --password-stdin

    With HOST/PATH the credentials are for the repositories below that path, and are
    stored in podman's file: docker knows no such credentials.
    """
    if terminal.interactive and options.password is None:
        if options.username is None and not options.identity_token:
            options = options._replace(username=terminal.ask("User name: "))
        options = options._replace(password=terminal.ask_secret("Password: "))
        if not options.password or not (options.username or options.identity_token):
            raise UsageError("login needs a user name and a password")
    with terminal.client(output, options) as client:
        result = client.login(host)
    if not result.checked:
        output.warn(f"{result.registry} asked for no credentials, so these were not checked")
    if result.plaintext:
        output.warn(f"the password is stored unencrypted in {result.stored}; a credential helper stores it more safely")
    if result.hidden_by is not None:
        output.warn(f"other credentials for {result.registry} take precedence: {result.hidden_by} is read first")
    for path in result.narrower:
        output.warn(
            f"other credentials are stored for {path}, and are used there: `wasm2oci logout {path}` removes them"
        )
    output.result(result, fields(("Logged in to", result.registry), ("Stored in", result.stored)))
