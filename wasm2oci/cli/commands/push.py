"""`wasm2oci push`."""

from pathlib import Path
from typing import Annotated

from wasm2oci.base.probe import exists, is_file
from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.options import (
    AnnotationOption,
    KeylessOption,
    SignatureFormatOption,
    SignKeyOption,
    TrustConfigOption,
)
from wasm2oci.cli.output import Output, fields, size_text
from wasm2oci.cli.progress import transfer
from wasm2oci.cli.terminal import Terminal
from wasm2oci.client import PROFILES, Client, SignatureFormat, parse_annotations
from wasm2oci.errors import UsageError

__all__ = ["command"]

_PROFILE = "How the artifact is laid out. " + "; ".join(
    f"{name} is for {', '.join(profile.consumers)}" for name, profile in PROFILES.items()
)
_AUTHOR = f"Author to record (profile {', '.join(name for name, profile in PROFILES.items() if profile.takes_author)})."


def command(
    output: Output,
    terminal: Terminal,
    *,
    file: Annotated[str, Argument("FILE", "The module; - reads standard input.", dash=True)],
    ref: Annotated[str, Argument("REF", "HOST/NAME:TAG, several tags as HOST/NAME:TAG,TAG, or oci-layout:DIR:TAG.")],
    profile: Annotated[
        str, Option("--profile", help=f"{_PROFILE}.", setting="push.profile", choices=tuple(PROFILES))
    ] = next(iter(PROFILES)),
    annotation: AnnotationOption = None,
    annotation_file: Annotated[
        Path | None, Option("--annotation-file", metavar="FILE", help="JSON object with annotations.")
    ] = None,
    annotate_from: Annotated[
        list[str] | None,
        Option(
            "--annotate-from",
            metavar="module|git|FILE",
            help="Annotate with what the module, git or a package file (Cargo.toml, package.json) says; repeatable.",
            setting="push.annotate-from",
        ),
    ] = None,
    title: Annotated[
        str | None,
        Option("--title", metavar="NAME", empty=True, help="File name that a pull gives it, if not FILE's own name."),
    ] = None,
    created: Annotated[
        str | None,
        Option("--created", metavar="DATE", help="Date to record; by default SOURCE_DATE_EPOCH, else no date."),
    ] = None,
    author: Annotated[
        str | None, Option("--author", metavar="NAME", empty=True, help=_AUTHOR, setting="push.author")
    ] = None,
    force: Annotated[bool, Option("--force", help="Push the file even if it is not WebAssembly.")] = False,
    no_overwrite: Annotated[
        bool, Option("--no-overwrite", help="Fail if a tag already names another artifact.")
    ] = False,
    sign: Annotated[
        bool, Option("--sign", help="Sign the artifact with --key or --keyless before it gets its tags.")
    ] = False,
    key: SignKeyOption = None,
    keyless: KeylessOption = False,
    trust_config: TrustConfigOption = None,
    signature_format: SignatureFormatOption = SignatureFormat.BOTH,
    signature_annotation: Annotated[
        list[str] | None,
        Option("--signature-annotation", metavar="KEY=VALUE", help="Annotation to add to the signature; repeatable."),
    ] = None,
    client: Client,
) -> None:
    """Put a WebAssembly module or component into a registry.

    The same file, profile, title and annotations always make the same digest.

      wasm2oci push hello.wasm ghcr.io/me/hello:v1
      wasm2oci push hello.wasm registry.example/hello:1.2.3,1.2,latest
      wasm2oci push --profile istio filter.wasm ghcr.io/me/filter:v1
      wat2wasm --output=- hello.wat | wasm2oci push - localhost:5000/hello:dev
    """
    if file != "-" and not exists(file) and is_file(ref):
        raise UsageError(f"{file} is not a file, and {ref} is one", hint=f"the file comes first: push {ref} {file}")
    if sign:
        from wasm2oci.cli.commands.sign import check_signer

        key = check_signer(key, signature_format, trust_config, keyless=keyless)
    elif key is not None or keyless or trust_config is not None:
        raise UsageError("--key, --keyless and --trust-config go with --sign")
    with transfer(output, "Uploaded", "Uploading") as progress:
        result = client.push(
            terminal.read_content() if file == "-" else Path(file),
            ref,
            profile=profile,
            title=title,
            annotations=parse_annotations(annotation or ()),
            annotation_file=annotation_file,
            annotate_from=annotate_from or (),
            created=created,
            author=author,
            force=force,
            overwrite=not no_overwrite,
            key=key,
            signature_format=signature_format,
            signature_annotations=parse_annotations(signature_annotation or ()),
            ask_password=terminal.ask_password,
            keyless=keyless,
            trust_config=trust_config,
            progress=progress,
        )
    place = result.reference.removesuffix(f":{result.tags[0]}") if result.tags else ""
    signer = None
    if result.signature is not None:
        from wasm2oci.cli.commands.sign import signer_name

        signer = signer_name(result.signature)
    lines = fields(
        ("Pushed", [result.reference, *(f"{place}:{tag}" for tag in result.tags[1:])]),
        ("Digest", result.manifest.digest),
        ("Module", result.module.digest),
        ("Size", size_text(result.module.size)),
        ("Profile", f"{result.profile} ({result.kind})"),
        ("Signed", signer),
    )
    output.result(result, lines, quiet=result.pinned)
