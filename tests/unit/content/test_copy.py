import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from tests.support.artifacts import WASM, Stash, Watching
from tests.support.invariants import check_artifact
from tests.support.network import Network, fresh_core
from tests.support.strategies import graphs
from wasm2oci.content.copy import Moved, NotAManifestError, copy
from wasm2oci.content.graph import ArtifactTooLargeError
from wasm2oci.content.memory import MemoryTarget
from wasm2oci.content.pool import StoppedError, run_all
from wasm2oci.content.progress import Outcome
from wasm2oci.content.target import ChildMissingError
from wasm2oci.content.verify import BytesContent
from wasm2oci.errors import IntegrityError, LocalIOError, NotFoundError, RegistryError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.reference import Name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wasm2oci.content.target import Content


class Bar:
    """A progress that writes down."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.plan: list[Descriptor] = []
        self.moved: dict[str, int] = {}
        self.again: list[Descriptor] = []
        self.done: dict[str, Outcome] = {}

    def planned(self, descriptor: Descriptor) -> None:
        self.plan.append(descriptor)

    def advanced(self, descriptor: Descriptor, size: int) -> None:
        with self.lock:
            key = str(descriptor.digest)
            self.moved[key] = self.moved.get(key, 0) + size

    def restarted(self, descriptor: Descriptor) -> None:
        with self.lock:
            self.again.append(descriptor)
            self.moved[str(descriptor.digest)] = 0

    def finished(self, descriptor: Descriptor, outcome: Outcome) -> None:
        with self.lock:
            self.done[str(descriptor.digest)] = outcome


@given(graphs())
@settings(max_examples=60)
def test_a_copy_is_the_same_artifact_and_a_second_one_moves_no_blob(case: tuple[Stash, Descriptor]) -> None:
    stash, root = case
    destination = Watching(MemoryTarget())
    result = copy(stash.target, "root", destination, "there")
    assert result.root.digest == root.digest
    assert check_artifact(destination, root) == check_artifact(stash.target, root)
    assert destination.resolve("there").digest == root.digest
    before = destination.count("push")
    again = copy(stash.target, root, destination)
    assert again.transferred == 0
    assert destination.count("push") == before
    assert {outcome for _, outcome in again.nodes} == {Outcome.EXISTED}


@given(graphs())
@settings(max_examples=60)
def test_children_are_pushed_before_what_names_them(case: tuple[Stash, Descriptor]) -> None:
    stash, root = case
    strict = Strict()
    copy(stash.target, root, strict, recursive=True)
    check_artifact(strict, root)


class Strict(MemoryTarget):
    """A target that, as registries do, takes a manifest only when all it names is there."""

    def push(self, descriptor: Descriptor, content: "Content", *, tag: str | None = None) -> None:
        super().push(descriptor, content, tag=tag)
        if descriptor.is_manifest:
            check_artifact(self, descriptor)


def test_progress_gets_every_event_once() -> None:
    stash, bar = Stash(), Bar()
    data = WASM + bytes(3 << 20)
    root = stash.manifest(stash.put("application/wasm", data))
    result = copy(stash.target, root, MemoryTarget(), progress=bar)
    sizes = {str(descriptor.digest): descriptor.size for descriptor in bar.plan}
    assert bar.moved == sizes
    assert bar.done == dict.fromkeys(sizes, Outcome.COPIED)
    assert result.transferred == sum(sizes.values())


def test_several_tags_name_the_same_root() -> None:
    stash, destination = Stash(), MemoryTarget()
    root = stash.module()
    copy(stash.target, root, destination, ["a", "b", "c"])
    assert destination.tags() == ["a", "b", "c"]
    assert {destination.resolve(tag).digest for tag in "abc"} == {root.digest}


def test_the_root_is_named_when_everything_that_belongs_to_it_is_there() -> None:
    stash = Stash()
    root = stash.module()
    signature = stash.manifest(subject=root)
    destination = Watching(MemoryTarget())
    copy(stash.target, root, destination, "v1", recursive=True)
    pushed = [digest for verb, digest in destination.calls if verb == "push"]
    assert pushed.index(str(signature.digest)) < pushed.index(str(root.digest)) == len(pushed) - 1


class Mounting(Watching):
    """A target that can mount, from one source."""

    def __init__(self, inner: MemoryTarget, neighbour: object) -> None:
        super().__init__(inner)
        self.neighbour = neighbour

    def mount(self, descriptor: Descriptor, source: object) -> bool:
        self.calls.append(("mount", str(descriptor.digest)))
        if source is not self.neighbour or descriptor.size < 10:
            return False
        assert isinstance(source, MemoryTarget)
        self.inner.push(descriptor, source.fetch(descriptor))
        return True


def test_blobs_are_mounted_where_that_can_be_done() -> None:
    stash = Stash()
    root = stash.module()
    destination = Mounting(MemoryTarget(), stash.target)
    result = copy(stash.target, root, destination)
    outcomes = {descriptor.size: outcome for descriptor, outcome in result.nodes if not descriptor.is_manifest}
    assert outcomes == {2: Outcome.COPIED, len(WASM): Outcome.MOUNTED}
    assert result.transferred == 2 + root.size
    assert destination.count("mount") == 2
    check_artifact(destination, root)


class Forgetful(Watching):
    """A registry that says that blobs are there, and then cannot find them when a manifest names them."""

    def __init__(self, refusals: int) -> None:
        super().__init__(MemoryTarget())
        self.refusals = refusals

    def exists(self, descriptor: Descriptor) -> bool:
        super().exists(descriptor)
        return True

    def push(self, descriptor: Descriptor, content: "Content", *, tag: str | None = None) -> None:
        if descriptor.is_manifest:
            missing = [blob for blob in self.named_by(content) if not self.inner.exists(blob)]
            if missing or self.refusals > 0:
                self.refusals -= 1
                raise ChildMissingError("blob unknown to registry")
        super().push(descriptor, content, tag=tag)

    def named_by(self, content: "Content") -> tuple[Descriptor, ...]:
        from wasm2oci.oci.manifest import parse_manifest

        return parse_manifest(b"".join(content)).children


def test_children_that_a_registry_only_claimed_to_have_are_pushed_again() -> None:
    stash, destination = Stash(), Forgetful(0)
    child = stash.module()
    root = stash.index(child, stash.module(title="2"))
    result = copy(stash.target, root, destination, "v1")
    assert check_artifact(destination.inner, root)
    assert destination.resolve("v1").digest == root.digest
    assert all(outcome is Outcome.COPIED for descriptor, outcome in result.nodes if descriptor.size > 2)


def test_healing_is_tried_once() -> None:
    stash, destination = Stash(), Forgetful(5)
    with pytest.raises(ChildMissingError) as caught:
        copy(stash.target, stash.module(), destination, "v1")
    assert destination.refusals == 3
    assert caught.value.side == "destination"


class Reluctant(MemoryTarget):
    """A target that takes each manifest only when it comes the second time, the fourth, and so on."""

    def __init__(self) -> None:
        super().__init__()
        self.pushed: dict[Digest, int] = {}

    def exists(self, descriptor: Descriptor) -> bool:
        return not descriptor.is_manifest and super().exists(descriptor)

    def push(self, descriptor: Descriptor, content: "Content", *, tag: str | None = None) -> None:
        self.pushed[descriptor.digest] = count = self.pushed.get(descriptor.digest, 0) + 1
        if descriptor.is_manifest and count % 2:
            raise ChildMissingError("blob unknown to registry")
        super().push(descriptor, content, tag=tag)


def test_healing_sends_each_child_again_once_however_often_it_is_named() -> None:
    """Indexes that name the next one twice were sent 2 to the power of their depth times."""
    stash, destination = Stash(), Reluctant()
    root = stash.module()
    for _ in range(6):
        root = stash.index(root, root)
    copy(stash.target, root, destination, "v1")
    assert destination.resolve("v1").digest == root.digest
    assert max(destination.pushed.values()) <= 4


class Broken(Watching):
    """A target one verb of which fails."""

    def __init__(self, verb: str, error: Exception, inner: MemoryTarget | None = None) -> None:
        super().__init__(inner or MemoryTarget())
        self.verb = verb
        self.error = error

    def _fail(self, verb: str) -> None:
        if self.verb == verb:
            raise self.error

    def resolve(self, name: Name) -> Descriptor:
        self._fail("resolve")
        return super().resolve(name)

    def exists(self, descriptor: Descriptor) -> bool:
        self._fail("exists")
        return super().exists(descriptor)

    def fetch(self, descriptor: Descriptor) -> "Content":
        if not descriptor.is_manifest:
            self._fail("fetch")
        return super().fetch(descriptor)

    def push(self, descriptor: Descriptor, content: "Content", *, tag: str | None = None) -> None:
        self._fail("push")
        for _ in content:
            self._fail("write")
        super().push(descriptor, content, tag=tag)


@pytest.mark.parametrize("verb", ["resolve", "fetch"])
def test_an_error_of_the_source_is_blamed_on_the_source(verb: str) -> None:
    inner = MemoryTarget()
    Stash(inner).module(tag="v1")
    with pytest.raises(RegistryError) as caught:
        copy(Broken(verb, RegistryError("reset"), inner), "v1", MemoryTarget())
    assert caught.value.side == "source"
    assert caught.value.__notes__ == ["the source failed: watched"]


def test_bytes_that_go_bad_on_the_way_are_blamed_on_the_source() -> None:
    class Rotten(Watching):
        def fetch(self, descriptor: Descriptor) -> "Content":
            return super().fetch(descriptor) if descriptor.is_manifest else BytesContent(bytes(descriptor.size))

    stash, destination = Stash(), MemoryTarget()
    root = stash.module()
    with pytest.raises(IntegrityError) as caught:
        copy(Rotten(stash.target), root, destination, "v1")
    assert caught.value.side == "source"
    assert destination.tags() == []
    assert not destination.exists(root)


@pytest.mark.parametrize("verb", ["exists", "push", "write"])
def test_an_error_of_the_destination_is_blamed_on_the_destination(verb: str) -> None:
    stash = Stash()
    with pytest.raises(LocalIOError) as caught:
        copy(stash.target, stash.module(), Broken(verb, LocalIOError("disk full")))
    assert caught.value.side == "destination"
    assert caught.value.__notes__ == ["the destination failed: watched"]


def test_a_missing_blob_fails_and_leaves_no_manifest() -> None:
    stash, destination = Stash(), MemoryTarget()
    gone = Descriptor.of("application/wasm", b"gone")
    root = stash.manifest(gone, stash.put("application/wasm", b"here"))
    with pytest.raises(NotFoundError):
        copy(stash.target, root, destination, "v1")
    assert not destination.exists(root)


def test_what_is_no_manifest_is_not_copied() -> None:
    stash = Stash()
    with pytest.raises(NotAManifestError, match="not a manifest or an index") as caught:
        copy(stash.target, stash.put(mt.OCTET_STREAM, b"x"), MemoryTarget())
    assert caught.value.side == "source"


class Twice(MemoryTarget):
    """A destination whose first transfer of anything breaks in the middle, so it reads the content again."""

    def push(self, descriptor: Descriptor, content: "Content", *, tag: str | None = None) -> None:
        for _ in content:
            break
        super().push(descriptor, content, tag=tag)


def test_progress_is_reset_when_a_transfer_starts_again() -> None:
    stash, bar = Stash(), Bar()
    root = stash.module()
    copy(stash.target, root, Twice(), progress=bar)
    assert len(bar.again) == 2
    assert bar.moved == {str(descriptor.digest): descriptor.size for descriptor in bar.plan}


def test_transfers_run_side_by_side_and_no_more_than_asked() -> None:
    running, most, lock = 0, 0, threading.Lock()
    together = threading.Barrier(3, timeout=120)

    class Counting(MemoryTarget):
        def push(self, descriptor: Descriptor, content: "Content", *, tag: str | None = None) -> None:
            nonlocal running, most
            if not descriptor.is_manifest:
                with lock:
                    running += 1
                    most = max(most, running)
                together.wait()
                with lock:
                    running -= 1
                together.wait()
            super().push(descriptor, content, tag=tag)

    stash = Stash()
    layers = [stash.put("application/wasm", bytes([number]) * 100_000) for number in range(8)]
    root = stash.manifest(*layers)
    destination = Counting()
    copy(stash.target, root, destination, workers=3)
    assert most == 3
    check_artifact(destination, root)


def test_one_failure_ends_the_other_transfers() -> None:
    started, failed = threading.Event(), threading.Event()

    class Stuck:
        """Endless content, until somebody says stop."""

        def __iter__(self) -> "Iterator[bytes]":
            started.set()
            while True:
                failed.wait(0.01)
                yield b""

    class Half(MemoryTarget):
        def fetch(self, descriptor: Descriptor) -> "Content":
            if descriptor.is_manifest:
                return super().fetch(descriptor)
            if descriptor.size == 100_000:
                return Stuck()
            started.wait(120)
            raise RegistryError("broken")

    half = Half()
    stash = Stash(half)
    root = stash.manifest(stash.put("application/wasm", bytes(100_000)), stash.put("application/wasm", bytes(70_000)))
    with pytest.raises(RegistryError, match="broken"):
        copy(half, root, MemoryTarget(), workers=2)
    failed.set()


class Distant:
    """A place on a network, which notes what it is asked."""

    def __init__(self) -> None:
        self.inner = MemoryTarget()
        self.resolve, self.fetch, self.push, self.tag = (
            self.inner.resolve,
            self.inner.fetch,
            self.inner.push,
            self.inner.tag,
        )
        self.asked: list[str] = []
        self.prepared: list[int] = []

    def prepare(self, connections: int) -> None:
        self.prepared.append(connections)

    def authorize(self) -> None:
        self.asked.append("authorize")

    def takes_unasked(self, descriptor: Descriptor) -> bool:
        return descriptor.size < 1000

    def exists(self, descriptor: Descriptor) -> bool:
        self.asked.append("manifest" if descriptor.is_manifest else "blob")
        return self.inner.exists(descriptor)


def test_a_distant_place_is_asked_for_the_root_and_for_large_blobs_only() -> None:
    stash = Stash()
    root = stash.manifest(stash.put("application/wasm", b"small"), stash.put("application/wasm", bytes(5000)))
    there = Distant()
    copy(stash.target, root, there)
    assert there.asked.count("blob") == 1
    assert there.prepared == [3]  # the configuration is a blob too
    assert "authorize" not in there.asked  # nothing else is asked meanwhile, so the first question does it
    there.asked.clear()
    copy(stash.target, root, there, "again")
    assert there.asked == ["manifest"]


def test_many_small_blobs_are_asked_for() -> None:
    stash = Stash()
    there = Distant()
    copy(stash.target, stash.manifest(*(stash.put("application/wasm", bytes([n])) for n in range(8))), there)
    assert there.asked.count("blob") == 9


def test_a_destination_is_asked_for_authorization_while_the_source_is_read() -> None:
    here, there = Distant(), Distant()
    stash = Stash()
    root = stash.manifest(stash.put("application/wasm", b"small"))
    copy(stash.target, root, here)
    copy(here, root, there)
    assert there.asked.count("authorize") == 1
    assert "authorize" not in here.asked


def test_a_pinned_digest_is_the_only_one_that_is_copied() -> None:
    stash, there = Stash(), MemoryTarget()
    root = stash.manifest(stash.put("application/wasm", b"small"))
    with pytest.raises(IntegrityError, match="not sha256"):
        copy(stash.target, root, there, "v1", pinned=Digest.of(b"else"))
    with pytest.raises(NotFoundError):
        there.resolve("v1")
    copy(stash.target, root, there, "v1", pinned=root.digest)


def test_an_artifact_that_is_larger_than_asked_for_is_not_copied() -> None:
    """A registry can name as much as it likes: 20,000 blobs of 8 TiB."""
    stash, there = Stash(), MemoryTarget()
    layer, other = stash.put("application/wasm", b"small"), stash.put("application/wasm", b"other")
    root = stash.manifest(layer, other)
    size = root.size + layer.size + other.size + 2
    with pytest.raises(ArtifactTooLargeError, match=f"{size:,} bytes of content; the limit is {size - 1:,}"):
        copy(stash.target, root, there, "v1", size_max=size - 1)
    assert not there.exists(layer)
    with pytest.raises(NotFoundError):
        there.resolve("v1")
    copy(stash.target, root, there, "v1", size_max=size)


@pytest.mark.parametrize("workers", [1, 3])
def test_all_work_is_done_and_the_first_error_raised(workers: int) -> None:
    done = []

    def work(item: int, check: "Callable[[], None]") -> None:
        check()
        if item == 5:
            raise ValueError(item)
        done.append(item)

    run_all(work, range(5), workers)
    assert sorted(done) == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="5"):
        run_all(work, [5, 5, 5], workers)


def test_work_that_was_stopped_is_no_error_of_its_own() -> None:
    both = threading.Barrier(2, timeout=120)

    def work(item: int, check: "Callable[[], None]") -> None:
        both.wait()
        if item == 0:
            raise LookupError("first")
        while True:
            check()

    with pytest.raises(LookupError, match="first"):
        run_all(work, [0, 1], 2)
    assert not issubclass(StoppedError, LookupError)


def test_an_interrupted_caller_waits_until_the_others_have_tidied_up() -> None:
    began, tidied = threading.Event(), threading.Event()

    def work(item: int, check: "Callable[[], None]") -> None:
        if item == 0:
            assert began.wait(120)
            raise KeyboardInterrupt
        try:
            began.set()
            while True:
                check()
        finally:
            threading.Event().wait(0.05)  # as removing a half-written file takes its time
            tidied.set()

    with pytest.raises(KeyboardInterrupt):
        run_all(work, [0, 1], 2)
    assert tidied.is_set()


@pytest.mark.parametrize("size", [10, 200_000], ids=["small", "large"])
@pytest.mark.parametrize("at_once", [1, 4])
def test_copies_that_share_blobs_move_each_once(size: int, at_once: int) -> None:
    """Ten tags of one module, each with its own layer: what they share is read once, and sent once."""
    network = Network({"https://from.example": fresh_core(), "https://to.example": fresh_core()})
    stash = Stash()
    shared = stash.put("application/wasm", bytes(size))
    roots = [stash.manifest(shared, stash.put("application/wasm", bytes([number]))) for number in range(10)]
    source = network.repository("from.example/a", writes=True)
    for root in roots:
        copy(stash.target, root, source)
    network.sent.clear()
    moved, destination = Moved(), network.repository("to.example/a", writes=True)

    def one(root: Descriptor, check: "Callable[[], None]") -> None:
        check()
        copy(source, root, destination, moved=moved)

    run_all(one, roots, at_once)
    reads = [sent.path for sent in network.at("https://from.example") if "/blobs/" in sent.path]
    assert len(reads) == len(set(reads))
    assert len(set(reads)) == 11 + 1  # a layer of each, what they share, and the empty config
    ends = [sent for sent in network.at("https://to.example") if "digest" in sent.query]
    assert len(ends) == len({sent.query["digest"][0] for sent in ends})
    for root in roots:
        check_artifact(destination, root)
