"""Blocking: poll_oneoff, streams and sockets, and that a throw of the switch ends each of them."""

import os
import socket
import struct
import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest

from tests.support.wasi import Guest
from wasm2oci.wasi.abi import EVENT, SUBSCRIPTION, ClockId, Errno
from wasm2oci.wasi.endings import Interrupted
from wasm2oci.wasi.streams import FunctionSink, HostStream

IN, OUT = 0x2000, 0x3000
SECOND = 10**9


class FakeTime:
    """A clock and a waiter in one: waiting moves the clock, and no descriptor ever becomes ready."""

    def __init__(self) -> None:
        self.time = 1000 * SECOND
        self.waits: list[int | None] = []

    def now(self, clock: ClockId) -> int:
        return self.time + (500 * SECOND if clock is ClockId.REALTIME else 0)

    def resolution(self, clock: ClockId) -> int:
        return 1

    def wait(
        self, readable: Collection[int], writable: Collection[int], timeout_ns: int | None
    ) -> tuple[set[int], set[int]]:
        self.waits.append(timeout_ns)
        self.time += timeout_ns or 0
        return set(), set()


def poll(guest: Guest, *subscriptions: bytes) -> tuple[Errno, list[tuple[int, ...]]]:
    guest.memory.write(IN, b"".join(subscriptions))
    errno = guest.call("poll_oneoff", IN, OUT, len(subscriptions))
    count = guest.u32() if errno is Errno.SUCCESS else 0
    return errno, list(EVENT.iter_unpack(guest.memory.read(OUT, count * EVENT.size)))


def clock(userdata: int, timeout: int, *, which: int = 1, absolute: bool = False) -> bytes:
    return SUBSCRIPTION.pack(userdata, 0, which, timeout, 0, int(absolute))


def descriptor(userdata: int, fd: int, *, write: bool = False) -> bytes:
    return SUBSCRIPTION.pack(userdata, 2 if write else 1, fd, 0, 0, 0)


def test_the_earliest_time_is_waited_for() -> None:
    fake = FakeTime()
    with Guest(clock=fake, waiter=fake) as guest:
        errno, events = poll(guest, clock(7, 3 * SECOND), clock(8, 2 * SECOND))
    assert errno is Errno.SUCCESS
    assert events == [(8, 0, 0, 0, 0)]
    assert fake.waits == [2 * SECOND]


def test_points_in_time_and_those_gone_by() -> None:
    fake = FakeTime()
    with Guest(clock=fake, waiter=fake) as guest:
        _, events = poll(guest, clock(1, 1501 * SECOND, which=0, absolute=True))
        assert (events, fake.waits) == ([(1, 0, 0, 0, 0)], [SECOND])
        _, events = poll(guest, clock(2, 5, absolute=True))
        assert (events, fake.waits[1:]) == ([(2, 0, 0, 0, 0)], [0])


def test_what_cannot_be_waited_for_is_an_event() -> None:
    fake = FakeTime()
    with Guest(clock=fake, waiter=fake) as guest:
        errno, events = poll(guest, descriptor(1, 99), clock(2, SECOND, which=9), clock(3, SECOND, which=2))
    assert errno is Errno.SUCCESS
    assert [(event[0], Errno(event[1])) for event in events] == [
        (1, Errno.BADF),
        (2, Errno.INVAL),
        (3, Errno.NOTSUP),
    ]
    assert fake.waits == [0]


def test_nothing_or_too_much_to_wait_for_is_invalid() -> None:
    with Guest() as guest:
        assert guest.call("poll_oneoff", IN, OUT, 0) is Errno.INVAL
        assert guest.call("poll_oneoff", IN, OUT, 0x10000000) is Errno.INVAL
        guest.memory.write(IN, SUBSCRIPTION.pack(0, 3, 0, 0, 0, 0))
        assert guest.call("poll_oneoff", IN, OUT, 1) is Errno.INVAL


