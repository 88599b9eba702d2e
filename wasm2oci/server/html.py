"""HTML that cannot be broken out of: text is escaped because it is text, markup is markup because it was built here."""

from __future__ import annotations

from html import escape
from typing import Final

from wasm2oci.base.text import printable

__all__ = ["Markup", "document", "element", "shown", "shown_size", "table"]

_VOID: Final = frozenset({"meta", "link", "br"})
_TEXT_MAX: Final = 2000


class Markup(str):
    """Text that was built by `element`, and is put into other markup as it is."""

    __slots__ = ()


def element(tag: str, *children: str | None, **attributes: str | None) -> Markup:
    """One element.

    Args:
        tag: its name; from the source of this package, never from outside.
        children: markup as it is, any other text escaped, None left out.
        attributes: values are escaped; a trailing underscore of a name is dropped, None leaves the attribute out.
    """
    given = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(shown(value), quote=True)}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag in _VOID:
        return Markup(f"<{tag}{given}>")
    inner = "".join(
        child if isinstance(child, Markup) else escape(shown(child), quote=True)
        for child in children
        if child is not None
    )
    return Markup(f"<{tag}{given}>{inner}</{tag}>")


def document(title: str, style: str, *body: str) -> bytes:
    """A whole page with its style in it; nothing else is loaded."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("link", rel="icon", href="data:,"),
        element("title", title),
        element("style", Markup(style)),
    )
    return f"<!doctype html>{element('html', head, element('body', *body), lang='en')}".encode()


def shown(text: str) -> str:
    """The text without what could mislead an eye, such as marks that turn the direction of writing; bounded."""
    return printable(text, _TEXT_MAX)


def shown_size(size: int) -> str:
    """A size for people, in units of 1,024."""
    if size < 1024:
        return f"{size} B"
    value = float(size)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if value < 1024 or unit == "GiB":
            break
    return f"{value:,.1f} {unit}"


def table(columns: tuple[str, ...], rows: list[list[str]]) -> Markup:
    """A table; the name of a column of numbers begins with `#`."""
    kinds = ["n" if column.startswith("#") else None for column in columns]
    head = [element("th", column.lstrip("#"), class_=kind) for column, kind in zip(columns, kinds, strict=True)]
    body = [
        element("tr", *[element("td", cell, class_=kind) for cell, kind in zip(row, kinds, strict=True)])
        for row in rows
    ]
    return element("table", element("tr", *head), *body)
