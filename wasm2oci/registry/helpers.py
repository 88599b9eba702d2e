"""Credential helpers: programs named `docker-credential-NAME` that keep secrets, asked over standard input and output.

    get    stdin: server                              stdout: {"ServerURL", "Username", "Secret"}
    store  stdin: {"ServerURL", "Username", "Secret"}
    erase  stdin: server

A helper that knows nothing ends with an error and `credentials not found` on its standard output. Answers are read as
docker's client reads them: member names in any case, and nothing behind the object counts.
"""

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

from wasm2oci.base.text import one_line
from wasm2oci.errors import LocalIOError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HelperError", "HelperMissingError", "erase_with_helper", "get_from_helper", "store_with_helper"]

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,100}\Z")
_PATIENCE: Final = 60.0
_UNKNOWN: Final = re.compile(r"credentials not found|no credentials|missing (?:server url|username)", re.IGNORECASE)


class HelperError(LocalIOError):
    """A credential helper failed."""


class HelperMissingError(HelperError):
    """A credential helper is configured and not installed."""


def get_from_helper(helper: str, server: str, environ: "Mapping[str, str]") -> tuple[str, str] | None:
    """User name and secret that a helper keeps for a server, or None when it keeps none.

    Args:
        helper: its name without `docker-credential-`.
        server: the key to ask for.
        environ: the environment it runs in; its `PATH` is where it is looked for.

    Raises:
        HelperMissingError: it is not installed.
        HelperError: it failed, or answered nonsense.
    """
    code, output, complaint = _run(helper, "get", server, environ)
    if code != 0:
        if _UNKNOWN.search(output) is not None or _UNKNOWN.search(complaint) is not None:
            return None
        raise HelperError(f"docker-credential-{helper} failed: {one_line(output or complaint) or f'exit code {code}'}")
    try:
        value, _ = json.JSONDecoder().raw_decode(output.lstrip())
        answer = {name.lower(): member for name, member in value.items()}
        username, secret = answer["username"], answer["secret"]
    except (ValueError, KeyError, AttributeError, RecursionError) as error:
        raise HelperError(f"docker-credential-{helper} answered something that is not a credential") from error
    if not isinstance(username, str) or not isinstance(secret, str):
        raise HelperError(f"docker-credential-{helper} answered something that is not a credential")
    return (username, secret) if username or secret else None


def store_with_helper(helper: str, server: str, username: str, secret: str, environ: "Mapping[str, str]") -> None:
    """Have a helper keep a credential.

    Raises:
        HelperError: it is not installed, or failed.
    """
    request = json.dumps({"ServerURL": server, "Username": username, "Secret": secret})
    code, output, complaint = _run(helper, "store", request, environ)
    if code != 0:
        raise HelperError(f"docker-credential-{helper} failed: {one_line(output or complaint) or f'exit code {code}'}")


def erase_with_helper(helper: str, server: str, environ: "Mapping[str, str]") -> bool:
    """Have a helper forget a server; whether it had anything.

    Raises:
        HelperError: it is not installed, or failed.
    """
    if get_from_helper(helper, server, environ) is None:
        return False
    code, output, complaint = _run(helper, "erase", server, environ)
    if code != 0:
        raise HelperError(f"docker-credential-{helper} failed: {one_line(output or complaint) or f'exit code {code}'}")
    return True


def _run(helper: str, verb: str, text: str, environ: "Mapping[str, str]") -> tuple[int, str, str]:
    program = f"docker-credential-{helper}"
    if _NAME.match(helper) is None:
        raise HelperError(f"not the name of a credential helper: {one_line(helper, 60)!r}")
    path = shutil.which(program, path=environ.get("PATH", ""))
    if path is None:
        raise HelperMissingError(
            f"{program} is configured and not installed",
            hint="install it, or take it out of the docker configuration (credsStore, credHelpers)",
        )
    try:
        done = subprocess.run(
            [path, verb],
            input=text.encode(),
            capture_output=True,
            env=dict(environ),
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise HelperError(f"{program} did not answer within {_PATIENCE:.0f} s") from error
    except OSError as error:
        raise HelperError(f"{program} cannot be started: {error.strerror}") from error
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
