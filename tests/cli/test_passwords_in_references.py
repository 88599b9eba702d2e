"""What is before an `@` in a reference, an address or a host may be a password: no message repeats it."""

from __future__ import annotations

from typing import Final

import pytest

from tests.cli.support import invoke

SECRET: Final = "S3CRETX"
TEXTS: Final = [
    "user:S@h.example/x",
    "user:p/S@h.example/x",
    "user:S/w@h.example/x:v1",
    "S@h.example/x",
    "oci://S@h.example/x",
    "https://user:S@h.example/x",
    "https://user:S/w@h.example/x",
    "user:S@w@h.example/x",
    "user:S/a@b@h.example/x@sha256:00",
    "user:S@h.example",
    "user:S/w@h.example",
    "S@h.example:5000/x:v1",
    "u:S?x@h.example/x",
    "u:S#x@h.example/x",
    "docker://S:x@h.example/x",
    "S@localhost:5000/a",
    "h.example/S@b/c",
    "user:S@h.example/x.wasm",
    "S@h.example/X:v1",
    "h.example/x:S@h.example/x",
]
COMMANDS: Final = [
    "pull", "inspect", "run", "tags", "copy h.example/x:v1", "login -u a -p b", "repos", "whoami", "resolve", "verify",
    "tree", "tag 127.0.0.1:1/x:v1", "delete --yes", "logout", "blob get", "manifest get", "sign --key k", "print",
    "validate", "wit", "discover", "serve --listen", "serve-http --listen", "run --allow-net", "blob get 127.0.0.1:1/x",
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_no_message_repeats_what_is_before_an_at(command: str) -> None:
    for text in TEXTS:
        ran = invoke(*command.split(), text.replace("S", SECRET, 1))
        assert ran.code in {2, 3, 4}, (text, ran)
        assert SECRET not in ran.stderr.upper(), (text, ran.stderr)
        assert not ran.stdout
