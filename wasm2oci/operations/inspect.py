"""Inspect: what an artifact holds, or what a module file says about itself."""

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from wasm2oci.content.target import ReferrerLister, open_manifest
from wasm2oci.errors import InvalidInputError, NotFoundError, UnsupportedError
from wasm2oci.oci.reference import LayoutReference
from wasm2oci.operations.module_info import ModuleInfo

if TYPE_CHECKING:
    from wasm2oci.content.target import Content, ReadTarget
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.manifest import Index, Manifest
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment

__all__ = ["Inspected", "inspect", "inspect_file"]

_MODULE_MAX: Final = 256 << 20
"""Bytes of a module that is looked into."""


class Inspected(NamedTuple):
    """An artifact.

    Args:
        source: where it is.
        manifest: its root's descriptor.
        document: its root.
        format: what it was recognised as, or None.
        module: its module in outline, or None when there is no single one, or it was not wanted.
        problem: why there is no outline, or None.
        referrers: what refers to it: signatures, attestations; None when the place cannot say.
    """

    source: "Location"
    manifest: "Descriptor"
    document: "Manifest | Index"
    format: str | None
    module: "ModuleInfo | None"
    problem: str | None
    referrers: "tuple[Descriptor, ...] | None"


def inspect_file(path: Path) -> "ModuleInfo":
    """Look at a module file; one in the text format is assembled first, and its digest is that of the text.

    Raises:
        NotFoundError: there is no such file.
        LocalIOError: it cannot be read, or is a folder.
        InvalidInputError: it is not WebAssembly, too large, or its outline is malformed.
    """
    from wasm2oci.content.verify import FileContent
    from wasm2oci.engine.errors import ModuleError
    from wasm2oci.engine.facts import outline
    from wasm2oci.engine.text import binary
    from wasm2oci.oci.digest import Digest

    try:
        data = _joined(FileContent(path), str(path))
        return ModuleInfo(Digest.of(data), len(data), outline(binary(data)))
    except ModuleError as error:
        error.message = f"{path} cannot be looked into: {error.message}"
        raise


def inspect(source: "Location", environment: "Environment", *, look_inside: bool = True) -> Inspected:
    """Look at an artifact.

    Args:
        source: where it is.
        environment: the world.
        look_inside: fetch the module (through the cache) and look into it as well.

    Raises:
        NotFoundError: the source names nothing.
        IntegrityError: bytes are not what they should be.
        Wasm2OciError: the place cannot be read.
    """
    from wasm2oci.content.cache import CachedTarget
    from wasm2oci.content.graph import read_manifest
    from wasm2oci.packager.recognise import recognise

    with environment.places() as places:
        target: ReadTarget = places.read(source)
        root = open_manifest(target, places.identifier(source))
        document = read_manifest(target, root)
        referrers = _referrers(target, root)
        if not isinstance(source, LayoutReference):
            target = CachedTarget(target, environment.cache())
        found_format: str | None = None
        module: ModuleInfo | None = None
        problem: str | None = None
        try:
            found = recognise(target, root)
            found_format = found.format
            if look_inside:
                from wasm2oci.engine.facts import outline

                module = ModuleInfo.of(found.module, outline(_joined(found.content, "the module")))
        except (InvalidInputError, UnsupportedError) as error:
            problem = error.message
    return Inspected(source, root, document, found_format, module, problem, referrers)


def _referrers(target: "ReadTarget", root: "Descriptor") -> "tuple[Descriptor, ...] | None":
    if not isinstance(target, ReferrerLister):
        return None
    try:
        return tuple(target.referrers(root))
    except (NotFoundError, UnsupportedError):
        return None


def _joined(content: "Content", what: str) -> bytes:
    chunks, size = [], 0
    for chunk in content:
        size += len(chunk)
        if size > _MODULE_MAX:
            raise InvalidInputError(f"{what} is larger than {_MODULE_MAX:,} bytes, the limit of inspect")
        chunks.append(chunk)
    return b"".join(chunks)
