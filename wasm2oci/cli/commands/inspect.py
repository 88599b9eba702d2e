"""`wasm2oci inspect`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.output import Output, descriptor_document, fields, module_document, size_text

if TYPE_CHECKING:
    from wasm2oci.engine.facts import Extern
    from wasm2oci.operations.inspect import Inspected
    from wasm2oci.operations.module_info import ModuleInfo
from wasm2oci.operations.environment import Environment

__all__ = ["command"]


def command(
    output: Output,
    *,
    subject: Annotated[
        str,
        Argument("REF|FILE", "HOST/NAME:TAG, HOST/NAME@DIGEST, oci-layout:DIR:TAG, or a file."),
    ],
    manifest_only: Annotated[
        bool, Option("--manifest-only", help="Do not download the module to look into it.")
    ] = False,
    raw: Annotated[bool, Option("--raw", help="Print the manifest's bytes, exactly as they are.")] = False,
    environment: Environment,
) -> None:
    """Show what an artifact or a module file holds.

    Of an artifact: its layout, parts and annotations, and what refers to it. Of the
    module: imports, exports, features and the tools that made it.
    """
    from wasm2oci.operations.inspect import inspect, inspect_file
    from wasm2oci.operations.subject import parse_subject

    parsed = parse_subject(subject)
    if isinstance(parsed, Path):
        module = inspect_file(parsed)
        output.result({"file": subject, "module": module_document(module)}, _module_lines(module, ("File", subject)))
        return
    result = inspect(parsed, environment, look_inside=not (manifest_only or raw))
    if raw:
        output.raw(result.document.raw)
        return
    _show(output, subject, result)


def _show(output: Output, name: str, result: "Inspected") -> None:
    from wasm2oci.cli.references import pinned_name

    document = result.document
    children = [{**descriptor_document(child), "annotations": dict(child.annotations)} for child in document.children]
    referrers = [descriptor_document(referrer) for referrer in result.referrers or ()]
    value: dict[str, Any] = {
        "reference": pinned_name(result.source, str(result.manifest.digest)),
        **descriptor_document(result.manifest),
        "artifactType": document.effective_type,
        "format": result.format,
        "annotations": dict(document.annotations),
        "parts": children,
        "referrers": referrers if result.referrers is not None else None,
        "module": module_document(result.module) if result.module is not None else None,
        "problem": result.problem,
    }
    lines = fields(
        ("Artifact", name),
        ("Manifest", result.manifest.digest),
        ("Type", document.effective_type),
        ("Format", result.format or f"not recognised: {result.problem}"),
        ("Parts", [f"{child.digest.short}  {child.size:>12,}  {child.media_type}" for child in document.children]),
        ("Notes", [f"{key}={text}" for key, text in document.annotations.items()] or None),
        (
            "Referrers",
            [f"{item.digest.short}  {item.artifact_type or item.media_type}" for item in result.referrers or ()]
            or None,
        ),
    )
    if result.module is not None:
        lines += ["", *_module_lines(result.module)]
    elif result.problem is not None and result.format is not None:
        output.warn(result.problem)
    output.result(value, lines, quiet=str(result.manifest.digest))


def _module_lines(module: "ModuleInfo", *first: tuple[str, object]) -> list[str]:
    facts = module.facts
    lines = [*first, ("Module", module.digest), ("Size", size_text(module.size))]
    if facts is not None:
        lines += [
            ("Kind", "component" if facts.kind == "component" else f"core module, functions: {facts.functions:,}"),
            ("Features", ", ".join(facts.features) or None),
            ("Made by", ", ".join(facts.made_by) or None),
            ("Imports", [_extern_line(extern) for extern in facts.imports] or "none"),
            ("Exports", [_extern_line(extern) for extern in facts.exports] or "none"),
        ]
    return fields(*lines)


def _extern_line(extern: "Extern") -> str:
    return f"{extern.kind} {extern.full_name} {extern.type or ''}".rstrip()
