"""What git says about a folder: where its source is, and at which revision."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Final

from wasm2oci.errors import InvalidInputError, NotFoundError
from wasm2oci.packager.metadata import IMAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["GitError", "GitNotThereError", "git_metadata"]

_SECONDS: Final = 20
_SCP: Final = re.compile(r"(?:[^@/:]+@)?([A-Za-z0-9.-]+):(?!/)(.+)\Z")
"""`git@github.com:me/app.git`"""
_URL: Final = re.compile(r"(?:https?|ssh|git)://(?:[^/@]*@)?([A-Za-z0-9.-]+(?::[0-9]+)?)/(.+)\Z")


class GitNotThereError(NotFoundError):
    """Annotations should come from git, but git or the repository does not exist."""


class GitError(InvalidInputError):
    """git failed or returned no answer."""


def git_metadata(folder: Path, variables: Mapping[str, str], warn: Callable[[str], None]) -> dict[str, str]:
    """Annotations from the repository that a folder is in: source, revision, and the tag of this commit as version.

    The source is the address of the remote `origin` as a browser takes it, without user name and password. `warn` is
    called when the folder has changes that are not committed.

    Raises:
        GitNotThereError: git is not installed, or the folder is in no repository.
        GitError: the repository has no commit, or git does not answer.
    """

    def git(*arguments: str) -> str | None:
        try:
            ran = subprocess.run(
                ["git", "-c", "core.fsmonitor=false", "-C", str(folder), *arguments],
                env=dict(variables),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=_SECONDS,
            )
        except FileNotFoundError as error:
            raise GitNotThereError("git is not installed") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise GitError(f"git does not answer: {error}") from error
        return ran.stdout.decode("utf-8", "replace").strip() if ran.returncode == 0 else None

    if git("rev-parse", "--git-dir") is None:
        raise GitNotThereError(f"{folder} is in no git repository")
    revision = git("rev-parse", "--verify", "HEAD")
    if not revision:
        raise GitError(f"the git repository of {folder} has no commit")
    if git("status", "--porcelain", "--untracked-files=no"):
        warn("the git repository has changes that are not committed: the annotated revision does not contain them")
    found = {f"{IMAGE}revision": revision}
    source = _browsable(git("config", "--get", "remote.origin.url") or "")
    if source:
        found[f"{IMAGE}source"] = source
    version = git("describe", "--tags", "--exact-match")
    if version:
        found[f"{IMAGE}version"] = version
    return found


def _browsable(address: str) -> str | None:
    match = _URL.match(address) or _SCP.match(address)
    if match is None:
        return None  # a path on this machine means nothing elsewhere
    host, path = match[1], match[2]
    if "@" in path:
        return None  # what is before it may be a password with a slash
    if address.startswith(("ssh:", "git:")):
        host = host.partition(":")[0]
    scheme = "http" if address.startswith("http:") else "https"
    return f"{scheme}://{host}/{path.removesuffix('.git').rstrip('/')}"
