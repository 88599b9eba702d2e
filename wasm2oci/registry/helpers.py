"""Credential helpers: programs named `docker-credential-NAME` that keep secrets, asked over standard input and output.

    get    stdin: server                              stdout: {"ServerURL", "Username", "Secret"}
    store  stdin: {"ServerURL", "Username", "Secret"}
    erase  stdin: server

A helper that knows nothing ends with an error and `credentials not found` on its standard output. Answers are read as
docker's client reads them: member names in any case, and nothing behind the object counts.

A helper gets so many seconds and may print so many bytes. It has answered when it ends: a child that it leaves
behind may hold its output open (an agent, a window), and is not waited for.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import closing, suppress
from typing import IO, TYPE_CHECKING, Final, cast

from wasm2oci.base.descriptors import wait_ready
from wasm2oci.base.text import one_line
from wasm2oci.errors import LocalIOError
from wasm2oci.registry.retry import SILENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["HelperError", "HelperMissingError", "erase_with_helper", "get_from_helper", "store_with_helper"]

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,100}\Z")
_PATIENCE: Final = 60.0
_AFTERWARDS: Final = 0.5
"""Seconds to find the end of what a helper printed that has ended itself."""
_OUTPUT_MAX: Final = 1 << 20
_UNKNOWN: Final = re.compile(r"credentials not found|no credentials|missing (?:server url|username)", re.IGNORECASE)
_SECRET: Final = re.compile(r"[\"']secret[\"'\\]", re.IGNORECASE)


class HelperError(LocalIOError):
    """A credential helper failed."""


class HelperMissingError(HelperError):
    """A credential helper is configured but not installed."""


def get_from_helper(
    helper: str, server: str, environ: Mapping[str, str], warn: Callable[[str], None] | None = None
) -> tuple[str, str] | None:
    """User name and secret that a helper keeps for a server, or None when it keeps none.

    Args:
        helper: its name without `docker-credential-`.
        server: the key to ask for.
        environ: the environment it runs in; its `PATH` is where it is looked for.
        warn: called when it is waited for longer than `retry.SILENCE`.

    Raises:
        HelperMissingError: it is not installed.
        HelperError: it failed, or answered nonsense.
    """
    code, output, complaint = _run(helper, "get", server, environ, warn)
    if code != 0:
        if _UNKNOWN.search(output) is not None or _UNKNOWN.search(complaint) is not None:
            return None
        raise _failed(helper, code, output or complaint)
    try:
        value, _ = json.JSONDecoder().raw_decode(output.lstrip())
        answer = {name.lower(): member for name, member in value.items()}
        username, secret = answer["username"], answer["secret"]
    except (ValueError, KeyError, AttributeError, RecursionError) as error:
        raise HelperError(f"docker-credential-{helper} answered something that is not a credential") from error
    if not isinstance(username, str) or not isinstance(secret, str):
        raise HelperError(f"docker-credential-{helper} answered something that is not a credential")
    return (username, secret) if username or secret else None


def store_with_helper(
    helper: str,
    server: str,
    username: str,
    secret: str,
    environ: Mapping[str, str],
    *,
    warn: Callable[[str], None] | None = None,
) -> None:
    """Have a helper keep a credential.

    Raises:
        HelperError: it is not installed, or failed.
    """
    request = json.dumps({"ServerURL": server, "Username": username, "Secret": secret})
    code, output, complaint = _run(helper, "store", request, environ, warn)
    if code != 0:
        raise _failed(helper, code, output or complaint, secret)


def erase_with_helper(
    helper: str, server: str, environ: Mapping[str, str], warn: Callable[[str], None] | None = None
) -> bool:
    """Have a helper forget a server; whether it had anything.

    Raises:
        HelperError: it is not installed, or failed.
    """
    if get_from_helper(helper, server, environ, warn) is None:
        return False
    code, output, complaint = _run(helper, "erase", server, environ, warn)
    if code != 0:
        raise _failed(helper, code, output or complaint)
    return True


def _failed(helper: str, code: int, said: str, secret: str = "") -> HelperError:
    """The error of a helper that failed, with what it said; not if that may be a credential, or holds this secret."""
    if _SECRET.search(said) is not None or (secret and secret in said):
        said = ""
    return HelperError(f"docker-credential-{helper} failed: {one_line(said) or f'exit code {code}'}")


def _run(
    helper: str, verb: str, text: str, environ: Mapping[str, str], warn: Callable[[str], None] | None
) -> tuple[int, str, str]:
    program = f"docker-credential-{helper}"
    if _NAME.match(helper) is None:
        raise HelperError(f"not the name of a credential helper: {one_line(helper, 60)!r}")
    path = shutil.which(program, path=environ.get("PATH", ""))
    if path is None:
        raise HelperMissingError(
            f"{program} is configured but not installed",
            hint="install it, or take it out of the docker configuration (credsStore, credHelpers)",
        )
    try:
        process = subprocess.Popen(
            [path, verb],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environ),
            start_new_session=True,
        )
    except OSError as error:
        raise HelperError(f"{program} cannot be started: {error.strerror}") from error
    output, complaint = (_Pipe(process, cast("IO[bytes]", pipe)) for pipe in (process.stdout, process.stderr))
    writer = threading.Thread(target=_give, args=(cast("IO[bytes]", process.stdin), text.encode()), daemon=True)
    for thread in (writer, output.thread, complaint.thread):
        thread.start()
    try:
        code = _wait(process, program, warn)
    except subprocess.TimeoutExpired as error:
        _end(process)
        raise HelperError(f"{program} did not answer within {_PATIENCE:.0f} s") from error
    except BaseException:
        _end(process)
        raise
    finally:
        for pipe in (output, complaint):
            # What it printed is in the pipe by now; only a child that it left behind could hold that open.
            pipe.end(_AFTERWARDS)
    if output.too_much or complaint.too_much:
        raise HelperError(f"{program} prints more than {_OUTPUT_MAX:,} bytes")
    return code, output.text(), complaint.text()


def _wait(process: subprocess.Popen[bytes], program: str, warn: Callable[[str], None] | None) -> int:
    # It may be a window that asks for a password, behind the others.
    with suppress(subprocess.TimeoutExpired):
        return process.wait(min(SILENCE, _PATIENCE))
    if warn is not None:
        warn(f"still waiting for {program}")
    return process.wait(max(_PATIENCE - SILENCE, 0))


class _Pipe:
    """What a helper prints to one of its outputs, read by a thread up to a bound."""

    def __init__(self, process: subprocess.Popen[bytes], stream: IO[bytes]) -> None:
        self._process, self._stream = process, stream
        self._data = bytearray()
        self.too_much = False
        self._stopped = threading.Event()
        self._stopping, self._stop = os.pipe()
        self.thread = threading.Thread(target=self._read, daemon=True)

    def end(self, patience: float) -> None:
        """Wait for the end of it so many seconds, and not for what comes later; where pipes can, the thread ends."""
        self.thread.join(patience)
        self._stopped.set()
        with suppress(OSError):  # it has ended, and closed the other end
            os.write(self._stop, b"x")
        self.thread.join(patience)
        os.close(self._stop)

    def text(self) -> str:
        return bytes(self._data).decode("utf-8", "replace")

    def _read(self) -> None:
        descriptor = self._stream.fileno()
        with self._stream, closing(os.fdopen(self._stopping, "rb", 0)), suppress(OSError):
            while wait_ready((descriptor,), (), self._stopping, self._stopped, _PATIENCE)[0]:
                data = os.read(descriptor, 65536)
                if not data:
                    return
                self._data += data
                if len(self._data) > _OUTPUT_MAX:
                    self.too_much = True
                    _end(self._process)
                    return


def _give(stream: IO[bytes], data: bytes) -> None:
    # A helper may end without reading.
    with suppress(OSError), stream:
        stream.write(data)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a helper and its children, which are in a group of their own."""
    with suppress(OSError):
        if sys.platform != "win32" and hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()
