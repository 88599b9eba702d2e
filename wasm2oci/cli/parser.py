"""From the words of a command line to a command's arguments, by its declaration alone.

The rules are those of GNU and of click: options may come before, between and after arguments (before them only, if one
argument takes all the rest); `--name VALUE` and `--name=VALUE`; `-nVALUE`, and short flags in one word; `--` ends the
options; the last of several values counts, unless the option is one that is repeated.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from wasm2oci.base.records import NamedTuple
from wasm2oci.cli.declare import Argument, Option, listed
from wasm2oci.cli.settings import InvalidSettingError, switch
from wasm2oci.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wasm2oci.cli.declare import Declaration, Parameter
    from wasm2oci.cli.settings import Found, Settings

__all__ = ["HELP", "parse", "parse_unfinished", "read_password"]

HELP = ("--help", "-h")
"""The names of the option that every command has."""


class _Given(NamedTuple):
    """A value from the command line, and the name of the option that gave it."""

    value: Any
    name: str


def parse(
    declaration: Declaration, words: Sequence[str], read: Callable[[], bytes], settings: Settings | None = None
) -> dict[str, Any] | None:
    """What to call the command with; None when its help was asked for.

    Args:
        declaration: what the command takes.
        words: what follows the command's name.
        read: reads standard input, for an option whose value it is.
        settings: what sets options that the command line does not give.

    Raises:
        UsageError: the words do not fit the declaration; the message names the option or argument.
        InvalidSettingError: a setting does not fit its option.
    """
    reader = _Reader(declaration, words)
    if not reader.options():
        return None
    reader.arguments()
    reader.check_action()
    if settings is not None:
        reader.settings(settings)
    reader.check_required()
    return reader.result(read)


def parse_unfinished(declaration: Declaration, words: Sequence[str], settings: Settings) -> dict[str, Any]:
    """What the options so far say; arguments and standard input are not looked at. Raises as `parse`."""
    reader = _Reader(declaration, words)
    reader.options()
    reader.settings(settings)
    if reader.wanted is not None:
        del reader.given[reader.wanted]
        reader.wanted = None
    return reader.result(bytes)


class _Reader:
    """The state of reading one command line."""

    def __init__(self, declaration: Declaration, words: Sequence[str]) -> None:
        self.declaration = declaration
        self.names = declaration.options
        self.words = list(words)
        self.plain: list[str] = []
        self.given: dict[tuple[str, str | None], _Given] = {}
        self.stdin: list[str] = []
        self.wanted: tuple[str, str | None] | None = None
        self.for_all: dict[tuple[str, str], set[str]] = {}

    def options(self) -> bool:
        """Sort options from arguments; False when the help is asked for."""
        rest = any(isinstance(each.declared, Argument) and each.declared.rest for each in self.declaration.arguments)
        words = iter(self.words)
        for word in words:
            if word == "--":
                left = list(words)
                if not left and not self.plain and self.declaration.only_rest:
                    raise UsageError("nothing follows --")
                self.plain.extend(left)
            elif word == "-" or not word.startswith("-"):
                self.plain.append(word)
                if rest:
                    self.plain.extend(words)
            elif word in HELP:
                return False
            elif word.startswith("--"):
                name, equals, text = word.partition("=")
                self._option(name, text if equals else None, words)
            else:
                self._cluster(word, words)
        return True

    def _cluster(self, word: str, words: Iterator[str]) -> None:
        # `-qv` is two flags, `-ofile` an option and its value.
        at = 1
        while at < len(word):
            name = f"-{word[at]}"
            at += 1
            parameter = self.names.get(name)
            if parameter is not None and not parameter.flag:
                self._option(name, word[at:] or None, words)
                return
            self._option(name, None, words)

    def _option(self, name: str, text: str | None, words: Iterator[str]) -> None:
        parameter = self.names.get(name)
        if parameter is None:
            raise UsageError(f"no such option: {name}{_similar(name, self.names)}")
        declared = parameter.declared
        assert isinstance(declared, Option)  # noqa: S101 - only options have names
        key = (parameter.target, parameter.field)
        before = self.given.get(key)
        if before is not None and before.name not in declared.names:
            raise UsageError(f"{before.name} and {declared.names[0]} cannot be combined")
        if parameter.flag:
            on = None if text is None or declared.setting is None else switch(text)
            if text is not None and on is None:
                but = "" if declared.setting is None else " but true and false"
                raise UsageError(f"{name} takes no value{but}")
            if declared.from_stdin:
                self.wanted = key
                if declared.names[0] not in self.stdin:
                    self.stdin.append(declared.names[0])
            value: Any = on is not False
        else:
            if text is None:
                text = declared.bare if declared.bare is not None else next(words, None)
            if text is None:
                raise UsageError(f"{name} needs a value")
            value = _converted(parameter, text, name)
            if parameter.many:
                value = [*(before.value if before is not None else ()), value]
        self.given[key] = _Given(value, declared.names[0])

    def arguments(self) -> None:
        """Hand the words that are not options to the arguments."""
        words = list(self.plain)
        arguments = self.declaration.arguments
        for number, parameter in enumerate(arguments):
            declared = parameter.declared
            assert isinstance(declared, Argument)  # noqa: S101 - sorted so
            needed = sum(1 for each in arguments[number + 1 :] if each.required)
            if not words and parameter.required:
                choices = f": one of {', '.join(parameter.choices)}" if parameter.choices else ""
                raise UsageError(f"missing argument {declared.metavar.removesuffix('...')}{choices}")
            if not parameter.required and len(words) <= needed:
                continue
            count = max(len(words) - needed, 1) if parameter.many else 1
            taken, words = words[:count], words[count:]
            if declared.dash and taken == ["-"]:
                self.stdin.append(f"{declared.metavar} -")
            values = [_converted(parameter, word, declared.metavar.strip("[]")) for word in taken]
            self.given[parameter.target, parameter.field] = _Given(values if parameter.many else values[0], "")
        if words:
            raise UsageError(f"unexpected argument: {words[0] or repr(words[0])}")

    def check_action(self) -> None:
        """Refuse what means nothing to the action that was chosen, and miss what it needs."""
        for parameter in self.declaration.parameters:
            declared, given = parameter.declared, self.given.get((parameter.target, parameter.field))
            if not declared.only:
                continue
            name = (given.name if given is not None else "") or (
                declared.metavar.strip("[]") if isinstance(declared, Argument) else declared.names[0]
            )
            if given is not None and not self._takes(declared):
                raise UsageError(f"{name} is for {listed(declared.only)}, not for {self._action}")
            if given is None and isinstance(declared, Argument) and self._takes(declared):
                raise UsageError(f"{self._action} needs {name}")

    def check_required(self) -> None:
        """Miss an option that has no default."""
        for parameter in self.declaration.parameters:
            option = parameter.declared
            if (
                isinstance(option, Option)
                and parameter.required
                and (parameter.target, parameter.field) not in self.given
            ):
                raise UsageError(f"missing option {option.names[0]}")

    def _takes(self, declared: Argument | Option) -> bool:
        return not declared.only or self._action in declared.only

    @property
    def _action(self) -> str:
        given = self.given.get(("action", None))
        parameter = next(each for each in self.declaration.arguments if each.target == "action")
        return str(parameter.default if given is None else given.value)

    def settings(self, settings: Settings) -> None:
        """Set options that the command line does not give; those of a side of a copy only where it gives one of them.

        Otherwise a setting that is for all registries would make the second side of every copy differ from the first.
        """
        given = set(self.given)
        sides = {target for target, _ in given}
        for parameter in self.declaration.parameters:
            option, key = parameter.declared, (parameter.target, parameter.field)
            if not isinstance(option, Option) or option.setting is None or key in given:
                continue
            if option.prefix and parameter.target not in sides:
                continue
            if any((parameter.target, field) in given for field in option.unless) or not self._takes(option):
                continue
            found = settings.find(option.setting)
            if found is not None:
                self.given[key] = _Given(_set(parameter, found, settings), option.names[0])
                if option.for_all is not None and parameter.field is not None:
                    self.for_all.setdefault((parameter.target, option.for_all), set()).add(parameter.field)

    def result(self, read: Callable[[], bytes]) -> dict[str, Any]:
        """The function's arguments; those that were not given have their defaults."""
        if len(self.stdin) > 1:
            raise UsageError(f"standard input can be read only once: {' and '.join(self.stdin)} cannot be combined")
        if self.wanted is not None:
            self.given[self.wanted] = self.given[self.wanted]._replace(value=read_password(read()))
        made = {key: self._made(key, given) for key, given in self.given.items()}
        values = {target: value for (target, field), value in made.items() if field is None}
        for target, kind in self.declaration.groups.items():
            fields = {field: value for (name, field), value in made.items() if name == target and field}
            fields |= {field: frozenset(given) for (name, field), given in self.for_all.items() if name == target}
            values[target] = kind(**fields)
        return values

    def _made(self, key: tuple[str, str | None], given: _Given) -> Any:
        parameter = self.names.get(given.name)
        option = None if parameter is None or (parameter.target, parameter.field) != key else parameter.declared
        return option.make(given.value) if isinstance(option, Option) and option.make is not None else given.value


