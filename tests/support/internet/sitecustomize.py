"""Names and addresses of an internet that is not there, for one process; see `tests.support.internet`.

Python imports a module of this name when it starts, if its folder is on the path. `SIMULATED_INTERNET` holds
`{"names": {NAME: [ADDRESS, ...]}, "ports": {"ADDRESS PORT": PORT ON LOOPBACK}}`; what it does not hold is not there.
"""

from __future__ import annotations

import errno
import ipaddress
import json
import os
import socket
from typing import Any, Final

_PLAN: Final = json.loads(os.environ["SIMULATED_INTERNET"])
_connect: Final = socket.socket.connect


def _resolve(name: str | bytes, port: int, *_: object, **__: object) -> list[Any]:
    host = name.decode("ascii") if isinstance(name, bytes) else name
    try:
        addresses = [str(ipaddress.ip_address(host))]
    except ValueError:
        addresses = _PLAN["names"].get(host.lower().rstrip("."), [])
    if not addresses:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    # Whatever the address looks like, what listens for it is on IPv4's loopback.
    return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (one, port)) for one in addresses]


def _route(self: socket.socket, address: tuple[str, int]) -> None:
    if self.family != socket.AF_INET:
        _connect(self, address)
        return
    port = _PLAN["ports"].get(f"{address[0]} {address[1]}")
    if port is None:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")
    _connect(self, ("127.0.0.1", port))


socket.getaddrinfo = _resolve  # type: ignore[assignment]  # in this process only
socket.socket.connect = _route  # type: ignore[method-assign,assignment]
