"""`wasm2oci wit`."""

from wasm2oci.cli.options import ModuleOption, PlatformOption, SubjectArgument
from wasm2oci.cli.output import Output
from wasm2oci.cli.terminal import Terminal
from wasm2oci.client import Client

__all__ = ["command"]


def command(
    output: Output,
    terminal: Terminal,
    *,
    subject: SubjectArgument,
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
