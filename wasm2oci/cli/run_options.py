"""What the options of `run` say, from text to values. Pure: the environment's variables are handed in.

--env K=V, --env K         a variable; without a value, this process's own, if it has it
--env-file FILE            the same, one a line; empty lines and those that start with # do not count
--dir HOST[::GUEST][:ro]   a directory; GUEST is HOST as it was written, unless it is given
--allow-net HOST[:PORT]    a host of the network, at every port or at one; an IPv6 address with a port is in brackets
sizes                      1073741824, 1GiB, 1G, 512MiB, 512M, 64KiB: always powers of 1024
times                      90, 90s, 1.5m, 500ms, 1h
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasm2oci.base.files import FileNotThereError
from wasm2oci.base.reading import read_named
from wasm2oci.client import NetworkRule, Preopen
from wasm2oci.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "parse_directory",
    "parse_duration",
    "parse_environment",
    "parse_memory_size",
    "parse_network",
    "parse_size",
    "parse_stack_size",
]

_ENV_FILE_MAX: Final = 1 << 20
_SIZE: Final = re.compile(r"(\d{1,18})\s*([kmgt]?)(i?b)?", re.IGNORECASE)
_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_MOST_MEMORY: Final = 1 << 62
_LEAST_STACK: Final = 64 << 10
_MOST_STACK: Final = 1 << 30
_MOST_SECONDS: Final = 14 * 24 * 3600
_DURATION: Final = re.compile(r"(\d{1,18}(?:\.\d{0,18})?|\.\d{1,18})\s*(ms|s|m|h|)")
_SECONDS: Final = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


class EnvironmentFileError(NotFoundError):
    """A file of variables does not exist."""


def parse_size(text: str, option: str) -> int:
    """A number of bytes."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{option}: {text!r} is not a size", hint="for example 512MiB or 2GiB")
    return int(match[1]) * _UNITS[match[2].lower()]


def parse_memory_size(text: str, option: str) -> int:
    """A number of bytes that the memory of a guest may be limited to."""
    size = parse_size(text, option)
    if not 0 < size <= _MOST_MEMORY:
        raise UsageError(f"{option}: {text!r} is out of range", hint=f"from 1 byte to {_MOST_MEMORY >> 40}TiB")
    return size


def parse_stack_size(text: str, option: str) -> int:
    """A number of bytes that a thread's stack can have."""
    size = parse_size(text, option)
    if not _LEAST_STACK <= size <= _MOST_STACK:
        raise UsageError(f"{option}: {text!r} is out of range", hint="from 64KiB to 1GiB")
    return size


def parse_duration(text: str, option: str) -> float:
    """A number of seconds above zero, as a time limit of a guest."""
    match = _DURATION.fullmatch(text.strip().lower())
    seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    if not seconds:
        raise UsageError(f"{option}: {text!r} is not a time", hint="for example 30s, 500ms or 2m")
    if seconds > _MOST_SECONDS:
        raise UsageError(f"{option}: {text!r} is out of range", hint=f"at most {_MOST_SECONDS // 3600}h")
    return seconds


def parse_directory(text: str) -> Preopen:
    """A directory for the guest."""
    rest, read_only = text, False
    if rest.endswith((":ro", ":rw")) and not rest.endswith("::ro"):
        rest, read_only = rest[:-3], rest.endswith(":ro")
    host, colons, guest = rest.partition("::")
    if not host or (colons and not guest) or "\0" in rest:
        raise UsageError(
            f"--dir: {text!r} names no directory", hint="it is written HOST, HOST::GUEST or HOST::GUEST:ro"
        )
    return Preopen(Path(host), guest or host, read_only)


def parse_network(text: str) -> NetworkRule:
    """A host that the guest may reach, at every port or at one."""
    rule = NetworkRule.parse(text)
    if rule is None:
        raise UsageError(
            f"--allow-net: {text.rpartition('@')[2]!r} is not a host",
            hint="it is written HOST or HOST:PORT, without https://",
        )
    return rule


def parse_environment(settings: Iterable[str], files: Iterable[Path], variables: Mapping[str, str]) -> dict[str, str]:
    """The guest's variables: those of the files first, then those given one by one; later ones win.

    Raises:
        EnvironmentFileError: a file is not there.
        LocalIOError: a file cannot be read.
    """
    found: dict[str, str] = {}
    for path in files:
        for number, line in enumerate(_read(path).splitlines(), 1):
            if line.strip() and not line.lstrip().startswith("#"):
                _add(found, line.strip(), variables, f"{path}, line {number}")
    for text in settings:
        _add(found, text, variables, "--env")
    return found


def _read(path: Path) -> str:
    try:
        return read_named(path, _ENV_FILE_MAX).decode("utf-8", "surrogateescape")
    except FileNotThereError as error:
        raise EnvironmentFileError(f"no such file: {path}") from error


def _add(found: dict[str, str], text: str, variables: Mapping[str, str], where: str) -> None:
    name, equals, value = text.partition("=")
    if not name or "\0" in text:
        what = "has no name before the =" if equals and not name else "sets no variable"
        raise UsageError(f"{where}: {text!r} {what}", hint="it is written NAME=VALUE, or NAME to pass it on")
    if equals:
        found[name] = value
    elif name in variables:
        found[name] = variables[name]
