"""`wasm2oci version`."""

from typing import NamedTuple

from wasm2oci.cli.output import Output, fields
from wasm2oci.version import __version__

__all__ = ["Versions", "command"]


class Versions(NamedTuple):
    """The versions of the tool, of Python, and of the packages it works with; None for those not installed."""

    wasm2oci: str
    python: str
    httpx: str | None
    typer: str | None
    wasmtime: str | None


def command(output: Output) -> None:
    """Print the version of the tool, of Python, and of the packages it works with."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    def installed(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    packages = (installed(name) for name in ("httpx", "typer", "wasmtime"))
    versions = Versions(__version__, platform.python_version(), *packages)
    lines = fields(*((name, value or "not installed") for name, value in versions._asdict().items()))
    output.result(versions, lines, quiet=__version__)
