"""Responses of servers that may be hostile, as bytes that come in any pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasm2oci.wasi.preview2.http.errors import HttpError
from wasm2oci.wasi.preview2.http.parsing import ResponseReader

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-One: 1\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n"
)
COUNTED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-One: 1\r\n\r\nabcde"
CLOSED = b"HTTP/1.0 200\r\nX-One: 1\r\n\r\nabcde"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + COUNTED


def read(pieces: list[bytes], *, to_head: bool = False) -> tuple[int, list[tuple[str, bytes]], bytes, object]:
    reader = ResponseReader(to_head=to_head)
    body = b"".join([part for piece in pieces for part in reader.feed(piece)])
    if reader.failure is not None:
        raise reader.failure
    if not reader.ended:
        reader.end()
    assert reader.head is not None
    return reader.head.status, reader.head.fields.entries(), body, reader.trailers


def code_of(raw: bytes) -> str:
    with pytest.raises(HttpError) as caught:
        read([raw])
    return caught.value.code[0]


@pytest.mark.parametrize("raw", [CHUNKED, COUNTED, CLOSED, INTERIM], ids=["chunked", "counted", "closed", "interim"])
@given(data=st.data())
def test_pieces_do_not_matter(raw: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    pieces = [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    assert read(pieces) == read([raw])
    assert read(pieces)[2] == b"abcde"


def test_single_bytes_are_enough() -> None:
    status, _, body, trailers = read([bytes([byte]) for byte in CHUNKED])
    assert (status, body, trailers) == (200, b"abcde", [("X-Sum", b"5")])


def test_fields_of_the_connection_are_not_shown() -> None:
    raw = b"HTTP/1.1 200 OK\r\nConnection: close\r\nKeep-Alive: x\r\nA: \t b \r\nContent-Length: 0\r\n\r\n"
    assert read([raw])[1] == [("A", b"b"), ("Content-Length", b"0")]


@pytest.mark.parametrize("status", [204, 304])
def test_some_responses_have_no_body(status: int) -> None:
    assert read([b"HTTP/1.1 %d X\r\nContent-Length: 9\r\n\r\n" % status])[2] == b""


def test_the_response_to_a_head_has_no_body() -> None:
    assert read([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"], to_head=True)[2] == b""


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"HTTP/2 200 OK\r\n\r\n", "HTTP-protocol-error"),
        (b"HTTP/1.1 099 OK\r\n\r\n", "HTTP-protocol-error"),
        (b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "HTTP-protocol-error"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "HTTP-protocol-error"),
        (b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", "HTTP-protocol-error"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP-protocol-error"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 17, "HTTP-protocol-error"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "HTTP-protocol-error"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n", "HTTP-protocol-error"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 19 + b"\r\n\r\n", "HTTP-protocol-error"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP-protocol-error"),
        (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP-protocol-error"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP-response-transfer-coding"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", "HTTP-protocol-error"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 16 + b"\r\n", "HTTP-protocol-error"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", "HTTP-protocol-error"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\n", "HTTP-protocol-error"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * 2000, "HTTP-protocol-error"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\na b: c\r\n\r\n", "HTTP-protocol-error"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "HTTP-response-incomplete"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "HTTP-response-incomplete"),
        (b"HTTP/1.1 200 OK\r\nCont", "HTTP-response-incomplete"),
        (b"", "connection-terminated"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000, "HTTP-response-header-section-size"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: " + b"b" * 70_000,
            "HTTP-response-trailer-section-size",
        ),
    ],
)
def test_what_is_no_response_is_refused(raw: bytes, code: str) -> None:
    assert code_of(raw) == code


@given(st.binary(max_size=300))
def test_any_bytes_are_read_to_an_end_or_refused(raw: bytes) -> None:
    for start in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"):
        whole, bytewise = ResponseReader(to_head=False), ResponseReader(to_head=False)
        body = b"".join(whole.feed(start + raw))
        parts = [part for byte in start + raw if not bytewise.failure for part in bytewise.feed(bytes([byte]))]
        assert (body, whole.ended) == (b"".join(parts), bytewise.ended)
        assert (whole.failure is None) == (bytewise.failure is None)


def test_what_comes_after_a_response_is_left() -> None:
    assert read([COUNTED + b"HTTP/1.1 500 No\r\n\r\n"])[2] == b"abcde"
