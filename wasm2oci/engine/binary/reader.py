"""A cursor over bytes that reads the binary format's primitive values. Spec: core, binary format, values (5.2).

Every read is checked against `end`; every fault is a `MalformedError` with the offset where it was met, in the words
the specification's tests use. A vector's length is checked against the bytes left before anything is allocated, so
memory stays in proportion to the input.
"""

from __future__ import annotations

from wasm2oci.engine.errors import MalformedError

__all__ = ["Reader"]


class Reader:
    """A cursor at `pos` that may not pass `end`.

    Args:
        data: the whole module or component; offsets in errors count from its first byte.
        pos: where to start.
        end: where to stop.
    """

    __slots__ = ("data", "end", "pos")

    def __init__(self, data: bytes, pos: int = 0, end: int | None = None) -> None:
        self.data = data
        self.pos = pos
        self.end = len(data) if end is None else end

    def byte(self) -> int:
        """One byte."""
        pos = self.pos
        if pos >= self.end:
            raise MalformedError("unexpected end", pos)
        self.pos = pos + 1
        return self.data[pos]

    def flag(self, what: str) -> bool:
        """A byte that is 0 or 1.

        Args:
            what: of what, for the message.
        """
        byte = self.byte()
        if byte > 1:
            raise MalformedError(f"malformed {what}: neither absent nor present", self.pos - 1)
        return byte == 1

    def take(self, count: int) -> bytes:
        """`count` bytes."""
        pos = self.pos
        if count > self.end - pos:
            raise MalformedError("unexpected end", pos)
        self.pos = pos + count
        return self.data[pos : self.pos]

    def u32(self) -> int:
        """An unsigned LEB128 integer of at most 32 bits."""
        pos = self.pos
        if pos < self.end:
            byte = self.data[pos]
            if byte < 0x80:
                self.pos = pos + 1
                return byte
        return self._unsigned(32)

    def u64(self) -> int:
        """An unsigned LEB128 integer of at most 64 bits."""
        return self._unsigned(64)

    def s32(self) -> int:
        """A signed LEB128 integer of at most 32 bits."""
        return self._signed(32)

    def s33(self) -> int:
        """A signed LEB128 integer of at most 33 bits."""
        return self._signed(33)

    def s64(self) -> int:
        """A signed LEB128 integer of at most 64 bits."""
        return self._signed(64)

    def _unsigned(self, bits: int) -> int:
        start = self.pos
        value, _ = self._leb128(bits)
        if value >> bits:
            raise MalformedError("integer too large", start)
        return value

    def _signed(self, bits: int) -> int:
        start = self.pos
        value, size = self._leb128(bits)
        if value >> size - 1:
            value -= 1 << size
        if not -(1 << bits - 1) <= value < 1 << bits - 1:
            raise MalformedError("integer too large", start)
        return value

    def _leb128(self, bits: int) -> tuple[int, int]:
        """A number of no more bytes than `bits` bits need, and how many bits it was written with."""
        start = self.pos
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value, shift
            if shift >= bits:
                raise MalformedError("integer representation too long", start)

    def count(self, limit: int, what: str, size: int = 1) -> int:
        """A vector's length.

        Args:
            limit: the implementation's limit.
            what: of what, for the message.
            size: how many bytes one element takes at least.
        """
        start = self.pos
        count = self.u32()
        if count > limit:
            raise MalformedError(f"too many {what}: {count} is over this engine's limit of {limit}", start)
        if count * size > self.end - self.pos:
            raise MalformedError("length out of bounds", start)
        return count

    def name(self, limit: int = 1 << 32) -> str:
        """A name: a length and that many bytes of UTF-8.

        Args:
            limit: the most bytes it may have.
        """
        start = self.pos
        length = self.u32()
        if length > self.end - self.pos:
            raise MalformedError("length out of bounds", start)
        if length > limit:
            raise MalformedError(f"name too long: {length} bytes, this engine's limit is {limit}", start)
        raw = self.take(length)
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise MalformedError("malformed UTF-8 encoding", start + error.start) from error

    def indices(self, count: int) -> tuple[int, ...]:
        """`count` unsigned integers, read fast: the long vectors of a module are vectors of indices."""
        data, pos, end = self.data, self.pos, self.end
        chunk = data[pos : pos + count]
        if len(chunk) == count and (not count or max(chunk) < 0x80):
            self.pos = pos + count
            return tuple(chunk)
        out: list[int] = []
        append = out.append
        for _ in range(count):
            if pos + 1 < end:
                byte = data[pos]
                if byte < 0x80:
                    pos += 1
                    append(byte)
                    continue
                second = data[pos + 1]
                if second < 0x80:
                    pos += 2
                    append(byte & 0x7F | second << 7)
                    continue
            self.pos = pos
            append(self.u32())
            pos = self.pos
        self.pos = pos
        return tuple(out)
