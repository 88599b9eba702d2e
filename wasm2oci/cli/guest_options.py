"""Options of the commands that run a guest: what it gets, and when its module is fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from wasm2oci.cli.declare import Option
from wasm2oci.client import Pull

__all__ = ["FETCHING", "GUEST_GETS", "DirectoriesOption", "EnvFileOption", "EnvOption", "PullOption"]

GUEST_GETS: Final = "What the guest gets"
FETCHING: Final = "Fetching"

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
PullOption = Annotated[
    Pull, Option("--pull", help="When to ask the registry what a tag names.", setting="run.pull", title=FETCHING)
]
