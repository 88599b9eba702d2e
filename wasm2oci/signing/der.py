"""DER as far as keys and certificates need it beside `cryptography`: one element after another, bounded by the bytes.

Spec: ITU-T X.690, sections 8.1 and 10.1.
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["INTEGER", "OCTETS", "SEQUENCE", "UTF8", "Element", "InvalidDerError", "elements"]

INTEGER: Final = 0x02
OCTETS: Final = 0x04
UTF8: Final = 0x0C
SEQUENCE: Final = 0x30


class InvalidDerError(Exception):
    """The bytes are not DER. Never leaves `signing`."""


class Element(NamedTuple):
    """An element.

    Args:
        tag: its first byte.
        content: what is in it.
    """

    tag: int
    content: bytes

    @property
    def number(self) -> int:
        """The value of an INTEGER."""
        return int.from_bytes(self.content, "big", signed=True)


def elements(data: bytes) -> list[Element]:
    """The elements of which the bytes consist, without what is in them.

    Raises:
        InvalidDerError: a length does not fit, is not written in its shortest form, or has more than four bytes.
    """
    found, at = [], 0
    while at < len(data):
        head = data[at : at + 2]
        if len(head) < 2:
            raise InvalidDerError
        tag, size = head
        at += 2
        if size >= 0x80:
            digits = data[at : at + (size & 0x7F)]
            if not 1 <= size & 0x7F <= 4 or len(digits) != size & 0x7F or digits[0] == 0:
                raise InvalidDerError
            at += len(digits)
            size = int.from_bytes(digits, "big")
            if size < 0x80:
                raise InvalidDerError
        if size > len(data) - at:
            raise InvalidDerError
        found.append(Element(tag, data[at : at + size]))
        at += size
    return found
