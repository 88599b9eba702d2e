"""`wasm2oci serve`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from wasm2oci.cli.declare import option_group
from wasm2oci.cli.options import Reporting, read_password
from wasm2oci.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wasm2oci.cli.output import Output
    from wasm2oci.operations.serve import Served

__all__ = ["CONTEXT_SETTINGS", "command"]

CONTEXT_SETTINGS: Final[dict[str, Any]] = {"allow_interspersed_args": False}


@option_group("Registry options")
class Keeping(NamedTuple):
    """What the registry keeps, and whether it takes more."""

    root: Annotated[
        Path | None,
        typer.Option("--root", metavar="DIR", help="Keep everything here (default: a folder that goes at the end)."),
    ] = None
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT", help="Where to listen; port 0 takes a free one.")
    ] = "127.0.0.1:5000"
    read_only: Annotated[bool, typer.Option("--read-only", help="Refuse pushes and deletes.")] = False


@option_group("Access options")
class Guarding(NamedTuple):
    """Who may use it, and how it is protected on the way."""

    htpasswd: Annotated[
        Path | None, typer.Option("--htpasswd", metavar="FILE", help="Users and bcrypt hashes (htpasswd -B).")
    ] = None
    user: Annotated[
        str | None, typer.Option("--user", metavar="NAME", help="The only user; a password is made up and shown.")
    ] = None
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password of --user from standard input.")
    ] = False
    tls_cert: Annotated[
        Path | None, typer.Option("--tls-cert", metavar="FILE", help="PEM certificate chain: serve https.")
    ] = None
    tls_key: Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="PEM key of --tls-cert.")] = None


def command(
    session: Session,
    keeping: Keeping,
    guarding: Guarding,
    reporting: Reporting,
    run: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- COMMAND...]", help="Serve while this runs, then stop.", show_default=False),
    ] = None,
) -> int:
    """Serve a registry from this machine: for development, tests and CI.

    It speaks the whole OCI Distribution Specification 1.1, keeps every repository as an OCI image layout, and shows
    what it holds on a page for browsers. It listens on the loopback unless told otherwise. For more than that, the
    same wasm2oci commands work with any registry.

    Example: wasm2oci serve --listen 127.0.0.1:0 -- sh -c 'wasm2oci push a.wasm $WASM2OCI_REGISTRY/a:v1'
    """
    from wasm2oci.errors import UsageError
    from wasm2oci.operations.serve import ServeRequest, serving

    if guarding.password_stdin and guarding.user is None:
        raise UsageError("--password-stdin needs --user")
    request = ServeRequest(
        listen=keeping.listen,
        root=keeping.root,
        htpasswd=guarding.htpasswd,
        user=guarding.user,
        password=read_password(session.stdin) if guarding.password_stdin else None,
        tls_cert=guarding.tls_cert,
        tls_key=guarding.tls_key,
        read_only=keeping.read_only,
    )
    output = session.output(reporting)

    def log(text: str) -> None:
        for line in text.splitlines():
            output.line(line)
        session.stderr.flush()

    with serving(request, log) as served:
        if run:
            _announce(output, served, running=True)
            return _run(run, session.variables, served)
        _wait(lambda: _announce(output, served, running=False))
    output.line("stopped")
    return 0


def _announce(output: "Output", served: "Served", *, running: bool) -> None:
    if served.clear:
        output.warn("passwords travel unencrypted: add --tls-cert and --tls-key")
    if running:
        output.line(f"registry at {served.address} (WASM2OCI_REGISTRY)")
        return
    document = {
        "address": served.address,
        "url": served.url,
        "root": str(served.root),
        "temporary": served.temporary,
        "user": served.user,
        "password": served.password,
    }
    lines = [f"Serving {served.url}   (push to {served.address}/NAME:TAG, Ctrl-C stops)"]
    lines.append("Nothing is kept: add --root DIR" if served.temporary else f"Keeping everything in {served.root}")
    if served.user is not None:
        lines.append(f"User {served.user}" + (f", password {served.password}" if served.password else ""))
    output.result(document, lines, quiet=served.address)


def _wait(announce: "Callable[[], None]") -> None:
    """Say that it serves, until somebody says stop: Ctrl-C, or the signal that service managers send.

    Whoever reads the announcement may say stop at once, so it is listened for before.
    """
    import signal
    import threading

    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        announce()
        stop.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(arguments: "Sequence[str]", variables: "Mapping[str, str]", served: "Served") -> int:
    """The command's exit code; 128 and the signal's number when one ended it, as shells say it."""
    import signal
    import subprocess

    from wasm2oci.errors import LocalIOError, NotFoundError

    extra = {"WASM2OCI_REGISTRY": served.address}
    if served.user is not None:
        extra["WASM2OCI_REGISTRY_USER"] = served.user
    if served.password is not None:
        extra["WASM2OCI_REGISTRY_PASSWORD"] = served.password
    try:
        process = subprocess.Popen(list(arguments), env={**variables, **extra})
    except FileNotFoundError as error:
        raise NotFoundError(f"no such command: {arguments[0]}") from error
    except OSError as error:
        raise LocalIOError(f"cannot run {arguments[0]}: {error.strerror}") from error
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
    return code if code >= 0 else 128 - code
