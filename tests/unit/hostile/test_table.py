"""The table of threats names tests that exist."""

from __future__ import annotations

import ast
import re
from typing import Final

from tests.support.data import ROOT

_ROW: Final = re.compile(r"^\| (?!threat |---)(.+) \| (.+) \| (.+) \|$", re.MULTILINE)
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


def test_how_to_report_is_at_the_top() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    assert "docs/security.md" in text
    assert "in private" in text
