"""How a command declares what it takes: the one dialect that parsing, help and completion read.

    def command(output: Output, *, file: Annotated[str, Argument("FILE", "The module.")],
                force: Annotated[bool, Option("--force", help="...")] = False) -> None

A parameter's type is what its text becomes: `str`, `Path`, `int`, an enumeration of strings, or `bool` for a flag. A
`list` of one of these is an option that is repeated, or an argument that takes several words. `Group` makes one value
from several options; `declare` reads a command's signature.
"""

from __future__ import annotations

from enum import Enum
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Final, Union, get_args, get_origin, get_type_hints

from wasm2oci.base.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Argument", "Declaration", "Group", "Option", "Parameter", "declare", "listed"]

_REQUIRED: Final = object()
"""Takes the place of a default that is not there."""


class Argument(NamedTuple):
    """A positional argument.

    Args:
        metavar: what it is called in the usage line.
        help: one sentence about it.
        dash: `-` means standard input.
        rest: it takes every word from its own on, options too; options of the command come before.
        only: the values of the argument ACTION that need it; the others refuse it. Empty: there is no such thing.
    """

    metavar: str
    help: str
    dash: bool = False
    rest: bool = False
    only: tuple[str, ...] = ()

    @property
    def described(self) -> str:
        """Its help, which says for which actions it is."""
        return _for_actions(self.only, self.help)

    @property
    def summary(self) -> str:
        """The first sentence of its help."""
        return _first_sentence(self.described)

    @property
    def empty(self) -> bool:
        """Whether a word of it may be empty: what is handed on may be anything."""
        return self.rest


class Option:
    """An option.

    Args:
        names: `--long` and `-s`.
        help: a sentence about it, and what more its help says.
        metavar: a word for its value.
        minimum: the least number it takes.
        bare: the value of the option when none is given; a value is then only given as `--long=VALUE`.
        choices: the words it takes, where the type does not say.
        empty: its value may be empty; for others that is an error, as a variable of a script may not be set.
        from_stdin: a flag whose value is read from standard input.
        title: the heading it has in the help.
        setting: the key by which a variable or the configuration file sets it (`cli.settings`).
        for_all: the field of the group that gets the name of this one when a setting gives it, for all registries.
        unless: fields of the same group which, when the command line gives one, keep the setting out.
        kind: what the text becomes, where the type of the parameter is not that.
        make: makes the parameter's value from that.
        default: how the help writes the default, where it is made.
        only: the values of the argument ACTION that take it; the others refuse it. Empty: all take it.
    """

    __slots__ = (
        "bare",
        "choices",
        "default",
        "empty",
        "for_all",
        "from_stdin",
        "help",
        "kind",
        "make",
        "metavar",
        "minimum",
        "names",
        "only",
        "prefix",
        "setting",
        "title",
        "unless",
    )

    def __init__(
        self,
        *names: str,
        help: str,  # noqa: A002 - as every parser calls it
        metavar: str | None = None,
        minimum: int | None = None,
        bare: str | None = None,
        choices: tuple[str, ...] = (),
        empty: bool = False,
        from_stdin: bool = False,
        title: str = "Options",
        setting: str | None = None,
        for_all: str | None = None,
        unless: tuple[str, ...] = (),
        kind: Any = None,
        make: Callable[[Any], Any] | None = None,
        default: str | None = None,
        only: tuple[str, ...] = (),
    ) -> None:
        self.names = names
        self.help = help
        self.metavar = metavar
        self.minimum = minimum
        self.bare = bare
        self.choices = choices
        self.empty = empty
        self.from_stdin = from_stdin
        self.title = title
        self.setting = setting
        self.for_all = for_all
        self.unless = unless
        self.kind = kind
        self.make = make
        self.default = default
        self.only = only
        self.prefix = ""

    @property
    def described(self) -> str:
        """Its help, which says for which actions it is."""
        return _for_actions(self.only, self.help)

    @property
    def summary(self) -> str:
        """The first sentence of its help."""
        return _first_sentence(self.described)

    def only_for(self, *actions: str) -> Option:
        """The same option for some actions of a command."""
        return self._changed(only=actions)

    def renamed(self, prefix: str, title: str) -> Option:
        """The same option as `--PREFIX-LONG`, below a heading."""
        names = (
            tuple(f"--{prefix}-{name[2:]}" for name in self.names if name.startswith("--")) if prefix else self.names
        )
        return self._changed(names=names, title=title, prefix=prefix)

    def without(self, names: set[str]) -> Option:
        """The same option without these names, which mean something else here; `--registry-NAME` if none is left."""
        left = tuple(name for name in self.names if name not in names)
        return self._changed(names=left or tuple(f"--registry-{name[2:]}" for name in self.names[:1]))

    def _changed(self, **fields: Any) -> Option:
        other = Option.__new__(Option)
        for slot in Option.__slots__:
            setattr(other, slot, fields.get(slot, getattr(self, slot)))
        return other


