"""`wasm2oci cache`."""

from enum import StrEnum
from typing import Annotated, NamedTuple

from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.output import Output, fields, size_text
from wasm2oci.client import CachedBlob, Client
from wasm2oci.errors import UsageError

__all__ = ["CacheListing", "command"]


class CacheAction(StrEnum):
    """What is done."""

    SHOW = "show"
    LS = "ls"
    PRUNE = "prune"
    CLEAR = "clear"


class CacheListing(NamedTuple):
    """The blobs of the cache, the one that was used last first."""

    blobs: tuple[CachedBlob, ...]


def command(
    output: Output,
    *,
    action: Annotated[CacheAction, Argument("[ACTION]", "show, ls, prune or clear.")] = CacheAction.SHOW,
    limit: Annotated[
        str | None,
        Option("--limit", metavar="SIZE", help="What may stay, with its unit, such as 200MiB.", only=("prune",)),
    ] = None,
    dry_run: Annotated[
        bool, Option("--dry-run", "-n", help="Remove nothing; show what would be removed.", only=("prune", "clear"))
    ] = False,
    client: Client,
) -> None:
    """Show what the cache of downloads takes, list it, or make it smaller.

      wasm2oci cache                       where it is, and how many bytes it uses
      wasm2oci cache ls                    each blob, the last used first
      wasm2oci cache prune --limit 200MiB  keep what was used last, up to so much
      wasm2oci cache clear                 remove all of it

    The cache stays below its limit. What is read from it is verified. Clearing it only
    means that modules are downloaded again.
    """
    if action is CacheAction.PRUNE and limit is None:
        raise UsageError("prune needs --limit", hint="for example --limit 200MiB; clear removes everything")
    size = 0 if limit is None else _limit(limit.strip())
    if action is CacheAction.SHOW:
        state = client.cache_state()
        lines = fields(
            ("Folder", state.folder),
            ("Blobs", f"{state.blobs:,} ({size_text(state.size)})"),
            ("Broken off", size_text(state.partial_size) if state.partial_size else None),
            ("Compiled code", size_text(state.code_size) if state.code_size else None),
            ("Limit", size_text(state.limit)),
        )
        output.result(state, lines, quiet=str(state.size))
    elif action is CacheAction.LS:
        blobs = client.cached_blobs()
        lines_of = [f"{blob.digest}  {blob.size:>12,}  {blob.used}" for blob in blobs]
        quiet = [str(blob.digest) for blob in blobs]
        output.result(CacheListing(blobs), lines_of, quiet=quiet, empty="the cache is empty")
    else:
        pruned = client.prune_cache(size, dry_run=dry_run)
        gone = f"{pruned.blobs:,} blob{'' if pruned.blobs == 1 else 's'}"
        verb = "Would remove" if dry_run else "Removed"
        lines = fields((verb, f"{gone} ({size_text(pruned.removed)})"), ("Left", size_text(pruned.size)))
        output.result(pruned, lines, quiet=str(pruned.removed))


def _limit(text: str) -> int:
    from wasm2oci.cli.run_options import parse_size

    size = parse_size(text, "--limit")
    if size and text.isdecimal():  # a guess at the unit might remove everything
        raise UsageError(f"--limit: {text!r} has no unit", hint=f"write {text}MiB, or {text}B if you mean bytes")
    return size
