"""THE TABLE of wasi:sockets: every socket and every look-up of a name is denied; a part of that of `preview2`.

Components import these whether they use them or not: all that are made from Python do. No socket ever comes into being,
so the methods of sockets cannot be called. Spec: wasi:sockets, 0.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.wasi.preview2.rows import row

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wasm2oci.wasi.preview2.rows import Preview2Function

__all__ = ["SOCKET_FUNCTIONS", "SOCKET_RESOURCES"]

_DENIED: Final = ("error", ("access-denied", None))

SOCKET_RESOURCES: Final = {
    "wasi:sockets/network": ("network",),
    "wasi:sockets/ip-name-lookup": ("resolve-address-stream",),
    "wasi:sockets/tcp": ("tcp-socket",),
    "wasi:sockets/udp": ("udp-socket", "incoming-datagram-stream", "outgoing-datagram-stream"),
}


class Network:
    """The network, of which nothing can be reached through sockets."""

    resource = "network"


def _denied(*_: object) -> Any:
    return _DENIED


def _none(*_: object) -> Any:
    raise AssertionError("there are no sockets")


def _methods(interface: str, resource: str, methods: Iterable[tuple[str, str, str]]) -> list[Preview2Function]:
    """Methods that cannot be called: name, parameters after `self`, and result."""
    return [
        row(
            f"sockets/{interface}",
            f"[method]{resource}.{name}",
            f"(self: borrow<{resource}>{', ' if params else ''}{params}) -> {result}",
            lambda _: _none,
        )
        for name, params, result in methods
    ]


def _fails(type_: str) -> str:
    return f"result<{type_}, $socket-error-code>"


def _settings(settings: Iterable[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """A reader and a writer for each setting: name and type."""
    found = []
    for name, type_ in settings:
        found += [(name, "", _fails(type_)), (f"set-{name}", f"value: {type_}", _fails("_"))]
    return found


_ADDRESS: Final = "$ip-socket-address"
_BINDING: Final = (
    ("start-bind", f"network: borrow<network>, local-address: {_ADDRESS}", _fails("_")),
    ("finish-bind", "", _fails("_")),
    ("local-address", "", _fails(_ADDRESS)),
    ("remote-address", "", _fails(_ADDRESS)),
    ("address-family", "", "$ip-address-family"),
    ("subscribe", "", "own<pollable>"),
)
_BUFFERS: Final = (("receive-buffer-size", "u64"), ("send-buffer-size", "u64"))

SOCKET_FUNCTIONS: Final[tuple[Preview2Function, ...]] = (
    row("sockets/instance-network", "instance-network", "() -> own<network>", lambda _: Network),
    row(
        "sockets/network",
        "network-error-code",
        "(err: borrow<error>) -> option<$socket-error-code>",
        lambda _: lambda _: ("none", None),
    ),
    row(
        "sockets/ip-name-lookup",
        "resolve-addresses",
        f"(network: borrow<network>, name: string) -> {_fails('own<resolve-address-stream>')}",
        lambda _: _denied,
    ),
    *_methods(
        "ip-name-lookup",
        "resolve-address-stream",
        [
            ("resolve-next-address", "", _fails("option<$ip-address>")),
            ("subscribe", "", "own<pollable>"),
        ],
    ),
    row(
        "sockets/tcp-create-socket",
        "create-tcp-socket",
        f"(address-family: $ip-address-family) -> {_fails('own<tcp-socket>')}",
        lambda _: _denied,
    ),
    *_methods(
        "tcp",
        "tcp-socket",
        [
            *_BINDING,
            ("start-connect", f"network: borrow<network>, remote-address: {_ADDRESS}", _fails("_")),
            ("finish-connect", "", _fails("tuple<own<input-stream>, own<output-stream>>")),
            ("start-listen", "", _fails("_")),
            ("finish-listen", "", _fails("_")),
            ("accept", "", _fails("tuple<own<tcp-socket>, own<input-stream>, own<output-stream>>")),
            ("is-listening", "", "bool"),
            ("set-listen-backlog-size", "value: u64", _fails("_")),
            ("shutdown", "shutdown-type: enum{receive, send, both}", _fails("_")),
            *_settings(
                [
                    ("keep-alive-enabled", "bool"),
                    ("keep-alive-idle-time", "u64"),
                    ("keep-alive-interval", "u64"),
                    ("keep-alive-count", "u32"),
                    ("hop-limit", "u8"),
                    *_BUFFERS,
                ]
            ),
        ],
    ),
    row(
        "sockets/udp-create-socket",
        "create-udp-socket",
        f"(address-family: $ip-address-family) -> {_fails('own<udp-socket>')}",
        lambda _: _denied,
    ),
    *_methods(
        "udp",
        "udp-socket",
        [
            *_BINDING,
            (
                "stream",
                f"remote-address: option<{_ADDRESS}>",
                _fails("tuple<own<incoming-datagram-stream>, own<outgoing-datagram-stream>>"),
            ),
            *_settings([("unicast-hop-limit", "u8"), *_BUFFERS]),
        ],
    ),
    *_methods(
        "udp",
        "incoming-datagram-stream",
        [
            (
                "receive",
                "max-results: u64",
                _fails(f"list<record{{data: list<u8>, remote-address: {_ADDRESS}}}>"),
            ),
            ("subscribe", "", "own<pollable>"),
        ],
    ),
    *_methods(
        "udp",
        "outgoing-datagram-stream",
        [
            ("check-send", "", _fails("u64")),
            (
                "send",
                f"datagrams: list<record{{data: list<u8>, remote-address: option<{_ADDRESS}>}}>",
                _fails("u64"),
            ),
            ("subscribe", "", "own<pollable>"),
        ],
    ),
)
