"""The documents name what there is: links lead to files and headings, and source files exist."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.data import ROOT

if TYPE_CHECKING:
    from pathlib import Path

_PAGES: Final = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "fixtures" / "README.md"], key=str)
_LINK: Final = re.compile(r"(?<!`)\[[^\]`]+(?:`[^`]*`[^\]`]*)*\]\(([^)\s]+)\)")
_SOURCE: Final = re.compile(r"`([\w/.-]+\.py)[`:]")
_FOLDERS: Final = ("wasm2oci", "tests", "docs", "fixtures", ".ci")
_FILES: Final = [
    path.relative_to(ROOT).as_posix() for folder in _FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()
]
_ABSENT: Final = {"utils.py"}
"""What the house rules say there is none of."""


def _prose(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(_prose(page)):
        if re.match(r"https?:", target):
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        assert not anchor or anchor in _anchors(file), target


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_source_files_that_are_named_exist(page: Path) -> None:
    for name in _SOURCE.findall(page.read_text()):
        assert name in _ABSENT or any(file == name or file.endswith(f"/{name}") for file in _FILES), name


def test_the_patterns_find_links_and_files() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    assert len(_LINK.findall(page)) > 3
    assert len(_SOURCE.findall(page)) > 50
