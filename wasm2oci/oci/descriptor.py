"""Descriptors: type, digest and size of a piece of content.

Spec: image-spec, descriptor.md.
"""

from __future__ import annotations

import base64
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self

from wasm2oci.base.values import Value
from wasm2oci.errors import InvalidInputError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.wire import BLOB_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EMPTY_JSON", "TITLE", "Descriptor", "InvalidDescriptorError", "annotations_from"]

TITLE: Final = "org.opencontainers.image.title"
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


class InvalidDescriptorError(InvalidInputError):
    """A descriptor lacks a field, or a field is of the wrong type or out of range."""


class Descriptor(Value):
    """What content is (media type), which bytes (digest) and how many (size, in bytes, 0 to `BLOB_MAX`).

    Raises:
        InvalidDescriptorError: size out of range.
        InvalidMediaTypeError: not a media type.
    """

    __slots__ = ("annotations", "artifact_type", "data", "digest", "media_type", "platform", "size", "urls")
    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str]
    artifact_type: str | None
    platform: Mapping[str, Any] | None
    urls: tuple[str, ...]
    data: bytes | None

    def __init__(
        self,
        media_type: str,
        digest: Digest,
        size: int,
        annotations: Mapping[str, str] = _NONE,
        *,
        artifact_type: str | None = None,
        platform: Mapping[str, Any] | None = None,
        urls: tuple[str, ...] = (),
        data: bytes | None = None,
    ) -> None:
        if not 0 <= size <= BLOB_MAX:
            raise InvalidDescriptorError(f"size {size} of {digest} is out of range")
        mt.check(media_type)
        self._set(
            media_type=media_type,
            digest=digest,
            size=size,
            annotations=annotations,
            artifact_type=artifact_type,
            platform=platform,
            urls=urls,
            data=data,
        )

    def __hash__(self) -> int:
        return hash((self.media_type, self.digest, self.size))

    @classmethod
    def of(cls, media_type: str, data: bytes, annotations: Mapping[str, str] | None = None) -> Self:
        """The descriptor of these bytes, by sha256."""
        return cls(media_type, Digest.of(data), len(data), annotations or _NONE)

    @classmethod
    def from_json(cls, value: object, what: str = "descriptor") -> Self:
        """Read a descriptor from decoded JSON; unknown fields are ignored (the raw bytes keep them).

        Raises:
            InvalidInputError: a required field is missing or anything is of the wrong shape.
        """
        if not isinstance(value, dict):
            raise InvalidDescriptorError(f"{what} is not an object")
        media_type, digest, size = value.get("mediaType"), value.get("digest"), value.get("size")
        if not isinstance(media_type, str) or not isinstance(digest, str):
            raise InvalidDescriptorError(f"{what} lacks mediaType or digest")
        if not isinstance(size, int) or isinstance(size, bool):
            raise InvalidDescriptorError(f"{what} lacks a whole-number size")
        artifact_type, platform = value.get("artifactType"), value.get("platform")
        if artifact_type is not None and not isinstance(artifact_type, str):
            raise InvalidDescriptorError(f"artifactType of {what} is not a string")
        if platform is not None and not isinstance(platform, dict):
            raise InvalidDescriptorError(f"platform of {what} is not an object")
        urls = value.get("urls") or ()
        if not isinstance(urls, list | tuple) or not all(isinstance(url, str) for url in urls):
            raise InvalidDescriptorError(f"urls of {what} are not strings")
        return cls(
            media_type=media_type,
            digest=Digest.parse(digest),
            size=size,
            annotations=annotations_from(value.get("annotations"), what),
            artifact_type=artifact_type,
            platform=platform,
            urls=tuple(urls),
            data=_data_from(value.get("data"), what),
        )

    def to_json(self) -> dict[str, Any]:
        """The JSON object, keys in the order of the specification, empty fields left out."""
        value: dict[str, Any] = {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}
        if self.urls:
            value["urls"] = list(self.urls)
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        if self.data is not None:
            value["data"] = base64.b64encode(self.data).decode()
        if self.platform is not None:
            value["platform"] = dict(self.platform)
        if self.artifact_type is not None:
            value["artifactType"] = self.artifact_type
        return value

    @property
    def title(self) -> str | None:
        """The file name it was pushed under, exactly as it came: hostile until made a basename."""
        return self.annotations.get(TITLE)

    @property
    def is_manifest(self) -> bool:
        """Whether the content is a manifest or an index, which live at `/manifests/`, not `/blobs/`."""
        return self.media_type in mt.MANIFESTS or self.media_type in mt.INDEXES


def annotations_from(value: object, what: str) -> Mapping[str, str]:
    """Annotations from decoded JSON: absent, null, or an object of strings.

    Raises:
        InvalidDescriptorError: anything else.
    """
    if value is None:
        return _NONE
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise InvalidDescriptorError(f"annotations of {what} are not strings")
    return MappingProxyType(value) if value else _NONE


def _data_from(value: object, what: str) -> bytes | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidDescriptorError(f"data of {what} is not a string")
    try:
        return base64.b64decode(value, validate=True)
    except ValueError as error:  # not base64, or not ASCII
        raise InvalidDescriptorError(f"data of {what} is not base64") from error


_EMPTY: Final = Digest("sha256", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")
EMPTY_JSON: Final = Descriptor(mt.EMPTY_JSON, _EMPTY, 2, data=b"{}")
"""The empty JSON object. Spec: image-spec, manifest.md, Guidance for an Empty Descriptor."""
