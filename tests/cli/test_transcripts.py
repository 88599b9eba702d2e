"""What users type and see: every file in fixtures/cli is played and must come out as it is."""

from pathlib import Path

import pytest

from tests.cli.transcripts import HELLO, Transcript, play
from tests.support.data import ROOT

FILES = sorted((ROOT / "fixtures" / "cli").glob("*.txt"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_transcript(path: Path, tmp_path: Path, *, bless: bool) -> None:
    text = path.read_text()
    played = play(text, tmp_path)
    if bless:
        path.write_text(played)
    assert played == path.read_text()


def test_there_are_transcripts_and_the_reader_drops_what_was_printed() -> None:
    assert len(FILES) >= 10
    assert Transcript.read("# a\n$ ls\nout\n! err\n= 3\n\n$ ls\n").lines == ("# a", "$ ls", "", "$ ls")


def test_the_module_of_the_transcripts_is_one() -> None:
    assert HELLO[:8] == b"\0asm\x01\0\0\0"
