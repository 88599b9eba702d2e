"""Whose signatures are asked for: by the caller, and by the policy files of this user and this project.

    the caller           a key, or an identity; or a policy file, instead of those below
    WASM2OCI_POLICY      a policy file, instead of those below
    the project          `wasm2oci.policy.toml` in this folder or one above it
    the user             `$XDG_CONFIG_HOME/wasm2oci/policy.toml` (`~/.config/wasm2oci/policy.toml`)

The files of the project and of the user both count, and both have to be met: a project can ask for more than the user
does, and never for less. This module loads no cryptography: without a key, an identity and a policy file nothing else
is loaded.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasm2oci.base.homes import config_folder
from wasm2oci.base.probe import has_file
from wasm2oci.base.records import NamedTuple
from wasm2oci.errors import UsageError

if TYPE_CHECKING:
    from wasm2oci.operations.environment import Environment
    from wasm2oci.operations.guard import Guard

__all__ = ["PROJECT_FILE", "SignatureFormat", "TrustOptions", "guard_for", "policy_files"]

PROJECT_FILE: Final = "wasm2oci.policy.toml"
_VARIABLE: Final = "WASM2OCI_POLICY"


class SignatureFormat(StrEnum):
    """How a signature is kept."""

    BOTH = "both"
    BUNDLE = "bundle"
    LEGACY = "legacy"


class TrustOptions(NamedTuple):
    """What the caller asks of signatures.

    Args:
        key: a public key: a file, or `env://NAME`.
        identity: the subject of a certificate, exactly.
        identity_regexp: what all of the subject matches.
        issuer: the issuer of the identity, exactly.
        issuer_regexp: what all of the issuer matches.
        annotations: `KEY=VALUE`, each of which the signer must have added.
        type: of the attestation that is asked for; None asks for a signature.
        policy: a policy file.
        trusted_root: Sigstore's `trusted_root.json`, instead of its public one; with a key, the signature must be in a
            log that it trusts.
    """

    key: str | None = None
    identity: str | None = None
    identity_regexp: str | None = None
    issuer: str | None = None
    issuer_regexp: str | None = None
    annotations: list[str] | None = None
    type: str | None = None
    policy: Path | None = None
    trusted_root: Path | None = None

    @property
    def asks(self) -> bool:
        """Whether a key or an identity is asked for."""
        return self.key is not None or self.identity is not None or self.identity_regexp is not None

    def check(self) -> None:
        """See that the options go together.

        Raises:
            UsageError: they contradict each other, or one needs another.
        """
        if self.identity is not None and self.identity_regexp is not None:
            raise UsageError("an identity is given exactly or as a pattern, not both")
        if self.issuer is not None and self.issuer_regexp is not None:
            raise UsageError("an issuer is given exactly or as a pattern, not both")
        by_identity = self.identity is not None or self.identity_regexp is not None
        by_issuer = self.issuer is not None or self.issuer_regexp is not None
        if by_identity and self.key is not None:
            raise UsageError("a signature is asked for by a key or by an identity, not both")
        if by_identity and not by_issuer:
            raise UsageError("an identity needs its issuer: any authority may issue certificates for a name")
        if by_issuer and not by_identity:
            raise UsageError("an issuer needs an identity")
        if not self.asks and (self.annotations or self.type):
            raise UsageError("annotations and a type need a key or an identity")


def guard_for(options: TrustOptions, environment: Environment) -> Guard | None:
    """What has to be met before an artifact is used; None when nothing is asked for.

    Raises:
        UsageError: the options contradict each other.
        InvalidPolicyError: a policy file is malformed.
        InvalidKeyError: a key is none.
        Wasm2OciError: a file cannot be read.
    """
    options.check()
    files = policy_files(options, environment)
    if not options.asks and not files:
        return None
    from wasm2oci.operations.guard import Guard

    return Guard.load(options, files, environment)


def policy_files(options: TrustOptions, environment: Environment) -> tuple[Path, ...]:
    """The policy files that count here.

    Raises:
        LocalIOError: it cannot be seen whether there is one.
    """
    if options.policy is not None:
        return (options.policy,)
    variable = environment.variables.get(_VARIABLE)
    if variable:
        return (Path(variable),)
    user = config_folder(environment.variables, environment.home) / "policy.toml"
    return tuple(path for path in (_project_file(), user if has_file(user) else None) if path is not None)


def _project_file() -> Path | None:
    try:
        here = Path.cwd()
    except OSError:  # the folder was removed
        return None
    return next((path for up in (here, *here.parents) if has_file(path := up / PROJECT_FILE)), None)
