"""Retries: which, how often and after how long; nothing here waits."""

import pytest

from wasm2oci.registry.retry import RetryPolicy, is_retried, retry_after


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520])
def test_these_answers_are_tried_again(status: int) -> None:
    assert is_retried(status)


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 413, 416, 501, 505])
def test_these_are_not(status: int) -> None:
    assert not is_retried(status)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Thu, 01 Jan 1970 00:20:00 GMT", 200.0),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, now=1000.0) == seconds


def test_waits_double_up_to_a_ceiling_and_end() -> None:
    policy = RetryPolicy(tries=9, base=0.5, ceiling=30.0)
    waits = [policy.delay(tried, 1.0) for tried in range(1, 10)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, None]


def test_the_jitter_is_full() -> None:
    assert RetryPolicy().delay(3, 0.0) == 0.0
    assert RetryPolicy().delay(3, 0.25) == 0.5


def test_the_registry_says_how_long_within_our_patience() -> None:
    policy = RetryPolicy(patience=120.0)
    assert policy.delay(1, 0.1, asked=60.0) == 60.0
    assert policy.delay(1, 0.1, asked=121.0) is None
    assert policy.delay(5, 0.1, asked=1.0) is None
