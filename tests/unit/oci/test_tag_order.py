"""Tags that are versions come in the order of versions."""

from __future__ import annotations

import random

from wasm2oci.oci.tag_order import version_key

IN_ORDER = [
    "canary",
    "edge2",
    "edge10",
    "latest",
    "0.2.0",
    "v0.9",
    "v0.10.0",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1",
    "1.0",
    "1.0.0",
    "1.0.0.1",
    "v2",
    "2.1-rc1",
    "2.1",
    "10",
    "10.0.0",
    "20240101",
]


def test_versions_are_in_the_order_of_their_numbers() -> None:
    shuffled = random.Random(3).sample(IN_ORDER, len(IN_ORDER))
    assert sorted(shuffled, key=version_key) == IN_ORDER


def test_every_two_tags_can_be_compared() -> None:
    source = random.Random(4)
    tags = ["".join(source.choice("v1.0-a_\u00b2\u0665") for _ in range(source.randrange(1, 9))) for _ in range(500)]
    found = sorted(tags, key=version_key)
    assert sorted(random.Random(5).sample(found, len(found)), key=version_key) == found


def test_numbers_of_any_length_are_ordered() -> None:
    """Names in a layout have no limit; `int` takes 4300 digits."""
    tags = ["2", "007", "1" * 5000, f"1.{'1' * 5000}", f"1-{'1' * 5000}"]
    assert sorted(tags, key=version_key) == [tags[4], tags[3], tags[0], tags[1], tags[2]]
