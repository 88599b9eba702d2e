"""A target in memory: what is built here before a push, what was read before a decision, and a double in tests."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from wasm2oci.content.target import ContentNotFoundError
from wasm2oci.content.verify import CheckedBytes, SelfVerifying, verified
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.reference import check_tag, parse_name
from wasm2oci.oci.referrers import listed_as_referrer, of_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasm2oci.content.target import Content
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.reference import Name

__all__ = ["MemoryTarget"]


class MemoryTarget:
    """Content by digest, and tags. `push` keeps bytes; `add` keeps any content without reading it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._contents: dict[tuple[Digest, bool], tuple[Descriptor, Content]] = {}
        self._tags: dict[str, Descriptor] = {}

    def __str__(self) -> str:
        return "memory"

    def add(self, descriptor: Descriptor, content: Content, *, tag: str | None = None) -> None:
        """Keep content that is somewhere else (a file); it is verified whenever it is fetched.

        Raises:
            InvalidReferenceError: the tag is malformed.
        """
        if tag is not None:
            check_tag(tag)
        with self._lock:
            self._contents.setdefault(_key(descriptor), (descriptor, content))
            if tag is not None:
                self._tags[tag] = descriptor

    def resolve(self, name: Name) -> Descriptor:
        """The manifest that a tag or a digest names; see `ReadTarget.resolve`."""
        name = parse_name(name)
        with self._lock:
            if isinstance(name, Digest):
                kept = self._contents.get((name, True))
                found = kept[0] if kept else None
            else:
                found = self._tags.get(name)
        if found is None:
            raise ContentNotFoundError(f"nothing here is named {name}")
        return found

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether it was pushed or added; see `ReadTarget.exists`."""
        with self._lock:
            kept = self._contents.get(_key(descriptor))
        return kept is not None and kept[0].size == descriptor.size

    def fetch(self, descriptor: Descriptor) -> Content:
        """Verified content; see `ReadTarget.fetch`."""
        return _Kept(self, descriptor)

    def push(self, descriptor: Descriptor, content: Content, *, tag: str | None = None) -> None:
        """Keep these bytes; see `Target.push`."""
        if tag is not None:
            check_tag(tag)
        if not self.exists(descriptor):
            content = CheckedBytes(descriptor, content)
        self.add(descriptor, content, tag=tag)

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        """Name a manifest; see `Target.tag`."""
        check_tag(tag)
        with self._lock:
            if (descriptor.digest, True) not in self._contents:
                raise ContentNotFoundError(f"manifest {descriptor.digest} is not here")
            self._tags[tag] = descriptor

    def tags(self) -> list[str]:
        """Every tag, sorted."""
        with self._lock:
            return sorted(self._tags)

    def referrers(self, subject: Descriptor, artifact_type: str | None = None) -> list[Descriptor]:
        """Manifests here whose subject this is; see `ReferrerLister`."""
        with self._lock:
            kept = [descriptor for (_, is_manifest), (descriptor, _) in self._contents.items() if is_manifest]
        found = (
            listed_as_referrer(one.digest, one.media_type, b"".join(self.fetch(one)), subject.digest) for one in kept
        )
        return of_type((one for one in found if one is not None), artifact_type)

    def delete(self, descriptor: Descriptor) -> None:
        """Forget a manifest with its tags, or a blob; see `Deleter`."""
        with self._lock:
            if self._contents.pop(_key(descriptor), None) is None:
                raise ContentNotFoundError(f"{descriptor.digest} is not here")
            if descriptor.is_manifest:
                self._tags = {name: kept for name, kept in self._tags.items() if kept.digest != descriptor.digest}

    def untag(self, tag: str) -> None:
        """Forget one tag; see `Deleter`."""
        with self._lock:
            if self._tags.pop(tag, None) is None:
                raise ContentNotFoundError(f"there is no tag {tag}")

    def _kept(self, descriptor: Descriptor) -> SelfVerifying:
        with self._lock:
            kept = self._contents.get(_key(descriptor))
        if kept is None:
            raise ContentNotFoundError(f"{descriptor.digest} is not here")
        return verified(kept[1], descriptor)


class _Kept(SelfVerifying):
    """Content that is looked up when it is iterated, as the protocol wants."""

    __slots__ = ("_target",)

    def __init__(self, target: MemoryTarget, descriptor: Descriptor) -> None:
        super().__init__(descriptor)
        self._target = target

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._target._kept(self.descriptor))  # noqa: SLF001 - the two classes are one


def _key(descriptor: Descriptor) -> tuple[Digest, bool]:
    return descriptor.digest, descriptor.is_manifest
