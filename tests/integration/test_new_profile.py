"""A profile is a row: one more row in the table is pushed, pulled, recognised, described and completed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.cli.transcripts import HELLO
from tests.support.data import ROOT
from tests.support.registry_server import registry_server
from wasm2oci.packager.build import build
from wasm2oci.packager.module_source import ModuleSource
from wasm2oci.packager.profiles import PROFILES
from wasm2oci.packager.recognise import format_name

if TYPE_CHECKING:
    from pathlib import Path

_WITH_A_NEW_ROW = """
import sys
from wasm2oci.packager import profiles
profiles.PROFILES["example"] = profiles.CNCF._replace(
    name="example",
    summary="a row that a test adds",
    config_type="application/vnd.example.config.v1+json",
    layer_type="application/vnd.example.module.v1",
)
from wasm2oci.cli.app import main
sys.argv[0] = "wasm2oci"
main()
"""


def tool(folder: Path, *arguments: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", _WITH_A_NEW_ROW, *arguments],
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_a_new_row_makes_the_round_trip_and_is_known_everywhere(tmp_path: Path) -> None:
    (tmp_path / "hello").write_bytes(HELLO)  # a title that says nothing about WebAssembly
    with registry_server() as registry:
        name = f"{registry.address}/hello:v1"
        assert "Profile: example (module)" in tool(tmp_path, "push", "hello", name, "--profile", "example")
        tool(tmp_path, "pull", name, "-o", "back")
        assert (tmp_path / "back").read_bytes() == HELLO
        assert re.search(r"^Format: +example$", tool(tmp_path, "inspect", name), re.MULTILINE)
    assert "example" in tool(tmp_path, "push", "--help").partition("--profile")[2].partition("--annotation")[0]
    assert tool(tmp_path, "__complete", "push", "--profile", "ex") == "example\n"


def test_every_profile_is_recognised_as_itself_or_as_the_image_that_it_is() -> None:
    for name, profile in PROFILES.items():
        artifact = build(ModuleSource.of_bytes(HELLO), profile)
        assert format_name(artifact.manifest) == ("image" if name == "istio" else name)
