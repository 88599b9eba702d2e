"""How a command says what its arguments and options are, without loading a parser.

    file: Annotated[str, Argument(metavar="FILE", help="The module.")]
    force: Annotated[bool, Option("--force", help="...")] = False

`cli.quick` reads plain command lines by these alone; `cli.loader` makes typer's own declarations of them for all
others, for help and for error messages.
"""

from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Argument", "Option", "Prefix", "group_title", "option_group"]

T = TypeVar("T")
_TITLE: Final = "_option_group_title"


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


def option_group(title: str) -> "Callable[[type[T]], type[T]]":
    """Marks a named tuple whose fields are options as a group; the title stands above them in the help."""

    def mark(group: type[T]) -> type[T]:
        setattr(group, _TITLE, title)
        return group

    return mark


def group_title(kind: object) -> str | None:
    """The title of a group of options; None for whatever is no such group."""
    title = getattr(kind, _TITLE, None) if isinstance(kind, type) else None
    return title if isinstance(title, str) else None
