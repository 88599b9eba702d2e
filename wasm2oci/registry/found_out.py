"""What was found out about registries, kept in the cache for the next process; see `content.notes` for how.

    hosts    by origin: the realm and service of its challenge
    seen     by origin and digest: a repository that has a blob; by origin and size: that one of this size was sent

None of it is trusted further than a fresh answer would be. Credentials are sent to no token server because of a note: a
challenge from here serves for anonymous tokens, and for opening a connection early. A repository from here is only ever
asked for, in a mount that the registry allows or not.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from wasm2oci.base.probe import is_folder
from wasm2oci.errors import LocalIOError, Wasm2OciError
from wasm2oci.oci.reference import check_repository

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from wasm2oci.content.notes import Notes
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.registry.challenge import Challenge
    from wasm2oci.registry.urls import Origin

__all__ = ["FoundOut"]


class FoundOut:
    """What was found out about registries.

    Args:
        folder: of the cache.
        now: seconds since 1970.
    """

    def __init__(self, folder: Path, now: Callable[[], float]) -> None:
        self._folder = folder
        self._now = now

    def challenge(self, origin: Origin) -> Challenge | None:
        """How a registry asked for tokens the last time."""
        value = self._get("hosts", str(origin))
        realm, service = value.get("realm"), value.get("service")
        if not isinstance(realm, str) or not isinstance(service, str):
            return None
        from wasm2oci.registry.challenge import Challenge

        return Challenge("bearer", {"realm": realm, "service": service})

    def note_challenge(self, origin: Origin, challenge: Challenge) -> None:
        """Note how a registry asks for tokens; nothing is raised."""
        self._note("hosts", str(origin), {"realm": challenge.get("realm"), "service": challenge.get("service")})

    def holder(self, origin: Origin, descriptor: Descriptor) -> str | None:
        """A repository of this registry that had this blob the last time."""
        name = self._get("seen", f"{origin} {descriptor.digest}").get("repository")
        try:
            return check_repository(name) if isinstance(name, str) else None
        except Wasm2OciError:
            return None

    def knows_size(self, origin: Origin, size: int) -> bool:
        """Whether a blob of this size is somewhere in this registry, so that it may not have to be sent."""
        return bool(self._get("seen", f"{origin} {size}"))

    def note_holder(self, origin: Origin, repository: str, descriptor: Descriptor) -> None:
        """Note that a repository has this blob; nothing is raised."""
        self._note("seen", f"{origin} {descriptor.digest}", {"repository": repository})
        self._note("seen", f"{origin} {descriptor.size}", {})

    def _notes(self, kind: str) -> Notes:
        from wasm2oci.content.notes import Notes  # where nothing was noted yet it is not needed

        return Notes(self._folder, kind, now=self._now)

    def _get(self, kind: str, name: str) -> Mapping[str, Any]:
        return (self._notes(kind).get(name) or {}) if is_folder(self._folder / kind) else {}

    def _note(self, kind: str, name: str, value: Mapping[str, Any]) -> None:
        known = self._get(kind, name)
        if not known or any(known.get(key) != value[key] for key in value):
            with suppress(LocalIOError, OSError):
                self._notes(kind).put(name, value)
