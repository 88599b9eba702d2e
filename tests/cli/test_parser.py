"""One parser reads every command line, by the declaration of the command alone."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import invoke
from tests.cli.transcripts import HELLO
from tests.support.data import ROOT
from wasm2oci.cli.catalogue import COMMANDS, DROP_IN, find
from wasm2oci.cli.commands import declaration_of
from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.help import help_text
from wasm2oci.cli.options import Format, Reporting
from wasm2oci.cli.parser import parse
from wasm2oci.errors import UsageError
from wasm2oci.operations.fetch_module import Pull
from wasm2oci.operations.trust import TrustOptions
from wasm2oci.registry.options import ConnectOptions

PUSH = {"file": "a", "ref": "r"}


def read(line: str, stdin: bytes = b"") -> dict[str, Any] | None:
    name, *words = line.split(" ")
    command = find(name)
    assert command is not None
    return parse(declaration_of(command), words, lambda: stdin)


def without_groups(line: str, stdin: bytes = b"") -> dict[str, Any]:
    values = read(line, stdin)
    assert values is not None
    return {
        key: value for key, value in values.items() if not isinstance(value, (Reporting, ConnectOptions, TrustOptions))
    }


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("push a r", PUSH),
        ("push -- a r", PUSH),
        ("push --force a --title= r", {**PUSH, "force": True, "title": ""}),
        ("push a r -a x=y --annotation z=", {**PUSH, "annotation": ["x=y", "z="]}),
        ("push a r -ax=y", {**PUSH, "annotation": ["x=y"]}),
        ("push a r --title one --title two", {**PUSH, "title": "two"}),
        ("pull r --output --strange", {"ref": "r", "out": "--strange"}),
        ("pull r -o -", {"ref": "r", "out": "-"}),
        ("verify r f", {"ref": "r", "file": Path("f")}),
        ("verify r", {"ref": "r"}),
        ("tag r one two --quiet three", {"ref": "r", "tags": ["one", "two", "three"]}),
        ("tag r -- -one", {"ref": "r", "tags": ["-one"]}),
        ("run m", {"subject": "m"}),
        ("run m  a", {"subject": "m", "arguments": ["", "a"]}),
        ("run --invoke= m", {"subject": "m", "invoke": ""}),
        ("run m --fuel -- -x", {"subject": "m", "arguments": ["--fuel", "--", "-x"]}),
        ("run --fuel 12 -e A -e B=1 m x", {"subject": "m", "fuel": 12, "env": ["A", "B=1"], "arguments": ["x"]}),
        ("run --pull=never -- m --help", {"subject": "m", "pull": Pull.NEVER, "arguments": ["--help"]}),
        ("run --trace m", {"subject": "m", "trace": "-"}),
        ("run --trace=t m", {"subject": "m", "trace": "t"}),
        ("serve", {}),
        ("serve --listen :0 -- sh -c x", {"listen": ":0", "run": ["sh", "-c", "x"]}),
    ],
)
def test_a_command_line_becomes_arguments(line: str, expected: dict[str, Any]) -> None:
    assert without_groups(line) == expected


def test_options_of_a_group_become_one_value() -> None:
    values = read("copy a b -qv --format=json -u me -ppw --to-ca-file x --no-progress --plain-http")
    assert values is not None
    assert values["output"] == Reporting(Format.JSON, quiet=True, verbose=True, no_progress=True)
    assert values["client"] == ConnectOptions(username="me", password="pw", plain_http=True)
    assert values["destination_options"] == ConnectOptions(ca_file=Path("x"))


def test_a_password_is_read_from_standard_input_for_the_side_that_asks() -> None:
    values = read("copy a b --to-username me --to-password-stdin", b"s3cret\r\n")
    assert values is not None
    assert values["destination_options"] == ConnectOptions(username="me", password="s3cret")
    assert values["client"] == ConnectOptions()


@pytest.mark.parametrize("line", ["push --help", "push a -h", "push a b c --help", "run --fuel 3 --help", "tag -qh"])
def test_help_is_asked_for_wherever_options_may_be(line: str) -> None:
    if line == "tag -qh":
        with pytest.raises(UsageError, match="no such option: -h"):
            read(line)
    else:
        assert read(line) is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("push", "missing argument FILE"),
        ("push a", "missing argument REF"),
        ("push a b c", "unexpected argument: c"),
        ("push a b ", "unexpected argument: ''"),
        ("push  r", "FILE is empty"),
        ("tag r ", "TAG... is empty"),
        ("pull r -o ", "-o is empty"),
        ("pull r --policy=", "--policy is empty"),
        ("pull r --verify-key ", "--verify-key is empty"),
        ("resolve r --username ", "--username is empty"),
        ("cache ", "ACTION: '' is not one of"),
        ("serve --root  -- true", "--root is empty"),
        ("serve --", "nothing follows --"),
        ("tag r", "missing argument TAG"),
        ("attest r", "missing option --predicate"),
        ("push a r --anotation x=y", "no such option: --anotation (did you mean --annotation"),
        ("push a r -z", "no such option: -z"),
        ("push a r -qz", "no such option: -z"),
        ("push a r --force=yes", "--force takes no value"),
        ("push a r --password-stdin=yes", "--password-stdin takes no value"),
        ("pull r -o", "-o needs a value"),
        ("pull r --output", "--output needs a value"),
        ("pull r --format yaml", "--format: 'yaml' is not one of text, json"),
        ("push a r --profile x", "--profile: 'x' is not one of cncf, wasm-to-oci"),
        ("run --fuel many m", "--fuel: 'many' is not a whole number"),
        ("run --fuel 0 m", "--fuel: 0 is less than 1"),
        ("run --fuel 1", "missing argument REF|FILE"),
        ("completion tcsh", "SHELL: 'tcsh' is not one of bash, zsh, fish"),
        ("completion", "missing argument SHELL"),
        ("resolve r -p x --password-stdin", "--password and --password-stdin cannot be combined"),
        ("resolve r --password-stdin -p x", "--password-stdin and --password cannot be combined"),
        ("push - r --password-stdin", "--password-stdin and FILE - cannot be combined"),
        ("validate - --password-stdin", "--password-stdin and REF|FILE - cannot be combined"),
        ("copy a b --password-stdin --to-password-stdin", "--password-stdin and --to-password-stdin cannot be"),
        ("login h -u x --password-stdin", "standard input holds no password"),
    ],
)
def test_what_does_not_fit_is_refused_and_named(line: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(line)
    assert message in caught.value.message


@pytest.mark.parametrize("command", [*COMMANDS, *DROP_IN], ids=lambda command: command.home or command.name)
def test_arguments_are_refused_or_enough_to_call_the_command(command: Any) -> None:
    declaration = declaration_of(command)
    needed = [parameter for parameter in declaration.options.values() if parameter.required]
    enough = 0
    for count in range(len(declaration.arguments) + 1):
        words = [(parameter.choices or ("x",))[0] for parameter in declaration.arguments[:count]]
        try:
            values = parse(declaration, words, bytes)
        except UsageError:
            continue
        assert values is not None
        inspect.signature(declaration.function).bind(**{**values, **dict.fromkeys(declaration.given)})
        enough += 1
    assert enough or needed


def test_a_password_that_is_not_text_is_refused() -> None:
    with pytest.raises(UsageError, match="not UTF-8"):
        read("login h -u x --password-stdin", b"\xff")


@pytest.mark.parametrize("command", [*COMMANDS, *DROP_IN], ids=lambda command: command.home or command.name)
def test_every_command_is_declared_in_the_one_dialect_and_shown_in_its_help(command: Any) -> None:
    declaration = declaration_of(command)
    assert declaration.function.__defaults__ is None, "only parameters after the * have a default that is read"
    text = help_text(declaration, command.name)
    for parameter in declaration.parameters:
        assert isinstance(parameter.declared, (Argument, Option))
        shown = parameter.declared.names if isinstance(parameter.declared, Option) else (parameter.declared.metavar,)
        assert all(name in text for name in shown)
        assert parameter.declared.described.split(" ", maxsplit=1)[0] in text
    names = [name for parameter in declaration.parameters for name in getattr(parameter.declared, "names", ())]
    assert len(names) == len(set(names))
    rest = [argument.declared.rest for argument in declaration.arguments if isinstance(argument.declared, Argument)]
    assert not any(rest[:-1]), "only the last argument can take the rest"


def test_a_command_line_loads_no_typer_unless_help_is_asked_for(tmp_path: Path) -> None:
    code = (
        "import sys, io\n"
        "from wasm2oci.cli.app import invoke\n"
        "from wasm2oci.cli.terminal import Terminal\n"
        "assert invoke(sys.argv[1:], Terminal(\n"
        f"    'wasm2oci', io.BytesIO({HELLO!r}), sys.stdout, sys.stderr, dict(HOME='.'))) in (0, 2)\n"
        "assert ('typer' in sys.modules) == ('--help' in sys.argv)\n"
    )
    for line in ("push - oci-layout:out:v1 -q", "push --fource", "push --help"):
        subprocess.run(
            [sys.executable, "-c", code, *line.split()],
            check=True,
            capture_output=True,
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT)},
        )


def test_a_mistake_points_to_the_help_of_the_command() -> None:
    ran = invoke("push", "a", "b", "--anotation", "x")
    assert ran.code == 2
    assert ran.stderr.endswith("hint: `wasm2oci push --help` shows how it is used\n")
