"""The table for people who come from other tools: every command of ours in it is one, with these options."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.support.data import ROOT
from wasm2oci.cli.catalogue import find
from wasm2oci.cli.commands import declaration_of
from wasm2oci.cli.parser import parse

PAGE = (ROOT / "docs" / "from-other-tools.md").read_text()
ROWS = re.findall(r"^\| `([^`]+)`[^|]* \| `([^`]+)`[^|]*\|$", PAGE, re.MULTILINE)


def test_the_page_has_a_table_for_each_tool() -> None:
    assert len(ROWS) == sum(1 for line in PAGE.splitlines() if line.startswith("| `")) > 60
    assert {theirs.split()[0] for theirs, _ in ROWS} == {
        *("oras", "crane", "regctl", "skopeo", "wkg", "wasm-to-oci", "cosign"),
        *("docker", "buildah", "wasme", "oci-tar-builder", "wasmtime", "wasm-tools"),
    }


@pytest.mark.parametrize(("theirs", "ours"), ROWS, ids=[theirs for theirs, _ in ROWS])
def test_our_command_takes_this_line(theirs: str, ours: str) -> None:
    del theirs
    name, *words = shlex.split(ours)
    command = find(name)
    assert command is not None
    assert parse(declaration_of(command), words, lambda: b"") is not None
