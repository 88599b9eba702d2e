"""Turns: between addresses, and between the callers of one address."""

from __future__ import annotations

import threading

import pytest

from wasm2oci.server.fairness import Effort, Peer, Turns
from wasm2oci.server.problems import ProblemError


@pytest.mark.parametrize(
    ("peer", "address", "caller"),
    [
        ("192.0.2.1:80", "192.0.2.1", "80"),
        ("2001:db8::1:443", "20010db800000000::/64".lstrip("0"), "443"),
        ("2001:db8::ffff:1:443", "20010db800000000::/64", "443"),
        ("fe80::1%eth0:5", "fe80000000000000::/64", "5"),
        ("::ffff:192.0.2.1:80", "192.0.2.1", "80"),
        ("", "", ""),
        ("name:1", "name", "1"),
    ],
)
def test_a_client_is_known_by_its_address(peer: str, address: str, caller: str) -> None:
    assert Peer.of(peer) == Peer(address, caller)


class Crowd:
    """Clients that want a turn at one slot, which is held until `go`; `done` is the order in which they had it."""

    def __init__(self, waiting: int = 64) -> None:
        self.turns = Turns(1, waiting=waiting)
        self.done: list[Peer] = []
        self.refused: list[Peer] = []
        self.problems: list[ProblemError] = []
        self.threads: list[threading.Thread] = []
        self.holder = self.turns.turn(Peer("holder"))
        self.holder.__enter__()

    def come(self, address: str, caller: str = "", *, late: bool = False) -> None:
        client = Peer(address, caller)
        before = self.count()
        thread = threading.Thread(target=self.work, args=(client, late))
        thread.start()
        self.threads.append(thread)
        while self.count() == before:
            pass

    def count(self) -> int:
        return sum(map(len, self.turns.waiting().values())) + 1000 * len(self.refused)

    def work(self, client: Peer, late: bool) -> None:  # noqa: FBT001 - a thread's argument
        try:
            with self.turns.turn(client, late=late):
                self.done.append(client)
        except ProblemError as problem:
            self.problems.append(problem)
            self.refused.append(client)

    def go(self) -> list[str]:
        self.holder.__exit__(None, None, None)
        for thread in self.threads:
            thread.join(30)
        return [f"{client.address}{client.caller}" for client in self.done]


def test_addresses_take_turns() -> None:
    crowd = Crowd()
    for address in "aaaabac":
        crowd.come(address)
    assert crowd.go() == ["a", "b", "c", "a", "a", "a", "a"]
    assert crowd.turns.waiting() == {}


def test_of_the_callers_at_one_address_who_waits_least_often_is_first() -> None:
    crowd = Crowd()
    for caller in "1111213":
        crowd.come("a", caller)
    assert crowd.go() == ["a2", "a3", "a1", "a1", "a1", "a1", "a1"]


def test_a_crowd_loses_places_to_those_who_wait_less() -> None:
    crowd = Crowd(waiting=3)
    for caller in "111":
        crowd.come("a", caller)
    crowd.come("a", "2")
    crowd.come("b", "9")
    assert crowd.refused == [Peer("a", "1")]
    crowd.come("a", "1")
    assert crowd.refused == [Peer("a", "1")] * 2
    assert {(problem.status, problem.headers) for problem in crowd.problems} == {(429, (("Retry-After", "1"),))}
    assert sorted(crowd.go()) == ["a1", "a1", "a2", "b9"]


def test_late_callers_come_after_all_others_of_their_address_and_lose_their_places_first() -> None:
    crowd = Crowd(waiting=5)
    for caller in "123":
        crowd.come("a", caller, late=True)
    crowd.come("b", "late", late=True)
    crowd.come("a", "4")
    crowd.come("a", "5")
    crowd.come("a", "6")
    assert [client.caller for client in crowd.refused] == ["1"]
    assert crowd.go() == ["a4", "blate", "a5", "a6", "a2", "a3"]


def test_an_effort_takes_one_turn_when_it_needs_one() -> None:
    turns = Turns(1, patience=0.05)
    with Effort(turns, Peer("a"), free=100) as effort:
        effort.spend(100)
        with turns.turn(Peer("b")):
            pass
        effort.spend(1)
        effort.spend(1000)
        effort.take_turn()
        with pytest.raises(ProblemError), turns.turn(Peer("b")):
            pass
    with turns.turn(Peer("b")):
        pass


def test_a_slot_is_free_again_after_an_error_and_after_waiting_in_vain() -> None:
    turns = Turns(1, patience=0.05)
    with pytest.raises(ZeroDivisionError), turns.turn(Peer("a")):
        raise ZeroDivisionError
    with turns.turn(Peer("a")):
        with pytest.raises(ProblemError), turns.turn(Peer("b")):
            pass
        assert turns.waiting() == {}
    with turns.turn(Peer("a")):
        pass
