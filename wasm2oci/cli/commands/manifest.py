"""`wasm2oci manifest`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.options import PLATFORM, YES
from wasm2oci.cli.output import Output, fields
from wasm2oci.cli.terminal import Terminal
from wasm2oci.client import MANIFEST_MAX, Client

__all__ = ["command"]


class ManifestAction(StrEnum):
    """What is done."""

    GET = "get"
    CONFIG = "config"
    HEAD = "head"
    PUT = "put"
    DELETE = "delete"


def command(
    output: Output,
    terminal: Terminal,
    *,
    action: Annotated[ManifestAction, Argument("ACTION", "get, config, head, put or delete.")],
    ref: Annotated[str, Argument("REF", "HOST/NAME:TAG or HOST/NAME@DIGEST; for put HOST/NAME:TAG,TAG too.")],
    file: Annotated[
        str | None, Argument("[FILE]", "The file; - reads standard input.", dash=True, only=("put",))
    ] = None,
    platform: Annotated[str | None, PLATFORM.only_for("get", "config", "head")] = None,
    media_type: Annotated[
        str | None, Option("--media-type", metavar="TYPE", help="Of the manifest, if it does not say.", only=("put",))
    ] = None,
    no_overwrite: Annotated[
        bool, Option("--no-overwrite", help="Refuse when a tag means something else there.", only=("put",))
    ] = False,
    yes: Annotated[bool, YES.only_for("delete")] = False,
    client: Client,
) -> None:
    """Get, put or delete a manifest byte for byte, or get its config.

      wasm2oci manifest get ghcr.io/me/app:v1          the bytes, exactly
      wasm2oci manifest get REF --platform wasi/wasm   of one entry of an index
      wasm2oci manifest config ghcr.io/me/app:v1       the bytes of the config
      wasm2oci manifest head ghcr.io/me/app:v1         its descriptor
      wasm2oci manifest put localhost:5000/app:v2 manifest.json

    Push what a manifest names before the manifest. delete removes the manifest with all
    its tags, as the command delete does.
    """
    if action is ManifestAction.GET:
        exact = ref if platform is None else client.resolve(ref, platform=platform).pinned
        output.raw(client.manifest(exact))
    elif action is ManifestAction.CONFIG:
        output.raw(client.config(ref, platform=platform))
    elif action is ManifestAction.HEAD:
        found = client.resolve(ref, platform=platform)
        manifest = found.manifest
        lines = fields(("Digest", manifest.digest), ("Size", f"{manifest.size:,}"), ("Type", manifest.media_type))
        output.result(found, lines, quiet=str(manifest.digest))
    elif action is ManifestAction.PUT:
        raw = terminal.stdin.read(MANIFEST_MAX + 1) if file == "-" else Path(file or "")
        put = client.put_manifest(raw, ref, media_type=media_type, overwrite=not no_overwrite)
        output.result(put, fields(("Pushed", put.reference), ("Digest", put.manifest.digest)), quiet=put.pinned)
    else:
        terminal.confirm_removal(f"{ref} and every tag of the same manifest", yes=yes)
        gone = client.delete(ref)
        output.result(gone, fields(("Removed", ref), ("Digest", gone.manifest.digest)), quiet=str(gone.manifest.digest))
