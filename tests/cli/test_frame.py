"""The frame of the command line: dispatch, errors, exit codes, start-up."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.support import invoke
from wasm2oci.base.text import printable
from wasm2oci.cli.catalogue import COMMANDS, SECTIONS, similar
from wasm2oci.cli.output import Field, fields
from wasm2oci.cli.overview import overview
from wasm2oci.version import __version__


def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "80", **(env or {})}
    command = [sys.executable, "-m", "wasm2oci", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_row_has_a_module_with_help(command: object) -> None:
    name = getattr(command, "name", "")
    ran = invoke(name, "--help")
    assert ran.code == 0
    assert ran.stdout.startswith(f"Usage: wasm2oci {name}")
    assert max(len(line) for line in ran.stdout.splitlines()) <= 80
    assert ran.stderr == ""


def test_every_row_is_in_a_known_section_and_the_overview_fits_80_columns() -> None:
    assert {command.section for command in COMMANDS} <= set(SECTIONS)
    text = overview()
    assert all(f"  {command.name} " in text for command in COMMANDS)
    assert max(len(line) for line in text.splitlines()) <= 80


@pytest.mark.parametrize("program", ["wasm2oci", "wasm-to-oci"])
def test_all_rows_of_the_overview_have_one_column(program: str) -> None:
    rows = [line for line in overview(program).splitlines() if line.startswith("  ") and line[2] != " "]
    assert len({len(row) - len(re.split(r"^  (?:-h, --help|\S+) +", row)[1]) for row in rows}) == 1


def test_version_and_help_answer_without_the_heavy_parts() -> None:
    for arguments in (["--version"], ["--help"], []):
        code = (
            "import sys; sys.argv = ['wasm2oci', *" + repr(arguments) + "]\n"
            "from wasm2oci.__main__ import main\n"
            "try: main()\n"
            "except SystemExit: pass\n"
            "heavy = {'typer', 'rich', 'httpx', 'cryptography', 'wasmtime', 'inspect', 'ssl'} & set(sys.modules)\n"
            "assert not heavy, heavy\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_the_help_of_a_command_loads_no_network_crypto_engine_or_rich() -> None:
    for command in COMMANDS:
        code = (
            f"import sys; sys.argv = ['wasm2oci', {command.name!r}, '--help']\n"
            "from wasm2oci.__main__ import main\n"
            "try: main()\n"
            "except SystemExit as stop: assert stop.code == 0\n"
            "heavy = {'rich', 'httpx', 'cryptography', 'wasmtime', 'ssl', 'wasm2oci.engine'} & set(sys.modules)\n"
            "assert not heavy, heavy\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_every_program_prints_the_same_version() -> None:
    assert run("--version").stdout == f"wasm2oci {__version__}\n"
    assert invoke("version", "-q").stdout == f"{__version__}\n"
    assert json.loads(invoke("version", "--format", "json").stdout)["wasm2oci"] == __version__


def test_no_arguments_is_a_usage_error_that_shows_the_overview() -> None:
    ran = run()
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", overview())


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        *(("signin", "login"), ("sign-in", "login"), ("sign-out", "logout")),  # not sign, which signs
        *(("artifact", "inspect"), ("fetch", "pull"), ("repository", "repos"), ("list-tags", "tags")),
        *(("verify-signature", "verify"), ("compile", "assemble"), ("search", "repos"), ("hash", "resolve")),
    ],
)
def test_a_word_of_another_tool_leads_to_what_does_the_same(typed: str, meant: str) -> None:
    assert similar(typed) == [meant]


@pytest.mark.parametrize(("typed", "meant"), [("versoin", "version"), ("ver", "verify"), ("rnu", "run")])
def test_a_typo_gets_a_suggestion(typed: str, meant: str) -> None:
    assert meant in similar(typed)
    ran = invoke(typed)
    assert ran.code == 2
    assert f"there is no command {typed!r}" in ran.stderr
    assert f"`wasm2oci {meant}`" in ran.stderr


def test_an_empty_command_and_words_after_the_version_are_usage_errors() -> None:
    assert "there is no command ''" in invoke("").stderr
    ran = invoke("--version", "push")
    assert (ran.code, ran.stdout, ran.stderr) == (2, "", "error: unexpected argument: push\n")


@pytest.mark.parametrize(
    ("raised", "said"),
    [(MemoryError(), "has no more memory\n"), (RuntimeError("can't start new thread"), "memory or threads\n")],
)
def test_a_machine_that_gives_no_more_is_no_bug(raised: Exception, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import wasm2oci.cli.commands.version as module

    def refused() -> None:
        raise raised

    monkeypatch.setattr(module, "command", refused)
    ran = invoke("version")
    assert (ran.code, ran.stdout) == (9, "")
    assert ran.stderr.startswith("error: this machine ")
    assert said in ran.stderr


def test_an_unlike_name_points_to_the_overview() -> None:
    assert "`wasm2oci --help` lists the commands" in invoke("zzzzzz").stderr


def test_an_unknown_option_is_a_usage_error_with_the_right_help() -> None:
    ran = invoke("version", "--fromat", "json")
    assert ran.code == 2
    assert ran.stdout == ""
    assert "--format" in ran.stderr
    assert "hint: `wasm2oci version --help` shows how it is used" in ran.stderr


def test_help_takes_a_command() -> None:
    assert invoke("help", "version").stdout == invoke("version", "--help").stdout


def test_a_bug_of_ours_is_exit_1_and_asks_for_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    import wasm2oci.cli.commands.version as module

    def broken() -> None:
        raise KeyError("oops")

    monkeypatch.setattr(module, "command", broken)
    ran = invoke("version")
    assert ran.code == 1
    assert "KeyError: 'oops'" in ran.stderr
    assert "please report it" in ran.stderr


def test_ctrl_c_is_exit_130_and_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    import wasm2oci.cli.commands.version as module

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "command", interrupted)
    assert invoke("version") == type(invoke("--version"))(130, b"", "")


def test_a_reader_that_went_away_is_not_an_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "wasm2oci", "--help"]
    ran = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full to stand for a full disk")
def test_a_full_disk_behind_standard_output_is_exit_9() -> None:
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "wasm2oci", "version"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ran.returncode == 9
    assert ran.stderr == "error: cannot write standard output: No space left on device\n"


def test_text_from_outside_cannot_drive_the_terminal() -> None:
    assert printable("a\x1b[31mb\u202e\x9bc\n") == "a\\x1b[31mb\\u202e\\x9bc\\n"
    assert printable("Grüße 世界") == "Grüße 世界"


def test_fields_line_up_and_leave_out_what_is_none() -> None:
    found = fields(("A", 1), ("Long", ["x", "y"]), ("Gone", None))
    assert [line for field in found if isinstance(field, Field) for line in field.lines(None)] == [
        "A:    1",
        "Long: x",
        "      y",
    ]
