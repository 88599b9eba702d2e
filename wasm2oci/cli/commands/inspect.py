"""`wasm2oci inspect`."""

from typing import TYPE_CHECKING, Annotated

from wasm2oci.cli.declare import Option
from wasm2oci.cli.options import SubjectArgument
from wasm2oci.cli.output import Field, Output, fields, size_text
from wasm2oci.cli.terminal import Terminal

if TYPE_CHECKING:
    from wasm2oci.client import Extern, Inspected, Member, ModuleInfo, SignatureSummary
from wasm2oci.client import Client

__all__ = ["command"]


def command(
    output: Output,
    terminal: Terminal,
    *,
    subject: SubjectArgument,
    manifest_only: Annotated[
        bool, Option("--manifest-only", help="Do not download the module to look into it.")
    ] = False,
    raw: Annotated[bool, Option("--raw", help="Print the manifest's bytes, exactly as they are.")] = False,
    client: Client,
) -> None:
    """Show what an artifact or a module file holds.

    For an artifact: layout, parts, annotations, signatures and what refers to it. For
    the module: imports, exports, functions of interfaces and the tools that made it.
    """
    found = terminal.read_subject(subject)
    if not isinstance(found, str):
        result = client.inspect_file(found)
        lines = _module_lines(result.module, result.embedded_keys, ("File", result.file))
        output.result(result, lines, quiet=str(result.module.digest))
    elif raw:
        output.raw(client.manifest(found))
    else:
        _show(output, subject, client.inspect(found, look_inside=not manifest_only))


def _show(output: Output, name: str, result: "Inspected") -> None:
    lines = fields(
        ("Name", name),
        ("Digest", result.manifest.digest),
        ("Signatures", None if result.signatures is None else _signature_lines(result.signatures)),
        ("Type", result.artifact_type),
        ("Format", result.format or f"not recognised: {result.problem}"),
        ("Parts", [f"{part.digest.short}  {part.size:>12,}  {part.media_type}" for part in result.parts]),
        ("Notes", [f"{key}={text}" for key, text in result.annotations.items()] or None),
        (
            "Referrers",
            [f"{item.digest.short}  {item.artifact_type or item.media_type}" for item in result.referrers or ()]
            or None,
        ),
    )
    if result.module is not None:
        lines += ["", *_module_lines(result.module, result.embedded_keys)]
    elif result.problem is not None and result.format is not None:
        output.warn(result.problem)
    output.result(result, lines, quiet=str(result.manifest.digest))


def _signature_lines(summary: "SignatureSummary") -> list[str]:
    return [summary.state.value, *(one.text for one in summary.items)]


def _module_lines(module: "ModuleInfo", keys: tuple[str, ...], *first: tuple[str, object]) -> list[str | Field]:
    facts = module.facts
    lines = [*first, ("Module", module.digest), ("Size", size_text(module.size))]
    if facts is not None:
        named = ", ".join(key for key in keys if key != "-") or "not named"
        lines += [
            ("Embedded signature", f"not verified here; keys: {named}" if keys else None),
            ("Kind", "component" if facts.kind == "component" else f"core module, functions: {facts.functions:,}"),
            ("Features", ", ".join(facts.features) or None),
            ("Made by", ", ".join(facts.made_by) or None),
            ("Imports", _extern_lines(facts.imports) or "none"),
            ("Exports", _extern_lines(facts.exports) or "none"),
        ]
    return fields(*lines)


def _extern_lines(externs: "tuple[Extern, ...]") -> list[str]:
    lines = []
    for extern in externs:
        lines.append(f"{extern.kind} {extern.full_name} {extern.type or ''}".rstrip())
        lines += [f"  {_member_line(one)}" for one in extern.members]
    return lines


def _member_line(member: "Member") -> str:
    if member.type is None:
        return f"{member.kind} {member.name}"
    return f"{'' if member.kind == 'func' else f'{member.kind} '}func {member.name} {member.type}"
