"""The table of threats names tests that exist."""

from __future__ import annotations

import ast
import re
from typing import Final

from tests.support.data import ROOT

_ROW: Final = re.compile(r"^\| (?!threat |promise |---)(.+) \| (.+) \| (.+) \|$", re.MULTILINE)
_NAMED: Final = re.compile(r"`([^`]+)`")


def _test_names() -> set[str]:
    return {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }


def test_every_threat_has_a_defence_and_a_test_that_is_there() -> None:
    rows = _ROW.findall((ROOT / "docs" / "security.md").read_text())
    assert len(rows) > 20
    known = _test_names()
    for threat, defence, tests in rows:
        named = _NAMED.findall(tests)
        assert named, f"{threat}: no test"
        assert defence.strip()
        for name in named:
            there = (ROOT / name).exists() if "/" in name else name in known
            assert there, f"{threat}: {name} is not there"


def test_each_promise_of_the_readme_is_written_there() -> None:
    """And each sentence of its section about safety is among them."""
    readme = " ".join((ROOT / "README.md").read_text().split())
    page = (ROOT / "docs" / "security.md").read_text()
    table = page[page.index("## What the README promises") : page.index("## Registries")]
    promises = [promise for promise, _, _ in _ROW.findall(table)]
    assert len(promises) > 6
    left = readme[readme.index("## Safe by default") :].split("[Threats,")[0].removeprefix("## Safe by default")
    for promise in promises:
        assert promise in readme, promise
        left = left.replace(promise, "")
    assert not set(left) & set("abcdefghijklmnopqrstuvwxyz"), left


def test_how_to_report_is_at_the_top() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    assert "docs/security.md" in text
    assert "in private" in text
