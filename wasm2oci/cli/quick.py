"""Plain command lines, parsed without typer: loading it is a third of what a small push or pull takes.

The rule: either the answer is certainly what typer's would be, or it is None and typer decides. So this knows nothing
of help, errors, suggestions or abbreviations: whatever is not an exact, complete and well-typed use is left to typer.
A test compares the two.
"""

import inspect
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from wasm2oci.cli.declare import Argument, Option, group_title
from wasm2oci.cli.session import Session

__all__ = ["parse"]


class _Place(NamedTuple):
    """Where a value goes: a parameter, or a field of the group that is a parameter."""

    parameter: str
    field: str | None
    kind: Any
    many: bool


class _UnclearError(Exception):
    """typer has to decide."""


def parse(command: Callable[..., int | None], words: Sequence[str], session: Session) -> dict[str, Any] | None:
    """What to call the command with, or None when typer has to decide.

    Args:
        command: the function, its parameters declared with `cli.declare` and groups of such.
        words: what follows the command's name.
        session: handed to the parameter that wants it.
    """
    try:
        return _Plan(command, session).arguments(words)
    except _UnclearError:
        return None


class _Plan:
    """The parameters of a command, sorted by how they are given."""

    def __init__(self, command: Callable[..., int | None], session: Session) -> None:
        self.fixed: dict[str, Any] = {}
        self.groups: dict[str, Any] = {}
        self.options: dict[str, _Place] = {}
        self.positions: list[_Place] = []
        self.required = 0
        for parameter in inspect.signature(command, eval_str=True).parameters.values():
            kind = parameter.annotation
            if kind is Session:
                self.fixed[parameter.name] = session
            elif group_title(kind) is not None:
                self.groups[parameter.name] = kind
                annotations = inspect.get_annotations(kind, eval_str=True)
                for field in annotations:
                    self._declare(parameter.name, field, annotations[field])
            elif get_origin(kind) is Annotated:
                self._declare(parameter.name, None, kind)
                if self.positions and self.positions[-1].parameter == parameter.name:
                    self.required += parameter.default is parameter.empty
            else:
                raise _UnclearError

    def _declare(self, parameter: str, field: str | None, annotation: Any) -> None:
        base, declared, *_ = get_args(annotation)
        kind, many = _kind(base)
        place = _Place(parameter, field, kind, many)
        if isinstance(declared, Option):
            for name in declared.names:
                self.options[name] = place
        elif isinstance(declared, Argument) and not many:
            self.positions.append(place)
        else:
            raise _UnclearError

    def arguments(self, words: Sequence[str]) -> dict[str, Any]:
        """Read the words; see `parse`."""
        given: dict[_Place, Any] = {}
        plain: list[str] = []
        rest = iter(words)
        for word in rest:
            if word == "--":
                plain.extend(rest)
            elif word == "-" or not word.startswith("-"):
                plain.append(word)
            else:
                name, equals, text = word.partition("=") if word.startswith("--") else (word, "", "")
                place = self.options.get(name)
                if place is None or (place.kind is bool and equals):
                    raise _UnclearError
                if place.kind is bool:
                    given[place] = True
                    continue
                value = _converted(place.kind, text if equals else _next(rest))
                given[place] = [*given.get(place, []), value] if place.many else value
        if not self.required <= len(plain) <= len(self.positions):
            raise _UnclearError
        for place, word in zip(self.positions, plain, strict=False):
            given[place] = _converted(place.kind, word)
        result = dict(self.fixed)
        for name, group in self.groups.items():
            fields = {place.field: value for place, value in given.items() if place.parameter == name and place.field}
            result[name] = group(**fields)
        result |= {place.parameter: value for place, value in given.items() if place.field is None}
        return result


def _kind(base: Any) -> tuple[Any, bool]:
    options = [option for option in get_args(base) if option is not NoneType] if NoneType in get_args(base) else [base]
    kind = options[0]
    many = get_origin(kind) is list
    if many:
        kind = get_args(kind)[0]
    known = kind in (str, Path, bool) or (isinstance(kind, type) and issubclass(kind, Enum))
    if len(options) != 1 or not known:
        raise _UnclearError
    return kind, many


def _next(words: Any) -> str:
    word = next(words, None)
    if word is None:
        raise _UnclearError
    return str(word)


def _converted(kind: Any, text: str) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        raise _UnclearError from error
