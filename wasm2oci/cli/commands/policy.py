"""`wasm2oci policy`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, NamedTuple

from wasm2oci.cli.declare import Argument
from wasm2oci.cli.options import POLICY, TRUSTED_ROOT
from wasm2oci.cli.output import Output
from wasm2oci.client import Client, TrustOptions
from wasm2oci.errors import ExitCode

__all__ = ["ImportedPolicy", "command"]

_CHECKS = ("check", "explain")


class PolicyAction(StrEnum):
    """What is done."""

    CHECK = "check"
    EXPLAIN = "explain"
    IMPORT = "import"


class ImportedPolicy(NamedTuple):
    """The text of a policy file."""

    policy: str


def command(
    output: Output,
    *,
    action: Annotated[PolicyAction, Argument("ACTION", "check, explain or import.")],
    ref: Annotated[str, Argument("REF|FILE", "The artifact; to import, Kubewarden's file.")],
    policy: Annotated[Path | None, POLICY.only_for(*_CHECKS)] = None,
    trusted_root: Annotated[Path | None, TRUSTED_ROOT.only_for(*_CHECKS)] = None,
    client: Client,
) -> int:
    """Check an artifact against policy files, explain what they decide, or import one.

      wasm2oci policy check REF      exit code 6 if the artifact must not be used
      wasm2oci policy explain REF    which rule applies, and what is missing
      wasm2oci policy import FILE    Kubewarden's verification file as a policy

    Policy files: --policy, else WASM2OCI_POLICY, else wasm2oci.policy.toml of the
    project and ~/.config/wasm2oci/policy.toml of the user, which both have to be met.
    """
    if action is PolicyAction.IMPORT:
        text = client.import_policy(Path(ref))
        output.result(ImportedPolicy(text), text.splitlines(), quiet=text.splitlines())
        return ExitCode.OK
    explained = client.explain_policy(ref, TrustOptions(policy=policy, trusted_root=trusted_root))
    if action is PolicyAction.CHECK and not explained.decisions:
        output.warn("no policy file applies here: unsigned artifacts are accepted")
    verdict = "allowed" if explained.allowed else "refused"
    missing = [text for one in explained.decisions if one.refused for text in one.missing]
    output.result(explained, explained.lines if action is PolicyAction.EXPLAIN else [verdict, *missing], quiet=verdict)
    return ExitCode.OK if explained.allowed or action is PolicyAction.EXPLAIN else ExitCode.INTEGRITY
