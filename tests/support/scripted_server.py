"""A server that answers each connection with bytes as they are written down, whatever it is asked."""

import socket
import ssl
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

__all__ = ["ScriptedServer"]


class ScriptedServer:
    """Listens on the loopback interface. A context manager.

    Args:
        answer: what is sent, piece by piece, after the head of a request has come.
        whole: a text that the request ends with: it is read up to there before anything is sent.
        tls: speak TLS, with this.
        closes: end TLS before the connection.

    Attributes:
        requests: what came, up to where the answer began.
        authority: `127.0.0.1:PORT`.
    """

    def __init__(
        self,
        answer: Sequence[bytes],
        whole: bytes = b"\r\n\r\n",
        tls: ssl.SSLContext | None = None,
        *,
        closes: bool = True,
    ) -> None:
        self._answer, self._whole, self._tls, self._closes = answer, whole, tls, closes
        self.requests: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.authority = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                self._exchange(connection)

    def _exchange(self, connection: socket.socket) -> None:
        came = b""
        try:
            while self._whole not in came:
                data = connection.recv(65536)
                if not data:
                    break
                came += data
            self.requests.append(came)
            for piece in self._answer:
                connection.sendall(piece)
            if isinstance(connection, ssl.SSLSocket) and self._closes:
                connection.unwrap()
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass  # read until the client closes: closing with unread bytes would reset the connection
        except OSError:
            return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
