"""Where this user keeps things: the home folder, and the folders of our configuration and of the cache.

Spec: XDG Base Directory Specification: a relative path in a variable is ignored.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["cache_folder", "config_folder", "config_home", "home_folder", "names_none"]


def home_folder(environ: Mapping[str, str]) -> Path:
    """The user's home folder, or the root folder if the user has none; the tool writes nothing there.

    HOME may be unset (a service), and the user unknown (a container with a number for a user).
    """
    if environ.get("HOME"):
        return Path(environ["HOME"])
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")


def config_home(environ: Mapping[str, str], home: Path) -> Path:
    """Where tools keep their configuration: `$XDG_CONFIG_HOME`, else `.config` of the home folder."""
    base = Path(environ.get("XDG_CONFIG_HOME", ""))
    return base if base.is_absolute() else home / ".config"


def names_none(value: str) -> bool:
    """Whether the value of a variable that names a file or folder says that there is to be none: empty, or `off`."""
    return value.lower() in {"", "off"}


def config_folder(environ: Mapping[str, str], home: Path) -> Path:
    """Where our configuration is: `wasm2oci` in `config_home`."""
    return config_home(environ, home) / "wasm2oci"


def cache_folder(environ: Mapping[str, str], home: Path) -> Path:
    """Where the cache is: `$WASM2OCI_CACHE`, else `wasm2oci` in `$XDG_CACHE_HOME`, else in `.cache` of the home."""
    own = environ.get("WASM2OCI_CACHE")
    if own:
        return Path(own)
    base = Path(environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else home / ".cache") / "wasm2oci"