class Group:
    """Marks a parameter whose value is a named tuple that is made from several options.

    Args:
        title: the heading of the options in the help.
        prefix: options are written `--PREFIX-NAME`; empty for none.
        fields: for a field of the named tuple the option that sets it, or several of which one may be given.
    """

    __slots__ = ("fields", "prefix", "title")

    def __init__(self, title: str, prefix: str = "", **fields: Option | tuple[Option, ...]) -> None:
        self.title = f"{title} ({prefix})" if prefix else title
        self.prefix = prefix
        self.fields = {
            field: tuple(
                option.renamed(prefix, self.title) for option in (given if isinstance(given, tuple) else (given,))
            )
            for field, given in fields.items()
        }

    @property
    def names(self) -> frozenset[str]:
        """Every `--long` name of its options."""
        declared = (option for options in self.fields.values() for option in options)
        return frozenset(name for option in declared for name in option.names if name.startswith("--"))


class Parameter(NamedTuple):
    """One option or argument of a command.

    Args:
        target: the parameter of the function.
        field: the field of that parameter's named tuple, if it is one.
        declared: what was declared.
        kind: what the text becomes.
        many: the value is a list of such.
        required: it has no default.
        default: the value without it.
    """

    target: str
    field: str | None
    declared: Argument | Option
    kind: type
    many: bool
    required: bool
    default: Any

    @property
    def flag(self) -> bool:
        """Whether it is an option that takes no value."""
        return isinstance(self.declared, Option) and (self.kind is bool or self.declared.from_stdin)

    @property
    def choices(self) -> tuple[str, ...]:
        """The words it takes, where they can be listed."""
        if isinstance(self.declared, Option) and self.declared.choices:
            return self.declared.choices
        return tuple(str(each.value) for each in self.kind) if issubclass(self.kind, Enum) else ()


class Declaration(NamedTuple):
    """What a command takes.

    Args:
        function: the command.
        parameters: every option and argument, in the order of the help: the command's own first.
        groups: the named tuples that are made from options, by the function's parameter.
        given: parameters that the caller fills, by their type.
    """

    function: Callable[..., int | None]
    parameters: tuple[Parameter, ...]
    groups: Mapping[str, type]
    given: Mapping[str, type]

    @property
    def arguments(self) -> list[Parameter]:
        """The positional ones, in order."""
        return [each for each in self.parameters if isinstance(each.declared, Argument)]

    @property
    def only_rest(self) -> bool:
        """Whether its arguments are the words that another program takes, and nothing else."""
        return bool(self.arguments) and all(
            isinstance(each.declared, Argument) and each.declared.rest for each in self.arguments
        )

    @property
    def options(self) -> dict[str, Parameter]:
        """Every name of every option."""
        return {
            name: each for each in self.parameters if isinstance(each.declared, Option) for name in each.declared.names
        }


def _first_sentence(text: str) -> str:
    return f"{text.partition('. ')[0].removesuffix('.')}."


def _for_actions(actions: tuple[str, ...], text: str) -> str:
    if not actions:
        return text
    return f"For {listed(actions)}: {text[0].lower()}{text[1:]}"


def listed(words: Sequence[str]) -> str:
    """Words as a sentence lists them: `get, head and put`."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def declare(function: Callable[..., int | None], made: Mapping[type, Any]) -> Declaration:
    """Read what a command takes from its annotations: every parameter has one, and only keywords have defaults.

    Args:
        function: the command.
        made: types of parameters that the caller makes, each with the annotated group it is made from, or None.
    """
    parameters: list[Parameter] = []
    shared: list[Parameter] = []
    groups: dict[str, type] = {}
    given: dict[str, type] = {}
    defaults = function.__kwdefaults__ or {}
    for name, asked in get_type_hints(function, include_extras=True).items():
        if asked in made:
            given[name] = asked
        annotation = made.get(asked, asked)
        if annotation is None or name == "return":
            continue
        base, declared, *_ = get_args(annotation)
        if isinstance(declared, Group):
            groups[name] = base
            fields = get_type_hints(base, include_extras=True)
            into = shared if name in given else parameters
            into += [
                _parameter(name, field, fields[field], option, base._field_defaults[field])
                for field, options in declared.fields.items()
                for option in options
            ]
        else:
            parameters.append(_parameter(name, None, base, declared, defaults.get(name, _REQUIRED)))
    # A command's own option goes before one that it shares: `run --timeout` is the guest's.
    own = {name for each in parameters if isinstance(each.declared, Option) for name in each.declared.names}
    shared = [
        each._replace(declared=each.declared.without(own)) if isinstance(each.declared, Option) else each
        for each in shared
    ]
    return Declaration(function, (*parameters, *shared), groups, given)


def _parameter(target: str, field: str | None, base: Any, declared: Argument | Option, default: Any) -> Parameter:
    if isinstance(declared, Option) and declared.kind is not None:
        base = declared.kind
    if get_origin(base) in {Union, UnionType}:
        (base,) = (each for each in get_args(base) if each is not NoneType)
    many = get_origin(base) is list
    kind = get_args(base)[0] if many else base
    required = default is _REQUIRED
    return Parameter(target, field, declared, kind, many, required, None if required else default)
