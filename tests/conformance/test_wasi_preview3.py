"""The WASI 0.3 suite of WebAssembly/wasi-testsuite on the embedded engine: 55 programs, as their JSON files say.

Those that need sockets or the network's HTTP are refused or fail, as they do with WASI 0.2 where neither is allowed.
"""

import json
import os
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.data import data_path, missing_reason, unpack
from wasm2oci.runtime.choose import run
from wasm2oci.runtime.request import EngineChoice, GuestSetupError, RunLimits, RunOutcome, RunRequest
from wasm2oci.wasi.context import Preopen

ARCHIVE = ("wasi-testsuite", "preview3.tar.xz")

pytestmark = [
    pytest.mark.spec,
    pytest.mark.skipif(not data_path(*ARCHIVE).exists(), reason=missing_reason(*ARCHIVE)),
]


def programs() -> list[str]:
    """The names of the programs in the archive."""
    if not data_path(*ARCHIVE).exists():
        return []
    with tarfile.open(data_path(*ARCHIVE)) as archive:
        return sorted(Path(name).stem for name in archive.getnames() if name.endswith(".wasm"))


PROGRAMS = programs()
HTTP = [name for name in PROGRAMS if name.startswith("http-")]
SOCKETS = [name for name in PROGRAMS if name.startswith("sockets-")]
RUN = [name for name in PROGRAMS if name not in {*HTTP, *SOCKETS}]


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive unpacked."""
    folder = tmp_path_factory.mktemp("suite")
    unpack(data_path(*ARCHIVE), folder)
    return folder / "preview3"


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where generated code is kept between tests."""
    return tmp_path_factory.mktemp("code")


class Conversation:
    """What is written to a program and read from it, in the order of its JSON file."""

    def __init__(self, operations: list[dict[str, Any]]) -> None:
        self._left = [each for each in operations if each["type"] in {"read", "write"}]
        self._written = {"stdout": bytearray(), "stderr": bytearray()}
        self.stdin, self._input = os.pipe()

    def go_on(self) -> None:
        """Write what comes before the next text that is waited for; and the end after the last."""
        while self._left:
            operation = self._left[0]
            payload = operation["payload"].encode()
            if operation["type"] == "write":
                os.write(self._input, payload)
            elif bytes(self._written[operation["id"]]) != payload:
                break
            self._left.pop(0)
        if self._input >= 0 and not any(each["type"] == "write" for each in self._left):
            os.close(self._input)
            self._input = -1

    def take(self, name: str, data: bytes) -> None:
        """The program writes."""
        self._written[name] += data
        self.go_on()

    def close(self) -> None:
        """Let go of the pipe; everything was said."""
        os.close(self.stdin)
        assert not self._left, (self._left, self._written)


def played(name: str, suite: Path, code: Path, root: Path) -> tuple[RunOutcome, dict[str, Any]]:
    """How a program ended, and what its JSON file says of that."""
    settings = suite / f"{name}.json"
    expected: dict[str, Any] = json.loads(settings.read_text()) if settings.exists() else {}
    operations = expected.get("operations", [{"type": "run"}, {"type": "wait"}])
    started = next(each for each in operations if each["type"] == "run")
    preopens: tuple[Preopen, ...] = ()
    if expected.get("root"):
        shutil.copytree(suite / expected["root"], root, symlinks=True)
        preopens = (Preopen(root, expected["root"]),)
    talk = Conversation(operations)
    talk.go_on()
    outcome = run(
        RunRequest(
            module=(suite / f"{name}.wasm").read_bytes(),
            args=(f"{name}.wasm".encode(), *(text.encode() for text in started.get("args", []))),
            environment=tuple((key.encode(), value.encode()) for key, value in started.get("env", {}).items()),
            preopens=preopens,
            stdin=talk.stdin,
            stdout=lambda data: talk.take("stdout", data),
            stderr=lambda data: talk.take("stderr", data),
            engine=EngineChoice.EMBEDDED,
            cache=code,
            limits=RunLimits(timeout_s=100),
        )
    )
    talk.close()
    return outcome, next((each for each in operations if each["type"] == "wait"), {})


def test_suite_is_whole() -> None:
    assert (len(RUN), len(HTTP), len(SOCKETS)) == (25, 18, 12)


@pytest.mark.parametrize("name", RUN)
def test_program(name: str, suite: Path, code: Path, tmp_path: Path) -> None:
    outcome, wanted = played(name, suite, code, tmp_path / "root")
    assert outcome.exit_code == wanted.get("exit_code", 0), outcome


@pytest.mark.parametrize("name", SOCKETS)
def test_no_socket_is_made(name: str, suite: Path, code: Path, tmp_path: Path) -> None:
    outcome, _ = played(name, suite, code, tmp_path / "root")
    assert outcome.trap is not None  # they panic where a socket is denied


@pytest.mark.parametrize("name", HTTP)
def test_http_is_not_offered(name: str, suite: Path, code: Path, tmp_path: Path) -> None:
    with pytest.raises((GuestSetupError, AssertionError), match=r"wasi:(http|cli/run)"):
        played(name, suite, code, tmp_path / "root")
