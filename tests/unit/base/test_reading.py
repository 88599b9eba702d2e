"""Whole files are read up to a limit; a pipe is read only where the user names it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from wasm2oci.base.files import FileNotThereError
from wasm2oci.base.reading import read_found, read_named, read_stream
from wasm2oci.errors import LocalIOError, UsageError
from wasm2oci.registry.docker_config import ConfigFileError, UnusableConfigError, read_auth_file, update_auth_file

if TYPE_CHECKING:
    from pathlib import Path

DEADLINE_S = 300
needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")


def test_a_file_up_to_the_limit_is_read_and_a_larger_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"abcd")
    for read in (read_found, read_named):
        assert read(path, 4) == b"abcd"
        with pytest.raises(UsageError, match="larger than 3 bytes"):
            read(path, 3)
        with pytest.raises(ConfigFileError, match="larger than 3 bytes"):
            read(path, 3, ConfigFileError)
        with pytest.raises(FileNotThereError):
            read(tmp_path / "none", 3)
    path.write_bytes(b"")
    assert read_found(path, 3) == b""


def test_a_file_below_a_file_is_found_no_more_than_one_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    with pytest.raises(FileNotThereError):
        read_found(tmp_path / "f" / "config.json", 3)
    assert read_auth_file(tmp_path / "f" / "config.json") is None
    with pytest.raises(LocalIOError, match=r"Not a directory|cannot find"):
        read_named(tmp_path / "f" / "config.json", 3)


@needs_pipes
def test_a_pipe_that_is_only_found_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LocalIOError, match="not a regular file"):
        read_found(tmp_path / "pipe", 10)


@needs_pipes
def test_a_credential_file_that_is_a_pipe_or_endless_holds_nothing(tmp_path: Path) -> None:
    """A logout waited for ever for the writer of a pipe, and would have read a device until memory was out."""
    path = tmp_path / "config.json"
    os.mkfifo(path)
    with pytest.raises(ConfigFileError, match="not a regular file"):
        read_auth_file(path)
    with pytest.raises(ConfigFileError, match="not a regular file"):
        update_auth_file(path, {"r.example": None})
    path.unlink()
    path.write_bytes(b" " * (5 << 20))
    with pytest.raises(UnusableConfigError, match="larger than"):
        update_auth_file(path, {"r.example": None})


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="this system has no /dev/zero")  # noqa: PTH110
@pytest.mark.parametrize(
    "command",
    [
        ["validate", "/dev/zero"],
        ["print", "/dev/zero"],
        ["run", "/dev/zero"],
        ["sbom", "/dev/zero"],
        ["validate", "-"],
        ["push", "-", "oci-layout:x:v1"],
        ["run", "--env-file", "/dev/zero", "x.wasm"],
    ],
)
def test_a_module_without_end_is_an_error_and_no_bug(command: list[str], tmp_path: Path) -> None:
    """It was read until memory was out: an internal error. The limit is lowered here, to spare the machine."""
    script = f"""import sys
import wasm2oci.oci.wire as wire
wire.MODULE_MAX = 1 << 20
sys.argv = ["wasm2oci", *{command!r}]
from wasm2oci.__main__ import main
main()"""
    (tmp_path / "x.wasm").write_bytes(b"")
    with open("/dev/zero", "rb") as zeros:  # noqa: PTH123 - a device
        done = subprocess.run(
            [sys.executable, "-c", script],
            stdin=zeros,
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            timeout=DEADLINE_S,
            env={**os.environ, "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    assert done.returncode in {2, 3}, done.stderr
    assert "has more than" in done.stderr or "is larger than" in done.stderr


@needs_pipes
def test_a_configuration_that_is_a_pipe_holds_no_command(tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "wasm2oci"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "config.toml")
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("XDG_CONFIG_HOME", None)
    command = [sys.executable, "-m", "wasm2oci", "resolve", "127.0.0.1:1/a/b:v1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_S, env=environment)
    assert done.returncode == 9
    assert "not a regular file" in done.stderr


class _Pieces(io.BytesIO):
    """A stream that remembers how much it was asked for at most."""

    most = 0

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        self.most = max(self.most, size)
        return super().read(size)


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20, (3 << 20) + 1])
def test_a_stream_is_read_whole_whatever_its_length(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    assert read_stream(io.BytesIO(data[:size]), size) == data[:size]
    assert read_stream(io.BytesIO(data[:size]), size, expected=size) == data[:size]
    assert read_stream(io.BytesIO(data[: size + 1]), size) is None


def test_a_short_stream_costs_no_memory_for_the_most_that_it_may_have() -> None:
    stream = _Pieces(b"short")
    assert read_stream(stream, 1 << 40) == b"short"
    assert stream.most <= 1 << 20


def test_a_regular_file_that_is_too_large_is_not_read_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """512 MiB of a sparse file were read before it was refused."""
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(1 << 40)
    monkeypatch.setattr("wasm2oci.base.reading.read_stream", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(UsageError, match="larger than"):
        read_named(large, 1 << 29)
