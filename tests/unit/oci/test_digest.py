import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import digests
from wasm2oci.oci.digest import ALGORITHMS, Digest, Hasher, InvalidDigestError

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(digests())
def test_a_digest_reads_what_it_writes(digest: Digest) -> None:
    assert Digest.parse(str(digest)) == digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a digest"),
        (EMPTY, "not a digest"),
        ("sha256:", "64 lowercase hex digits"),
        (f"sha256:{EMPTY[:-1]}", "64 lowercase hex digits"),
        (f"sha256:{EMPTY}0", "64 lowercase hex digits"),
        (f"sha256:{EMPTY}\n", "64 lowercase hex digits"),
        (f"sha256:{EMPTY.upper()}", "64 lowercase hex digits"),
        (f"sha512:{EMPTY}", "128 lowercase hex digits"),
        (f"md5:{EMPTY[:32]}", "'md5' is not supported"),
        (f"SHA256:{EMPTY}", "'SHA256' is not supported"),
        (f"sha256:sha256:{EMPTY}", "64 lowercase hex digits"),
    ],
)
def test_what_is_no_digest_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidDigestError, match=message):
        Digest.parse(text)


@pytest.mark.parametrize(
    "encoded", ["../../../etc/passwd", "a" * 60 + "/../", "%2e" * 21 + "a", "e3b0c442" * 8 + "?x=1"]
)
def test_cve_2024_3727_a_digest_is_checked_before_it_is_in_a_path_or_url(encoded: str) -> None:
    with pytest.raises(InvalidDigestError):
        Digest.parse(f"sha256:{encoded}")


def test_a_long_digest_does_not_flood_the_message() -> None:
    with pytest.raises(InvalidDigestError) as caught:
        Digest.parse("sha256:" + "z" * 100_000)
    assert len(str(caught.value)) < 200


@given(st.lists(st.binary(max_size=20)), st.sampled_from(sorted(ALGORITHMS)))
def test_a_running_hash_ends_as_the_hash_of_the_whole(chunks: list[bytes], algorithm: str) -> None:
    whole = b"".join(chunks)
    hasher = Hasher(algorithm).consume(chunks)
    assert hasher.digest() == Digest.of(whole, algorithm)
    assert hasher.digest().encoded == hashlib.new(algorithm, whole).hexdigest()
    assert hasher.size == len(whole)


def test_a_running_hash_of_an_unknown_algorithm_is_refused() -> None:
    with pytest.raises(InvalidDigestError):
        Hasher("crc32")


def test_people_see_twelve_digits() -> None:
    digest = Digest.of(b"")
    assert digest.short == EMPTY[:12]
    assert digest.hasher().digest() == digest
