"""One connection: bytes of a client turned into requests, and responses into bytes.

All waiting is bounded: for a head, for each read and write, for a body's average rate, and for a request as a whole.
When there are too many connections, `entitlement` says which of them is worth the least.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.server.fairness import Peer
from wasm2oci.server.http1 import HeadError, head_bytes, parse_head
from wasm2oci.server.messages import BrokenBodyError, Request, Response, StreamBody
from wasm2oci.server.problems import problem_response
from wasm2oci.server.received_body import ReceivedBody

if TYPE_CHECKING:
    import ssl

    from wasm2oci.server.http1 import ConnectionLimits, RequestHead

__all__ = ["Connection"]

_LINE_MAX: Final = 1024
_DRAIN: Final = 64 * 1024
_LINGER_SECONDS: Final = 2.0
_SMALL: Final = 64 * 1024
_EMPTY_LINES: Final = 16
_NO_BODY: Final = (204, 304)
_STEADY_SECONDS: Final = 2.0
"""What a body is given to show how fast it is, before its connection may be cut for another one."""


class Connection:
    """A socket with a buffer, in a thread of its own.

    Args:
        sock: as accepted.
        peer: its address.
        limits: what it may take.
        tls: a context to speak TLS with, or None.
    """

    broken = BrokenBodyError

    def __init__(self, sock: socket.socket, peer: Any, limits: ConnectionLimits, tls: ssl.SSLContext | None) -> None:
        self._sock, self._limits, self._tls = sock, limits, tls
        self.peer = f"{peer[0]}:{peer[1]}"
        self.client = Peer.of(self.peer)
        self._buffer = bytearray()
        self._body: ReceivedBody | None = None
        self._head: RequestHead | None = None
        self._waiting = self._last = self._ended = False
        self._order = threading.Lock()
        self._answered = False
        # When this began to wait for a request, or for the rest of one; None while a request is answered.
        self._since: float | None = time.monotonic()
        self._moving: float | None = None
        self._moved = 0

    def open(self) -> None:
        """Make it ready: small packets at once, and the TLS handshake.

        Raises:
            OSError: the client is gone, or does not speak TLS.
        """
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock.settimeout(self._limits.head_seconds)
        if self._tls is not None:
            # The handshake comes after the assignment: `cut` needs the socket that the handshake waits at.
            self._sock = self._tls.wrap_socket(self._sock, server_side=True, do_handshake_on_connect=False)
            if self._ended:
                raise ConnectionAbortedError("cut before the TLS handshake")
            self._sock.do_handshake()

    def entitlement(self, now: float) -> tuple[int, float] | None:
        """How much this connection deserves its place, to be compared with others; None when it may not be cut.

        Those that wait for a request come first (0), for longest first; then those whose body moves slowly (1), the
        slowest first. A request that the registry works at is never cut. May be called from another thread.
        """
        since, moving = self._since, self._moving
        if since is not None:
            return 0, since
        if moving is None or now - moving < _STEADY_SECONDS:
            return None
        return 1, self._moved / (now - moving)

    def receive(self) -> Request | Response | None:
        """The next request; or the response to one that is refused already; or None at the end."""
        try:
            raw = self._read_head()
            if raw is None:
                return None
            self._head = head = parse_head(raw)
            self._since = None
            self._answered = False
        except HeadError as error:
            self._head = self._since = None
            response = problem_response(error.status, "UNSUPPORTED", str(error))
            return Response(response.status, response.headers, response.body, close=True)
        self._body = ReceivedBody(self, head, self._limits)
        return Request(
            method=head.method,
            target=head.target,
            headers=head.headers,
            body=self._body,
            length=head.length,
            peer=self.peer,
            secure=self._tls is not None,
        )

    def send(self, response: Response, extra: tuple[tuple[str, str], ...], *, last: bool) -> tuple[int, bool]:
        """Send a response; says how many bytes of body went, and whether another request may follow."""
        head, body = self._head, self._body
        self._head = None
        silent = response.status in _NO_BODY or (head is not None and head.method == "HEAD")
        counted = response.body.length is not None or silent
        chunked = not counted and head is not None and head.chunks
        keep = (
            not response.close
            and not last
            and head is not None
            and head.persistent
            and (counted or chunked)
            and (body is None or body.drain(_DRAIN))
        )
        extra = (*extra, ("Connection", "keep-alive" if keep else "close"))
        if chunked:
            extra = (*extra, ("Transfer-Encoding", "chunked"))
        elif response.status not in _NO_BODY and response.body.length is not None:
            extra = (*extra, ("Content-Length", str(response.body.length)))
        sent = 0
        self.begin_to_move()
        with self._order:
            self._answered = True
        try:
            sent = self._send_all(head_bytes(response, extra), response, silent=silent, chunked=chunked)
        finally:
            self._moving, self._since = None, time.monotonic()
            response.body.close()
        self._settle()
        declared = response.header("Content-Length")
        if not silent and declared is not None and declared != str(sent):
            keep = False
        if not keep:
            self._linger()
        return sent, keep

    @property
    def moved(self) -> int:
        """Bytes of the body that moves now, or moved last."""
        return self._moved

    def begin_to_move(self) -> None:
        """A body begins, in or out."""
        self._moving, self._moved = time.monotonic(), 0

    def stop_moving(self) -> None:
        """The body has ended, and the registry works at it."""
        self._moving = None

    def finish_soon(self) -> None:
        """End it now if it waits for a request, else after the one it is at. From another thread."""
        # Said before it is looked at, as the connection's own thread does the other way round: one of them sees it.
        self._last = True
        if self._waiting:
            self.cut()

    def cut(self) -> None:
        """End it now. From another thread."""
        self._ended = True
        with contextlib.suppress(OSError):
            # `SSLSocket.shutdown` would also take the TLS state away from the thread that is using it.
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the socket back."""
        if self._body is not None:
            self.cut()
            self._settle()
        with contextlib.suppress(OSError):
            self._sock.close()

    def _settle(self) -> None:
        """Have no other thread read the request's body any more."""
        body, self._body = self._body, None
        if body is not None:
            body.settle(_LINGER_SECONDS, self._stop_receiving)

    def _stop_receiving(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RD)

    def fill(self, timeout: float) -> bool:
        """Read what there is into the buffer; False at the end.

        Raises:
            TimeoutError: nothing came for so many seconds.
        """
        self._sock.settimeout(max(timeout, 0.001))
        data = self._sock.recv(_SMALL)
        self._buffer += data
        return bool(data)

    def take(self, most: int) -> bytes:
        """Up to so many bytes of the buffer."""
        data = bytes(self._buffer[:most])
        del self._buffer[:most]
        return data

    def read_into(self, view: memoryview, timeout: float) -> int:
        """Bytes from the buffer, else from the socket, into `view`; 0 at the end."""
        if self._buffer:
            count = min(len(view), len(self._buffer))
            view[:count] = self._buffer[:count]
            del self._buffer[:count]
        else:
            self._sock.settimeout(max(timeout, 0.001))
            count = self._sock.recv_into(view)
        self._moved += count
        return count

    def read_line(self, timeout: float) -> bytes:
        """A line up to CRLF, without it.

        Raises:
            HeadError: it is too long, or ends in a bare line feed.
            BrokenBodyError: the client went away.
        """
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > _LINE_MAX:
                raise HeadError("line is too long")
            if not self.fill(timeout):
                raise BrokenBodyError("client closed the connection in the middle of a body")
        line = self.take(end + 1)
        if len(line) > _LINE_MAX or not line.endswith(b"\r\n"):
            raise HeadError("line is malformed")
        return line[:-2]

    def send_continue(self) -> None:
        """Tell the client to go on with the body, unless the response has begun, which it would become a part of."""
        with self._order:
            if not self._answered:
                self._sock.settimeout(self._limits.idle_seconds)
                self._sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _read_head(self) -> bytes | None:
        limits = self._limits
        deadline: float | None = None
        searched = empty = 0
        while True:
            # Empty lines before a request are passed over (RFC 9112, 2.2), but not for ever.
            while self._buffer.startswith(b"\r\n"):
                del self._buffer[:2]
                empty += 1
                if empty > _EMPTY_LINES:
                    raise HeadError("request line is missing")
            if self._buffer[:1] and not self._buffer[:1].isalpha() and self._buffer[:1] != b"\r":
                # A TLS handshake, mostly: a client that tries https first must not wait for a time-out.
                raise HeadError("this is not HTTP; plain http is served here")
            end = self._buffer.find(b"\r\n\r\n", searched)
            if 0 <= end <= limits.head:
                raw = bytes(self._buffer[:end])
                del self._buffer[: end + 4]
                return raw
            if len(self._buffer) > limits.head or end > limits.head:
                line = self._buffer.find(b"\r\n")
                raise HeadError("head is too large", 414 if line < 0 or line > limits.head // 2 else 431)
            searched = max(0, len(self._buffer) - 3)
            now = time.monotonic()
            if deadline is None and self._buffer:
                deadline = now + limits.head_seconds
            left = limits.idle_seconds if deadline is None else deadline - now
            self._waiting = not self._buffer
            if self._last and self._waiting:
                return None
            try:
                more = left > 0 and self.fill(left)
            except TimeoutError:
                more = False
                if not self._buffer:
                    return None
            finally:
                self._waiting = False
            if not more:
                if not self._buffer or deadline is None or time.monotonic() < deadline:
                    return None
                raise HeadError("head did not come in time", 408)

    def _send_all(self, head: bytes, response: Response, *, silent: bool, chunked: bool) -> int:
        body = response.body
        until = time.monotonic() + self._limits.request_seconds
        self._sock.settimeout(self._limits.idle_seconds)
        if silent:
            self._sock.sendall(head)
            return 0
        sent = 0
        for piece in body:
            if time.monotonic() > until:
                raise TimeoutError("a response took too long")
            sent += len(piece)
            if chunked and piece:
                piece = b"%x\r\n%b\r\n" % (len(piece), bytes(piece))  # noqa: PLW2901 - the same, as it goes out
            if head and len(piece) <= _SMALL:
                self._sock.sendall(head + bytes(piece))
            else:
                if head:
                    self._sock.sendall(head)
                self._sock.sendall(piece)
            head = b""
            self._moved = sent
        if chunked:
            head += b"0\r\n" + (body.trailer_bytes() if isinstance(body, StreamBody) else b"") + b"\r\n"
        if head:
            self._sock.sendall(head)
        return sent

    def _linger(self) -> None:
        # Closing with bytes unread would make the kernel reset the connection, and the client lose the response.
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
            until = time.monotonic() + min(_LINGER_SECONDS, self._limits.idle_seconds)
            while (left := until - time.monotonic()) > 0:
                self._sock.settimeout(left)
                if not self._sock.recv(_SMALL):
                    return
