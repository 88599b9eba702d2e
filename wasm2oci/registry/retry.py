"""Retries: whether to try again, and after how long. Nothing here sleeps.

What is tried again: 408, 425, 429 and 5xx without 501 and 505, and exchanges that broke; but no HEAD that ends in 500
without a time to wait, which some registries answer to every HEAD: the sender then asks in another way. The wait
doubles each time, with full jitter, unless the registry says itself how long to wait; when it asks for more than
`patience`, we give up and say so.
"""

from __future__ import annotations

from typing import Final

from wasm2oci.base.records import NamedTuple

__all__ = ["RATE", "RETRIED_STATUSES", "SILENCE", "RetryPolicy", "is_retried", "retry_after"]

SILENCE: Final = 2.0
"""Seconds of waiting after which the user is shown what is waited for."""

RATE: Final = 1024.0
"""Bytes a second that a body has to reach on average, both ways, after the time that one piece of it may take."""

RETRIED_STATUSES: Final = frozenset({408, 425, 429})


def is_retried(status: int) -> bool:
    """Whether an answer with this status may be different the next time."""
    return status in RETRIED_STATUSES or (status >= 500 and status not in {501, 505})


def retry_after(value: str | None, now: float) -> float | None:
    """The seconds that a `Retry-After` header asks to wait, or None when it cannot be read.

    Args:
        value: whole seconds, or an HTTP date.
        now: seconds since 1970, to compare a date with.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


class RetryPolicy(NamedTuple):
    """How often, and how patiently. Times are in seconds.

    Args:
        tries: how often a request is sent at most.
        base: bound of the first wait.
        ceiling: bound of every wait that we choose.
        patience: bound of every wait that the registry chooses.
        total: bound of all waits of one session together.
        after_silence: whether a server that did not answer in time is asked again.
    """

    tries: int = 5
    base: float = 0.5
    ceiling: float = 30.0
    patience: float = 120.0
    total: float = 600.0
    after_silence: bool = True

    def delay(self, tried: int, random: float, asked: float | None = None) -> float | None:
        """How long to wait before the next try, or None to give up.

        Args:
            tried: how often the request was sent already, from 1.
            random: from 0 to 1, the jitter.
            asked: what the registry asked for, or None.
        """
        if tried >= self.tries:
            return None
        if asked is not None:
            return asked if asked <= self.patience else None
        return float(min(self.ceiling, self.base * 2 ** (tried - 1)) * random)
