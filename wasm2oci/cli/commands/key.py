"""`wasm2oci key`."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.output import Output, fields
from wasm2oci.cli.terminal import Terminal
from wasm2oci.client import Client
from wasm2oci.errors import UsageError

if TYPE_CHECKING:
    from wasm2oci.client import KeyFiles

__all__ = ["command"]

_MAKES = ("generate", "import")


class KeyAction(StrEnum):
    """What is done."""

    GENERATE = "generate"
    IMPORT = "import"
    PUBLIC = "public"


def command(
    output: Output,
    terminal: Terminal,
    *,
    action: Annotated[KeyAction, Argument("ACTION", "generate, import or public.")],
    key: Annotated[str | None, Argument("[KEY]", "The key, FILE or env://NAME.", only=("import", "public"))] = None,
    prefix: Annotated[
        Path, Option("--output-prefix", "-o", metavar="PREFIX", help="Write PREFIX.key and PREFIX.pub.", only=_MAKES)
    ] = Path("cosign"),
    force: Annotated[bool, Option("--force", help="Replace existing files.", only=_MAKES)] = False,
    client: Client,
) -> None:
    """Make, import or show the keys that sign.

      wasm2oci key generate            a new key: cosign.key and cosign.pub
      wasm2oci key import FILE         encrypt the key of another tool
      wasm2oci key public cosign.key   print the public key of a private one

    The files are cosign's own, encrypted with a password: COSIGN_PASSWORD, else
    what is entered. Keys are ECDSA P-256; RSA and Ed25519 keys can be imported.
    """
    ask = terminal.ask_password
    if action is KeyAction.PUBLIC:
        info = client.public_key(key or "", ask_password=ask)
        output.result(info, info.public_key.splitlines(), quiet=info.public_key.rstrip())
        return
    if action is KeyAction.GENERATE:
        files = client.generate_key(prefix, ask_password=terminal.ask_new_password, force=force)
    else:
        files = _imported(client, key or "", prefix, terminal, force=force)
    lines = fields(
        ("Private key", files.private_file),
        ("Public key", files.public_file),
        ("Kind", files.key.kind),
        ("Id", files.key.key_id),
    )
    output.result(files, lines, quiet=str(files.public_file))


def _imported(client: Client, key: str, prefix: Path, terminal: Terminal, *, force: bool) -> "KeyFiles":
    """Import a key; what comes through a pipe is the password that it has, not the one that it gets."""
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        return terminal.ask_password(question)

    def ask_new(question: str) -> str:
        if asked and not terminal.interactive:
            raise UsageError(
                "standard input held the password that the key has", hint="set COSIGN_PASSWORD to the new one"
            )
        return terminal.ask_new_password(question)

    return client.import_key(key, prefix, ask_password=ask, ask_new_password=ask_new, force=force)
