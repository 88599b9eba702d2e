"""One file a command. A command's function declares what it takes, calls the tool, and hands the result to `Output`."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wasm2oci.cli.catalogue import Command
    from wasm2oci.cli.declare import Declaration

__all__ = ["declaration_of"]


def declaration_of(command: "Command") -> "Declaration":
    """Import the module of a command, and read what its function takes."""
    from importlib import import_module

    from wasm2oci.cli.declare import declare
    from wasm2oci.cli.options import ConnectGroup, ReportingGroup
    from wasm2oci.cli.output import Output
    from wasm2oci.cli.terminal import Terminal
    from wasm2oci.client import Client

    function = getattr(import_module(command.module), command.function)
    return declare(function, {Terminal: None, Output: ReportingGroup, Client: ConnectGroup})
