"""`wasm2oci version`."""

from wasm2oci.cli.options import Reporting
from wasm2oci.cli.session import Session
from wasm2oci.version import __version__

__all__ = ["command"]


def command(session: Session, reporting: Reporting) -> None:
    """Print the version of the tool, of Python, and of what it was built with."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    from wasm2oci.cli.output import fields

    parts: dict[str, str | None] = {"wasm2oci": __version__, "python": platform.python_version()}
    for name in ("httpx", "cryptography", "typer", "wasmtime"):
        try:
            parts[name] = version(name)
        except PackageNotFoundError:
            parts[name] = None
    lines = fields(*((name, value or "not installed") for name, value in parts.items()))
    session.output(reporting).result(parts, lines, quiet=__version__)
