"""`wasm2oci attestations`."""

from typing import Annotated

from wasm2oci.cli.options import VERIFY_GROUP, ReferenceArgument
from wasm2oci.cli.output import Output, fields
from wasm2oci.operations.environment import Environment
from wasm2oci.operations.trust import TrustOptions

__all__ = ["command"]


def command(
    output: Output,
    *,
    ref: ReferenceArgument,
    trust: Annotated[TrustOptions, VERIFY_GROUP],
    environment: Environment,
) -> None:
    """Show the statements about an artifact: SBOMs, provenance, and others.

    With a key or an identity only what it signed, and exit code 6 if that is
    nothing; without, all of them, unchecked. The statements themselves are in the
    JSON form.
    """
    from wasm2oci.oci.reference import parse_location
    from wasm2oci.operations.attestations import attestations
    from wasm2oci.operations.names import pinned

    result = attestations(parse_location(ref), trust, environment)
    document = {
        "reference": str(result.source),
        "pinned": pinned(result.source, result.manifest.digest),
        "manifest": result.manifest,
        "attestations": [
            {"origin": one.origin, "predicateType": one.type, "signer": one.signer, "predicate": one.predicate}
            for one in result.found
        ],
        "refused": [{"origin": one.origin, "reason": one.reason} for one in result.refusals],
    }
    for refusal in result.refusals:
        output.note(f"{refusal.origin}: {refusal.reason}")
    lines = fields(("Artifact", ref), ("Manifest", result.manifest.digest))
    lines += [f"{one.type}  {one.signer or 'not checked'}" for one in result.found] or ["no attestations"]
    output.result(document, lines, quiet=[one.type for one in result.found])
