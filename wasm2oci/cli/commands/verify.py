"""`wasm2oci verify`."""

from pathlib import Path
from typing import Annotated

from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.options import VERIFY_GROUP, ModuleOption, PlatformOption, ReferenceArgument
from wasm2oci.cli.output import Output, fields, size_text
from wasm2oci.cli.progress import transfer
from wasm2oci.client import Client, TrustOptions

__all__ = ["command"]


def command(
    output: Output,
    *,
    ref: ReferenceArgument,
    file: Annotated[Path | None, Argument("[FILE]", "File that has to be the module of the artifact.")] = None,
    module: ModuleOption = None,
    platform: PlatformOption = None,
    module_key: Annotated[
        Path | None,
        Option("--module-key", metavar="FILE", help="Require a signature inside the module by this Ed25519 key."),
    ] = None,
    notation: Annotated[
        bool, Option("--notation", help="Require a Notation signature that meets notation's trust policy.")
    ] = False,
    max_size: Annotated[
        str, Option("--max-size", metavar="SIZE", help="Fail if the artifact has more content.")
    ] = "64GiB",
    trust: Annotated[TrustOptions, VERIFY_GROUP],
    client: Client,
) -> None:
    """Check that an artifact is complete, who signed it, and that it holds a file.

    Reads every manifest and blob from the registry (never from the cache) and
    compares sizes and digests. With a key, an identity or a policy file, one
    signature has to meet it. Exit code 6 if anything differs or is missing.

      wasm2oci verify ghcr.io/me/app:v1
      wasm2oci verify ghcr.io/me/app:v1 --key cosign.pub
    """
    from wasm2oci.cli.run_options import parse_size

    most = parse_size(max_size, "--max-size")
    with transfer(output, "Checked", "Checking") as progress:
        result = client.verify(
            ref,
            file,
            module=module,
            platform=platform,
            trust=trust,
            module_key=module_key,
            notation=notation,
            max_size=most,
            progress=progress,
        )
    for refused in result.refused:
        output.note(f"{refused.origin}: {refused.reason}")
    total = sum(part.size for part in result.parts)
    lines = fields(
        ("Whole", f"{ref} ({len(result.parts)} parts, {size_text(total)})"),
        ("Digest", result.manifest.digest),
        ("Module", result.module.digest if result.module is not None else None),
        ("Same as", result.file),
        ("Signed by", result.signers or None),
        ("Inside", f"signed by {module_key}" if module_key is not None else None),
    )
    output.result(result, lines, quiet=result.pinned)
