r"""Values of components as people write them on a command line: WAVE, the WebAssembly Value Encoding.

bool, integers, floats   true, -1, 1.5, nan, inf
char, string             'a', "text", with \n \t \r \' \" \\ \u{1f600}
list, tuple, record      [1, 2]   (1, "a")   {x: 1, y: 2}; fields of options may be left out, all of them in {:}
flags                    {read, write}
variant, enum            circle(2.5)   red
option, result           some(1), none, or just the value; ok(1), err("no"), ok, err

A `%` before a word makes a label of it: `%none` is a value of an enum where `none` is an option. After a last element,
field, flag or argument there may be a comma.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.syntax.values import ValueType, cases_of, kind_of
from wasm2oci.errors import UsageError
from wasm2oci.runtime.values import format_float

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wasm2oci.engine.syntax.values import Val
    from wasm2oci.engine.validate.component.types import Function

__all__ = ["format_wave", "parse_arguments", "parse_call", "split_call"]

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<char>'(?:[^'\\]|\\(?:u\{[0-9a-fA-F]+\}|.))')"""
    r"""|(?P<word>-?[0-9][0-9A-Za-z_.+-]*|-inf|%?[A-Za-z][0-9A-Za-z-]*)|(?P<sign>[][(){},:]))""",
    re.DOTALL,
)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
"""What Python makes of bytes of a command line that are not UTF-8."""
_ESCAPE: Final = re.compile(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|(.))", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "'": "'", '"': '"', "\\": "\\"}
_BITS: Final = {f"{sign}{bits}": (sign == "s", bits) for sign in "su" for bits in (8, 16, 32, 64)}
_CASE_NAMES: Final = {"err": "error"}


def split_call(text: str) -> tuple[str, str | None]:
    """`name(arguments)` as name and arguments; a name alone has None."""
    name, bracket, rest = text.partition("(")
    return (name.strip(), rest.rstrip().removesuffix(")")) if bracket and rest.rstrip().endswith(")") else (text, None)


def parse_arguments(name: str, function: Function, texts: Sequence[str]) -> list[Any]:
    """The arguments of a call.

    Args:
        name: of the function, for messages.
        function: its type.
        texts: one for each argument.

    Raises:
        UsageError: too many, too few, or not of their types.
    """
    wanted = len(function.params)
    if len(texts) != wanted:
        raise UsageError(
            f"{name!r} takes {wanted} {'value' if wanted == 1 else 'values'}, {len(texts)} given",
            hint=f"its parameters are ({', '.join(function.labels)})",
        )
    return [
        _Parser(text, f"parameter {label}").whole(type_)
        for text, label, type_ in zip(texts, function.labels, function.params, strict=True)
    ]


def parse_call(name: str, function: Function, text: str) -> list[Any]:
    """The arguments between the brackets of `name(...)`. Raises as `parse_arguments`."""
    return _Parser(text, f"the call of {name}").arguments(function)


