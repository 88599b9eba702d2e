"""Start-up is a feature: what a plain push and pull do not load, and completion in real shells."""

import ast
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.support import invoke
from tests.cli.transcripts import HELLO
from tests.support.data import ROOT
from tests.support.registry_server import registry_server
from wasm2oci.packager.profiles import PROFILES


def loaded_by(folder: Path, *arguments: str) -> set[str]:
    """The modules that one command line had loaded when it ended well."""
    code = (
        "import sys\n"
        "from wasm2oci.cli.app import invoke\n"
        "from wasm2oci.cli.terminal import Terminal\n"
        "code = invoke(sys.argv[1:], Terminal.of_process('wasm2oci'))\n"
        "sys.stderr.write('\\n'.join(['', *sys.modules]))\n"
        "sys.exit(code)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "PYTHONPATH": str(ROOT)},
    )
    assert ran.returncode == 0, ran.stderr
    return set(ran.stderr.splitlines())


def test_a_plain_push_and_pull_load_no_cryptography_no_rich_and_no_engine(tmp_path: Path) -> None:
    (tmp_path / "hello.wasm").write_bytes(HELLO)
    with registry_server() as registry:
        reference = f"{registry.address}/hello:v1"
        for arguments in (["push", "hello.wasm", reference], ["pull", reference, "-o", "back.wasm"]):
            modules = loaded_by(tmp_path, *arguments)
            heavy = {"cryptography", "rich", "rich.live", "wasmtime", "wasm2oci.engine", "asyncio", "pydantic", "typer"}
            assert not heavy & modules, (arguments, heavy & modules)
            assert "httpx" in modules
        assert "wasm2oci.registry.upload" not in modules  # a pull does without the code of a push
        for command in ("inspect", "tree"):  # which look for signatures, and find none
            assert not {"cryptography", "rich", "typer"} & loaded_by(tmp_path, command, reference)


def test_plain_commands_load_nothing_that_only_others_need(tmp_path: Path) -> None:
    (tmp_path / "hello.wasm").write_bytes(HELLO)
    others = {
        *(f"wasm2oci.{package}" for package in ("signing", "server", "runtime", "engine", "wasi")),
        "wasm2oci.cli.commands.sign",
        "wasm2oci.cli.failure",
        "wasm2oci.cli.help",
        "wasm2oci.cli.completion",
        "wasm2oci.content.archive",
        "wasm2oci.content.layout",
        "wasm2oci.operations.documents",
        "wasm2oci.operations.guard",
        "wasm2oci.packager.image",
        "wasm2oci.packager.metadata",
        "wasm2oci.registry.debug_log",
        "wasm2oci.registry.login",
        "wasm2oci.registry.mirrors",
        "wasm2oci.registry.warnings",
        "tomllib",
    }
    with registry_server() as registry:
        reference = f"{registry.address}/hello:v1"
        for arguments in (["push", "hello.wasm", reference], ["pull", reference, "-o", "back.wasm"]):
            assert not others & loaded_by(tmp_path, *arguments), arguments
    assert not {"signal", "threading", "wasm2oci.client", "wasm2oci.base.files"} & loaded_by(tmp_path, "--version")


def test_a_pull_connects_before_it_imports_what_only_an_answer_needs(tmp_path: Path) -> None:
    """What is imported before that is waited for; what comes later is imported while the registry answers."""
    code = (
        "import os, sys\n"
        "before = set(sys.modules)\n"  # what is installed may import something at every start
        "from wasm2oci.registry.dial import Dialer\n"
        "def expect(*_):\n"
        "    print('\\n'.join(set(sys.modules) - before), flush=True)\n"
        "    os._exit(0)\n"
        "Dialer.expect = expect\n"
        "from wasm2oci.__main__ import main\n"
        "main()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, "pull", "127.0.0.1:9/hello:v1", "--plain-http"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "WASM2OCI_REGISTRIES_CONF": "off"},
    )
    modules = set(ran.stdout.splitlines())
    assert "wasm2oci.registry.transport" in modules
    late = {"ssl", "hashlib", "httpx", "inspect", "random", "encodings.idna"}
    late |= {f"wasm2oci.registry.{name}" for name in ("registries_conf", "hosts_toml", "host_certificates", "tls")}
    assert not late & modules


_COMPILING = {("typing", "NamedTuple"), ("dataclasses", "dataclass")}


def test_plain_commands_load_no_class_whose_methods_are_compiled_at_each_start(tmp_path: Path) -> None:
    """`base.records` and `base.values` take the place of these; `errors`, which may not import them, says why not."""
    (tmp_path / "hello.wasm").write_bytes(HELLO)
    loaded: set[str] = set()
    with registry_server() as registry:
        reference = f"{registry.address}/hello:v1"
        for arguments in (
            ["push", "hello.wasm", reference],
            ["push", "hello.wasm", "oci-layout:out:v1"],
            ["pull", reference, "-o", "back.wasm"],
            ["resolve", reference],
            ["tags", f"{registry.address}/hello"],
        ):
            loaded |= {name for name in loaded_by(tmp_path, *arguments) if name.startswith("wasm2oci.")}
    wrong = {
        name
        for name in loaded - {"wasm2oci.errors"}
        for node in ast.walk(ast.parse(_source(name)))
        if isinstance(node, ast.ImportFrom) and _COMPILING & {(node.module, alias.name) for alias in node.names}
    }
    assert wrong == {"wasm2oci.base.records"}


