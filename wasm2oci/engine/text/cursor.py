"""A place in the tokens of a text, read atom by atom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.engine.text.errors import TextError
from wasm2oci.engine.text.lexer import offset_of, tokens
from wasm2oci.engine.text.numbers import NumberError, float_bits, integer, unsigned
from wasm2oci.engine.text.patterns import atom_offset, atoms, first_atom
from wasm2oci.engine.text.strings import string_bytes

if TYPE_CHECKING:
    from wasm2oci.engine.text.numbers import FloatFormat

__all__ = ["Cursor", "Mark"]

Mark = tuple[int, int]
"""A place: the number of a token, and how many atoms of it are left (-1: all of it is)."""


class Cursor:
    """Reads the tokens of a text.

    Args:
        text: all of it.
        confusing: whether characters that make text look like another one are accepted.

    Attributes:
        tokens: as the lexer gives them.
        pos: the number of the first token that was not begun.
        left: the atoms of the token before `pos` that were not read yet, the next one last.

    Raises:
        TextError: something in the text is no token.
    """

    __slots__ = ("left", "pos", "text", "tokens")

    def __init__(self, text: str, *, confusing: bool = False) -> None:
        self.text = text
        self.tokens = tokens(text, confusing=confusing)
        self.pos = 0
        self.left: list[str] = []

    # --- atoms ------------------------------------------------------------------------------------------------

    def peek(self) -> str:
        """The next atom, parenthesis, string, or "" at the end; it stays the next one."""
        if self.left:
            return self.left[-1]
        token = self.tokens[self.pos]
        return token if token[:1] in '()"' else first_atom(token)

    def next(self) -> str:
        """The next atom, parenthesis or string; the end is never passed."""
        if self.left:
            return self.left.pop()
        token = self.tokens[self.pos]
        if not token:
            return token
        self.pos += 1
        if token[0] in '()"':
            return token
        self.left = atoms(token)
        self.left.reverse()
        return self.left.pop()

    def accept(self, token: str) -> bool:
        """Passes the next token if it is this one."""
        if self.peek() != token:
            return False
        self.next()
        return True

    def expect(self, token: str) -> None:
        """Passes the next token, which must be this one."""
        if not self.accept(token):
            raise self.error(f"unexpected token, expected {token!r}")

    def close(self) -> None:
        """Passes a closing parenthesis."""
        self.expect(")")

    def at_form(self, *keywords: str) -> bool:
        """Whether a parenthesis and one of these keywords come next."""
        if self.left or self.tokens[self.pos] != "(":
            return False
        return self.head_at(self.pos) in keywords

    def head_at(self, index: int) -> str:
        """The keyword after the parenthesis that is token `index`; "" if none is there."""
        following = self.tokens[index + 1]
        if following[:1] in '()"':
            return following if following[:2] == "(@" else ""
        return first_atom(following)

    def open(self, *keywords: str) -> str:
        """Passes a parenthesis and one of these keywords; gives the keyword, or "" where they are not next."""
        if not self.at_form(*keywords):
            return ""
        self.pos += 1
        return self.next()

    def at_word(self) -> bool:
        """Whether a keyword, number or identifier comes next."""
        return self.peek()[:1] not in {"(", ")", '"', ""}

    def skip(self) -> None:
        """Passes everything up to and with the parenthesis that closes the current form."""
        self.left = []
        tokens_, pos, depth = self.tokens, self.pos, 1
        while depth:
            try:
                end = tokens_.index(")", pos)
            except ValueError:
                self.pos = len(tokens_) - 1
                raise self.error("unexpected end-of-file: expected ')'") from None
            depth += tokens_[pos:end].count("(") - 1
            pos = end + 1
        self.pos = pos

    # --- what atoms mean --------------------------------------------------------------------------------------

    def identifier(self) -> str | None:
        """An optional identifier: `$name`, with escapes resolved."""
        token = self.peek()
        if token[:1] != "$":
            return None
        self.next()
        return identifier_of(token)

    def at_index(self) -> bool:
        """Whether an identifier or a number comes next."""
        first = self.peek()[:1]
        return first == "$" or (first != "" and first in "0123456789")

    def index_follows(self, *prefixes: str) -> bool:
        """Whether two indices come next, or one and an atom with such a prefix."""
        if not self.at_index():
            return False
        if self.left:
            second = self.left[-2] if len(self.left) > 1 else self.tokens[self.pos]
        else:
            run = self.tokens[self.pos].split(None, 2)
            second = run[1] if len(run) > 1 else self.tokens[self.pos + 1]
        return second[:1] == "$" or second[:1].isdigit() or (bool(prefixes) and second.startswith(prefixes))

    def assigned(self, key: str, bits: int) -> int:
        """The number in an atom `key=number`."""
        token = self.next()
        try:
            return unsigned(token[len(key) :], bits)
        except NumberError as error:
            raise self.error_before(str(error)) from None

    def string(self) -> bytes:
        """A string's bytes."""
        token = self.peek()
        if token[:1] != '"':
            raise self.error("expected a string")
        self.pos += 1
        return string_bytes(token)

    def strings(self) -> bytes:
        """Any number of strings, joined."""
        out = []
        while self.peek()[:1] == '"':
            out.append(self.string())
        return b"".join(out)

    def name(self) -> str:
        """A string that is UTF-8."""
        raw = self.string()
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise self.error_before("malformed UTF-8 encoding") from None

    def unsigned(self, bits: int = 32) -> int:
        """An unsigned integer."""
        token = self.next()
        try:
            return unsigned(token, bits)
        except NumberError as error:
            raise self.error_before(self._reason(error, token)) from None

    def integer(self, bits: int) -> int:
        """An integer, as a signed one of so many bits."""
        token = self.next()
        try:
            return integer(token, bits)
        except NumberError as error:
            raise self.error_before(self._reason(error, token)) from None

    def float_bits(self, form: FloatFormat) -> int:
        """A floating-point number's bits."""
        token = self.next()
        try:
            return float_bits(token, form)
        except NumberError as error:
            raise self.error_before(self._reason(error, token)) from None

    @staticmethod
    def _reason(error: NumberError, token: str) -> str:
        return str(error) if token else "unexpected end-of-file"

    # --- errors -----------------------------------------------------------------------------------------------

    def mark(self) -> Mark:
        """The place of the next token."""
        return (self.pos - 1, len(self.left) - 1) if self.left else (self.pos, -1)

    def mark_before(self) -> Mark:
        """The place of the token that was read last."""
        token = self.tokens[self.pos - 1]
        return (self.pos - 1, -1 if token[:1] in '()"' else len(self.left))

    def error(self, reason: str) -> TextError:
        """An error at the next token."""
        at_end = not self.left and not self.tokens[self.pos]
        return self.error_at(self.mark(), "unexpected end-of-file" if at_end else reason)

    def error_before(self, reason: str) -> TextError:
        """An error at the token that was read last."""
        return self.error_at(self.mark_before(), reason)

    def error_at(self, mark: Mark, reason: str) -> TextError:
        """An error at a place that was marked before."""
        index, left = mark
        offset = offset_of(self.text, index)
        if left >= 0:
            run = self.tokens[index]
            offset += atom_offset(run, len(atoms(run)) - 1 - left)
        return TextError(reason, self.text, offset)


def identifier_of(atom: str) -> str:
    r"""An identifier as it is known: `$"a\u{62}"` is `$ab`."""
    return "$" + string_bytes(atom[1:]).decode() if atom[1:2] == '"' else atom
