"""`wasm2oci copy`."""

from typing import TYPE_CHECKING, Annotated, Any

from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.options import DESTINATION, PlatformOption, TrustGroup
from wasm2oci.cli.output import Output, fields, size_text
from wasm2oci.cli.progress import transfer
from wasm2oci.client import Client, ConnectOptions
from wasm2oci.errors import UsageError

if TYPE_CHECKING:
    from wasm2oci.cli.output import Field
    from wasm2oci.client import Copied, CopiedTags

__all__ = ["command"]


def command(
    output: Output,
    *,
    source: Annotated[
        str, Argument("SOURCE", "HOST/NAME:TAG, ...@DIGEST or oci-layout:DIR:TAG; or HOST/NAME for several tags.")
    ],
    destination: Annotated[
        str, Argument("DESTINATION", "The same, or HOST/NAME:TAG,TAG; without a tag, SOURCE's is kept.")
    ],
    recursive: Annotated[
        bool, Option("--recursive", "-r", help="Also copy signatures and everything else that refers to it.")
    ] = False,
    everything: Annotated[bool, Option("--all", "-a", help="Every tag of the repository.")] = False,
    tags: Annotated[
        list[str] | None, Option("--tags", metavar="PATTERN", help="The tags that match, such as 'v1.*'; repeatable.")
    ] = None,
    platform: PlatformOption = None,
    no_overwrite: Annotated[
        bool, Option("--no-overwrite", help="Skip tags that already name another artifact.")
    ] = False,
    dry_run: Annotated[bool, Option("--dry-run", "-n", help="Write nothing; show what would be copied.")] = False,
    concurrency: Annotated[
        int | None,
        Option(
            "--concurrency", metavar="N", help="Transfers at once.", minimum=1, setting="copy.concurrency", default="4"
        ),
    ] = None,
    max_size: Annotated[
        str | None, Option("--max-size", metavar="SIZE", help="Fail if the artifact has more content.", default="64GiB")
    ] = None,
    trust: TrustGroup,
    client: Client,
    destination_options: Annotated[ConnectOptions, DESTINATION],
) -> None:
    """Copy artifacts between registries and layouts, byte for byte.

      wasm2oci copy ghcr.io/me/app:v1 registry.example/app:v1,latest
      wasm2oci copy --tags 'v2.*' ghcr.io/me/app registry.example/app
      wasm2oci copy --all -r ghcr.io/me/app oci-archive:backup.tar

    A tag that already names the same artifact costs one request. --no-overwrite skips
    tags that name another one; with a single tag that is an error.

    Connection options apply to both sides. If an option that starts with --to- is given,
    only such options apply to the destination. A password is never sent to two
    registries: give --to-username and --to-password-stdin for the second.
    """
    from wasm2oci.cli.run_options import parse_size

    most = None if max_size is None else parse_size(max_size, "--max-size")
    if everything and tags:
        raise UsageError("--all and --tags cannot be combined")
    with transfer(output, "Copied", "Copying") as progress:
        shared: dict[str, Any] = {
            "recursive": recursive,
            "platform": platform,
            "overwrite": not no_overwrite,
            "workers": concurrency,
            "max_size": most,
            "trust": trust,
            "destination_options": None if destination_options == ConnectOptions() else destination_options,
            "progress": progress,
        }
        if everything or tags or dry_run:
            patterns = tags or (("*",) if everything else ())
            result = client.copy_tags(source, destination, patterns, dry_run=dry_run, **shared)
            lines, quiet = _many(result)
            output.result(result, lines, quiet=quiet)
            return
        one = client.copy(source, destination, **shared)
    output.result(one, _one(one), quiet=str(one.manifest.digest))


def _one(result: "Copied") -> "list[str | Field]":
    place = result.reference.removesuffix(f":{result.tags[0]}") if result.tags else ""
    return fields(
        ("Copied", f"{result.source} to {result.reference}"),
        ("Also as", [f"{place}:{tag}" for tag in result.tags[1:]] or None),
        ("With", list(result.along) or None),
        ("Digest", result.manifest.digest),
        ("Moved", size_text(result.transferred_bytes)),
    )


def _many(result: "CopiedTags") -> "tuple[list[str | Field], list[str]]":
    width = max(len(one.tag or "-") for one in result.tags)
    verb = "Would copy" if result.dry_run else "Copied"
    lines = fields(
        (verb, f"{result.source} to {result.destination}"),
        (
            "Tags",
            [f"{one.tag or '-':{width}}  {one.state.value:5}  {one.manifest.digest.short}" for one in result.tags],
        ),
        ("With", list(result.along) or None),
        ("Parts", f"{result.copied:,} to copy, {result.existed:,} there" if result.dry_run else None),
        ("Moved" if not result.dry_run else "At most", size_text(result.transferred_bytes)),
    )
    return lines, [f"{one.tag or '-'} {one.manifest.digest}" for one in result.tags]
