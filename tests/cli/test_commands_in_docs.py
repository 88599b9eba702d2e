"""Every command line of ours in the documents: there is such a command, and it takes these options and arguments.

A line of a code block has to be whole. A command that a sentence mentions may be without its arguments.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from tests.support.data import ROOT
from wasm2oci.cli.catalogue import COMMANDS, DROP_IN
from wasm2oci.cli.commands import declaration_of
from wasm2oci.cli.parser import HELP, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasm2oci.cli.declare import Declaration

_PAGES: Final = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "fixtures" / "README.md"], key=str)
_COMMANDS: Final = {
    "wasm2oci": {command.name: command for command in COMMANDS},
    "wasm-to-oci": {command.name: command for command in DROP_IN},
}
_TOOL: Final = re.compile(r"(?<![\w/.-])(wasm2oci|wasm-to-oci) (?=[a-z-])")
_FENCE: Final = re.compile(r"^```(\w*)$")
_ENDS: Final = {"|", "||", "&", "&&", ";", ">", ">>", "<", "<<<", ")", "2", "#"}
"""Words after which another command or a redirection begins."""


class Line(NamedTuple):
    """A command line of a page: where it is, its words, and whether it is all of the line."""

    place: str
    words: tuple[str, ...]
    whole: bool


def _words(text: str) -> list[str]:
    """The words of the first simple command of a shell's line."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";|&<>()")
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    for word in lexer:
        if word in _ENDS:
            break
        words.append(word)
    return words


def _of_block(place: str, text: str) -> Iterator[Line]:
    for found in _TOOL.finditer(text):
        rest = text[found.start() :]
        before = text[: found.start()]
        if before.endswith("--profile "):
            continue
        if before.count('"') % 2 or before.count("'") % 2:
            # In a string of another command, such as `sh -c '...'`.
            rest = rest.partition('"' if before.count('"') % 2 else "'")[0]
        words = _words(rest)
        # Three dots at the end stand for what the reader adds.
        yield Line(place, tuple(words), whole=words[-1] != "...")


def _lines() -> Iterator[Line]:
    for page in _PAGES:
        name, language, kept = str(page.relative_to(ROOT)), None, ""
        for number, line in enumerate(page.read_text().splitlines(), 1):
            place = f"{name}:{number}"
            fence = _FENCE.match(line.strip())
            if fence is not None:
                language = fence[1] or "text" if language is None else None
                continue
            if language is None:
                for span in re.findall(r"`([^`]+)`", line):
                    if _TOOL.match(span) is not None:
                        yield Line(place, tuple(_words(span)), whole=False)
            if language in {"sh", "yaml"} or (language is None and line.startswith("    wasm")):
                text = kept + line.strip()
                if text.endswith("\\"):
                    kept = text[:-1]
                    continue
                kept = ""
                yield from _of_block(place, text)
            elif language == "text" and line.startswith("    wasm"):
                # An example in the help of a command; two spaces begin what it does.
                yield from _of_block(place, re.split(r" {2,}", line.strip())[0])


LINES: Final = list(_lines())


def _declaration(words: tuple[str, ...]) -> Declaration:
    command = _COMMANDS[words[0]].get(words[1])
    assert command is not None, f"there is no command {words[1]!r}"
    return declaration_of(command)


def test_there_are_command_lines_in_the_documents() -> None:
    assert sum(line.whole for line in LINES) > 80
    assert sum(not line.whole for line in LINES) > 40


@pytest.mark.parametrize("line", [line for line in LINES if line.whole], ids=lambda line: f"{line.place}")
def test_a_command_in_a_block_parses(line: Line) -> None:
    if line.words[1].startswith("-"):
        assert line.words[1:] in {("--help",), ("--version",), ("-h",)}
        return
    parse(_declaration(line.words), line.words[2:], lambda: b"secret")


@pytest.mark.parametrize("line", [line for line in LINES if not line.whole], ids=lambda line: f"{line.place}")
def test_a_command_in_a_sentence_has_the_options_that_are_named(line: Line) -> None:
    if line.words[1].startswith("-") or line.words[1] == "COMMAND":
        return
    known = {*_declaration(line.words).options, *HELP}
    for word in line.words[2:]:
        if word == "--":
            break
        if word.startswith("-") and word != "-":
            assert word.partition("=")[0] in known
