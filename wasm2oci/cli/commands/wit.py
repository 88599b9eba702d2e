"""`wasm2oci wit`."""

from typing import Annotated

from wasm2oci.cli.declare import Argument
from wasm2oci.cli.options import ModuleOption, PlatformOption
from wasm2oci.cli.output import Output
from wasm2oci.cli.terminal import Terminal
from wasm2oci.client import Client

__all__ = ["command"]


def command(
    output: Output,
    terminal: Terminal,
    *,
    subject: Annotated[
        str,
        Argument(
            "FILE|REF", "A file, - for standard input, HOST/NAME:TAG, HOST/NAME@DIGEST, oci-layout:DIR:TAG.", dash=True
        ),
    ],
    module: ModuleOption = None,
    platform: PlatformOption = None,
    client: Client,
) -> None:
    """Print what a component imports and exports, or the interfaces of a WIT package.

    The text is WIT, with all types of the interfaces. Types are checked; `wasm2oci validate` checks functions as well.

      wasm2oci wit hello.component.wasm
      wasm2oci wit ghcr.io/webassembly/wasi/http:0.2.0
    """
    result = client.wit(terminal.read_subject(subject), module=module, platform=platform)
    if output.as_json:
        output.result(result, ())
    else:
        output.raw(result.text.encode())
