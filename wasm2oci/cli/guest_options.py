"""Options of the commands that run a guest: what it gets, and when its module is fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from wasm2oci.cli.declare import Option
from wasm2oci.cli.guest_streams import STDERR
from wasm2oci.client import Pull

__all__ = [
    "ENGINE",
    "GUEST_GETS",
    "LIMITS",
    "AllowNetOption",
    "DigestOption",
    "DirectoriesOption",
    "EnvFileOption",
    "EnvOption",
    "NoCodeCacheOption",
    "PullOption",
    "TraceOption",
]

GUEST_GETS: Final = "What the guest gets"
_FETCHING: Final = "Fetching"
LIMITS: Final = "Limits"
ENGINE: Final = "Engine options"

EnvOption = Annotated[
    list[str] | None,
    Option(
        "--env",
        "-e",
        metavar="K[=V]",
        help="Variable for the program; without a value, this shell's own.",
        title=GUEST_GETS,
    ),
]
EnvFileOption = Annotated[
    list[Path] | None,
    Option("--env-file", metavar="FILE", help="File of variables, one KEY=VALUE on a line.", title=GUEST_GETS),
]
DirectoriesOption = Annotated[
    list[str] | None,
    Option(
        "--dir",
        metavar="HOST[::GUEST][:ro]",
        help="Directory for the program, under its own or another name.",
        title=GUEST_GETS,
    ),
]
AllowNetOption = Annotated[
    list[str] | None,
    Option(
        "--allow-net", metavar="HOST[:PORT]", help="Host that a component may send HTTP requests to.", title=GUEST_GETS
    ),
]
PullOption = Annotated[
    Pull, Option("--pull", help="When to ask the registry what a tag names.", setting="run.pull", title=_FETCHING)
]
DigestOption = Annotated[
    str | None,
    Option("--digest", metavar="DIGEST", help="Start only if module or manifest has this digest.", title=_FETCHING),
]
TraceOption = Annotated[
    str | None,
    Option(
        "--trace",
        metavar="FILE",
        bare=STDERR,
        help="Write a line for each WASI call, to standard error or into FILE.",
        title=ENGINE,
    ),
]
NoCodeCacheOption = Annotated[
    bool, Option("--no-code-cache", help="Neither store nor use compiled code.", title=ENGINE)
]
