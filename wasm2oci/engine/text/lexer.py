"""Text to tokens, by one pattern and in linear time. Spec: core, text format, lexical structure (6.2).

Most of a text is instructions, one a line, and few of them are different. So a token is not one atom but a *run*: the
atoms of a line up to a parenthesis, string, comment or line end (`local.get 0`, `func $f`). Who assembles
instructions looks a whole run up; who needs atoms splits it (`atoms`).

    token        is
    ( and )      a parenthesis
    "..."        a string literal, escapes and all
    (@name       the head of an annotation this package knows; the parenthesis is a token of its own before it
    anything     a run
    ""           the end, after the last token

Comments and unknown annotations are left out. A text with something that is no token is refused here.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Final

from wasm2oci.engine.text.errors import TextError
from wasm2oci.engine.text.faults import annotation_head, fault_at, is_fault
from wasm2oci.engine.text.patterns import ANNOTATION, ANNOTATIONS, CHARACTERS, ID, OPEN_STRING, STRING

__all__ = ["offset_of", "tokens"]

_BLOCK_COMMENT: Final = r"\(;(?:[^;(]++|;(?!\))|\((?!;)|)*+;\)"
_TOKEN: Final = re.compile(
    rf"(?:[ \t\r\n]++|;;[^\r\n]*+|{_BLOCK_COMMENT}|)*+"
    rf"([{ID}][{ID} \t]*+(?:(?<![ \t]){STRING}[{ID} \t]*+|)*+"  # a run; a string may be glued to an atom: $"x"
    rf"|\)|\((?:;|{ANNOTATION})?"
    rf'|"{CHARACTERS}(?:"(?:{STRING}|[{ID}]++|)*+)?'  # a string, or all there is of one that is not closed
    r"|\Z|[^ \t\r\n])"
)
_FEW: Final = 8  # different heads: each is searched for in all tokens
_OPENING: Final = re.compile(rf"{OPEN_STRING}|;;[^\r\n]*+|\(;")
_IN_A_LINE: Final = re.compile(r"[^\r\n]")
_NESTING: Final = re.compile(r"\(;|;\)")
# Characters that change the direction of text, or its look: what is read is not what is shown.
_CONFUSING: Final = re.compile("[\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u206c]")


def tokens(text: str, *, confusing: bool = False) -> list[str]:
    """The tokens of a text, and "" as the last one.

    Args:
        text: all of it.
        confusing: whether characters that make text look like another one are accepted in strings and comments.

    Raises:
        TextError: something in it is no token.
    """
    if not confusing and not text.isascii() and (found := _CONFUSING.search(text)):
        raise TextError(f"likely-confusing unicode character found '\\u{{{ord(found[0]):x}}}'", text, found.start())
    out: list[str] = _TOKEN.findall(text)
    if "(;" in out:
        out = _TOKEN.findall(_without_comments(text))
    if "(@" in text:
        kept, heads = _without_annotations(out)
        out = [out[index] for index in kept]
        for head in heads:
            out[head : head + 2] = "(", annotation_head(out[head])
    if any(is_fault(token) for token in set(out)):
        raise next(fault_at(text, offset, token) for token, offset in _places(text) if is_fault(token))
    return out


def offset_of(text: str, index: int) -> int:
    """Where token `index` of `tokens(text)` starts."""
    return _places(text)[index][1]


def _places(text: str) -> list[tuple[str, int]]:
    """All tokens with where they start."""
    plain = _without_comments(text)
    found = [(match[1], match.start(1)) for match in _TOKEN.finditer(plain)]
    if "(@" not in plain:
        return found
    kept, heads = _without_annotations([token for token, _ in found])
    places = [found[index] for index in kept]
    for head in heads:
        token, offset = places[head]
        places[head : head + 2] = ("(", offset), (annotation_head(token), offset)
    return places


def _without_comments(text: str) -> str:
    """The text with its block comments, those that are nested too, blanked; line ends are kept."""
    parts: list[str] = []
    done = pos = 0
    while opening := _OPENING.search(text, pos):
        pos = opening.end()
        if opening[0] == "(;":
            depth = 1
            while depth:
                mark = _NESTING.search(text, pos)
                if mark is None:
                    raise TextError("unterminated block comment", text, opening.start())
                depth += 1 if mark[0] == "(;" else -1
                pos = mark.end()
            parts += text[done : opening.start()], _IN_A_LINE.sub(" ", text[opening.start() : pos])
            done = pos
    return "".join([*parts, text[done:]])


def _without_annotations(found: list[str]) -> tuple[list[int], list[int]]:
    """Which tokens are left when unknown annotations are left out.

    Returns:
        The indices of the tokens that are left, that of a known annotation's head twice; and where among them the
        first of those two is. What is no token is left too, for its fault to be found, and so is the head of an
        annotation that is not closed.
    """
    kept: list[int] = []
    heads: list[int] = []
    done = 0
    for head in _heads(found):
        if head < done:
            continue
        kept += range(done, head)
        done = head + 1
        plain = annotation_head(found[head])
        if plain in ANNOTATIONS:
            heads.append(len(kept))
            kept += head, head
        elif not plain:
            kept.append(head)
        else:
            depth = 1
            while depth:
                token = found[done]
                if not token:
                    kept.append(head)
                    break
                depth += (token[0] == "(") - (token == ")")
                if is_fault(token, annotated=True):
                    kept.append(done)
                done += 1
    kept += range(done, len(found))
    return kept, heads


def _heads(found: list[str]) -> list[int]:
    """Where the heads of annotations are."""
    distinct = [token for token in set(found) if token[:2] == "(@"]
    if len(distinct) > _FEW:
        return [index for index, token in enumerate(found) if token[:2] == "(@"]
    out: list[int] = []
    for head in distinct:
        place = -1
        with suppress(ValueError):
            while True:
                place = found.index(head, place + 1)
                out.append(place)
    return sorted(out)
