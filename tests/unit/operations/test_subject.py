"""What a word of the command line names: a file, a folder, an artifact, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.support import invoke
from wasm2oci.oci.reference import InvalidReferenceError, LayoutReference
from wasm2oci.operations.subject import NoSuchSubjectError, find_subject, parse_place

if TYPE_CHECKING:
    from pathlib import Path

LONG = "a" * 300
"""Longer than a file's name may be."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "layout").mkdir()
    (tmp_path / "layout" / "oci-layout").touch()
    (tmp_path / "other").mkdir()
    (tmp_path / "a.wasm").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("text", ["layout", "layout:v1", "./layout:v1", "../layout:v1"])
def test_a_layout_without_its_prefix_gets_it_as_a_hint(
    text: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if text.startswith("../"):
        monkeypatch.chdir(folder / "other")
    with pytest.raises(InvalidReferenceError) as caught:
        parse_place(text)
    assert caught.value.hint == f"an image layout is written oci-layout:{text}"


@pytest.mark.parametrize(("text", "hint"), [("other", "other is a folder"), ("a.wasm", "a.wasm is a file")])
def test_a_file_or_folder_is_no_artifact(text: str, hint: str) -> None:
    with pytest.raises(InvalidReferenceError) as caught:
        parse_place(text)
    assert (caught.value.hint or "").startswith(hint)


def test_what_names_nothing_here_keeps_the_hint_of_the_grammar() -> None:
    with pytest.raises(InvalidReferenceError) as caught:
        parse_place("nothing:v1")
    assert caught.value.hint == "a reference looks like HOST/NAME:TAG"
    assert isinstance(parse_place("oci-layout:layout:v1"), LayoutReference)


def test_a_name_that_no_file_can_have_is_not_there() -> None:
    with pytest.raises(NoSuchSubjectError):
        find_subject(f"{LONG}.wasm")
    with pytest.raises(InvalidReferenceError):
        parse_place(LONG)


@pytest.mark.parametrize(
    "words",
    [
        ["inspect", f"{LONG}.wasm"],
        ["validate", f"{LONG}.wat"],
        ["run", f"{LONG}.wasm"],
        ["print", f"{LONG}.wasm"],
        ["assemble", f"{LONG}.wat"],
        ["sbom", f"{LONG}.wasm"],
        ["tags", LONG],
        ["tags", f"oci-layout:{LONG}"],
        ["push", f"{LONG}.wasm", "oci-layout:layout:v1"],
        ["push", "a.wasm", f"oci-layout:{LONG}:v1"],
        ["pull", "oci-layout:layout:v1", "-o", f"{LONG}.wasm"],
        ["key", "generate", LONG],
        ["policy", "check", "oci-layout:layout:v1", "--policy", LONG],
        ["login", "localhost:1", "--registry-config", LONG, "-u", "me", "-p", "it"],
    ],
    ids=lambda words: " ".join(words).replace(LONG, "LONG"),
)
def test_a_name_that_no_file_can_have_is_an_error_of_the_user_not_of_the_tool(words: list[str]) -> None:
    ran = invoke(*words, "--ca-file", LONG) if words[0] == "login" else invoke(*words)
    assert ran.code not in {0, 1}
    assert "internal error" not in ran.stderr
    assert ran.stderr.startswith("error: ")
