"""`wasm2oci attach`."""

from pathlib import Path
from typing import Annotated

from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.options import AnnotationOption, ReferenceArgument
from wasm2oci.cli.output import Output, fields
from wasm2oci.cli.progress import transfer
from wasm2oci.client import Client, parse_annotations

__all__ = ["command"]


def command(
    output: Output,
    *,
    ref: ReferenceArgument,
    files: Annotated[
        list[str] | None, Argument("[FILE[:TYPE]...]", "The files, each with its media type if it has one.")
    ] = None,
    artifact_type: Annotated[
        str, Option("--artifact-type", metavar="TYPE", help="What is attached: a media type.")
    ] = "application/vnd.unknown.artifact.v1",
    annotation: AnnotationOption = None,
    client: Client,
) -> None:
    """Attach files to an artifact, as an artifact of their own that refers to it.

    discover, tree and inspect show it, and copy -r copies it. The same files and
    annotations make the same digest. Nothing is signed: attest and sbom --attach make
    signed statements.

      wasm2oci attach REF --artifact-type text/x-report report.txt:text/plain
    """
    with transfer(output, "Uploaded", "Uploading") as progress:
        result = client.attach(
            ref,
            artifact_type,
            [_typed(file) for file in files or ()],
            annotations=parse_annotations(annotation or ()),
            progress=progress,
        )
    lines = fields(
        ("Attached to", f"{result.reference} ({result.subject.digest.short})"),
        ("Digest", result.manifest.digest),
        ("Type", result.artifact_type),
        ("Files", [f"{file.title}  {file.size:,}  {file.media_type}" for file in result.files] or None),
    )
    output.result(result, lines, quiet=result.pinned)


def _typed(text: str) -> str | tuple[str, str]:
    # What follows the last colon is a media type only if it looks like one: paths may have colons.
    path, colon, media_type = text.rpartition(":")
    if colon and path and "/" in media_type and not Path(text).exists():
        return path, media_type
    return text
