"""Artifacts made for tests: modules, manifests, indexes, images, and targets that hold them."""

import gzip
import io
import json
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wasm2oci.content.memory import MemoryTarget
from wasm2oci.content.verify import BytesContent
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.reference import Name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from wasm2oci.content.target import Content, Target

__all__ = ["CONFIG", "WASM", "Stash", "Watching", "component", "tar", "tar_entry"]

WASM = b"\0asm\x01\0\0\0" + b"\0\x05\x04name"
CONFIG = "application/vnd.wasm.config.v0+json"


def component(*, imports: "Iterable[str]" = (), exports: "Iterable[str]" = ()) -> bytes:
    """A component's outline: what it imports are instances, what it exports are functions."""

    def section(id_: int, rows: list[bytes]) -> bytes:
        body = bytes([len(rows)]) + b"".join(rows)
        return bytes([id_]) + _leb(len(body)) + body if rows else b""

    def name(text: str) -> bytes:
        return b"\0" + _leb(len(text)) + text.encode()

    return (
        b"\0asm\x0d\0\x01\0"
        + section(10, [name(text) + b"\x05\0" for text in imports])
        + section(11, [name(text) + b"\x01\0\0" for text in exports])
    )


def _leb(value: int) -> bytes:
    out = bytearray()
    while True:
        byte, value = value & 0x7F, value >> 7
        out.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(out)


def tar_entry(path: str, *, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    """The header of one entry."""
    info = tarfile.TarInfo(path)
    info.type, info.linkname, info.size = kind, link, size
    return info


def tar(
    files: "Mapping[str, bytes] | Iterable[tuple[str | tarfile.TarInfo, bytes]]",
    *,
    compress: bool = True,
    form: int = tarfile.PAX_FORMAT,
) -> bytes:
    """A tar archive of these files, gzip-compressed unless told otherwise."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        pairs = list(files.items()) if hasattr(files, "items") else list(files)
        for name, data in pairs:
            info = tar_entry(name, size=len(data)) if isinstance(name, str) else name
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(out.getvalue(), mtime=0) if compress else out.getvalue()


@dataclass
class Stash:
    """A memory target, and short ways to put things into it. Every method returns what it put there."""

    target: "Target" = field(default_factory=MemoryTarget)

    def put(self, media_type: str, data: bytes, tag: str | None = None, **fields: Any) -> Descriptor:
        plain = Descriptor.of(media_type, data)
        self.target.push(plain, BytesContent(data), tag=tag)
        return Descriptor(plain.media_type, plain.digest, plain.size, **fields)

    def document(self, media_type: str, value: "Mapping[str, Any]", tag: str | None = None) -> Descriptor:
        return self.put(media_type, json.dumps({"schemaVersion": 2, "mediaType": media_type, **value}).encode(), tag)

    def manifest(
        self,
        *layers: Descriptor,
        config: Descriptor | None = None,
        subject: Descriptor | None = None,
        tag: str | None = None,
        media_type: str = mt.OCI_MANIFEST,
        **more: Any,
    ) -> Descriptor:
        config = config or self.put(CONFIG, b"{}")
        value: dict[str, Any] = {"config": config.to_json(), "layers": [layer.to_json() for layer in layers], **more}
        if subject is not None:
            value["subject"] = Descriptor(subject.media_type, subject.digest, subject.size).to_json()
        return self.document(media_type, value, tag)

    def index(self, *manifests: Descriptor, tag: str | None = None, **more: Any) -> Descriptor:
        return self.document(mt.OCI_INDEX, {"manifests": [one.to_json() for one in manifests], **more}, tag)

    def module(self, data: bytes = WASM, *, tag: str | None = None, title: str | None = None) -> Descriptor:
        """An artifact of one raw layer."""
        annotations = {} if title is None else {"org.opencontainers.image.title": title}
        return self.manifest(self.put("application/wasm", data, annotations=annotations), tag=tag)

    def image(
        self,
        *layers: bytes,
        config: "Mapping[str, Any] | None" = None,
        layer_type: str = mt.OCI_LAYER_TAR_GZIP,
        tag: str | None = None,
        **more: Any,
    ) -> Descriptor:
        """A container image of these layers, the lowest first."""
        blob = self.put(mt.OCI_CONFIG, json.dumps(config or {}).encode())
        return self.manifest(*(self.put(layer_type, data) for data in layers), config=blob, tag=tag, **more)

    def get(self, descriptor: Descriptor) -> bytes:
        return b"".join(self.target.fetch(descriptor))


class Watching:
    """A target that lets another one work and writes down what it was asked."""

    def __init__(self, inner: "Target") -> None:
        self.inner = inner
        self.calls: list[tuple[str, str]] = []

    def __str__(self) -> str:
        return "watched"

    def resolve(self, name: Name) -> Descriptor:
        self.calls.append(("resolve", str(name)))
        return self.inner.resolve(name)

    def exists(self, descriptor: Descriptor) -> bool:
        self.calls.append(("exists", str(descriptor.digest)))
        return self.inner.exists(descriptor)

    def fetch(self, descriptor: Descriptor) -> "Content":
        return _Noted(self, descriptor)

    def push(self, descriptor: Descriptor, content: "Content", *, tag: str | None = None) -> None:
        self.calls.append(("push", str(descriptor.digest)))
        self.inner.push(descriptor, content, tag=tag)

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        self.calls.append(("tag", tag))
        self.inner.tag(descriptor, tag)

    def count(self, verb: str) -> int:
        return sum(1 for call, _ in self.calls if call == verb)


class _Noted:
    def __init__(self, watching: Watching, descriptor: Descriptor) -> None:
        self.watching = watching
        self.descriptor = descriptor

    def __iter__(self) -> "Iterator[bytes]":
        self.watching.calls.append(("fetch", str(self.descriptor.digest)))
        yield from self.watching.inner.fetch(self.descriptor)
