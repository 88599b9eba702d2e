"""What one process finds out about registries serves the next, and is trusted no further than a fresh answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.artifacts import Stash
from tests.support.network import Answer, Network, Sent, broken, fresh_core, token_answer
from wasm2oci.content.cache import Cache
from wasm2oci.content.copy import copy
from wasm2oci.content.memory import MemoryTarget
from wasm2oci.content.progress import Outcome
from wasm2oci.errors import RegistryError

if TYPE_CHECKING:
    from pathlib import Path

    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.registry.problems import ExchangeError
    from wasm2oci.registry.repository import Repository

HOME, TOKENS, OTHER_TOKENS = "https://registry.example", "https://tokens.example", "https://tokens2.example"
LARGE = bytes(range(256)) * 1024


class World:
    """A registry that wants tokens, and processes that share a cache."""

    def __init__(self, folder: Path, *, tokens: bool = True) -> None:
        self.folder = folder
        self.inner = fresh_core()
        self.realm = TOKENS
        self.tokens = tokens
        self.network = Network({TOKENS: self.issue, OTHER_TOKENS: self.issue, HOME: self.answer})
        self.stash = Stash()
        self.root = self.stash.manifest(self.stash.put("application/wasm", LARGE))

    def issue(self, sent: Sent) -> Answer:
        who = "known" if "authorization" in sent.headers else "anonymous"
        return token_answer(f"{sent.origin}_{who}")

    def answer(self, sent: Sent) -> Answer:
        if self.tokens and not sent.headers.get("authorization", "").startswith(f"Bearer {self.realm}"):
            return Answer(401, {"WWW-Authenticate": f'Bearer realm="{self.realm}/t",service="s"'})
        found = self.inner(sent)
        assert isinstance(found, Answer)
        return found

    def process(self, name: str = "a", **changes: Any) -> Repository:
        """The repository, in a new process."""
        self.network.sent.clear()
        return self.network.repository(f"registry.example/{name}", writes=True, cache=self.folder, **changes)

    def push(self, name: str = "a", tag: str = "v1") -> dict[Descriptor, Outcome]:
        return dict(copy(self.stash.target, self.root, self.process(name), tag).nodes)

    def asked(self) -> list[str]:
        return [f"{sent.method} {sent.origin}" for sent in self.network.sent]


class TestTokens:
    def test_the_next_process_asks_for_an_anonymous_token_at_once(self, tmp_path: Path) -> None:
        world = World(tmp_path)
        world.push()
        assert world.process().resolve("v1") == world.root
        assert world.asked() == [f"GET {TOKENS}", f"HEAD {HOME}"]

    def test_credentials_go_to_a_token_server_only_after_the_registry_named_it(self, tmp_path: Path) -> None:
        world = World(tmp_path)
        world.push()
        world.process(username="me", password="secret").resolve("v1")
        assert world.asked() == [f"HEAD {HOME}", f"GET {TOKENS}", f"HEAD {HOME}"]

    @pytest.mark.parametrize("fate", ["gone", "refuses", "breaks", "nonsense"])
    def test_a_token_server_that_is_out_of_date_does_no_harm(self, tmp_path: Path, fate: str) -> None:
        world = World(tmp_path)
        world.push()
        world.realm = OTHER_TOKENS
        answers: dict[str, Answer | ExchangeError] = {
            "refuses": Answer(403),
            "breaks": broken(),
            "nonsense": Answer(200, {}, b"<html>"),
        }
        del world.network.hosts[TOKENS]
        if fate != "gone":
            world.network.hosts[TOKENS] = lambda _: answers[fate]
        assert world.process().resolve("v1") == world.root
        assert world.process().resolve("v1") == world.root
        assert world.asked() == [f"GET {OTHER_TOKENS}", f"HEAD {HOME}"]

    def test_a_token_of_another_server_is_replaced(self, tmp_path: Path) -> None:
        world = World(tmp_path)
        world.push()
        world.realm = OTHER_TOKENS
        assert world.process().resolve("v1") == world.root

    def test_a_registry_that_asks_for_nothing_any_more(self, tmp_path: Path) -> None:
        world = World(tmp_path)
        world.push()
        world.tokens = False
        assert world.process().resolve("v1") == world.root

    def test_it_is_believed_for_a_day(self, tmp_path: Path) -> None:
        world = World(tmp_path)
        world.push()
        world.network.time += 25 * 3600
        world.process().resolve("v1")
        assert world.asked()[0] == f"HEAD {HOME}"

    @pytest.mark.parametrize("realm", ["http://tokens.example/t", "https://127.0.0.1/t", "https://169.254.169.254/"])
    def test_a_realm_that_no_registry_may_name_is_not_asked(self, tmp_path: Path, realm: str) -> None:
        world = World(tmp_path)
        world.push()
        world.process().session.found_out.note_challenge(  # type: ignore[union-attr]  # there is a cache
            world.process().session.origin, type("C", (), {"get": lambda _, key: realm if key == "realm" else "s"})()
        )
        world.process().resolve("v1")
        assert world.asked()[0] == f"HEAD {HOME}"

    @pytest.mark.parametrize("change", ["realm", "mode"])
    def test_what_another_user_could_have_written_is_not_believed(self, tmp_path: Path, change: str) -> None:
        world = World(tmp_path)
        world.push()
        (note,) = (tmp_path / "hosts").glob("*.json")
        if change == "realm":
            note.write_text(json.dumps({**json.loads(note.read_text()), "realm": f"{OTHER_TOKENS}/t"}))
        else:
            note.chmod(0o666)
        world.process().resolve("v1")
        assert world.asked()[0] == f"HEAD {HOME}"

    def test_no_secret_is_kept(self, tmp_path: Path) -> None:
        world = World(tmp_path)
        world.push()
        world.process(username="me", password="hunter2").resolve("v1")
        kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*.json"))
        assert b"hunter2" not in kept
        assert b"anonymous" not in kept
        assert b"Bearer" not in kept


class TestMounts:
    def test_the_same_bytes_are_mounted_in_another_repository(self, tmp_path: Path) -> None:
        world = World(tmp_path)
        world.push("a")
        outcomes = world.push("b")
        assert outcomes[next(one for one in outcomes if one.size == len(LARGE))] is Outcome.MOUNTED
        assert all(len(sent.body) < len(LARGE) for sent in world.network.sent)
        assert copy(world.process("b"), "v1", MemoryTarget()).root.digest == world.root.digest

    def test_what_was_only_pulled_is_mounted_too(self, tmp_path: Path) -> None:
        world = World(tmp_path)
        world.push("a")
        for path in (tmp_path / "seen").glob("*.json"):
            path.unlink()
        copy(world.process("a"), "v1", MemoryTarget())
        assert Outcome.MOUNTED in world.push("c").values()

    @pytest.mark.parametrize("status", [202, 400, 403, 404, 405, 500])
    def test_a_mount_that_is_refused_is_an_upload(self, tmp_path: Path, status: int) -> None:
        world = World(tmp_path)
        world.push("a")
        inner = world.inner

        def core(sent: Sent) -> Answer:
            if "mount=" in sent.url:
                sent = Sent(sent.origin, sent.method, sent.url.partition("?")[0], sent.headers, sent.body)
                return Answer(status) if status != 202 else core(sent)
            found = inner(sent)
            assert isinstance(found, Answer)
            return found

        world.inner = core
        assert Outcome.MOUNTED not in world.push("b").values()
        assert copy(world.process("b"), "v1", MemoryTarget()).root.digest == world.root.digest

    def test_small_blobs_are_not_remembered(self, tmp_path: Path) -> None:
        world = World(tmp_path)
        world.root = world.stash.manifest(world.stash.put("application/wasm", b"little"))
        world.push("a")
        assert not list((tmp_path / "seen").glob("*.json"))

    def test_a_large_blob_is_not_sent_ahead_where_it_may_be_mounted(self, tmp_path: Path) -> None:
        world = World(tmp_path)
        world.push("a")
        repository = world.process("b")
        repository.send_ahead(world.stash.target.fetch(world.stash.put("application/wasm", LARGE)), len(LARGE))
        repository.close()
        assert world.asked() == []


def test_what_was_found_out_makes_room_with_the_cache(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.push()
    assert list(tmp_path.rglob("*.json"))
    Cache(tmp_path).prune(0)
    assert not list(tmp_path.rglob("*.json"))


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    world = World(tmp_path / "file" / "below")
    world.push("a")
    world.push("b")
    world.network.hosts[HOME] = lambda _: Answer(500)
    with pytest.raises(RegistryError):
        world.push("c")
