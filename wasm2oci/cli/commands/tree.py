"""`wasm2oci tree`."""

from wasm2oci.cli.options import ReferenceArgument, TrustGroup
from wasm2oci.cli.output import Output
from wasm2oci.client import Client

__all__ = ["command"]


def command(output: Output, *, ref: ReferenceArgument, trust: TrustGroup, client: Client) -> None:
    """Show an artifact, its parts, and the signatures and attestations about it.

    Referrers are shown, and what has cosign's tags. Signatures are verified where the
    options or a policy file ask for some.
    """
    result = client.tree(ref, trust=trust)
    signatures = result.signatures
    rows = [] if signatures is None else [f"{one.text}  {one.origin}" for one in signatures.items]
    rows += [f"{one.digest.short}  {'referrer':>12}  {one.artifact_type or one.media_type}" for one in result.referrers]
    rows += [
        f"{'  ' * (part.depth - 1)}{part.content.digest.short}  {part.content.size:>12,}  {part.content.media_type}"
        for part in result.parts
    ]
    state = "signatures not listed" if signatures is None else signatures.state.value
    lines = [f"{ref}  {state}", str(result.manifest.digest), *(f"  {row}" for row in rows)]
    output.result(result, lines, quiet=state)
