"""Bytes from the host into a stream of the guest, and from one to the host; a future says how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.wasi.abi import WasiError, errno_of
from wasm2oci.wasi.preview2.streams import CHUNK

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from wasm2oci.wasi.abi import Errno
    from wasm2oci.wasi.preview2.streams import InputStream, OutputStream
    from wasm2oci.wasi.preview3.guests import Channel, Guests

__all__ = ["given", "read_all", "taken", "write_all"]

_OK: Final = ("ok", None)


def given(
    guests: Guests, steps: Callable[[Channel], Generator[Any, None, None]], case: Callable[[Errno], tuple[str, Any]]
) -> tuple[Channel, Channel]:
    """A stream that the host writes, and a future of how that ended.

    Args:
        guests: the engine.
        steps: writes the stream.
        case: how the interface calls an error.
    """
    stream, future = guests.stream(), guests.future()
    guests.spawn(_ending(steps, stream, future, case))
    return stream, future


def taken(
    guests: Guests,
    stream: Channel,
    steps: Callable[[Channel], Generator[Any, None, None]],
    case: Callable[[Errno], tuple[str, Any]],
) -> Channel:
    """A future of how reading a guest's stream ended; see `given`."""
    future = guests.future()
    guests.spawn(_ending(steps, stream, future, case))
    return future


def _ending(
    steps: Callable[[Channel], Generator[Any, None, None]],
    stream: Channel,
    future: Channel,
    case: Callable[[Errno], tuple[str, Any]],
) -> Generator[Any, None, None]:
    result: tuple[str, Any] = _OK
    try:
        yield from steps(stream)
    except WasiError as error:
        result = "error", case(error.errno)
    except OSError as error:
        result = "error", case(errno_of(error))
    stream.drop()
    yield from future.put([result])


def read_all(source: InputStream, stream: Channel) -> Generator[Any, None, None]:
    """Writes into a stream what is read from a source, as the guest takes it."""
    while wanted := (yield from stream.wanted()):
        data = source.read(min(wanted, CHUNK), block=False)
        if data is None:
            return
        if not data:
            yield source.subscribe()
        elif not (yield from stream.put(data)):
            return


def write_all(target: OutputStream, stream: Channel) -> Generator[Any, None, None]:
    """Writes what the guest writes into a stream. What was taken is written: the guest may end at any time."""
    while (data := (yield from stream.take(CHUNK))) is not None:
        target.write(bytes(data))
