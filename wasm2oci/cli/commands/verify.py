"""`wasm2oci verify`."""

from pathlib import Path
from typing import Annotated

from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.options import VERIFY_GROUP, ModuleOption, PlatformOption, ReferenceArgument
from wasm2oci.cli.output import Output, descriptor_document, fields, size_text
from wasm2oci.cli.progress import transfer
from wasm2oci.operations.environment import Environment
from wasm2oci.operations.trust import TrustOptions

__all__ = ["command"]


def command(
    output: Output,
    *,
    ref: ReferenceArgument,
    file: Annotated[Path | None, Argument("[FILE]", "A file that should be its module.")] = None,
    module: ModuleOption = None,
    platform: PlatformOption = None,
    module_key: Annotated[
        Path | None,
        Option("--module-key", metavar="FILE", help="With a signature inside the module by this Ed25519 key."),
    ] = None,
    trust: Annotated[TrustOptions, VERIFY_GROUP],
    environment: Environment,
) -> None:
    """Check that an artifact is whole where it is, whose it is, and that a file is its module.

    Reads every manifest and blob from the registry (never from the cache) and
    compares sizes and digests. With a key, an identity or a policy file, one
    signature has to fulfil it. Exit code 6 if anything differs or is missing.

      wasm2oci verify ghcr.io/me/app:v1
      wasm2oci verify ghcr.io/me/app:v1 --key cosign.pub
    """
    from wasm2oci.cli.references import pinned_name
    from wasm2oci.oci.reference import parse_location
    from wasm2oci.operations.verify import VerifyRequest, verify

    request = VerifyRequest(parse_location(ref), file, module, platform, trust, module_key)
    with transfer(output, "Checked", "Checking") as progress:
        result = verify(request, environment, progress)
    pinned = pinned_name(result.source, str(result.manifest.digest))
    total = sum(part.size for part in result.parts)
    document = {
        "reference": pinned,
        "verified": True,
        "format": result.format,
        **descriptor_document(result.manifest),
        "parts": [descriptor_document(part) for part in result.parts],
        "module": str(result.module) if result.module is not None else None,
        "file": str(result.path) if result.path is not None else None,
        "signers": list(result.signers),
        "refused": [{"origin": origin, "reason": reason} for origin, reason in result.refused],
    }
    for origin, reason in result.refused:
        output.note(f"{origin}: {reason}")
    lines = fields(
        ("Whole", f"{ref} ({len(result.parts)} parts, {size_text(total)})"),
        ("Manifest", result.manifest.digest),
        ("Module", result.module),
        ("Same as", result.path),
        ("Signed by", list(result.signers) or None),
        ("Inside", f"signed by {module_key}" if module_key is not None else None),
    )
    output.result(document, lines, quiet=pinned)
