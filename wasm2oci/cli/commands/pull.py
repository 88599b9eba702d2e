"""`wasm2oci pull`."""

from pathlib import Path
from typing import Annotated

from wasm2oci.cli.declare import Option
from wasm2oci.cli.options import Connection, ModuleOption, PlatformOption, ReferenceArgument, Reporting
from wasm2oci.cli.output import descriptor_document, fields, size_text
from wasm2oci.cli.progress import transfer
from wasm2oci.cli.session import Session

__all__ = ["command"]


def command(
    session: Session,
    *,
    ref: ReferenceArgument,
    out: Annotated[
        str | None,
        Option.of("--output", "-o", metavar="FILE", help="The file to write; - writes to standard output."),
    ] = None,
    module: ModuleOption = None,
    platform: PlatformOption = None,
    force: Annotated[bool, Option.of("--force", help="Also what is no WebAssembly module.")] = False,
    no_cache: Annotated[bool, Option.of("--no-cache", help="Download even what was downloaded before.")] = False,
    reporting: Reporting,
    connection: Connection,
) -> None:
    """Get a module back, every byte verified.

    Reads every layout of WebAssembly in registries. Without -o the file is named
    by the artifact's title, else by the repository; a file of that name that is no
    module is left alone. The file appears whole or not at all.
    """
    from wasm2oci.cli.references import pinned_name
    from wasm2oci.oci.reference import parse_location
    from wasm2oci.operations.pull import PullRequest, pull

    output = session.output(reporting)
    request = PullRequest(
        source=parse_location(ref),
        output=session.stdout.buffer if out in {"-", "/dev/stdout"} else Path(out) if out is not None else None,
        wanted=module,
        platform=platform,
        cached=not no_cache,
        force=force,
    )
    with transfer(output, "Downloaded", "Downloading", existed="Cached") as progress:
        result = pull(request, session.environment(output, connection), progress)
    document = {
        "reference": pinned_name(result.source, str(result.manifest.digest)),
        "format": result.format,
        **descriptor_document(result.manifest),
        "module": descriptor_document(result.module),
        "file": str(result.path) if result.path is not None else None,
    }
    lines = fields(
        ("Pulled", ref),
        ("Manifest", result.manifest.digest),
        ("Module", result.module.digest),
        ("Size", size_text(result.module.size)),
        ("File", result.path),
    )
    if result.path is None:
        for line in lines:  # standard output belongs to the module
            output.line(line)
    else:
        output.result(document, lines, quiet=str(result.path))
