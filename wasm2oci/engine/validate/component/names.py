"""Names of imports and exports of components. Spec: component model, Explainer.md, import and export definitions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from wasm2oci.engine.errors import InvalidModuleError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wasm2oci.engine.syntax.component import ExternName

__all__ = ["ComponentName", "check_labels", "is_label", "parse_name"]

_LOWER: Final = r"[a-z][0-9a-z]*(?:-[0-9a-z]+)*"  # words of a namespace or package
_FIRST: Final = r"(?:[a-z][0-9a-z]*|[A-Z][0-9A-Z]*)"
_WORD: Final = r"(?:[0-9a-z]+|[0-9A-Z]+)"
_LABEL: Final = rf"{_FIRST}(?:-{_WORD})*"
_NUMBER: Final = r"(?:0|[1-9][0-9]*)"
_PRE: Final = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_BUILD: Final = r"[0-9A-Za-z-]+"
_VERSION: Final = (
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_PRE}(?:\.{_PRE})*)?(?:\+{_BUILD}(?:\.{_BUILD})*)?"  # semver.org
)
_PACKAGE: Final = rf"{_LOWER}:{_LOWER}"
_RANGE: Final = rf"(?:\*|\{{(?:>={_VERSION}|<{_VERSION}|>={_VERSION} <{_VERSION})\}})"
_BASE64: Final = r"[0-9A-Za-z+/]+={0,2}"
_HASH: Final = rf"sha(?:256|384|512)-{_BASE64}(?:\?[!-~]*)?"
_INTEGRITY: Final = rf"integrity=< *{_HASH}(?: +{_HASH})* *>"

_IS_LABEL: Final = re.compile(_LABEL)
_IS_VERSION: Final = re.compile(_VERSION)
_IS_INTERFACE: Final = re.compile(rf"({_PACKAGE}/{_LABEL})(?:@(.*))?", re.DOTALL)
_IS_DEPENDENCY: Final = re.compile(
    rf"unlocked-dep=<{_PACKAGE}(?:@{_RANGE})?>|locked-dep=<{_PACKAGE}(?:@{_VERSION})?>(?:,{_INTEGRITY})?"
    rf"|url=<[^<>]*>(?:,{_INTEGRITY})?|{_INTEGRITY}"
)
_ANNOTATIONS: Final = {"[constructor]": "constructor", "[method]": "method", "[static]": "static"}


class ComponentName(NamedTuple):
    """A name of an import or export.

    Attributes:
        kind: `label`, `constructor`, `method`, `static`, `interface`, or `dependency`: what says where a component is
            (`unlocked-dep`, `locked-dep`, `url`, `integrity`).
        key: two names are too much alike when their keys are equal.
        resource: of a constructor, method or static function.
    """

    kind: str
    key: tuple[str, str]
    resource: str | None = None


def is_label(text: str) -> bool:
    """Whether it is a label in kebab case: words of one case each, the first of which starts with a letter."""
    return _IS_LABEL.fullmatch(text) is not None


def check_labels(labels: Iterable[str], what: str, offset: int) -> None:
    """Checks that labels are in kebab case, and differ in more than case.

    Args:
        labels: in order.
        what: `record field`, ..., for messages.
        offset: where they stand.
    """
    seen: dict[str, str] = {}
    for label in labels:
        if not label:
            raise InvalidModuleError(f"{what} name cannot be empty", offset)
        if not is_label(label):
            raise InvalidModuleError(f"{what} name `{label}` is not in kebab case", offset)
        if label.lower() in seen:
            previous, noun = seen[label.lower()], what.rsplit(maxsplit=1)[-1]
            raise InvalidModuleError(f"{what} name `{label}` conflicts with previous {noun} name `{previous}`", offset)
        seen[label.lower()] = label


def parse_name(extern: ExternName, kind: str, offset: int) -> ComponentName:
    """Reads a name.

    Args:
        extern: the name, and its attributes.
        kind: `import` or `export`, for messages.
        offset: of the name.

    Raises:
        InvalidModuleError: it is not of any form.
    """
    text = extern.name
    if kind == "export" and _IS_DEPENDENCY.fullmatch(text):
        raise InvalidModuleError(f"`{text}` is not a valid export name: it says where a component is", offset)
    try:
        return _parse(text, extern.attributes.get("versionsuffix"))
    except ValueError as error:
        raise InvalidModuleError(f"{kind} name `{text}` is not a valid extern name: {error}", offset) from error


def _parse(text: str, suffix: str | None) -> ComponentName:
    for prefix, kind in _ANNOTATIONS.items():
        if text.startswith(prefix):
            return _annotated(kind, text.removeprefix(prefix))
    if ":" in text and "=<" not in text:
        return _interface(text, suffix)
    if is_label(text):
        return ComponentName("label", ("label", text.lower()))
    if _IS_DEPENDENCY.fullmatch(text):
        return ComponentName("dependency", ("dependency", text))
    if "=" in text:
        raise ValueError("this is no dependency, URL or hash in the form of the specification")
    raise ValueError(f"`{text}` is not in kebab case")


def _annotated(kind: str, rest: str) -> ComponentName:
    """A name after `[method]` and the like."""
    if kind == "constructor":
        if not is_label(rest):
            raise ValueError(f"`{rest}` is not in kebab case")
        return ComponentName(kind, (kind, rest.lower()), rest)
    resource, dot, label = rest.partition(".")
    if not dot:
        raise ValueError("failed to find `.` character")
    for part in (resource, label):
        if not is_label(part):
            raise ValueError(f"`{part}` is not in kebab case")
    # A method named like its resource is named like the resource itself.
    key = ("label", label.lower()) if resource.lower() == label.lower() else ("method", rest.lower())
    return ComponentName(kind, key, resource)


def _interface(text: str, suffix: str | None) -> ComponentName:
    """`namespace:package/interface@version`."""
    found = _IS_INTERFACE.fullmatch(text)
    if found is None:
        raise ValueError("an interface name is `namespace:package/interface@version`, each part in kebab case")
    version = found[2]
    if version is None:
        if suffix is not None:
            raise ValueError("there is a version suffix and no version")
    elif not _IS_VERSION.fullmatch(version + (suffix or "")):
        raise ValueError(f"`{version + (suffix or '')}` is not a valid semver")
    return ComponentName("interface", ("interface", text))
