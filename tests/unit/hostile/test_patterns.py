"""Every regular expression of the package takes time that grows with its text, whatever the text is.

The patterns are found, not listed: a new one is tested from the day it is written. Growth is that of a backtracking
matcher's steps, counted.
"""

from __future__ import annotations

import ast
import re
from re import _constants as c  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final

import pytest

from tests.support.data import ROOT
from tests.support.generated_docs import all_modules
from tests.support.work import HOSTILE, TooMuchWorkError, assert_linear, hostile_texts, pattern_steps
from wasm2oci.oci.endpoints import path_patterns

_SIZE: Final = 90
_PER_CHARACTER: Final = 20
_OWN_TEXT: Final = ("wasm2oci.engine.translate.",)
"""Patterns over code that the translator wrote itself, an expression at a time."""
_SEARCHING: Final = {"search", "finditer", "findall", "sub", "subn", "split"}


def _searched_names() -> set[str]:
    """The names, with their modules, of what is searched for somewhere in a text, not only at its beginning."""
    found = set()
    for path in (ROOT / "wasm2oci").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _SEARCHING:
                owner = node.func.value
                named = node.args[0] if isinstance(owner, ast.Name) and owner.id == "re" and node.args else owner
                found |= {f"{module}.{part.id}" for part in ast.walk(named) if isinstance(part, ast.Name)}
    return found


def _patterns() -> dict[str, re.Pattern[Any]]:
    found: dict[str, re.Pattern[Any]] = {
        f"{module.__name__}.{name}": value
        for module in all_modules()
        for name, value in vars(module).items()
        if isinstance(value, re.Pattern) and not module.__name__.startswith(_OWN_TEXT)
    }
    return found | {f"wasm2oci.oci.endpoints {pattern.pattern}": pattern for pattern, _ in path_patterns()}


PATTERNS: Final = _patterns()
SEARCHED: Final = _searched_names()


def _starts(pattern: re.Pattern[Any]) -> set[str]:
    """Beginnings of a text that leads into each part of the pattern."""
    source = pattern.pattern.decode("latin-1") if isinstance(pattern.pattern, bytes) else pattern.pattern
    text, starts = "", {""}
    for node in parser.parse(source, pattern.flags & ~re.UNICODE):
        text += _sample([node])
        starts.add(text)
    return starts


def _sample(nodes: Any) -> str:
    text = ""
    for op, argument in nodes:
        if op is c.LITERAL:
            text += chr(argument)
        elif op is c.IN:
            text += _member(argument)
        elif op in (c.ANY, c.NOT_LITERAL):
            text += "k"
        elif op is c.BRANCH:
            text += _sample(argument[1][0])
        elif op is c.SUBPATTERN:
            text += _sample(argument[3])
        elif op in (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT):
            text += _sample(argument[2]) * max(1, argument[0])
    return text


def _member(items: Any) -> str:
    for op, argument in items:
        if op is c.NEGATE:
            return "k"
        if op is c.LITERAL:
            return chr(argument)
        if op is c.RANGE:
            return chr(argument[0])
        if op is c.CATEGORY:
            return {c.CATEGORY_DIGIT: "1", c.CATEGORY_SPACE: " "}.get(argument, "k")
    raise AssertionError("an empty set")


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_a_pattern_is_linear(name: str) -> None:
    pattern = PATTERNS[name]
    searched = name in SEARCHED
    for start in _starts(pattern):
        for end in ("", "k", "\x00"):
            for piece, text in hostile_texts(_SIZE, start, end).items():
                try:
                    pattern_steps(pattern, text, search=searched, most=_PER_CHARACTER * len(text) + 300)
                except TooMuchWorkError as error:
                    pytest.fail(f"{error}: {start!r} + {piece!r}... + {end!r}")


def test_patterns_are_found() -> None:
    assert len(PATTERNS) > 40
    assert {"wasm2oci.base.http1._CHUNK", "wasm2oci.oci.reference._TAG"} <= set(PATTERNS)


def test_no_pattern_is_written_where_it_is_used() -> None:
    """A pattern in a call would escape this test."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "wasm2oci").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
        and node.func.attr != "compile"
        and node.args
        and isinstance(node.args[0], ast.Constant | ast.JoinedStr)
    ]
    assert not found


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (r"a:[ \t]*(.*?)[ \t]*\Z", "a:a" + " " * 150 + "b"),
        (
            r"<([^>]*)>((?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:\"[^\"]*\"|[^\s;,\"]*))?)*)\s*(?:,|\Z)",
            "<x>" + ";a= " * 60 + '"',
        ),
        (r"(a+)+b", "a" * 40),
    ],
)
def test_the_counter_sees_the_patterns_that_were_not(bad: str, text: str) -> None:
    """The first two stood in `http1` and `paging`."""
    with pytest.raises(TooMuchWorkError):
        pattern_steps(re.compile(bad, re.DOTALL), text, most=_PER_CHARACTER * len(text) + 300)


def test_growth_is_distinguished_from_size() -> None:
    assert_linear(lambda size: 40 * size + 7)
    with pytest.raises(AssertionError, match="grew"):
        assert_linear(lambda size: size * size)
    assert len(HOSTILE) == len(set(HOSTILE))
