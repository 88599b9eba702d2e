"""The command `notation` signs, and we verify by its own trust store and trust policy, with its own verdicts.

`WASM2OCI_NOTATION` names the program (`go build github.com/notaryproject/notation/cmd/notation`, version 1.3).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cli.support import invoke
from tests.cli.transcripts import HELLO
from tests.support.registry_server import registry_server
from wasm2oci.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, True),
        ({"trustedIdentities": ["x509.subject: C=US, ST=WA, O=Notary, CN=ours"]}, True),
        ({"trustedIdentities": ["x509.subject: C=US, ST=WA, O=Other"]}, False),
        ({"trustStores": ["ca:theirs"]}, False),
    ],
)
def test_we_agree_with_notation_about_its_signatures(
    tmp_path: Path, changes: dict[str, object], *, holds: bool
) -> None:
    program = os.environ.get("WASM2OCI_NOTATION") or shutil.which("notation")
    if program is None:
        pytest.skip("optional: notation is not here; WASM2OCI_NOTATION may name it")
    variables = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}

    def theirs(*arguments: str) -> int:
        environment = {**os.environ, **variables}
        return subprocess.run([program, *arguments], env=environment, check=False, capture_output=True).returncode

    with registry_server() as registry:
        name = f"{registry.address}/team/app"
        pushed = invoke("push", "-", f"{name}:v1", "-q", stdin=HELLO)
        pinned = pushed.stdout.strip()
        assert theirs("cert", "generate-test", "--default", "ours") == 0
        assert theirs("cert", "generate-test", "theirs") == 0
        assert theirs("sign", "--insecure-registry", pinned) == 0
        policy = {
            "name": "test",
            "registryScopes": [name],
            "signatureVerification": {"level": "strict"},
            "trustStores": ["ca:ours"],
            "trustedIdentities": ["*"],
            **changes,
        }
        path = tmp_path / "config" / "notation" / "trustpolicy.json"
        path.write_text(json.dumps({"version": "1.0", "trustPolicies": [policy]}))
        assert (theirs("verify", "--insecure-registry", pinned) == 0) == holds
        ran = invoke("verify", pinned, "--notation", env=variables)
        assert ran.code == (0 if holds else ExitCode.INTEGRITY), ran.stderr
