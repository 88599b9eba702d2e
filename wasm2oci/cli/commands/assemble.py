"""`wasm2oci assemble`."""

from pathlib import Path
from typing import Annotated

from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.output import Output, fields, size_text
from wasm2oci.cli.terminal import STANDARD_OUTPUT, Terminal
from wasm2oci.client import Client

__all__ = ["command"]


def command(
    output: Output,
    terminal: Terminal,
    *,
    file: Annotated[str, Argument("FILE", "A file in the text format, - for standard input.", dash=True)],
    out: Annotated[
        str | None, Option("--output", "-o", metavar="FILE", help="The file to write; - writes to standard output.")
    ] = None,
    client: Client,
) -> None:
    """Assemble a module or component in the text format into a binary.

    Without -o the file is named like the text, with .wasm at its end, in the current
    folder; text from standard input goes to standard output. An error is shown with its line,
    its column and a caret, and ends with exit code 3. The other commands take the text
    format as well.

      wasm2oci assemble hello.wat
      wasm2oci assemble hello.wat -o build/hello.wasm
      wasm2oci print a.wasm | sed 's/42/43/' | wasm2oci assemble - -o b.wasm
    """
    source = terminal.read_content() if file == "-" else Path(file)
    if out is None:
        out = "-" if file == "-" else (Path(file).stem or "module") + ".wasm"
    if out in STANDARD_OUTPUT:
        output.raw(client.assemble(source))
        return
    result = client.assemble_file(source, out)
    lines = fields(
        ("Assembled", "standard input" if file == "-" else file),
        ("Module", result.module),
        ("Size", size_text(result.size)),
        ("File", result.file),
    )
    output.result(result, lines, quiet=str(result.file))
