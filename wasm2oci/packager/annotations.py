"""Annotations from the command line and from files, checked before they enter a manifest.

Spec: image-spec, annotations.md, Rules.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from wasm2oci.base.text import is_visible
from wasm2oci.base.values import Value
from wasm2oci.errors import InvalidInputError
from wasm2oci.oci.wire import load_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wasm2oci.errors import Remedy

__all__ = [
    "Annotations",
    "InvalidAnnotationError",
    "check_annotations",
    "check_text",
    "parse_annotation",
    "parse_annotations",
    "read_annotation_file",
]

_NONE: Final[Mapping[str, str]] = MappingProxyType({})


class InvalidAnnotationError(InvalidInputError):
    """An annotation has no key, or contains characters that JSON or a terminal cannot represent."""


class Annotations(Value):
    """The annotations of the manifest, of its config, and of the module's layer."""

    __slots__ = ("config", "layer", "manifest")
    manifest: Mapping[str, str]
    config: Mapping[str, str]
    layer: Mapping[str, str]

    def __init__(
        self,
        manifest: Mapping[str, str] = _NONE,
        config: Mapping[str, str] = _NONE,
        layer: Mapping[str, str] = _NONE,
    ) -> None:
        for part in (manifest, config, layer):
            check_annotations(part)
        self._set(manifest=manifest, config=config, layer=layer)


def check_annotations(values: Mapping[str, str]) -> None:
    """Check that every key and value can be written into a manifest.

    Raises:
        InvalidAnnotationError: an empty key, a key with a character that is not printable, or text that is not Unicode.
    """
    for key, value in values.items():
        if not key:
            raise InvalidAnnotationError("an annotation has an empty key")
        if not is_visible(key) or key != key.strip():
            raise InvalidAnnotationError(f"annotation key {key!r} has characters that are not printable, or spaces")
        check_text(value, f"annotation {key}")


def check_text(text: str, what: str, *, remedy: Remedy | None = None) -> str:
    """This text, if it can be written as UTF-8 and holds no NUL.

    Raises:
        InvalidAnnotationError: it cannot.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidAnnotationError(f"{what} is not Unicode text: {text!r}", remedy=remedy) from error
    if "\0" in text:
        raise InvalidAnnotationError(f"{what} holds a NUL character", remedy=remedy)
    return text


def parse_annotation(text: str) -> tuple[str, str]:
    """Read `key=value`; everything after the first `=` is the value, which may be empty.

    Raises:
        InvalidAnnotationError: there is no `=`, or no key before it.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise InvalidAnnotationError(f"not an annotation: {text!r}", hint="write it as KEY=VALUE")
    check_annotations({key.strip(): value})
    return key.strip(), value


def parse_annotations(texts: Iterable[str]) -> dict[str, str]:
    """Read several `key=value`.

    Raises:
        InvalidAnnotationError: one is malformed, or a key has two values.
    """
    found: dict[str, str] = {}
    for text in texts:
        key, value = parse_annotation(text)
        if found.setdefault(key, value) != value:
            raise InvalidAnnotationError(f"annotation {key!r} has two values: {found[key]!r} and {value!r}")
    return found


def read_annotation_file(raw: bytes, module_name: str) -> Annotations:
    """Read an annotation file in either of two forms.

    `{"KEY": "VALUE", ...}` annotates the manifest. `{"$manifest": {...}, "$config": {...}, "NAME": {...}}`, the form of
    oras, annotates the manifest, the config, and the layer of the file of that name.

    Args:
        raw: the file's bytes.
        module_name: the name by which the file refers to the module.

    Raises:
        InvalidInputError: not JSON, neither form, or it names a file that is not pushed.
    """
    value = load_object(raw, "annotation file")
    if all(isinstance(item, str) for item in value.values()):
        return Annotations(manifest=value)
    parts: dict[str, dict[str, str]] = {}
    names = {"$manifest": "manifest", "$config": "config", module_name: "layer"}
    for name, part in value.items():
        if not isinstance(part, dict) or not all(isinstance(item, str) for item in part.values()):
            raise InvalidAnnotationError(f"annotation file: {name!r} is not an object of strings")
        if name not in names:
            raise InvalidAnnotationError(
                f"annotation file names {name!r}, which is not pushed",
                hint=f"known names here are $manifest, $config and {module_name}",
            )
        parts[names[name]] = part
    return Annotations(**parts)
