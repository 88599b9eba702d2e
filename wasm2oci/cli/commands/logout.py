"""`wasm2oci logout`."""

from pathlib import Path
from typing import Annotated

from wasm2oci.cli.options import REGISTRY_CONFIG, HostArgument
from wasm2oci.cli.output import Output, fields
from wasm2oci.cli.terminal import Terminal
from wasm2oci.registry.options import ConnectOptions

__all__ = ["command"]


def command(
    output: Output,
    terminal: Terminal,
    *,
    host: HostArgument,
    registry_config: Annotated[Path | None, REGISTRY_CONFIG] = None,
) -> None:
    """Forget the credentials of a registry."""
    from wasm2oci.cli.hosts import check_host
    from wasm2oci.operations.login import logout

    check_host(host)
    result = logout(host, terminal.environment(output, ConnectOptions(registry_config=registry_config)))
    document = {"registry": host, "removed": list(result.where)}
    output.result(document, fields(("Logged out of", host), ("Removed from", list(result.where))), quiet=None)
