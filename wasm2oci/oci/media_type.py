"""Media types: the names of things in a registry.

Spec: image-spec, media-types.md; RFC 6838 section 4.2 for the grammar of a name.
"""

from __future__ import annotations

import re
from typing import Final

from wasm2oci.errors import InvalidInputError

__all__ = [
    "ACCEPT_MANIFESTS",
    "DOCKER_CONFIG",
    "DOCKER_INDEX",
    "DOCKER_LAYER_TAR_GZIP",
    "DOCKER_MANIFEST",
    "EMPTY_JSON",
    "INDEXES",
    "MANIFESTS",
    "OCI_CONFIG",
    "OCI_INDEX",
    "OCI_LAYER_TAR",
    "OCI_LAYER_TAR_GZIP",
    "OCI_LAYER_TAR_ZSTD",
    "OCI_MANIFEST",
    "OCTET_STREAM",
    "InvalidMediaTypeError",
    "check",
    "essence",
    "is_markup",
    "says_markup",
    "says_nothing",
]

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
OCI_LAYER_TAR: Final = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_TAR_GZIP: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_LAYER_TAR_ZSTD: Final = "application/vnd.oci.image.layer.v1.tar+zstd"
EMPTY_JSON: Final = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_TAR_GZIP: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"
OCTET_STREAM: Final = "application/octet-stream"

MANIFESTS: Final = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEXES: Final = frozenset({OCI_INDEX, DOCKER_INDEX})
ACCEPT_MANIFESTS: Final = f"{OCI_MANIFEST}, {OCI_INDEX}, {DOCKER_MANIFEST}, {DOCKER_INDEX}"
"""What a pull says it can read. Spec: distribution-spec, Pulling manifests."""

_SAYS_NOTHING: Final = frozenset(
    {"", "application/json", "application/octet-stream", "application/x-json", "binary/octet-stream", "text/plain"}
)
_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})
_MARKUP: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<!--|<!doctype|<html|<head|<body|<\?xml)", re.IGNORECASE)
_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_GRAMMAR: Final = re.compile(rf"{_NAME}/{_NAME}\Z")


class InvalidMediaTypeError(InvalidInputError):
    """Text that should be a media type is not `type/subtype`."""


def essence(content_type: str) -> str:
    """A Content-Type without its parameters, in lower case: what may be compared."""
    return content_type.partition(";")[0].strip().lower()


def says_nothing(content_type: str) -> bool:
    """Whether a Content-Type is one that servers send when they do not know what they serve (helm#30873)."""
    kind = essence(content_type)
    return kind in _SAYS_NOTHING or kind.endswith("/json")


def says_markup(content_type: str) -> bool:
    """Whether a Content-Type is that of a web page."""
    return essence(content_type) in _PAGES


def is_markup(body: bytes) -> bool:
    """Whether this is a web page, whatever its headers say: how it begins is enough to tell."""
    return _MARKUP.match(body) is not None


def check(text: str) -> str:
    """This text, if it is a media type without parameters.

    Raises:
        InvalidMediaTypeError: it is not.
    """
    if _GRAMMAR.match(text) is None:
        raise InvalidMediaTypeError(f"not a media type: {text[:80]!r}")
    return text
