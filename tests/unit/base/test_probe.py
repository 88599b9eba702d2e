"""A file that would ask for something is there, is not there, or the answer is an error: it is never passed over."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wasm2oci.base.probe import has_file
from wasm2oci.cli.settings import load_settings
from wasm2oci.errors import LocalIOError
from wasm2oci.operations.environment import Environment
from wasm2oci.operations.notation import _policy
from wasm2oci.operations.trust import PROJECT_FILE, TrustOptions, policy_files

if TYPE_CHECKING:
    from collections.abc import Callable


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _link_to_nothing(path: Path) -> None:
    path.symlink_to("nothing")


UNSEEN = pytest.mark.parametrize("spoil", [_loop, _link_to_nothing], ids=["loop", "link-to-nothing"])
"""What fails for any user as a folder does that is closed to this one."""


def test_only_what_is_not_there_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to("file")
    assert has_file(tmp_path / "file")
    assert has_file(tmp_path / "link")
    for absent in ("none", "none/below", "file/below"):
        assert not has_file(tmp_path / absent)
    assert not has_file(Path("none-here"))


@UNSEEN
@pytest.mark.parametrize("below", ["", "policy.toml", "wasm2oci/policy.toml"])
def test_what_cannot_be_seen_is_an_error(tmp_path: Path, spoil: Callable[[Path], None], below: str) -> None:
    spoil(tmp_path / "at")
    with pytest.raises(LocalIOError, match="at"):
        has_file(tmp_path / "at" / below)


def test_what_is_no_regular_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LocalIOError, match="not a regular file"):
        has_file(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(LocalIOError, match="not a regular file"):
            has_file(tmp_path / "pipe")


@UNSEEN
@pytest.mark.parametrize("at", [".config", ".config/wasm2oci", ".config/wasm2oci/policy.toml"])
def test_a_policy_of_the_user_that_cannot_be_seen_is_not_passed_over(
    tmp_path: Path, spoil: Callable[[Path], None], at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / at).parent.mkdir(parents=True, exist_ok=True)
    spoil(tmp_path / at)
    with pytest.raises(LocalIOError):
        policy_files(TrustOptions(), Environment(variables={}, home=tmp_path))
    with pytest.raises(LocalIOError):
        load_settings({"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / at)})


@UNSEEN
def test_a_policy_of_the_project_that_cannot_be_seen_is_not_passed_over(
    tmp_path: Path, spoil: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "below").mkdir()
    spoil(tmp_path / PROJECT_FILE)
    monkeypatch.chdir(tmp_path / "below")
    with pytest.raises(LocalIOError):
        policy_files(TrustOptions(), Environment(variables={}, home=tmp_path))


@UNSEEN
def test_the_policy_of_notation_that_cannot_be_seen_is_not_passed_over(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    """The second name is not taken in its place either."""
    spoil(tmp_path / "trustpolicy.oci.json")
    (tmp_path / "trustpolicy.json").write_text("{}")
    with pytest.raises(LocalIOError):
        _policy(tmp_path)
