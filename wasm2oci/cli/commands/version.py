"""`wasm2oci version`."""

from wasm2oci.cli.output import Output, fields
from wasm2oci.version import __version__

__all__ = ["command"]


def command(output: Output) -> None:
    """Print the version of the tool, of Python, and of what it was built with."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    parts: dict[str, str | None] = {"wasm2oci": __version__, "python": platform.python_version()}
    for name in ("httpx", "cryptography", "typer", "wasmtime"):
        try:
            parts[name] = version(name)
        except PackageNotFoundError:
            parts[name] = None
    lines = fields(*((name, value or "not installed") for name, value in parts.items()))
    output.result(parts, lines, quiet=__version__)
