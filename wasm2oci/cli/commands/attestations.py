"""`wasm2oci attestations`."""

from typing import Annotated

from wasm2oci.cli.options import VERIFY_GROUP, ReferenceArgument
from wasm2oci.cli.output import Output, fields
from wasm2oci.client import Client, TrustOptions

__all__ = ["command"]


def command(
    output: Output, *, ref: ReferenceArgument, trust: Annotated[TrustOptions, VERIFY_GROUP], client: Client
) -> None:
    """Show the statements about an artifact: SBOMs, provenance, and others.

    With a key or an identity, only verified statements are shown; exit code 6 if there
    are none. Without, all are shown and none is verified. --format json has the
    statements themselves.
    """
    result = client.attestations(ref, trust)
    for refused in result.refused:
        output.note(f"{refused.origin}: {refused.reason}")
    lines = fields(("Name", ref), ("Digest", result.manifest.digest))
    lines += [f"{one.predicate_type}  {one.signer or 'not checked'}" for one in result.attestations] or [
        "no attestations"
    ]
    output.result(result, lines, quiet=[one.predicate_type for one in result.attestations])
