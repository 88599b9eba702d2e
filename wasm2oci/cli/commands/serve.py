"""`wasm2oci serve`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from wasm2oci.base.probe import is_folder
from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.output import Output
from wasm2oci.cli.signals import wait_for_signal
from wasm2oci.cli.terminal import Terminal
from wasm2oci.client import ConnectOptions
from wasm2oci.errors import LocalIOError, NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wasm2oci.client import Served

__all__ = ["command"]

_REGISTRY = "Registry options"
_ACCESS = "Access options"


def command(
    output: Output,
    terminal: Terminal,
    *,
    run: Annotated[
        list[str] | None,
        Argument("[-- COMMAND...]", "Command to run with the registry, which stops when it ends.", rest=True),
    ] = None,
    root: Annotated[
        Path | None,
        Option(
            "--root",
            metavar="DIR",
            help="Folder to store everything in (default: a temporary one).",
            setting="serve.root",
            title=_REGISTRY,
        ),
    ] = None,
    listen: Annotated[
        str,
        Option(
            "--listen",
            metavar="HOST:PORT",
            help="Address to listen at; port 0 picks a free one.",
            setting="serve.listen",
            title=_REGISTRY,
        ),
    ] = "127.0.0.1:5000",
    read_only: Annotated[bool, Option("--read-only", help="Refuse pushes and deletes.", title=_REGISTRY)] = False,
    allow_host: Annotated[
        list[str] | None,
        Option(
            "--allow-host",
            metavar="NAME",
            help="Answer to this name too, without --user; addresses and localhost always work.",
            title=_ACCESS,
        ),
    ] = None,
    htpasswd: Annotated[
        Path | None, Option("--htpasswd", metavar="FILE", help="Users and bcrypt hashes (htpasswd -B).", title=_ACCESS)
    ] = None,
    user: Annotated[
        str | None, Option("--user", metavar="NAME", help="The only user; a random password is printed.", title=_ACCESS)
    ] = None,
    password: Annotated[
        str | None,
        Option(
            "--password-stdin", help="Read the password of --user from standard input.", from_stdin=True, title=_ACCESS
        ),
    ] = None,
    tls_cert: Annotated[
        Path | None, Option("--tls-cert", metavar="FILE", help="PEM certificate chain: serve https.", title=_ACCESS)
    ] = None,
    tls_key: Annotated[
        Path | None, Option("--tls-key", metavar="FILE", help="PEM key of --tls-cert.", title=_ACCESS)
    ] = None,
) -> int:
    """Run a registry on this machine, for development, tests and CI.

    It speaks the whole OCI Distribution Specification 1.1, keeps every repository as an OCI image layout, and shows
    what it holds on a page for browsers. It listens on the loopback interface unless --listen names another one.

    Example: wasm2oci serve --listen 127.0.0.1:0 -- sh -c 'wasm2oci push a.wasm $WASM2OCI_REGISTRY/a:v1'
    """
    if password is not None and user is None:
        raise UsageError("--password-stdin needs --user")

    def log(text: str) -> None:
        for line in text.splitlines():
            output.line(line)
        terminal.stderr.flush()

    serving = terminal.client(output, ConnectOptions()).serve(
        listen,
        root=root,
        htpasswd=htpasswd,
        user=user,
        password=password,
        tls_cert=tls_cert,
        tls_key=tls_key,
        read_only=read_only,
        log=log,
        hosts=tuple(allow_host or ()),
    )
    with serving as served:
        if run:
            _announce(output, served, running=True)
            return _run(run, terminal.variables, served)
        wait_for_signal(lambda: _announce(output, served, running=False))
    output.line("stopped")
    return 0


def _announce(output: "Output", served: "Served", *, running: bool) -> None:
    if served.unencrypted:
        output.warn("passwords are sent unencrypted: add --tls-cert and --tls-key")
    if running:
        output.line(f"registry at {served.address} (WASM2OCI_REGISTRY)")
        return
    lines = [f"Serving {served.url}   (push to {served.address}/NAME:TAG, Ctrl-C stops)"]
    lines.append(
        "Nothing is stored permanently: add --root DIR" if served.temporary else f"Storing everything in {served.root}"
    )
    if served.user is not None:
        lines.append(f"User {served.user}" + (f", password {served.password}" if served.password else ""))
    output.result(served, lines, quiet=served.address)


def _run(arguments: "Sequence[str]", variables: "Mapping[str, str]", served: "Served") -> int:
    """The command's exit code; 128 plus the signal's number if a signal ended it, as in shells.

    Raises:
        KeyboardInterrupt: Ctrl-C ended it.
    """
    import signal
    import subprocess

    extra = {"WASM2OCI_REGISTRY": served.address}
    if served.user is not None:
        extra["WASM2OCI_REGISTRY_USER"] = served.user
    if served.password is not None:
        extra["WASM2OCI_REGISTRY_PASSWORD"] = served.password
    try:
        process = subprocess.Popen(list(arguments), env={**variables, **extra})
    except OSError as error:
        hint = "after -- comes the command to run with the registry; --root DIR serves a folder"
        if is_folder(arguments[0]):
            hint = f"to serve that folder: wasm2oci serve --root {arguments[0]}"
        if isinstance(error, FileNotFoundError):
            raise NotFoundError(f"no such command: {arguments[0]}", hint=hint) from error
        raise LocalIOError(f"cannot run {arguments[0]}: {error.strerror}", hint=hint) from error
    # Ctrl-C reaches the command as well, and it decides what it means; a polite stop is passed on to it.
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: process.terminate()),
    }
    try:
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if code == -signal.SIGINT:
        raise KeyboardInterrupt
    return code if code >= 0 else 128 - code
