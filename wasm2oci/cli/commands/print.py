"""`wasm2oci print`."""

from typing import Annotated

from wasm2oci.cli.declare import Option
from wasm2oci.cli.options import ModuleOption, PlatformOption, SubjectArgument
from wasm2oci.cli.output import Output, fields
from wasm2oci.cli.terminal import STANDARD_OUTPUT, Terminal
from wasm2oci.client import Client

__all__ = ["command"]


def command(
    output: Output,
    terminal: Terminal,
    *,
    subject: SubjectArgument,
    out: Annotated[
        str | None,
        Option("--output", "-o", metavar="FILE", help="The file to write; without it, or as -, standard output."),
    ] = None,
    folded: Annotated[bool, Option("--folded", help="Put operands into their instruction's parentheses.")] = False,
    offsets: Annotated[bool, Option("--offsets", help="Begin each line with its offset in the binary.")] = False,
    function: Annotated[
        str | None,
        Option(
            "--function", metavar="NAME", empty=True, help="Only this function: its name, an export's, or its index."
        ),
    ] = None,
    module: ModuleOption = None,
    platform: PlatformOption = None,
    client: Client,
) -> None:
    """Print a module or component in the text format.

    Assembling the output makes the same module again. A module that is not valid is
    printed as well; one that cannot be decoded ends with exit code 3.

      wasm2oci print hello.wasm
      wasm2oci print ghcr.io/me/hello:v1 --function main --folded
      wasm2oci print hello.wasm -o hello.wat
    """
    result = client.print(
        terminal.read_subject(subject),
        None if out in STANDARD_OUTPUT else out,
        folded=folded,
        offsets=offsets,
        function=function,
        module=module,
        platform=platform,
    )
    if result.text is None or output.as_json:
        lines = fields(("Printed", result.subject), ("Module", result.module), ("File", result.file))
        output.result(result, lines, quiet=str(result.file))
    else:
        output.raw(result.text.encode())
