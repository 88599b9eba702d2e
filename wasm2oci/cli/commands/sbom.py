"""`wasm2oci sbom`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.output import Output
from wasm2oci.cli.terminal import Terminal
from wasm2oci.errors import UsageError
from wasm2oci.operations.environment import Environment

__all__ = ["command"]


class SbomFormat(StrEnum):
    """The format of the document."""

    CYCLONEDX = "cyclonedx"
    SPDX = "spdx"


def command(
    output: Output,
    terminal: Terminal,
    *,
    subject: Annotated[str, Argument("REF|FILE", "HOST/NAME:TAG, HOST/NAME@DIGEST, oci-layout:DIR:TAG, or a file.")],
    sbom_format: Annotated[SbomFormat, Option("--sbom-format", help="The format of the document.")] = (
        SbomFormat.CYCLONEDX
    ),
    attach: Annotated[bool, Option("--attach", help="Sign it with --key and attach it to REF.")] = False,
    key: Annotated[
        str | None, Option("--key", "-k", metavar="KEY", help="Private key that signs: FILE or env://NAME.")
    ] = None,
    environment: Environment,
) -> None:
    """Print the bill of materials of a module, made from what the module says.

    The crates that cargo-auditable wrote down, the modules and components inside,
    and the tools that made it. What a module does not say is not in it. The same
    module always gives the same document.
    """
    from wasm2oci.cli.commands.sign import show_signed
    from wasm2oci.oci.reference import parse_location
    from wasm2oci.operations.keys import load_private_key
    from wasm2oci.operations.resolve import pin
    from wasm2oci.operations.sbom import make_sbom
    from wasm2oci.operations.sign import AttestRequest, attest
    from wasm2oci.operations.subject import find_subject

    if attach != (key is not None):
        raise UsageError("--attach and --key go together")
    found = find_subject(subject)
    parsed = found if isinstance(found, Path) else parse_location(found)
    if attach:
        if isinstance(parsed, Path):
            raise UsageError("only an artifact takes an SBOM: push the file, and name where it is")
        parsed = pin(parsed, environment)  # the module and the manifest that the SBOM is about have to be one artifact
    document = make_sbom(parsed, sbom_format.value, environment)
    if document.listed == 0:
        output.note("the module lists no crates: build it with cargo auditable to have them")
    if attach and key is not None and not isinstance(parsed, Path):
        private = load_private_key(key, environment, terminal.ask_password)
        show_signed(output, attest(AttestRequest(parsed, private, document.predicate_type, document.raw), environment))
    else:
        output.raw(document.raw)
