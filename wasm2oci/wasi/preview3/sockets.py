"""THE TABLE of wasi:sockets 0.3: no socket ever comes into being, as in 0.2; a part of that of `preview3`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.wasi.preview3.rows import row

if TYPE_CHECKING:
    from wasm2oci.wasi.preview3.rows import Preview3Function

__all__ = ["SOCKET_FUNCTIONS", "SOCKET_RESOURCES"]

_DENIED: Final = ("error", ("access-denied", None))
SOCKET_RESOURCES: Final = {"wasi:sockets/types": ("tcp-socket", "udp-socket")}
_ADDRESS: Final = "$ip-socket-address"
_ENDED: Final = "future<result<_, $socket-error-code>>"


def _denied(*_: object) -> Any:
    return _DENIED


def _none(*_: object) -> Any:
    raise AssertionError("there are no sockets")


def _method(resource: str, name: str, params: str, result: str, *, is_async: bool = False) -> Preview3Function:
    text = f"{'async ' if is_async else ''}(self: borrow<{resource}>{', ' if params else ''}{params}) -> {result}"
    return row("sockets/types", f"[method]{resource}.{name}", text, lambda _: _none)


def _fails(type_: str) -> str:
    return f"result<{type_}, $socket-error-code>"


def _settings(resource: str, names: dict[str, str]) -> list[Preview3Function]:
    """What can be asked and set, by name and type."""
    return [
        made
        for name, type_ in names.items()
        for made in (
            _method(resource, f"get-{name}", "", _fails(type_)),
            _method(resource, f"set-{name}", f"value: {type_}", _fails("_")),
        )
    ]


def _create(resource: str) -> Preview3Function:
    text = f"(address-family: $ip-address-family) -> {_fails(f'own<{resource}>')}"
    return row("sockets/types", f"[static]{resource}.create", text, lambda _: _denied)


def _common(resource: str) -> list[Preview3Function]:
    return [
        _create(resource),
        _method(resource, "bind", f"local-address: {_ADDRESS}", _fails("_")),
        _method(resource, "get-local-address", "", _fails(_ADDRESS)),
        _method(resource, "get-remote-address", "", _fails(_ADDRESS)),
        _method(resource, "get-address-family", "", "$ip-address-family"),
    ]


SOCKET_FUNCTIONS: Final[tuple[Preview3Function, ...]] = (
    *_common("tcp-socket"),
    _method("tcp-socket", "connect", f"remote-address: {_ADDRESS}", _fails("_"), is_async=True),
    _method("tcp-socket", "listen", "", _fails("stream<own<tcp-socket>>")),
    _method("tcp-socket", "send", "data: stream<u8>", _ENDED),
    _method("tcp-socket", "receive", "", f"tuple<stream<u8>, {_ENDED}>"),
    _method("tcp-socket", "get-is-listening", "", "bool"),
    _method("tcp-socket", "set-listen-backlog-size", "value: u64", _fails("_")),
    *_settings(
        "tcp-socket",
        {
            "keep-alive-enabled": "bool",
            "keep-alive-idle-time": "u64",
            "keep-alive-interval": "u64",
            "keep-alive-count": "u32",
            "hop-limit": "u8",
            "receive-buffer-size": "u64",
            "send-buffer-size": "u64",
        },
    ),
    *_common("udp-socket"),
    _method("udp-socket", "connect", f"remote-address: {_ADDRESS}", _fails("_")),
    _method("udp-socket", "disconnect", "", _fails("_")),
    _method(
        "udp-socket",
        "send",
        f"data: list<u8>, remote-address: option<{_ADDRESS}>",
        _fails("_"),
        is_async=True,
    ),
    _method("udp-socket", "receive", "", _fails(f"tuple<list<u8>, {_ADDRESS}>"), is_async=True),
    *_settings("udp-socket", {"unicast-hop-limit": "u8", "receive-buffer-size": "u64", "send-buffer-size": "u64"}),
)
