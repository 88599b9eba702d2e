"""`wasm2oci demo`: it works from nothing, and does not when one of its commands does not."""

import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

from tests.cli.support import invoke
from tests.support.data import ROOT
from wasm2oci.cli import demonstration as operation


def test_it_works_from_an_empty_folder_with_an_empty_environment(tmp_path: Path) -> None:
    root = Path(operation.__file__).parents[2]
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(root),
        "HOME": str(tmp_path),
        "http_proxy": "http://[::1]:9",
    }
    done = subprocess.run(
        [sys.executable, "-m", "wasm2oci", "demo"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "\nHello from WebAssembly, delivered by an OCI registry!\n" in done.stdout
    assert [line.split()[2] for line in done.stdout.splitlines() if line.startswith("$ ")] == [
        "push",
        "inspect",
        "pull",
        "verify",
        "run",
    ]
    assert "All of it worked" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_as_json_it_is_one_document(tmp_path: Path) -> None:
    done = invoke("demo", "--format", "json", env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert done.code == 0
    document = json.loads(done.stdout)
    assert [step["code"] for step in document["steps"]] == [0] * 5
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", document["digest"])


@pytest.mark.parametrize(
    ("steps", "code", "said"),
    [
        ((("Fails", "pull {name}:absent"),), 4, "`wasm2oci pull"),
        ((("Says nothing", "version"),), 6, "push did not print"),
        ((operation.STEPS[0], ("Another file", "pull {name}@{digest} -o other.wasm")), 6, "came back"),
        (operation.STEPS[:4], 6, "greeting"),
    ],
)
def test_it_ends_with_an_error_when_a_step_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: tuple[tuple[str, str], ...], code: int, said: str
) -> None:
    monkeypatch.setattr(operation, "STEPS", steps)
    done = invoke("demo", env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert done.code == code
    assert said in done.stderr
    assert "All of it worked" not in done.stdout


def test_a_step_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation, "_STEP_SECONDS", 0.01)
    done = invoke("demo", env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert done.code == 7
    assert "did not end within" in done.stderr


@pytest.mark.parametrize("arguments", [["demo"], ["serve", "--listen", "127.0.0.1:0", "--", "true"]])
def test_where_temporary_files_have_no_place_it_says_so(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container without a file system that may be written to: it was an internal error."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "gone")])
    done = invoke(*arguments, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert done.code == 9
    assert done.stderr.startswith("error: there is no folder for temporary files: No usable temporary directory found")
    assert done.stderr.endswith("\nhint: set TMPDIR to a folder that you may write to\n")


def test_the_module_is_what_its_source_says() -> None:
    source = (ROOT / "wasm2oci" / "cli" / "demo_module" / "hello.wat").read_text()
    text = operation.GREETING.encode().decode("unicode_escape").rstrip("\n")
    assert text in source
    assert operation.GREETING.encode() in operation.MODULE.read_bytes()


def test_the_package_may_be_inside_an_archive(tmp_path: Path) -> None:
    archive = tmp_path / "tool.pyz"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted((ROOT / "wasm2oci").rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                packed.write(path, str(path.relative_to(ROOT)))
        packed.writestr("__main__.py", "from wasm2oci.__main__ import main\nmain()\n")
    ran = subprocess.run(
        [sys.executable, "-P", str(archive), "demo"],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "All of it worked" in ran.stdout
    code = f"import sys; sys.path.insert(0, {str(archive)!r}); import wasm2oci; print(wasm2oci.__file__)"
    where = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout
    assert where.startswith(str(archive)), where
