"""`wasm2oci key`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.output import Output, fields
from wasm2oci.cli.terminal import Terminal
from wasm2oci.errors import UsageError
from wasm2oci.operations.environment import Environment

__all__ = ["command"]


class Action(StrEnum):
    """What is done."""

    GENERATE = "generate"
    IMPORT = "import"
    PUBLIC = "public"


def command(
    output: Output,
    terminal: Terminal,
    *,
    action: Annotated[Action, Argument("ACTION", "generate, import or public.")],
    key: Annotated[str | None, Argument("[KEY]", "The key to import or to show: FILE or env://NAME.")] = None,
    prefix: Annotated[
        Path, Option("--output-prefix", "-o", metavar="PREFIX", help="Write PREFIX.key and PREFIX.pub.")
    ] = Path("cosign"),
    force: Annotated[bool, Option("--force", help="Write over files that are there.")] = False,
    environment: Environment,
) -> None:
    """Make, import or show the keys that sign.

      wasm2oci key generate            a new key: cosign.key and cosign.pub
      wasm2oci key import FILE         encrypt the key of another tool
      wasm2oci key public cosign.key   print the public key of a private one

    The files are cosign's own, encrypted with a password: COSIGN_PASSWORD, else
    what is entered. Keys are ECDSA P-256; RSA and Ed25519 keys can be imported.
    """
    from wasm2oci.operations.keys import generate_key, import_key, load_public_key

    if (action is Action.GENERATE) != (key is None):
        raise UsageError("generate takes no key; import and public take one")
    if action is Action.PUBLIC:
        public = load_public_key(key or "", environment, terminal.ask_password)
        pem = public.pem.decode()
        output.result({"keyId": public.id, "kind": public.kind, "publicKey": pem}, pem.splitlines(), quiet=pem.rstrip())
        return
    if action is Action.GENERATE:
        files = generate_key(prefix, environment, terminal.ask_password, force=force)
    else:
        files = import_key(key or "", prefix, environment, terminal.ask_password, force=force)
    document = {
        "privateKey": str(files.private),
        "publicKey": str(files.public),
        "keyId": files.key.id,
        "kind": files.key.kind,
    }
    lines = fields(
        ("Private key", files.private), ("Public key", files.public), ("Kind", files.key.kind), ("Id", files.key.id)
    )
    output.result(document, lines, quiet=str(files.public))
