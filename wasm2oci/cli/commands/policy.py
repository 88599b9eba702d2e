"""`wasm2oci policy`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.output import Output
from wasm2oci.errors import ExitCode, UsageError
from wasm2oci.operations.environment import Environment

__all__ = ["command"]


class Action(StrEnum):
    """What is done."""

    CHECK = "check"
    EXPLAIN = "explain"
    IMPORT = "import"


def command(
    output: Output,
    *,
    action: Annotated[Action, Argument("ACTION", "check, explain or import.")],
    ref: Annotated[str, Argument("REF|FILE", "The artifact; to import, Kubewarden's file.")],
    policy: Annotated[
        Path | None, Option("--policy", metavar="FILE", help="Policy file, instead of the user's and the project's.")
    ] = None,
    trusted_root: Annotated[
        Path | None, Option("--trusted-root", metavar="FILE", help="Sigstore's trusted_root.json to use.")
    ] = None,
    environment: Environment,
) -> int:
    """Check an artifact against policy files, explain what they decide, or import one.

      wasm2oci policy check REF      exit code 6 if the artifact must not be used
      wasm2oci policy explain REF    which rule applies, and what is missing
      wasm2oci policy import FILE    Kubewarden's verification file as a policy

    Policy files: --policy, else WASM2OCI_POLICY, else wasm2oci.policy.toml of the
    project and ~/.config/wasm2oci/policy.toml of the user, which both have to be met.
    """
    from wasm2oci.oci.reference import parse_location
    from wasm2oci.operations.policy import explain, import_policy
    from wasm2oci.operations.trust import TrustOptions

    if action is Action.IMPORT:
        if policy is not None or trusted_root is not None:
            raise UsageError("import takes no policy and no trusted root")
        text = import_policy(Path(ref))
        output.result({"policy": text}, text.splitlines(), quiet=text.splitlines())
        return ExitCode.OK
    explained = explain(parse_location(ref), TrustOptions(policy=policy, trusted_root=trusted_root), environment)
    refused = [one for one in explained.decisions if one.refused]
    document = {
        "reference": ref,
        "digest": str(explained.manifest.digest),
        "scope": explained.scope,
        "allowed": not refused,
        "decisions": [one.to_json() for one in explained.decisions],
    }
    if action is Action.EXPLAIN:
        lines = explained.lines
    else:
        lines = ["allowed" if not refused else "refused", *(text for one in refused for text in one.missing)]
    output.result(document, lines, quiet="allowed" if not refused else "refused")
    return ExitCode.INTEGRITY if refused and action is Action.CHECK else ExitCode.OK