class _Parser:
    """Reads values of known types.

    Args:
        text: what was given.
        what: what it is, for messages.
    """

    def __init__(self, text: str, what: str) -> None:
        self._text = text
        self._what = what
        self._tokens: list[tuple[str, str]] = []
        if _SURROGATE.search(text) is not None:
            raise self._error("bytes that are not UTF-8")
        at = 0
        stripped = len(text.rstrip())
        while at < stripped:
            found = _TOKEN.match(text, at)
            if found is None:
                raise self._error("something that begins no value")
            kind = found.lastgroup or ""
            self._tokens.append((kind, found[kind]))
            at = found.end()
        self._tokens.reverse()

    def _error(self, why: str) -> UsageError:
        shown = self._text if len(self._text) <= 60 else self._text[:57] + "..."
        return UsageError(f"{self._what}: {shown!r} has {why}", hint="values are written as WAVE: see docs/engine.md")

    def _peek(self) -> str:
        return self._tokens[-1][1] if self._tokens else ""

    def _peeks(self, *wanted: str) -> bool:
        """Whether these tokens come next."""
        return [token for _, token in self._tokens[: -len(wanted) - 1 : -1]] == list(wanted)

    def _take(self, wanted: str) -> None:
        if self._peek() != wanted:
            raise self._error(f"{self._peek() or 'an end'!r} where {wanted!r} belongs")
        self._tokens.pop()

    def _accept(self, wanted: str) -> bool:
        if self._peek() != wanted:
            return False
        self._tokens.pop()
        return True

    def _word(self, what: str) -> str:
        if not self._tokens or self._tokens[-1][0] != "word":
            raise self._error(f"{self._peek() or 'an end'!r} where {what} belongs")
        return self._tokens.pop()[1].removeprefix("%")

    def whole(self, type_: Val) -> Any:
        """A value, and nothing after it."""
        value = self.value(type_)
        if self._tokens:
            raise self._error(f"{self._peek()!r} after the value")
        return value

    def arguments(self, function: Function) -> list[Any]:
        """Values with commas between them."""
        values = self._row(function.params)
        if self._tokens:
            raise self._error(f"{self._peek()!r} after the last value")
        return values

    def value(self, type_: Val) -> Any:
        """A value of a type."""
        kind = kind_of(type_)
        if kind in {"string", "char"}:
            return self._quoted(kind)
        if not isinstance(type_, ValueType) or not (type_.types or type_.labels):
            return self._primitive(kind)
        if kind == "list":
            values = self._several("[", "]", type_.types[0])
            if type_.length is not None and len(values) != type_.length:
                raise self._error(f"{len(values)} elements where {type_.length} belong")
            return bytes(values) if kind_of(type_.types[0]) == "u8" else values
        if kind == "tuple":
            return self._tuple(type_)
        if kind == "record":
            return self._record(type_)
        if kind == "flags":
            return self._flags(type_)
        if cases_of(type_) is not None:
            return self._variant(kind, type_)
        raise self._error(f"a place for a {kind}, which cannot be written")

    def _quoted(self, kind: str) -> str:
        if not self._tokens or self._tokens[-1][0] != kind:
            raise self._error(f"{self._peek() or 'an end'!r} where a {kind} in quotes belongs")
        raw = self._tokens.pop()[1][1:-1]

        def escape(found: re.Match[str]) -> str:
            code = int(found[1], 16) if found[1] else None
            if code is not None:
                if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
                    raise self._error("an escape that is no character")
                return chr(code)
            if found[2] not in _ESCAPES:
                raise self._error(f"an unknown escape \\{found[2]}")
            return _ESCAPES[found[2]]

        return _ESCAPE.sub(escape, raw)

    def _primitive(self, kind: str) -> Any:
        word = self._word(f"a {kind}")
        if kind == "bool" and word in {"true", "false"}:
            return word == "true"
        try:
            if kind == "f32":
                return struct.unpack("<f", struct.pack("<f", float(word)))[0]
            if kind == "f64":
                return float(word)
            if kind in _BITS:
                signed, bits = _BITS[kind]
                number = int(word, 0)
                low, high = (-(1 << bits - 1), 1 << bits - 1) if signed else (0, 1 << bits)
                if low <= number < high:
                    return number
        except (ValueError, OverflowError):
            pass
        raise self._error(f"{word!r}, which is no {kind}")

    def _several(self, start: str, end: str, type_: Val) -> list[Any]:
        self._take(start)
        values: list[Any] = []
        while not self._accept(end):
            if values:
                self._take(",")
                if self._accept(end):
                    break
            values.append(self.value(type_))
        return values

    def _tuple(self, type_: ValueType) -> tuple[Any, ...]:
        self._take("(")
        values = self._row(type_.types)
        self._take(")")
        return tuple(values)

    def _row(self, types: Sequence[Val]) -> list[Any]:
        """Values of these types with commas between them."""
        values = []
        for place, part in enumerate(types):
            if place:
                self._take(",")
            values.append(self.value(part))
        if values:
            self._accept(",")
        return values

    def _labels(self, what: str) -> Iterator[str]:
        """The words between braces, each of which comes before the rest of its part is read."""
        self._take("{")
        while not self._accept("}"):
            yield self._word(what)
            if self._peek() != "}":
                self._take(",")

    def _record(self, type_: ValueType) -> dict[str, Any]:
        fields = dict(zip(type_.labels, type_.types, strict=True))
        values: dict[str, Any] = {}
        if self._peeks("{", ":", "}"):
            self._tokens.pop(-2)
        for label in self._labels("a field"):
            if label not in fields or label in values:
                raise self._error(f"the field {label!r}, which the record does not have (again)")
            self._take(":")
            values[label] = self.value(fields[label])
        for label, field in fields.items():
            if label not in values:
                if kind_of(field) != "option":
                    raise self._error(f"no field {label!r}")
                values[label] = ("none", None)
        return values

    def _flags(self, type_: ValueType) -> frozenset[str]:
        labels = set[str]()
        for label in self._labels("a flag"):
            if label not in type_.labels:
                raise self._error(f"the flag {label!r}, which is none of {', '.join(type_.labels)}")
            if label in labels:
                raise self._error(f"the flag {label!r} twice")
            labels.add(label)
        return frozenset(labels)

    def _variant(self, kind: str, type_: ValueType) -> tuple[str, Any]:
        cases = dict(cases_of(type_) or ())
        keywords = kind in {"option", "result"}
        word = self._peek() if keywords else self._peek().removeprefix("%")
        label = _CASE_NAMES.get(word, word) if kind == "result" else word
        named = bool(self._tokens) and self._tokens[-1][0] == "word" and label in cases
        if not named:
            first = {"option": "some", "result": "ok"}.get(kind)
            if first is None or cases[first] is None:
                raise self._error(f"{word or 'an end'!r}, which is none of {', '.join(cases)}")
            return first, self.value(cases[first])  # type: ignore[arg-type]
        self._tokens.pop()
        payload = cases[label]
        if payload is None:
            return label, None
        self._take("(")
        value = self.value(payload)
        self._take(")")
        return label, value


