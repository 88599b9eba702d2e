"""The one wiring point: what operations need from the world, made from plain data.

Only here do the cores meet their concrete parts: variables and home folder, clock, credentials, cache, and the targets
that a location opens. Tests hand in another `Environment`. Everything heavy is imported when it is first used.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self, cast

from wasm2oci.base.homes import cache_folder
from wasm2oci.base.records import NamedTuple
from wasm2oci.errors import UsageError
from wasm2oci.oci.reference import LayoutReference, Reference
from wasm2oci.registry.options import ConnectOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

    from wasm2oci.content.archive import ArchiveWriter
    from wasm2oci.content.cache import Cache
    from wasm2oci.content.layout_reader import LayoutReader
    from wasm2oci.content.target import ReadTarget, Target
    from wasm2oci.oci.reference import Location, Name
    from wasm2oci.registry.connect import Connector

__all__ = ["Connections", "Environment", "Places", "missing_tag"]


def _ignore(text: str) -> None:
    del text


class Environment(NamedTuple):
    """The world as operations see it.

    Args:
        variables: environment variables.
        home: the user's home folder.
        options: how registries are reached, and with which credentials.
        warn: takes text that may need the user's attention.
        note: takes text that only a curious user wants.
        connections: registries that stay connected from one operation to the next; None to connect again for each.
        log: takes a line for each request and answer, without secrets; None when it is not wanted.
        clock: seconds since the epoch.
    """

    variables: Mapping[str, str]
    home: Path
    options: ConnectOptions = ConnectOptions()
    warn: Callable[[str], None] = _ignore
    note: Callable[[str], None] = _ignore
    log: Callable[[str], None] | None = None
    clock: Callable[[], float] = time.time
    connections: Connections | None = None

    def connect_options(self) -> ConnectOptions:
        """The options for the registry client, with this world filled in."""
        return self.options._replace(
            cache=cache_folder(self.variables, self.home),
            environ=self.variables,
            home=self.home,
            now=self.clock,
            log=self.log,
            warn=self.warn,
        )

    def cache(self) -> Cache:
        """Blobs that were downloaded before."""
        from wasm2oci.content.cache import Cache, cache_folder

        return Cache(cache_folder(self.variables, self.home), now=self.clock)

    def places(self) -> Places:
        """Where locations are opened; a context manager that closes every connection at its end."""
        return Places(self)


class Connections:
    """The registry client of an environment, made when it is first needed. Thread-safe, but for `close`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connector: Connector | None = None

    def connector(self, environment: Environment) -> Connector:
        """The registry client."""
        with self._lock:
            if self._connector is None:
                from wasm2oci.registry.connect import Connector

                self._connector = Connector(environment.connect_options())
            return self._connector

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            connector, self._connector = self._connector, None
        if connector is not None:
            connector.close()


class Places:
    """Opens locations as targets; connections and tokens are shared between them."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self._connections = environment.connections or Connections()
        self._ending: list[Callable[[], None]] = []
        self._archives: dict[Path, ArchiveWriter] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with ExitStack() as always:
            if self.environment.connections is None:
                always.callback(self._connections.close)
            for archive in self._archives.values():
                always.callback(archive.discard)  # which does nothing to one that was committed
            for end in self._ending:
                end()
            if kind is None:
                for archive in self._archives.values():
                    archive.commit()

    def before_closing(self, end: Callable[[], None]) -> None:
        """Call this before connections are closed: it ends what still uses them on another thread."""
        self._ending.append(end)

    @property
    def connector(self) -> Connector:
        """The registry client."""
        return self._connections.connector(self.environment)

    def read(self, location: Location, *, apart: bool = False) -> ReadTarget:
        """The place to read this from; `apart`: for another thread, so that what one reads does not disturb the other.

        Raises:
            NotFoundError: there is no such layout.
            InvalidInputError: the folder is not a layout.
        """
        if isinstance(location, Reference):
            return self.connector.source(location, apart=apart)
        return self._open_layout(location, writes=False)

    def write(self, location: Location, *, apart: bool = False) -> Target:
        """The place to write this to; a layout that is not there is made. For `apart` see `read`.

        Raises:
            LocalIOError: the layout cannot be made.
            InvalidInputError: the folder is something else.
        """
        if isinstance(location, Reference):
            return self.connector.repository(location, writes=True, apart=apart)
        return self._open_layout(location, writes=True)

    def change(self, location: Location) -> Target:
        """The place to add to what is there: as `write`, but no layout is made.

        Raises:
            NotFoundError: there is no such layout.
            InvalidInputError: the folder or file is not a layout.
        """
        if isinstance(location, LayoutReference):
            self.read(location)
        return self.write(location)

    def delete_from(self, location: Location) -> ReadTarget:
        """The place to take something out of: what `read` gives, or an archive that is going to be written again.

        Raises:
            NotFoundError, InvalidInputError: see `change`.
        """
        archive = isinstance(location, LayoutReference) and location.archive
        return self.change(location) if archive else self.read(location)

    def _open_layout(self, location: LayoutReference, *, writes: bool) -> Target:
        if location.archive:
            return self._open_archive(location.folder, writes=writes)
        from wasm2oci.content.layout import OciLayout

        return OciLayout.create(location.folder) if writes else OciLayout(location.folder)

    def _open_archive(self, path: Path, *, writes: bool) -> Target:
        # What is written is seen by every later read; the file itself changes in the end.
        from wasm2oci.content.archive import ArchiveWriter, OciArchive

        if path not in self._archives and not writes:
            return cast("Target", OciArchive(path))  # it is only read
        if path not in self._archives:
            self._archives[path] = ArchiveWriter(path)
        return self._archives[path]

    def identifier(self, location: Location) -> Name:
        """What to ask the opened place for: the digest, the tag, or the only entry of a layout.

        Raises:
            UsageError: a reference to a registry names neither tag nor digest.
        """
        if location.identifier is not None:
            return location.identifier
        if isinstance(location, LayoutReference):
            return cast("LayoutReader", self.read(location)).sole().digest
        raise missing_tag(location)


def missing_tag(location: Location) -> UsageError:
    """The error for a location without tag and digest where one is needed."""
    return UsageError(f"{location} names neither a tag nor a digest", hint=f"for example {location}:latest")
