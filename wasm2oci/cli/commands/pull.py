"""`wasm2oci pull`."""

from typing import Annotated

from wasm2oci.cli.declare import Option
from wasm2oci.cli.options import ModuleOption, PlatformOption, ReferenceArgument, TrustGroup
from wasm2oci.cli.output import Output, fields, size_text
from wasm2oci.cli.progress import transfer
from wasm2oci.cli.terminal import STANDARD_OUTPUT, Terminal
from wasm2oci.client import Client

__all__ = ["command"]


def command(
    output: Output,
    terminal: Terminal,
    *,
    ref: ReferenceArgument,
    out: Annotated[
        str | None,
        Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The file to write, or a folder; DIR/ is made if it is not there; - writes to standard output.",
        ),
    ] = None,
    module: ModuleOption = None,
    platform: PlatformOption = None,
    force: Annotated[bool, Option("--force", help="Take it even if it is not WebAssembly; replace any file.")] = False,
    keep_old: Annotated[
        bool, Option("--keep-old", "--keep-old-files", help="Keep an existing file; fail unless it is the same module.")
    ] = False,
    no_cache: Annotated[bool, Option("--no-cache", help="Download again what is in the cache.")] = False,
    trust: TrustGroup,
    client: Client,
) -> None:
    """Get a module from a registry and verify every byte.

    Every layout of WebAssembly in registries is read. Without -o the file is named
    by the artifact's title, else by the repository, and replaces no file but the
    same module. The file appears whole or not at all, and only with the
    signatures that the options and the policy files ask for.
    """
    to_stream = out in STANDARD_OUTPUT
    with transfer(output, "Downloaded", "Downloading", existed="Cached") as progress:
        result = client.pull(
            ref,
            terminal.stdout.buffer if to_stream else out,
            module=module,
            platform=platform,
            force=force,
            overwrite=not keep_old,
            cached=not no_cache,
            trust=trust,
            progress=progress,
        )
    lines = fields(
        ("Pulled", ref),
        ("Digest", result.manifest.digest),
        ("Module", result.module.digest),
        ("Size", size_text(result.module.size)),
        ("File", result.file),
        ("Signed by", result.signers or None),
    )
    if to_stream:
        output.text_aside(lines)  # standard output belongs to the module
    else:
        output.result(result, lines, quiet=str(result.file))
