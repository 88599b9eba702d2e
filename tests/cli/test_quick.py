"""The quick parser says what typer says, or nothing."""

import functools
import io
from importlib import import_module
from typing import Any

import pytest

from tests.cli.support import invoke
from tests.cli.transcripts import HELLO
from wasm2oci.cli.catalogue import find
from wasm2oci.cli.loader import make_command
from wasm2oci.cli.quick import parse
from wasm2oci.cli.session import Session

PLAIN = [
    "push hello.wasm localhost:5000/x:v1",
    "push - localhost:5000/x:v1 -a a=b --annotation c=d -q --profile=wasm-to-oci",
    "push --force hello.wasm --title= -u me --password-stdin localhost:5000/x:v1",
    "push -- hello.wasm localhost:5000/x:v1",
    "pull localhost:5000/x:v1",
    "pull -o - localhost:5000/x:v1 --format json --ca-file ca.pem",
    "pull localhost:5000/x:v1 -o one -o two -v -q",
    "pull localhost:5000/x:v1 --output --strange",
    "verify localhost:5000/x:v1",
    "verify localhost:5000/x:v1 hello.wasm --plain-http",
    "inspect hello.wasm --raw",
    "validate hello.wasm --features wasm2",
    "resolve localhost:5000/x:v1 --identity-token -p secret",
    "tags localhost:5000/x -a",
    "delete localhost:5000/x:v1 --tag-only --yes",
    "login localhost:5000 -u me -p you",
    "logout localhost:5000 --registry-config config.json",
    "version --format=text",
]

LEFT_TO_TYPER = [
    "push hello.wasm",
    "push hello.wasm a b",
    "push --help",
    "push hello.wasm localhost:5000/x:v1 --anotation a=b",
    "push hello.wasm localhost:5000/x:v1 --force=yes",
    "push hello.wasm localhost:5000/x:v1 -qv",
    "push hello.wasm localhost:5000/x:v1 -ux",
    "pull localhost:5000/x:v1 --format yaml",
    "pull localhost:5000/x:v1 -o",
    "tag localhost:5000/x:v1 v2 v3",
    "copy localhost:5000/x:v1 localhost:5000/y:v1",
    "completion bash",
    "run hello.wasm",
]


def session() -> Session:
    return Session("wasm2oci", io.BytesIO(), io.StringIO(), io.StringIO(), {})


@pytest.mark.parametrize("line", PLAIN)
def test_both_parsers_say_the_same(line: str) -> None:
    name, *words = line.split()
    row = find(name)
    assert row is not None
    command, here = import_module(row.module).command, session()
    seen: list[dict[str, Any]] = []

    @functools.wraps(command)
    def recorded(**values: Any) -> None:
        seen.append(values)

    make_command(name, recorded).main(words, prog_name=name, standalone_mode=False, obj=here)
    quick = parse(command, words, here)
    assert quick is not None
    recorded(**quick)
    # typer also hands over defaults; the function's own are the same.
    defaults = {key: value for key, value in seen[0].items() if key not in seen[1]}
    assert {**defaults, **seen[1]} == seen[0]
    signature = {
        key: parameter.default for key, parameter in __import__("inspect").signature(command).parameters.items()
    }
    assert all(signature[key] == value for key, value in defaults.items())


@pytest.mark.parametrize("line", LEFT_TO_TYPER)
def test_everything_else_is_left_to_typer(line: str) -> None:
    name, *words = line.split()
    row = find(name)
    assert row is not None
    assert parse(import_module(row.module).command, words, session()) is None


def test_a_plain_command_line_loads_no_typer(tmp_path: object) -> None:
    import subprocess
    import sys

    code = (
        "import sys, io\n"
        "from wasm2oci.cli.app import invoke\n"
        "from wasm2oci.cli.session import Session\n"
        "assert invoke(['push', '-', 'oci-layout:out:v1', '-q'], Session(\n"
        f"    'wasm2oci', io.BytesIO({HELLO!r}), sys.stdout, sys.stderr, dict(HOME='.'))) == 0\n"
        "assert 'typer' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=str(tmp_path), env={"PYTHONPATH": ":".join(sys.path)})


def test_errors_still_come_from_typer() -> None:
    assert "no such option: --anotation" in invoke("push", "a", "b", "--anotation", "x").stderr