def test_regular_file_is_ready_with_what_is_left(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("abcdef")
    with Guest(tmp_path) as guest:
        _, fd = guest.open(b"f")
        guest.call("fd_seek", fd, 2, 0)
        _, events = poll(guest, descriptor(5, fd), clock(6, 3600 * SECOND))
    assert events == [(5, 0, 1, 4, 0)]


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_pipe_is_ready_once_it_holds_something(pipe: tuple[int, int]) -> None:
    with Guest(stdin=HostStream(pipe[0]), stdout=HostStream(pipe[1])) as guest:
        _, events = poll(guest, descriptor(1, 0), descriptor(2, 1, write=True))
        assert [event[0] for event in events] == [2]
        os.write(pipe[1], b"four")
        _, events = poll(guest, descriptor(1, 0))
        assert events == [(1, 0, 1, 4, 0)]


def test_flags_of_a_standard_stream_stay_as_they_are(pipe: tuple[int, int]) -> None:
    with Guest(stdin=HostStream(pipe[0])) as guest:
        assert guest.call("fd_fdstat_set_flags", 0, 4) is Errno.BADF
        assert os.get_blocking(pipe[0])


def sleeping(guest: Guest) -> None:
    poll(guest, clock(1, 3600 * SECOND))


def reading(guest: Guest) -> None:
    guest.read(0)


def writing(guest: Guest) -> None:
    while True:
        guest.write(1, b"x" * 4096)


def accepting(guest: Guest) -> None:
    guest.call("sock_accept", 3, 0)


@pytest.mark.parametrize("block", [sleeping, reading, writing, accepting])
def test_switch_ends_every_wait(block: Callable[[Guest], None], pipe: tuple[int, int]) -> None:
    more = os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as server:
        guest = Guest(stdin=HostStream(pipe[0]), stdout=HostStream(more[1]), listeners=(server.fileno(),))
        with guest:
            thrower = threading.Timer(0.02, guest.interrupt.fire)
            thrower.start()
            with pytest.raises(Interrupted):
                block(guest)
            thrower.join()
    os.close(more[0])
    os.close(more[1])


def test_descriptors_beyond_the_limit_of_select(pipe: tuple[int, int]) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2048:
        pytest.skip("this process may not have 2048 descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2048, hard))
    try:
        high = 1500
        os.dup2(pipe[0], high)
        with Guest(stdin=HostStream(high)) as guest:
            os.write(pipe[1], b"yes")
            _, events = poll(guest, descriptor(1, 0))
            assert events == [(1, 0, 1, 3, 0)]
            assert guest.read(0) == (Errno.SUCCESS, b"yes")
            _, events = poll(guest, descriptor(1, 0), clock(2, 1000))
            assert [event[0] for event in events] == [2]
        os.close(high)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_sockets_accept_receive_send_and_shut_down() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        Guest(listeners=(server.fileno(),)) as guest,
        socket.create_connection(server.getsockname()) as client,
    ):
        assert guest.call("sock_accept", 3, 0) is Errno.SUCCESS
        fd = guest.u32()
        client.sendall(b"hello")
        assert guest.call("sock_recv", fd, *guest.iovecs(3, 5), 1) is Errno.SUCCESS
        assert guest.buffers(guest.u32()) in {b"hello", b"hel"}
        assert guest.call("sock_recv", fd, *guest.iovecs(2, 3), 2) is Errno.SUCCESS
        assert guest.buffers(guest.u32()) == b"hello"
        assert struct.unpack("<H", guest.memory.read(65536 + 64, 2)) == (0,)
        assert guest.call("sock_send", fd, *guest.iovecs(b"good", b"bye"), 0) is Errno.SUCCESS
        assert guest.call("sock_shutdown", fd, 2) is Errno.SUCCESS
        assert client.makefile("rb").read() == b"goodbye"
        assert guest.call("sock_shutdown", fd, 0) is Errno.INVAL
        assert guest.call("sock_accept", fd, 0) is Errno.INVAL
        assert guest.call("sock_recv", 1, *guest.iovecs(1), 0) is Errno.NOTSOCK
        assert guest.call("sock_accept", 3, 1) is Errno.INVAL
        assert guest.call("fd_fdstat_set_flags", 3, 4) is Errno.SUCCESS
        assert guest.call("sock_accept", 3, 0) is Errno.AGAIN


def test_memory_sinks_never_block() -> None:
    with Guest(stdout=FunctionSink(lambda data: None)) as guest:
        _, events = poll(guest, descriptor(1, 1, write=True), descriptor(2, 0))
        assert [event[0] for event in events] == [1, 2]
