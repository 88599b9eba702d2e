"""What `wasm2oci --help` shows: the commands by section, from the table alone."""

from __future__ import annotations

import textwrap
from typing import Final

from wasm2oci.cli.catalogue import SECTIONS, commands_of

__all__ = ["overview"]

_SUMMARIES: Final = {
    "wasm2oci": "Put WebAssembly modules into any OCI registry, get them back verified, and run them.",
    "wasm-to-oci": "Push and pull WebAssembly modules: wasm2oci, with the commands and flags of its predecessor.",
}
_OPTIONS: Final = (
    ("--version", "Print the version and exit."),
    ("-h, --help", "Print this and exit; `{program} COMMAND --help` describes one command."),
)
_TAIL: Final = (
    "A reference looks like HOST/NAME:TAG or HOST/NAME@sha256:..., a place on disk like oci-layout:DIR:TAG. "
    "Exit codes: 0 ok, 2 usage, 3 invalid input, 4 not found, 5 access, 6 integrity, 7 registry or network, "
    "8 unsupported, 9 local I/O."
)


def overview(program: str = "wasm2oci", columns: int = 80) -> str:
    """The help of the whole tool, ending in a newline, filled to so many columns and no more than 80."""
    columns = min(columns, 80)
    commands = commands_of(program)
    width = max(len(name) for name in (*(command.name for command in commands), *(name for name, _ in _OPTIONS)))
    parts = [f"Usage: {program} COMMAND [ARGS]...", textwrap.fill(_SUMMARIES[program], columns)]
    for section in SECTIONS:
        rows = [(command.name, command.summary) for command in commands if command.section == section]
        if rows:
            parts.append("\n".join([f"{section}:", *(_row(name, text, width, columns) for name, text in rows)]))
    options = (_row(name, text.format(program=program), width, columns) for name, text in _OPTIONS)
    parts += ["\n".join(["Options:", *options]), textwrap.fill(_TAIL, columns)]
    return "\n\n".join(parts) + "\n"


def _row(name: str, text: str, width: int, columns: int) -> str:
    return textwrap.fill(text, columns, initial_indent=f"  {name:{width}}  ", subsequent_indent=" " * (width + 4))
