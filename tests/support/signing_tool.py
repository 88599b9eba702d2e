"""The tool in a folder with two pairs of keys and a registry: for tests of signatures on the command line."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.cli.support import invoke
from tests.cli.transcripts import HELLO

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.cli.support import Ran
    from tests.support.registry_server import RunningRegistry
    from wasm2oci.content.target import Target

__all__ = ["Tool", "make_keys", "make_tool"]


class Tool:
    """The tool in a folder, with a registry; `ref` is where things go if nothing else is given."""

    def __init__(self, folder: Path, registry: RunningRegistry) -> None:
        self.folder = folder
        self.registry = registry
        self.ref = f"{registry.address}/team/app:v1"

    def __call__(self, *arguments: str, code: int = 0, env: Mapping[str, str] | None = None) -> Ran:
        variables = {"HOME": str(self.folder / "home"), "COSIGN_PASSWORD": "pw", **(env or {})}
        ran = invoke(*arguments, env=variables, cwd=self.folder)
        assert ran.code == code, ran.stderr
        return ran

    def push(self, data: bytes = HELLO, ref: str = "", *more: str) -> str:
        """Push a module; returns the digest of its manifest."""
        (self.folder / "module.wasm").write_bytes(data)
        ran = self("push", "module.wasm", ref or self.ref, "-q", *more)
        return ran.stdout.strip().rpartition("@")[2]

    def policy(self, text: str) -> None:
        (self.folder / "wasm2oci.policy.toml").write_text("version = 1\n" + text)

    def rule(self, more: str = "") -> str:
        return f'[[rule]]\nscope = "{self.registry.address}/team/*"\n{more}'

    @contextmanager
    def repository(self, ref: str = "") -> Iterator[Target]:
        """The repository, to put what no command makes there."""
        from wasm2oci.oci.reference import Reference
        from wasm2oci.registry.connect import Connector
        from wasm2oci.registry.options import ConnectOptions

        connector = Connector(ConnectOptions(plain_http=True))
        try:
            yield connector.repository(Reference.parse(ref or self.ref), writes=True)
        finally:
            connector.close()


def make_keys(folder: Path) -> Path:
    """Two pairs of keys, `ours` and `theirs`, with the password `pw`."""
    for name in ("ours", "theirs"):
        ran = invoke("key", "generate", "-o", name, env={"COSIGN_PASSWORD": "pw"}, cwd=folder)
        assert ran.code == 0, ran.stderr
    return folder


def make_tool(folder: Path, keys: Path, registry: RunningRegistry) -> Tool:
    """The tool in this folder, with copies of the keys."""
    for file in keys.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return Tool(folder, registry)
