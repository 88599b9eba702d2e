"""`wasm2oci pull`."""

from pathlib import Path
from typing import Annotated

from wasm2oci.cli.declare import Option
from wasm2oci.cli.options import ModuleOption, PlatformOption, ReferenceArgument, TrustGroup
from wasm2oci.cli.output import Output, descriptor_document, fields, size_text
from wasm2oci.cli.progress import transfer
from wasm2oci.cli.terminal import Terminal
from wasm2oci.operations.environment import Environment

__all__ = ["command"]


def command(
    output: Output,
    terminal: Terminal,
    *,
    ref: ReferenceArgument,
    out: Annotated[
        str | None,
        Option("--output", "-o", metavar="FILE", help="The file to write; - writes to standard output."),
    ] = None,
    module: ModuleOption = None,
    platform: PlatformOption = None,
    force: Annotated[bool, Option("--force", help="Also what is no WebAssembly module.")] = False,
    no_cache: Annotated[bool, Option("--no-cache", help="Download even what was downloaded before.")] = False,
    trust: TrustGroup,
    environment: Environment,
) -> None:
    """Get a module back, every byte verified.

    Reads every layout of WebAssembly in registries. Without -o the file is named
    by the artifact's title, else by the repository; a file of that name that is no
    module is left alone. The file appears whole or not at all, and only with the
    signatures that the options and the policy files ask for.
    """
    from wasm2oci.cli.references import pinned_name
    from wasm2oci.oci.reference import parse_location
    from wasm2oci.operations.pull import PullRequest, pull

    request = PullRequest(
        source=parse_location(ref),
        output=terminal.stdout.buffer if out in {"-", "/dev/stdout"} else Path(out) if out is not None else None,
        wanted=module,
        platform=platform,
        cached=not no_cache,
        force=force,
        trust=trust,
    )
    with transfer(output, "Downloaded", "Downloading", existed="Cached") as progress:
        result = pull(request, environment, progress)
    document = {
        "reference": pinned_name(result.source, str(result.manifest.digest)),
        "format": result.format,
        **descriptor_document(result.manifest),
        "module": descriptor_document(result.module),
        "file": str(result.path) if result.path is not None else None,
        "signers": list(result.signers),
    }
    lines = fields(
        ("Pulled", ref),
        ("Manifest", result.manifest.digest),
        ("Module", result.module.digest),
        ("Size", size_text(result.module.size)),
        ("File", result.path),
        ("Signed by", list(result.signers) or None),
    )
    if result.path is None:
        for line in lines:  # standard output belongs to the module
            output.line(line)
    else:
        output.result(document, lines, quiet=str(result.path))
