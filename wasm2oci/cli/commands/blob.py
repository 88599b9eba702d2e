"""`wasm2oci blob`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.options import YES
from wasm2oci.cli.output import Output, fields, size_text
from wasm2oci.cli.progress import transfer
from wasm2oci.cli.terminal import STANDARD_OUTPUT, Terminal
from wasm2oci.client import Client

__all__ = ["command"]


class BlobAction(StrEnum):
    """What is done."""

    GET = "get"
    HEAD = "head"
    PUT = "put"
    DELETE = "delete"


def command(
    output: Output,
    terminal: Terminal,
    *,
    action: Annotated[BlobAction, Argument("ACTION", "get, head, put or delete.")],
    ref: Annotated[str, Argument("REF", "HOST/NAME@DIGEST; for put HOST/NAME, or with the digest it must have.")],
    file: Annotated[
        str | None, Argument("[FILE]", "The file; - reads standard input.", dash=True, only=("put",))
    ] = None,
    out: Annotated[
        str | None,
        Option("--output", "-o", metavar="FILE", help="The file; by default standard output.", only=("get",)),
    ] = None,
    yes: Annotated[bool, YES.only_for("delete")] = False,
    client: Client,
) -> None:
    """Get, put or delete one blob by its digest, or show its size.

      wasm2oci blob get ghcr.io/me/app@sha256:... -o layer
      wasm2oci blob put localhost:5000/app layer
      wasm2oci blob head localhost:5000/app@sha256:...

    Every byte is verified before anything is written.
    """
    if action is BlobAction.GET:
        _get(output, terminal, client, ref, out)
    elif action is BlobAction.HEAD:
        found = client.get_blob(ref)
        output.result(
            found,
            fields(("Digest", found.blob.digest), ("Size", size_text(found.blob.size))),
            quiet=str(found.blob.size),
        )
    elif action is BlobAction.PUT:
        with transfer(output, "Uploaded", "Uploading") as progress:
            put = client.put_blob(terminal.read_content() if file == "-" else Path(file or ""), ref, progress=progress)
        lines = fields(("Blob", put.reference), ("Size", size_text(put.blob.size)))
        output.result(put, lines, quiet=str(put.blob.digest))
    else:
        terminal.confirm_removal(f"the blob {ref}, which manifests may name", yes=yes)
        gone = client.delete_blob(ref)
        output.result(gone, fields(("Removed", gone.reference)), quiet=str(gone.blob.digest))


def _get(output: Output, terminal: Terminal, client: Client, ref: str, out: str | None) -> None:
    to_stream = out is None or out in STANDARD_OUTPUT
    with transfer(output, "Downloaded", "Downloading") as progress:
        found = client.get_blob(ref, terminal.stdout.buffer if to_stream else out, progress=progress)
    if to_stream:
        return  # standard output belongs to the blob
    lines = fields(("Blob", found.reference), ("Size", size_text(found.blob.size)), ("File", found.file))
    output.result(found, lines, quiet=str(found.file))
