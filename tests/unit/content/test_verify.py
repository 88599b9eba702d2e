import os
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import chunked
from wasm2oci.content.hashing import HashingThread
from wasm2oci.content.verify import (
    CHUNK,
    BytesContent,
    CheckedBytes,
    ContentTooLargeError,
    DigestMismatchError,
    FileContent,
    SelfVerifying,
    SizeMismatchError,
    VerifiedContent,
    read_all,
    verified,
)
from wasm2oci.errors import LocalIOError, NotFoundError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest, Hasher


@given(st.data())
def test_right_bytes_pass_in_pieces_of_any_size(data: st.DataObject) -> None:
    whole = data.draw(st.binary(max_size=200))
    descriptor = Descriptor.of(mt.OCTET_STREAM, whole)
    assert b"".join(VerifiedContent(descriptor, data.draw(chunked(whole)))) == whole


@given(st.data())
def test_one_changed_bit_never_passes(data: st.DataObject) -> None:
    whole = data.draw(st.binary(min_size=1, max_size=50))
    descriptor = Descriptor.of(mt.OCTET_STREAM, whole)
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    wrong = bytearray(whole)
    wrong[bit // 8] ^= 1 << bit % 8
    with pytest.raises(DigestMismatchError):
        b"".join(VerifiedContent(descriptor, data.draw(chunked(bytes(wrong)))))


@given(st.data())
def test_another_length_never_passes(data: st.DataObject) -> None:
    whole, other = data.draw(st.binary(max_size=20)), data.draw(st.binary(max_size=20))
    descriptor = Descriptor.of(mt.OCTET_STREAM, whole)
    if len(whole) == len(other):
        other += b"!"
    with pytest.raises(SizeMismatchError):
        b"".join(VerifiedContent(descriptor, [other]))


def test_a_byte_too_many_ends_the_reading_at_once() -> None:
    taken = []

    class Endless:
        def __iter__(self) -> Iterator[bytes]:
            while True:
                taken.append(1)
                yield bytes(10)

    with pytest.raises(SizeMismatchError, match="more than the 25 bytes"):
        b"".join(VerifiedContent(Descriptor(mt.OCTET_STREAM, Digest.of(b""), 25), Endless()))
    assert len(taken) == 3


class TestMuchContent:
    """It is hashed on a thread of its own."""

    PIECES = tuple(os.urandom(1 << 20) for _ in range(17))
    DESCRIPTOR = Descriptor.of(mt.OCTET_STREAM, b"".join(PIECES))

    def test_right_bytes_pass(self) -> None:
        assert tuple(VerifiedContent(self.DESCRIPTOR, self.PIECES)) == self.PIECES

    @pytest.mark.parametrize("place", [0, 8, 16])
    def test_wrong_bytes_are_found_before_the_end(self, place: int) -> None:
        wrong = [bytes(1 << 20) if number == place else piece for number, piece in enumerate(self.PIECES)]
        received: list[bytes] = []
        with pytest.raises(DigestMismatchError):
            received.extend(VerifiedContent(self.DESCRIPTOR, wrong))
        assert len(received) == len(wrong)

    def test_pieces_in_another_order_are_wrong(self) -> None:
        with pytest.raises(DigestMismatchError):
            b"".join(VerifiedContent(self.DESCRIPTOR, self.PIECES[::-1]))

    def test_its_thread_ends_when_the_reader_goes_away(self) -> None:
        before = set(threading.enumerate())
        reading = iter(VerifiedContent(self.DESCRIPTOR, self.PIECES))
        next(reading)
        reading.close()  # type: ignore[attr-defined]
        for thread in set(threading.enumerate()) - before:
            thread.join(60)
            assert not thread.is_alive()

    def test_what_goes_wrong_on_its_thread_is_raised(self) -> None:
        """The reader waited for ever for a thread that had ended."""

        class Broken(Hasher):
            def __init__(self) -> None:
                super().__init__()
                self.update_raw = self.fail  # type: ignore[assignment]

            def fail(self, data: bytes) -> None:
                raise MemoryError(len(data))

        aside = HashingThread(Broken())
        for _ in range(3):  # as many as wait for it
            aside.update(b"12345")
        with pytest.raises(MemoryError, match="5"):
            aside.finish()


def test_ghsa_f36w_nothing_is_allocated_by_a_declared_size() -> None:
    huge = Descriptor(mt.OCTET_STREAM, Digest.of(b"x"), 1 << 43)
    tracemalloc.start()
    try:
        with pytest.raises(SizeMismatchError, match="ends after 1 of 8,796,093,022,208 bytes"):
            read_all([b"x"], huge, 1 << 43)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_more_than_the_caller_holds_is_not_read() -> None:
    class Untouched:
        def __iter__(self) -> Iterator[bytes]:
            raise AssertionError

    with pytest.raises(ContentTooLargeError, match="limit here is 4"):
        read_all(Untouched(), Descriptor.of(mt.OCTET_STREAM, b"12345"), 4)


def test_what_verifies_itself_is_not_hashed_again_and_only_for_its_own_descriptor() -> None:
    descriptor, other = Descriptor.of(mt.OCTET_STREAM, b"a"), Descriptor.of(mt.OCTET_STREAM, b"b")
    content = VerifiedContent(descriptor, [b"a"])
    assert verified(content, Descriptor("x/y", descriptor.digest, 1)) is content
    assert verified(content, other) is not content
    with pytest.raises(DigestMismatchError):
        b"".join(verified(content, other))
    with pytest.raises(SizeMismatchError):
        b"".join(verified(content, Descriptor("x/y", descriptor.digest, 2)))


def test_a_self_verifying_class_says_where_its_bytes_come_from() -> None:
    with pytest.raises(AssertionError):
        iter(SelfVerifying(Descriptor.of(mt.OCTET_STREAM, b"")))


def test_checked_bytes_are_checked_when_they_are_made() -> None:
    descriptor = Descriptor.of(mt.OCTET_STREAM, b"abc")
    assert b"".join(CheckedBytes(descriptor, [b"a", b"bc"])) == b"abc"
    with pytest.raises(DigestMismatchError):
        CheckedBytes(descriptor, [b"abd"])


def test_large_bytes_come_in_chunks() -> None:
    data = os.urandom(CHUNK * 2 + 1)
    assert [len(chunk) for chunk in BytesContent(data)] == [CHUNK, CHUNK, 1]
    assert b"".join(BytesContent(data)) == data


def test_a_file_is_content_that_is_opened_for_each_pass(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    content = FileContent(path)
    assert b"".join(content) == b"one"
    path.write_bytes(b"two")
    assert b"".join(content) == b"two"


def test_a_path_that_is_not_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no such file"):
        b"".join(FileContent(tmp_path / "absent"))
    with pytest.raises(LocalIOError, match="is a folder"):
        b"".join(FileContent(tmp_path))


def test_a_pipe_does_not_keep_a_reader_waiting(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(LocalIOError, match="not a regular file"):
        b"".join(FileContent(pipe))
