"""JSON is a contract: every document that a command prints fits the schema in docs/schemas, failures included."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tests.cli.support import invoke
from tests.cli.transcripts import HELLO, Transcript
from tests.support.data import ROOT
from tests.support.json_schemas import RESULTS, strict
from tests.support.registry_server import registry_server
from tests.support.serve_process import serve_process
from tests.unit.signing.test_provenance import GITHUB
from wasm2oci.cli.catalogue import COMMANDS
from wasm2oci.oci.digest import Digest

if TYPE_CHECKING:
    from pathlib import Path


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


ORDINARY = """
push hello.wasm NAME:v1
push hello.wasm NAME:v1 -q
pull NAME:v1 -o back.wasm
verify NAME:v1 back.wasm
inspect NAME:v1
inspect NAME:v1 --manifest-only
inspect hello.wasm
attach NAME:v1 note.txt:text/plain --artifact-type application/x.note
discover NAME:v1
tree NAME:v1
validate hello.wasm
validate NAME:v1
print hello.wasm -o hello.wat
assemble hello.wat -o again.wasm
wit http.component.wasm
resolve NAME:v1
tags NAME
tag NAME:v1 v2 v3
copy NAME:v1 oci-layout:out:v1
copy NAME oci-layout:all --tags v*
blob put NAME note.txt
blob head NAME@DIGEST
blob get NAME@DIGEST -o got.txt
blob delete NAME@DIGEST --yes
manifest head NAME:v1
manifest put NAME:v4 manifest.json
manifest delete NAME:v4 --yes
push hello.wasm NAME:v1
delete NAME:v1 --yes
login HOST -u me -p secret
whoami HOST
whoami
repos HOST
logout HOST
cache
cache ls
cache prune --limit 1MiB
config
completion bash
version
"""
SIGNED = """
push hello.wasm oci-layout:out:v1
key generate
key public cosign.pub
sign oci-layout:out:v1 --key cosign.key
attest oci-layout:out:v1 --key cosign.key --predicate says.json
sbom oci-layout:out:v1 --attach --key cosign.key
provenance oci-layout:out:v1 --key cosign.key
attestations oci-layout:out:v1
attestations oci-layout:out:v1 --key cosign.pub
verify oci-layout:out:v1 --key cosign.pub
policy explain oci-layout:out:v1
sign-file hello.wasm --key cosign.key
verify-file hello.wasm --key cosign.pub
push hello.wasm oci-layout:out:v2 --sign --key cosign.key
"""
ELSEWHERE = {"run", "serve", "serve-http", "demo"}
"""Commands whose documents the tests below look at."""


def test_the_document_of_every_command_is_looked_at() -> None:
    named = {line.split()[0] for line in (ORDINARY + SIGNED).splitlines() if line}
    assert named | ELSEWHERE == {command.name for command in COMMANDS}


def test_every_command_prints_a_document(tmp_path: Path, home: dict[str, str]) -> None:
    note = tmp_path / "note.txt"
    note.write_bytes(b"a note")
    shutil.copy(ROOT / "fixtures" / "wasm" / "http.component.wasm", tmp_path)
    with registry_server() as registry:
        words = {"HOST": registry.address, "NAME": f"{registry.address}/hello", "DIGEST": str(Digest.of(b"a note"))}
        text = re.sub("|".join(words), lambda found: words[found[0]], ORDINARY)
        for line in filter(None, text.splitlines()):
            if line.startswith("manifest put"):
                raw = invoke("manifest", "get", f"{words['NAME']}:v1", cwd=tmp_path, env=home).stdout
                (tmp_path / "manifest.json").write_text(raw)
            ran = invoke(*line.split(), *JSON, cwd=tmp_path, env=home)
            assert ran.code == 0, (line, ran.stderr)
            assert "error" not in check(line.split()[0], ran.stdout), line
    ran = invoke("run", *JSON, "--invoke", "run", "hello.wasm", cwd=tmp_path, env=home)
    assert check("run", ran.stdout)["results"] == ["42"]


def test_every_command_of_signatures_prints_a_document(tmp_path: Path, home: dict[str, str]) -> None:
    env = {**home, **GITHUB, "COSIGN_PASSWORD": "secret"}
    (tmp_path / "says.json").write_text('{"tested": true}')
    for line in filter(None, SIGNED.splitlines()):
        ran = invoke(*line.split(), *JSON, cwd=tmp_path, env=env)
        assert ran.code == 0, (line, ran.stderr)
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
