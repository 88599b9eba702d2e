"""What `wasm2oci --help` shows: the commands by section, from the table alone (no typer, no rich)."""

from wasm2oci.cli.catalogue import COMMANDS, SECTIONS

__all__ = ["overview"]

_HEAD = """\
Usage: wasm2oci COMMAND [ARGS]...

Put WebAssembly modules into any OCI registry, get them back verified, and run
them.
"""

_TAIL = """\
Options:
  --version     Print the version and exit.
  -h, --help    Print this and exit; `wasm2oci COMMAND --help` tells about one
                command.

A reference looks like HOST/NAME:TAG or HOST/NAME@sha256:..., a place on disk
like oci-layout:DIR:TAG. Exit codes: 0 ok, 2 usage, 3 invalid input, 4 not
found, 5 access, 6 integrity, 7 registry or network, 8 unsupported, 9 local I/O.
"""


def overview() -> str:
    """The help of the whole tool, at most 80 columns wide, ending in a newline."""
    width = max(len(command.name) for command in COMMANDS)
    parts = [_HEAD]
    for section in SECTIONS:
        rows = [f"  {command.name:{width}}  {command.summary}" for command in COMMANDS if command.section == section]
        if rows:
            parts.append("\n".join([f"{section}:", *rows, ""]))
    parts.append(_TAIL)
    return "\n".join(parts)
