"""What `wasm2oci --help` shows: the commands by section, from the table alone."""

from wasm2oci.cli.catalogue import SECTIONS, commands_of

__all__ = ["overview"]

_HEAD = """\
Usage: {program} COMMAND [ARGS]...

{summary}
"""

_SUMMARIES = {
    "wasm2oci": "Put WebAssembly modules into any OCI registry, get them back verified, and run\nthem.",
    "wasm-to-oci": "Push and pull WebAssembly modules: wasm2oci, with the commands and flags of its\npredecessor.",
}

_TAIL = """\
Options:
  --version     Print the version and exit.
  -h, --help    Print this and exit; `{program} COMMAND --help` describes one
                command.

A reference looks like HOST/NAME:TAG or HOST/NAME@sha256:..., a place on disk
like oci-layout:DIR:TAG. Exit codes: 0 ok, 2 usage, 3 invalid input, 4 not
found, 5 access, 6 integrity, 7 registry or network, 8 unsupported, 9 local I/O.
"""


def overview(program: str = "wasm2oci") -> str:
    """The help of the whole tool, at most 80 columns wide, ending in a newline."""
    commands = commands_of(program)
    width = max(len(command.name) for command in commands)
    parts = [_HEAD.format(program=program, summary=_SUMMARIES[program])]
    for section in SECTIONS:
        rows = [f"  {command.name:{width}}  {command.summary}" for command in commands if command.section == section]
        if rows:
            parts.append("\n".join([f"{section}:", *rows, ""]))
    parts.append(_TAIL.format(program=program))
    return "\n".join(parts)
