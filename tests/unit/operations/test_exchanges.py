"""How many exchanges each command takes: what is asked for once is not asked for again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.support import invoke
from tests.support.artifacts import WASM
from tests.support.registry_server import registry_server

if TYPE_CHECKING:
    from pathlib import Path

COUNTS = {
    "push FILE HOST/a:v1": 2,  # the manifest is there: HEAD, and PUT under its tag
    "push FILE HOST/b:v1": 4,
    "pull HOST/a:v1 -o back.wasm": 2,
    "resolve HOST/a:v1": 1,
    "tags HOST/a": 1,
    "inspect HOST/a:v1": 7,  # manifest; referrers and four tags, all at once; module
    "inspect HOST/a:v1 --raw": 1,
    "tree HOST/a:v1": 6,
    "verify HOST/a:v1": 3,
    "validate HOST/a:v1": 2,
    "tag HOST/a:v1 v2": 2,
    "copy HOST/a:v1 HOST/c:v1": 6,  # one of them asks for authorization while the source is read
    "copy -r HOST/a:v1 HOST/d:v1": 9,
    "copy HOST/a:v1 oci-layout:layout:v1": 3,
    "delete HOST/a:v1 --tag-only -y": 2,
    "delete HOST/a:v1 -y": 4,  # the manifest, the tags, what each of them names, the removal
}


@pytest.mark.parametrize("command", COUNTS)
def test_the_exchanges_of_a_command(tmp_path: Path, command: str) -> None:
    (tmp_path / "m.wasm").write_bytes(WASM)
    home = {"HOME": str(tmp_path / "home")}
    with registry_server() as registry:
        words = command.replace("HOST", registry.address).replace("FILE", "m.wasm").split()
        first = invoke("push", "m.wasm", f"{registry.address}/a:v1", "--plain-http", cwd=tmp_path, env=home)
        assert first.code == 0
        asked = len(registry.seen)
        ran = invoke(*words, "--plain-http", cwd=tmp_path, env=home)
        assert ran.code == 0, ran.stderr
        assert len(registry.seen) - asked == COUNTS[command], registry.seen[asked:]
