"""JSON is a contract: every document that a command prints fits the schema in docs/schemas, failures included."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tests.cli.support import invoke
from tests.cli.transcripts import HELLO, Transcript
from tests.support.data import ROOT
from tests.support.json_schemas import RESULTS, strict
from tests.support.registry_server import registry_server
from tests.support.serve_process import serve_process
from wasm2oci.cli.catalogue import COMMANDS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.support import Ran

FILES = sorted((ROOT / "fixtures" / "cli").glob("*.txt"))
JSON = ("--format", "json")


def check(command: str, text: str) -> Any:
    """The document in this text, which must fit the schema of the command, or of an error."""
    document = json.loads(text)
    name = "error" if "error" in document else command
    page = json.loads((ROOT / "docs" / "schemas" / f"{name}.json").read_text())
    jsonschema.validate(document, strict(page), cls=jsonschema.Draft202012Validator)
    return document


def documents(path: Path) -> list[tuple[str, str]]:
    """Every command of a transcript that was asked for JSON, and what it printed."""
    found = []
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        if line.startswith("$ ") and ("--format json" in line or "--format=json" in line) and ">" not in line:
            words = line[2:].split()
            at = next(index for index, word in enumerate(words) if word in {"wasm2oci", "wasm-to-oci"})
            printed = []
            for text in lines[number + 1 :]:
                if not text or text.startswith(("$ ", "! ", "= ")):
                    break
                printed.append(text)
            found.append((words[at + 1], "\n".join(printed)))
    return found


def test_every_command_has_a_schema() -> None:
    assert set(RESULTS) == {command.name for command in COMMANDS} | {"error"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_documents_of_the_transcripts_fit_their_schemas(path: Path) -> None:
    for command, text in documents(path):
        check(command, text)


def test_the_transcripts_have_documents() -> None:
    assert Transcript.read(FILES[0].read_text()).lines
    assert sum(len(documents(path)) for path in FILES) >= 6


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "hello.wasm").write_bytes(HELLO)
    (tmp_path / "bad.wasm").write_bytes(HELLO[:-1] + b"\x01")
    return {"HOME": str(tmp_path / "home")}


def test_every_command_prints_a_document(tmp_path: Path, home: dict[str, str]) -> None:
    def run(*words: str, stdin: bytes = b"") -> Ran:
        return invoke(*words, *JSON, cwd=tmp_path, env=home, stdin=stdin)

    with registry_server() as registry:
        name = f"{registry.address}/hello"
        lines = [
            f"push hello.wasm {name}:v1",
            f"push hello.wasm {name}:v1 -q",
            f"pull {name}:v1 -o back.wasm",
            f"verify {name}:v1 back.wasm",
            f"inspect {name}:v1",
            f"inspect {name}:v1 --manifest-only",
            "inspect hello.wasm",
            f"tree {name}:v1",
            "validate hello.wasm",
            f"validate {name}:v1",
            f"resolve {name}:v1",
            f"tags {name}",
            f"tag {name}:v1 v2 v3",
            f"copy {name}:v1 oci-layout:out:v1",
            f"login {registry.address} -u me -p secret",
            f"whoami {registry.address}",
            "whoami",
            f"repos {registry.address}",
            f"logout {registry.address}",
            f"delete {name}:v1 --yes",
            "config",
            "completion bash",
            "version",
        ]
        for line in lines:
            ran = run(*line.split())
            assert ran.code == 0, ran.stderr
            assert "error" not in check(line.split()[0], ran.stdout)
    ran = invoke("run", *JSON, "--invoke", "run", "hello.wasm", cwd=tmp_path, env=home)
    assert check("run", ran.stdout)["results"] == ["42"]


def test_every_command_of_signatures_prints_a_document(tmp_path: Path, home: dict[str, str]) -> None:
    env = {**home, "COSIGN_PASSWORD": "secret"}
    (tmp_path / "says.json").write_text('{"tested": true}')
    lines = [
        "push hello.wasm oci-layout:out:v1",
        "key generate",
        "key public cosign.pub",
        "sign oci-layout:out:v1 --key cosign.key",
        "attest oci-layout:out:v1 --key cosign.key --predicate says.json",
        "sbom oci-layout:out:v1 --attach --key cosign.key",
        "attestations oci-layout:out:v1",
        "attestations oci-layout:out:v1 --key cosign.pub",
        "verify oci-layout:out:v1 --key cosign.pub",
        "policy explain oci-layout:out:v1",
        "push hello.wasm oci-layout:out:v2 --sign --key cosign.key",
    ]
    for line in lines:
        ran = invoke(*line.split(), *JSON, cwd=tmp_path, env=env)
        assert ran.code == 0, ran.stderr
        assert "error" not in check(line.split()[0], ran.stdout), line
    refused = invoke("verify", "oci-layout:out:v1", "--key", "nothing.pub", *JSON, cwd=tmp_path, env=env)
    assert check("verify", refused.stdout)["error"]["exitCode"] == refused.code == 4


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("push", (2, "usage", "usage")),
        ("push hello.wasm", (2, "usage", "usage")),
        ("pusch", (2, "usage", "usage")),
        ("push hello.wasm no-host:v1", (3, "invalid-reference", "invalid-input")),
        ("push nothing.wasm localhost:1/x:v1", (4, "file-not-there", "not-found")),
        ("pull oci-layout:nowhere:v1", (4, "content-not-found", "not-found")),
        ("inspect hello.txt", (4, "no-such-subject", "not-found")),
        ("validate bad.wasm", (3, "malformed", "invalid-input")),
        ("run nothing.wasm", (4, "no-such-subject", "not-found")),
        ("run --invoke nope hello.wasm", (4, "entry", "not-found")),
        ("run --timings --invoke run --engine wasmtime hello.wasm", (8, "engine-unsuited", "unsupported")),
        ("logout registry.example", (4, "not-logged-in", "not-found")),
        ("serve --listen nonsense -- true", (3, "invalid-input", "invalid-input")),
    ],
)
def test_a_failure_is_a_document_on_standard_output(
    tmp_path: Path, home: dict[str, str], line: str, expected: tuple[int, str, str]
) -> None:
    first, *others = line.split()
    ran = invoke(first, *JSON, *others, cwd=tmp_path, env=home)
    error = check(first, ran.stdout)["error"]
    assert (error["exitCode"], error["kind"], error["category"]) == expected, ran.stderr
    assert ran.code == error["exitCode"]
    assert f"error: {error['message']}" in ran.stderr
    assert error["hint"] is None or f"hint: {error['hint']}" in ran.stderr


def test_a_guest_s_output_does_not_mix_with_the_document(tmp_path: Path, home: dict[str, str]) -> None:
    program = ROOT / "fixtures" / "wasm" / "hello-c.wasm"
    ran = invoke("run", *JSON, program, cwd=tmp_path, env=home)
    assert check("run", ran.stdout)["exitCode"] == ran.code == 0
    assert "hello" in ran.stderr.lower()
    trapped = invoke("run", *JSON, ROOT / "fixtures" / "wasm" / "trap-c.wasm", cwd=tmp_path, env=home)
    document = check("run", trapped.stdout)
    assert (document["ending"], document["exitCode"]) == ("trapped", trapped.code)
    assert document["trap"]["reason"] in trapped.stderr


def test_serve_and_demo_print_documents(tmp_path: Path, home: dict[str, str]) -> None:
    with serve_process("--user", "me", folder=tmp_path) as served:
        check("serve", json.dumps(served.said))
    guest = ROOT / "fixtures" / "wasm" / "http.component.wasm"
    with serve_process(guest, folder=tmp_path, command="serve-http") as served:
        check("serve-http", json.dumps(served.said))
    check("demo", invoke("demo", *JSON, cwd=tmp_path, env=home).stdout)


def test_what_is_printed_for_a_failure_does_not_depend_on_where_the_option_is(tmp_path: Path) -> None:
    for words in (("resolve", "x", "--format=json"), ("resolve", "--format", "json", "x")):
        assert check("resolve", invoke(*words, cwd=tmp_path).stdout)["error"]["exitCode"] == 3
    assert invoke("run", "nothing.wasm", "--", "--format=json", cwd=tmp_path).stdout == ""