def _source(module: str) -> str:
    path = ROOT.joinpath(*module.split("."))
    return (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()


def test_commands_on_layouts_load_no_network(tmp_path: Path) -> None:
    (tmp_path / "hello.wasm").write_bytes(HELLO)
    assert not {"httpx", "ssl", "cryptography"} & loaded_by(tmp_path, "push", "hello.wasm", "oci-layout:out:v1")
    assert not {"httpx", "ssl", "cryptography"} & loaded_by(tmp_path, "pull", "oci-layout:out:v1", "-o", "x.wasm")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["pu"], ["push", "pull"]),
        (["re"], ["resolve", "repos"]),
        (["--h"], ["--help"]),
        (["push", "--pro"], ["--profile"]),
        (["tags", "--format", ""], ["text", "json"]),
        (["tags", "--format", "j"], ["json"]),
        (["completion", ""], ["bash", "zsh", "fish", "powershell"]),
        (["push", "hel"], []),
        (["nosuch", ""], []),
        (["help", "ver"], ["verify", "verify-file", "version"]),
    ],
)
def test_what_may_follow(words: list[str], expected: list[str]) -> None:
    ran = invoke("__complete", *words)
    assert ran.code == 0
    assert [line.split("\t")[0] for line in ran.stdout.splitlines()] == expected


def test_the_drop_in_completes_its_own_commands_and_flags() -> None:
    def complete(*words: str) -> list[str]:
        ran = invoke("__complete", *words, program="wasm-to-oci")
        return [line.split("\t")[0] for line in ran.stdout.splitlines()]

    assert complete("pu") == ["pull", "push"]
    assert complete("push", "--l") == ["--log"]
    assert complete("pull", "--log", "w") == ["warn"]


@pytest.fixture
def tool(tmp_path: Path) -> dict[str, str]:
    """An environment in which `wasm2oci` is this working copy."""
    script = tmp_path / "bin" / "wasm2oci"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m wasm2oci "$@"\n')
    script.chmod(0o755)
    (tmp_path / "hello.wasm").write_bytes(HELLO)
    return {**os.environ, "PATH": f"{script.parent}:{os.environ['PATH']}", "HOME": str(tmp_path), "TERM": "dumb"}


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes(tool: dict[str, str], tmp_path: Path) -> None:
    # Each line as bash takes it apart (COMP_WORDBREAKS), the word under the cursor last.
    lines = {
        "push --fo": ("wasm2oci", "push", "--fo"),
        "pul": ("wasm2oci", "pul"),
        "push --profile ": ("wasm2oci", "push", "--profile", "''"),
        "push --profile=c": ("wasm2oci", "push", "--profile", "=", "c"),
        "tags oci-layout:lay": ("wasm2oci", "tags", "oci-layout", ":", "lay"),
        "pull oci-layout:layout:": ("wasm2oci", "pull", "oci-layout", ":", "layout", ":"),
        "pull oci-layout:layout:v": ("wasm2oci", "pull", "oci-layout", ":", "layout", ":", "v"),
    }
    subprocess.run(
        ["wasm2oci", "push", "-q", "hello.wasm", "oci-layout:layout:v1"],
        env=tool,
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    script = "source <(wasm2oci completion bash); "
    for line, words in lines.items():
        script += f"COMP_LINE='wasm2oci {line}'; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; "
        script += "_wasm2oci; echo ${COMPREPLY[@]}; "
    script += "complete -p wasm-to-oci"
    ran = subprocess.run(["bash", "-c", script], env=tool, cwd=tmp_path, capture_output=True, text=True, check=True)
    *found, registered = ran.stdout.splitlines()
    assert found == ["--force --format", "pull", " ".join(PROFILES), "cncf", "layout:", "v1", "v1"]
    assert registered.startswith("complete ")


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed: apt-get install fish")
def test_fish_completes(tool: dict[str, str], tmp_path: Path) -> None:
    script = (
        "wasm2oci completion fish | source; complete -C 'wasm2oci pul'; complete -C 'wasm2oci push hel'; "
        "wasm2oci push -q hello.wasm oci-layout:layout:v1 >/dev/null; complete -C 'wasm2oci pull oci-layout:layout:'"
    )
    ran = subprocess.run(["fish", "-c", script], env=tool, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout == "pull\tGet a module from a registry, verified\nhello.wasm\noci-layout:layout:v1\n"


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed: apt-get install zsh")
def test_zsh_completes(tool: dict[str, str], tmp_path: Path) -> None:
    terminal, inside = pty.openpty()
    shell = subprocess.Popen(
        ["zsh", "-f", "-i"], cwd=tmp_path, env=tool, stdin=inside, stdout=inside, stderr=inside, start_new_session=True
    )
    os.close(inside)

    def until(wanted: str) -> str:
        seen, end = "", time.monotonic() + 300
        while wanted not in seen and time.monotonic() < end:
            if select.select([terminal], [], [], 0.2)[0]:
                seen += os.read(terminal, 4096).decode(errors="replace")
        assert wanted in seen, seen
        return seen

    try:
        os.write(terminal, b"autoload -U compinit; compinit -u -D; source <(wasm2oci completion zsh); echo re''ady\n")
        until("ready")
        os.write(terminal, b"wasm2oci resol\t")
        until("wasm2oci resolve ")
        os.write(terminal, b"\x15wasm2oci push hel\t")
        until("hello.wasm")
    finally:
        shell.kill()
        shell.wait()
        os.close(terminal)
