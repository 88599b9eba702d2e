"""Challenges: what a `401` asks for.

One header may hold several challenges and there may be several headers. The grammar that is read (RFC 9110 section
11, with the leniency that real registries need):

    header    = [ challenge ] { "," [ challenge ] }
    challenge = scheme [ SP ( token68 | params ) ]
    params    = param { "," param }          param = token OWS "=" OWS ( token | quoted-string )

A comma inside quotes belongs to the value (`scope="repository:a:pull,push"`); schemes and parameter names have no case.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Challenge", "parse_challenges"]

_HEADER_MAX: Final = 16 * 1024
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TOKEN68: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|\Z))")
_SPACE: Final = re.compile(r"[ \t]*")
_SEPARATORS: Final = re.compile(r"[ \t,]*")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPE: Final = re.compile(r"\\(.)")
_BARE: Final = re.compile(r"[^\s,\"]*")


class Challenge(NamedTuple):
    """A scheme in lower case and its parameters, names in lower case."""

    scheme: str
    parameters: Mapping[str, str]

    def get(self, name: str) -> str:
        """The parameter of this name, or the empty string."""
        return self.parameters.get(name, "")


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """Every challenge of these `WWW-Authenticate` values, in order. What is not understood is passed over."""
    found: list[Challenge] = []
    for header in headers:
        found.extend(_parse(header[:_HEADER_MAX]))
    return found


def _parse(text: str) -> list[Challenge]:
    found: list[Challenge] = []
    at = 0
    while True:
        at = _end(_SEPARATORS, text, at)
        scheme = _TOKEN.match(text, at)
        if scheme is None:
            return found  # the end, or nothing that could be read on from
        at = scheme.end()
        parameters: dict[str, str] = {}
        if at < len(text) and text[at] in " \t":
            at = _end(_SPACE, text, at)
            token68 = _TOKEN68.match(text, at)
            if token68 is not None and _parameter(text, at) is None:
                at = token68.end()
            else:
                at = _parameters(text, at, parameters)
        found.append(Challenge(scheme.group().lower(), MappingProxyType(parameters)))


def _parameters(text: str, at: int, into: dict[str, str]) -> int:
    # Reads on while a name and "=" follow; a token without "=" is the scheme of the next challenge.
    while True:
        start = _end(_SEPARATORS, text, at)
        parameter = _parameter(text, start)
        if parameter is None:
            return start
        name, value, at = parameter
        into.setdefault(name, value)


def _parameter(text: str, at: int) -> tuple[str, str, int] | None:
    name = _TOKEN.match(text, at)
    if name is None:
        return None
    equals = _end(_SPACE, text, name.end())
    if equals >= len(text) or text[equals] != "=":
        return None
    start = _end(_SPACE, text, equals + 1)
    quoted = _QUOTED.match(text, start)
    if quoted is not None:
        return name.group().lower(), _ESCAPE.sub(r"\1", quoted.group(1)), quoted.end()
    if start < len(text) and text[start] == '"':  # the closing quote is missing: everything up to the end is the value
        return name.group().lower(), _ESCAPE.sub(r"\1", text[start + 1 :]), len(text)
    bare = _BARE.match(text, start)
    value = bare.group() if bare is not None else ""
    after = start + len(value)
    if not value and after < len(text) and text[after] not in ", \t":
        return None
    # "realm==" and the like are token68, which the caller tries when no parameter was read.
    return None if value and set(value) == {"="} else (name.group().lower(), value, after)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match is not None else at
