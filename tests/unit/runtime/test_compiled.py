"""Code that wasmtime made is kept for its module, and for no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.guests import EXIT
from wasm2oci.engine.text import assemble
from wasm2oci.runtime import choose
from wasm2oci.runtime.choose import run
from wasm2oci.runtime.request import EngineChoice, RunRequest

if TYPE_CHECKING:
    from pathlib import Path


def code(folder: Path, number: int) -> Path:
    """Run a program that exits with a number; the file its code is kept in."""
    before = set((folder / "wasmtime").glob("*.cwasm"))
    assert exit_code(folder, number) == number
    (made,) = set((folder / "wasmtime").glob("*.cwasm")) - before
    return made


def exit_code(folder: Path, number: int) -> int:
    module = assemble(EXIT.format(code=number))
    return run(RunRequest(module=module, args=(b"x",), engine=EngineChoice.WASMTIME, cache=folder)).exit_code


def test_code_of_another_module_is_not_run(tmp_path: Path) -> None:
    one, two = code(tmp_path, 1), code(tmp_path, 2)
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    assert (exit_code(tmp_path, 1), exit_code(tmp_path, 2)) == (1, 2)
    assert (one.read_bytes(), two.read_bytes()) == (first, second), "and it was made again"


@pytest.mark.parametrize("damage", [b"", b"x" * 40, None], ids=["empty", "another", "one bit"])
def test_damaged_code_is_made_again(damage: bytes | None, tmp_path: Path) -> None:
    kept = code(tmp_path, 3)
    content = kept.read_bytes()
    kept.write_bytes(bytes((content[0] ^ 1,)) + content[1:] if damage is None else damage)
    assert exit_code(tmp_path, 3) == 3
    assert kept.read_bytes() == content


def test_code_without_its_key_is_made_again(tmp_path: Path) -> None:
    kept = code(tmp_path, 4)
    content = kept.read_bytes()
    (tmp_path / "wasmtime" / "key").unlink()
    assert exit_code(tmp_path, 4) == 4
    assert kept.read_bytes() != content


def test_much_code_goes_to_the_embedded_engine_until_wasmtime_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choose, "_MUCH_CODE", 3)
    module = assemble(EXIT.format(code=5))

    def engine(asked: EngineChoice) -> EngineChoice:
        outcome = run(RunRequest(module=module, args=(b"x",), engine=asked, cache=tmp_path))
        assert outcome.exit_code == 5
        return outcome.engine

    assert engine(EngineChoice.AUTO) is EngineChoice.EMBEDDED
    assert engine(EngineChoice.WASMTIME) is EngineChoice.WASMTIME
    assert engine(EngineChoice.AUTO) is EngineChoice.WASMTIME
