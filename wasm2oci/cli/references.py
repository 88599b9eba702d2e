"""References as the command line writes them: several tags at once, and pinned names in results."""

from typing import TYPE_CHECKING

from wasm2oci.oci.reference import Location, Reference, check_tag, parse_location

if TYPE_CHECKING:
    from wasm2oci.operations.attach_signatures import Attached

__all__ = ["attached_document", "pinned_name", "split_tags", "tagged_name"]


def split_tags(text: str) -> tuple[Location, tuple[str, ...]]:
    """Read `HOST/NAME:TAG,TAG,...`: the location with its first tag, and the others.

    Raises:
        InvalidReferenceError: the location or a tag is malformed.
    """
    before, colon, tags = text.rpartition(":")
    if not colon or "," not in tags or "/" in tags or "@" in text:
        return parse_location(text), ()
    first, *others = tags.split(",")
    location = parse_location(f"{before}:{first}")
    offset = len(before) + 1 + len(first) + 1
    for tag in others:
        check_tag(tag, text, offset)
        offset += len(tag) + 1
    return location, tuple(dict.fromkeys(tag for tag in others if tag != first))


def pinned_name(location: Location, digest: str) -> str:
    """The name that will always mean these bytes: `HOST/NAME@DIGEST`."""
    if isinstance(location, Reference):
        return f"{location.name}@{digest}"
    return f"oci-layout:{location.folder}@{digest}"


def tagged_name(location: Location, tag: str) -> str:
    """The same place under this tag."""
    if isinstance(location, Reference):
        return f"{location.name}:{tag}"
    return f"oci-layout:{location.folder}:{tag}"


def attached_document(attached: "Attached | None") -> dict[str, str | None] | None:
    """The JSON form of where a signature is: the manifest with its bundle, and its legacy tag."""
    if attached is None:
        return None
    referrer = attached.referrer
    return {"referrer": None if referrer is None else str(referrer.digest), "tag": attached.tag}
