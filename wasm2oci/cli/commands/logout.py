"""`wasm2oci logout`."""

from pathlib import Path
from typing import Annotated

from wasm2oci.cli.options import REGISTRY_CONFIG, HostArgument
from wasm2oci.cli.output import Output, fields
from wasm2oci.cli.terminal import Terminal
from wasm2oci.client import ConnectOptions

__all__ = ["command"]


def command(
    output: Output,
    terminal: Terminal,
    *,
    host: HostArgument,
    registry_config: Annotated[Path | None, REGISTRY_CONFIG] = None,
) -> None:
    """Remove the stored credentials of a registry, or of a path in it."""
    with terminal.client(output, ConnectOptions(registry_config=registry_config)) as client:
        result = client.logout(host)
    output.result(result, fields(("Logged out of", result.registry), ("Removed from", result.removed)))
