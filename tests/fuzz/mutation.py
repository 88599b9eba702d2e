"""Seeded mutations of bytes and text that keep enough of their shape to get past the first check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.work import HOSTILE

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

__all__ = ["hostile_text", "mutated", "mutated_text"]


def mutated(rng: random.Random, corpus: Sequence[bytes], most: int = 1 << 16) -> bytes:
    """One of these, changed in some places: bytes flipped, cut, repeated many times, spliced with another one."""
    data = bytearray(rng.choice(corpus))
    for _ in range(rng.randint(1, 6)):
        at = rng.randint(0, len(data))
        end = min(len(data), at + rng.choice((1, 2, 4, 16, 100)))
        match rng.randrange(7):
            case 0:
                data[at:end] = rng.randbytes(end - at)
            case 1:
                del data[at:end]
            case 2:
                data[at:at] = bytes(data[at:end]) * rng.choice((1, 2, 50, 500))
            case 3:
                data[at:at] = rng.choice(HOSTILE).encode() * rng.choice((1, 3, 100, 2000))
            case 4:
                other = rng.choice(corpus)
                start = rng.randint(0, len(other))
                data[at:end] = other[start : start + rng.randint(0, 200)]
            case 5:
                data[at:end] = rng.choice((b"\x00", b"\x80", b"\xff", b"\x7f", b"0", b"-1", b"9" * 30)) * rng.randint(
                    1, 8
                )
            case _:
                del data[rng.randint(0, len(data)) :]
    return bytes(data[:most])


def mutated_text(rng: random.Random, corpus: Sequence[str], most: int = 1 << 14) -> str:
    """The same for text."""
    return mutated(rng, [text.encode() for text in corpus], most).decode("utf-8", "replace")


def hostile_text(rng: random.Random, most: int = 2000) -> str:
    """Text of nothing but hostile pieces."""
    return "".join(rng.choice(HOSTILE) * rng.choice((1, 1, 5, 200)) for _ in range(rng.randint(0, 12)))[:most]
