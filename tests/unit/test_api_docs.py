"""The examples in docs/api.md and docs/engine.md run as they are, one after the other, against a registry."""

from __future__ import annotations

import contextlib
import re
import shutil
from typing import TYPE_CHECKING

from tests.cli.transcripts import HELLO
from tests.support.data import ROOT
from tests.support.registry_server import registry_server

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SHOWN = "localhost:5000"


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "hello.wasm").write_bytes(HELLO)
    shutil.copy(ROOT / "fixtures" / "wasm" / "hello-c.wasm", tmp_path / "program.wasm")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    texts = [(ROOT / "docs" / name).read_text() for name in ("api.md", "engine.md")]
    examples = re.findall(r"^```python\n(.*?)^```$", "\n".join(texts), re.DOTALL | re.MULTILINE)
    assert len(examples) >= 9
    with contextlib.chdir(tmp_path), registry_server() as registry:
        for number, example in enumerate(examples):
            code = compile(example.replace(SHOWN, registry.address), f"example {number}", "exec")
            exec(code, {"__name__": "__main__"})
    printed = capsys.readouterr().out
    assert (tmp_path / "copy.wasm").read_bytes() == HELLO
    assert "team/hello@sha256:" in printed
    assert "func run (result i32)" in printed
    assert "('42',)" in printed
    assert "exited" in printed
    assert printed.rstrip().endswith("42")  # docs/engine.md comes last