# --- writing --------------------------------------------------------------------------------------------------------


def format_wave(value: Any, type_: Val) -> str:
    """A value as text."""
    kind = kind_of(type_)
    if kind == "string":
        return _quote(value, '"')
    if kind == "char":
        return _quote(value, "'")
    if kind == "bool":
        return "true" if value else "false"
    if kind in {"f32", "f64"}:
        return format_float(value, single=kind == "f32")
    if not isinstance(type_, ValueType) or not (type_.types or type_.labels):
        return str(value)
    if kind == "list":
        return f"[{', '.join([format_wave(one, type_.types[0]) for one in value])}]"
    if kind == "tuple":
        return f"({', '.join([format_wave(one, part) for one, part in zip(value, type_.types, strict=True)])})"
    if kind == "record":
        fields = [
            f"{label}: {format_wave(value[label], part)}" for label, part in zip(type_.labels, type_.types, strict=True)
        ]
        return f"{{{', '.join(fields)}}}"
    if kind == "flags":
        return f"{{{', '.join([label for label in type_.labels if label in value])}}}"
    cases = cases_of(type_)
    if cases is None:
        return f"<{kind}>"
    label, payload = value
    shown = "err" if kind == "result" and label == "error" else label
    inner = dict(cases)[label]
    return shown if inner is None else f"{shown}({format_wave(payload, inner)})"


def _quote(text: str, mark: str) -> str:
    escapes = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\", mark: f"\\{mark}"}
    return (
        mark
        + "".join([escapes.get(one) or (one if one.isprintable() else f"\\u{{{ord(one):x}}}") for one in text])
        + mark
    )
