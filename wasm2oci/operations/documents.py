"""Results and errors as JSON documents.

A document follows from the type of the result alone, and so does its schema (docs/schemas). A field `transferred_bytes`
is `transferredBytes`; digests, paths and references are text; a descriptor is what the image specification says it is;
a module has its digest and size, and what it declares where it was looked into; what is unknown is null.
Spec: image-spec, descriptor.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.reference import LayoutReference, Reference
from wasm2oci.operations.module_info import ModuleInfo

if TYPE_CHECKING:
    from wasm2oci.errors import Wasm2OciError

__all__ = ["ErrorDocument", "Failure", "camel", "document", "failure"]


class ErrorDocument(NamedTuple):
    """What went wrong.

    Attributes:
        kind: the class of the error in kebab case, without "error": `content-not-found`.
        category: the class that decides the exit code, in the same form: `not-found`.
        exit_code: what the process ends with.
        message: one line.
        detail: lines that show what the message is about.
        hint: what to do next.
        remedy: the kind of the remedy, where a program could apply it.
        side: which side of a copy failed: `source` or `destination`.
    """

    kind: str
    category: str
    exit_code: int
    message: str
    detail: str | None
    hint: str | None
    remedy: str | None
    side: str | None


class Failure(NamedTuple):
    """A command that failed."""

    error: ErrorDocument


def failure(error: Wasm2OciError, hint: str | None) -> Failure:
    """The document of an error; `hint` is what to do next, in the words of the caller."""
    kinds = [kind.__name__ for kind in type(error).__mro__]
    category = kinds[max(kinds.index("Wasm2OciError") - 1, 0)]
    remedy = None if error.remedy is None else error.remedy.kind.value
    return Failure(
        ErrorDocument(
            _kebab(kinds[0]),
            _kebab(category),
            int(error.exit_code),
            error.message,
            error.detail,
            hint,
            remedy,
            error.side,
        )
    )


def document(value: Any) -> Any:
    """A result, or a part of one, as what `json.dumps` takes."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Descriptor):
        return value.to_json()
    if isinstance(value, ModuleInfo):
        facts = {} if value.facts is None else document(value.facts._replace(size=value.size))
        return {"digest": str(value.digest), "size": value.size, **facts}
    if isinstance(value, Mapping):
        return {str(key): document(each) for key, each in value.items()}
    fields = getattr(value, "_fields", None) or getattr(value, "__dataclass_fields__", None)
    if fields is not None and not isinstance(value, Digest | Reference | LayoutReference):
        return {camel(name): document(getattr(value, name)) for name in fields}
    if isinstance(value, (tuple, list)):
        return [document(each) for each in value]
    return str(value)


def camel(name: str) -> str:
    """A field's name in a document: `transferred_bytes` is `transferredBytes`."""
    first, *others = name.split("_")
    return first + "".join(each.title() for each in others)


def _snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name).lstrip("_")


def _kebab(name: str) -> str:
    return _snake(name.removesuffix("Error")).replace("_", "-").replace("o-c-i", "oci").replace("i-o", "io")