def _set(parameter: Parameter, found: Found, settings: Settings) -> Any:
    # What a variable or the file says, as the command line would have given it.
    values = found.value if isinstance(found.value, list) else [found.value]
    if found.folder is None:
        values = found.value.splitlines() if parameter.many else [found.value]
    elif not parameter.many and isinstance(found.value, list):
        raise InvalidSettingError(f"{found.origin}: the setting takes one value, not a list")
    try:
        converted = [_set_one(parameter, found._replace(value=value), settings) for value in values]
    except UsageError as error:
        raise InvalidSettingError(error.message) from error
    return converted if parameter.many else converted[0]


def _set_one(parameter: Parameter, found: Found, settings: Settings) -> Any:
    value, name = found.value, found.origin
    if parameter.kind is bool:
        on = value if isinstance(value, bool) else switch(value) if isinstance(value, str) else None
        if on is None:
            raise InvalidSettingError(f"{name}: {value!r} is neither true nor false")
        return on
    if parameter.kind is Path:
        return settings.path(found)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise InvalidSettingError(f"{name}: {value!r} is not a valid value")
    return _converted(parameter, str(value), name)


def _converted(parameter: Parameter, text: str, name: str) -> Any:
    choices = parameter.choices
    if not text and not choices and parameter.kind is not int and not parameter.declared.empty:
        raise UsageError(f"{name} is empty")
    if choices and text not in choices:
        raise UsageError(f"{name}: {text!r} is not one of {', '.join(choices)}")
    if parameter.kind is int:
        minimum = parameter.declared.minimum if isinstance(parameter.declared, Option) else None
        try:
            number = int(text)
        except ValueError:
            raise UsageError(f"{name}: {text!r} is not a whole number") from None
        if minimum is not None and number < minimum:
            raise UsageError(f"{name}: {number} is less than {minimum}")
        return number
    return parameter.kind(text)


def _similar(name: str, names: dict[str, Parameter]) -> str:
    from difflib import get_close_matches

    found = get_close_matches(name, [*names, *HELP], n=2, cutoff=0.7) if name.startswith("--") else []
    return f" (did you mean {' or '.join(found)}?)" if found else ""


def read_password(raw: bytes) -> str:
    """The password in these bytes: everything, without the line end that `echo` adds.

    Raises:
        UsageError: there is none, or it is not text.
    """
    try:
        password = raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise UsageError("the password on standard input is not UTF-8 text") from error
    if not password:
        raise UsageError("standard input holds no password", hint="for example: printenv TOKEN | wasm2oci login ...")
    return password
