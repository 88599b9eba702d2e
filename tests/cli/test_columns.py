"""Results and help on terminals of 40 and 80 columns."""

from __future__ import annotations

import io
import re

import pytest

from tests.cli.support import invoke
from wasm2oci.cli.catalogue import COMMANDS
from wasm2oci.cli.output import Output, fields
from wasm2oci.cli.overview import overview
from wasm2oci.cli.terminal import Terminal

DIGEST = "sha256:" + "0123456789abcdef" * 4
PUSHED = fields(("Pushed", "h.example/n:v1"), ("Digest", DIGEST), ("Size", "36 bytes"), ("Profile", "cncf (module)"))


class TerminalStream(io.StringIO):
    """Text that is written to a terminal."""

    def isatty(self) -> bool:
        return True


def laid_out(lines: list[object], columns: int | None) -> list[str]:
    stdout = io.StringIO()
    Output(stdout, io.StringIO(), columns=columns).text(lines)  # type: ignore[arg-type]
    return stdout.getvalue().splitlines()


def test_the_result_of_a_push_fits_in_80_columns() -> None:
    lines = laid_out(list(PUSHED), 80)
    assert lines == [
        "Pushed:  h.example/n:v1",
        f"Digest:  {DIGEST}",
        "Size:    36 bytes",
        "Profile: cncf (module)",
    ]
    assert max(map(len, lines)) == 80
    assert laid_out(list(PUSHED), None) == lines


def test_a_value_too_wide_for_its_column_follows_its_name() -> None:
    lines = fields(("Digest", DIGEST), ("Signatures", "not signed"))
    assert laid_out(list(lines), 80) == [f"Digest: {DIGEST}", "Signatures: not signed"]


def test_a_value_too_wide_for_its_line_is_below_its_name_in_one_piece() -> None:
    lines = laid_out([*PUSHED, *fields(("Imports", ["func wasi_snapshot_preview1.fd_write (param i32)"]))], 40)
    assert lines[1:3] == ["Digest:", f"  {DIGEST}"]
    assert lines[-3:] == ["Imports:", "  func wasi_snapshot_preview1.fd_write", "    (param i32)"]


def test_a_pipe_gets_the_same_lines_whatever_columns_says() -> None:
    assert Terminal("wasm2oci", io.BytesIO(), io.StringIO(), io.StringIO(), {"COLUMNS": "40"}).columns is None


@pytest.mark.parametrize(("text", "columns"), [("40", 40), ("0", None), ("-3", None), ("9" * 5000, None), ("", None)])
def test_columns_is_read_as_a_width_if_it_is_one(text: str, columns: int | None) -> None:
    stream = TerminalStream()
    assert Terminal("wasm2oci", io.BytesIO(), stream, stream, {"COLUMNS": text}).columns == columns


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_the_overview_fits(columns: int) -> None:
    for program in ("wasm2oci", "wasm-to-oci"):
        assert max(map(len, overview(program, columns).splitlines())) <= columns


def test_the_help_of_commands_breaks_no_word_in_40_columns() -> None:
    for command in COMMANDS:
        wide = invoke(command.name, "--help").stdout
        narrow = help_at_40_columns(command.name)
        words = {word for word in wide.split() if len(word) <= 30}
        assert words <= set(narrow.split())
        described = [line for line in narrow.splitlines() if line.startswith("        ")]
        assert max(map(len, described)) <= 40


def test_examples_in_the_help_have_lines_of_their_own() -> None:
    """Those of `tags` and `attest` were filled like a sentence: they were not indented more than the first line."""
    for command in COMMANDS:
        lines = invoke(command.name, "--help").stdout.splitlines()[1:]
        assert not [line for line in lines if re.match(r" {0,3}wasm2oci ", line)], command.name


def help_at_40_columns(name: str) -> str:
    from wasm2oci.cli.commands import declaration_of
    from wasm2oci.cli.help import help_text

    (command,) = (each for each in COMMANDS if each.name == name)
    return help_text(declaration_of(command), f"wasm2oci {name}", 40)
