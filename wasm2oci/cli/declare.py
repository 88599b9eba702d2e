"""How a command says what its arguments and options are, without loading a parser.

    file: Annotated[str, Argument(metavar="FILE", help="The module.")]
    force: Annotated[bool, Option("--force", help="...")] = False

`cli.quick` reads plain command lines by these alone; `cli.loader` makes typer's own declarations of them for all
others, for help and for error messages.
"""

from typing import NamedTuple

__all__ = ["Argument", "Option", "Prefix"]


class Argument(NamedTuple):
    """A positional argument: what it is called in the usage line, and one sentence about it."""

    metavar: str
    help: str


class Option(NamedTuple):
    """An option: its names (`--long`, `-s`), a word for its value, and one sentence about it."""

    names: tuple[str, ...]
    metavar: str | None
    help: str

    @classmethod
    def of(cls, *names: str, metavar: str | None = None, help: str) -> "Option":  # noqa: A002 - as typer calls it
        """Declare an option by its names."""
        return cls(names, metavar, help)


class Prefix(NamedTuple):
    """Marks a group whose options are written `--PREFIX-NAME`."""

    text: str
