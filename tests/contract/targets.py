"""Every implementation of `Target`, one row each; what the rows have in common is proved by `test_target`."""

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.docker_registry import docker_registry
from tests.support.registry_server import registry_server
from wasm2oci.content.archive import ArchiveWriter
from wasm2oci.content.layout import OciLayout
from wasm2oci.content.memory import MemoryTarget
from wasm2oci.oci.reference import Reference
from wasm2oci.registry.connect import ConnectOptions, Connector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from wasm2oci.content.target import Target

__all__ = ["TARGETS"]


@contextmanager
def _memory(folder: "Path") -> "Iterator[Target]":
    yield MemoryTarget()


@contextmanager
def _layout(folder: "Path") -> "Iterator[Target]":
    yield OciLayout.create(folder / "layout")


@contextmanager
def _archive(folder: "Path") -> "Iterator[Target]":
    writer = ArchiveWriter(folder / "archive.tar")
    yield writer
    writer.commit()


@contextmanager
def _repository(host: str, folder: "Path") -> "Iterator[Target]":
    options = ConnectOptions(plain_http=True, environ={}, home=folder, sleep=lambda _: None)
    with Connector(options) as connector:
        yield connector.repository(Reference(host, "team/app"), writes=True)


@contextmanager
def _registry(folder: "Path") -> "Iterator[Target]":
    with registry_server() as server, _repository(server.address, folder) as repository:
        yield repository


@contextmanager
def _docker_registry(folder: "Path") -> "Iterator[Target]":
    with docker_registry(folder / "registry") as registry, _repository(registry.host, folder) as repository:
        yield repository


TARGETS: "dict[str, Callable[[Path], AbstractContextManager[Target]]]" = {
    "memory": _memory,
    "layout": _layout,
    "archive": _archive,
    "registry": _registry,
    "docker-registry": _docker_registry,
}
"""By name. `docker-registry` is Debian's, whom nobody here wrote."""
