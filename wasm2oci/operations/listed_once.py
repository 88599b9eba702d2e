"""A place whose referrers are listed once, however often one operation asks for those of a manifest."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from wasm2oci.content.target import ReferrerLister
from wasm2oci.errors import Wasm2OciError
from wasm2oci.operations.find_signatures import fetch_manifest

if TYPE_CHECKING:
    from wasm2oci.content.target import Content, ReadTarget
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.reference import Name

__all__ = ["listed_once"]


def listed_once(target: ReadTarget) -> ReadTarget:
    """The place itself, or, if it lists referrers, one that does so once for each manifest, errors included."""
    return _ListedOnce(target, target) if isinstance(target, ReferrerLister) else target


class _ListedOnce:
    def __init__(self, target: ReadTarget, lister: ReferrerLister) -> None:
        self._target = target
        self._lister = lister
        self._guard = Lock()
        self._listed: dict[tuple[Digest, str | None], list[Descriptor] | Wasm2OciError] = {}

    def __str__(self) -> str:
        return str(self._target)

    def resolve(self, name: Name) -> Descriptor:
        """See `ReadTarget`."""
        return self._target.resolve(name)

    def exists(self, descriptor: Descriptor) -> bool:
        """See `ReadTarget`."""
        return self._target.exists(descriptor)

    def fetch(self, descriptor: Descriptor) -> Content:
        """See `ReadTarget`."""
        return self._target.fetch(descriptor)

    def fetch_manifest(self, name: Name) -> tuple[Descriptor, bytes]:
        """The manifest under a name, in one exchange where the place can do that."""
        return fetch_manifest(self._target, name)

    def referrers(self, subject: Descriptor, artifact_type: str | None = None) -> list[Descriptor]:
        """See `ReferrerLister`."""
        key = (subject.digest, artifact_type)
        with self._guard:
            if key not in self._listed:
                try:
                    self._listed[key] = list(self._lister.referrers(subject, artifact_type))
                except Wasm2OciError as error:
                    self._listed[key] = error
            found = self._listed[key]
        if isinstance(found, Wasm2OciError):
            raise found
        return found
