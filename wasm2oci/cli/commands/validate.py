"""`wasm2oci validate`."""

from typing import TYPE_CHECKING, Annotated

from wasm2oci.cli.declare import Option
from wasm2oci.cli.options import ModuleOption, PlatformOption, SubjectArgument
from wasm2oci.cli.output import Field, Output, fields, size_text

if TYPE_CHECKING:
    from wasm2oci.client import Validated
from wasm2oci.cli.terminal import Terminal
from wasm2oci.client import Client

__all__ = ["command"]


def command(
    output: Output,
    terminal: Terminal,
    *,
    subject: SubjectArgument,
    features: Annotated[
        str | None,
        Option("--features", metavar="LIST", help="Features to allow: wasm1, wasm2, wasm3, +gc,-simd128, ..."),
    ] = None,
    module: ModuleOption = None,
    platform: PlatformOption = None,
    client: Client,
) -> None:
    """Check that a module is valid WebAssembly.

    Exit code 0 if it is, 3 if it is not; the error names the first offset that is
    wrong. Every function is checked. A component is checked whole: its types, instances and functions, the
    components in it, and each core module.

      wasm2oci validate hello.wasm
      wasm2oci validate ghcr.io/me/hello:v1 --features wasm2
      wasm2oci validate hello.wat
    """
    result = client.validate(terminal.read_subject(subject), features=features, module=module, platform=platform)
    output.result(result, _lines(result), quiet=str(result.module.digest))


def _lines(result: "Validated") -> list[str | Field]:
    facts = result.module.facts
    bodies = sum(core.counts["bodies"] for core in result.core_modules)
    component = facts is not None and facts.kind == "component"
    what = f"component with {len(result.core_modules)} core modules" if component else "core module"
    return fields(
        ("Valid", result.subject),
        ("Module", result.module.digest),
        ("Size", size_text(result.module.size)),
        ("Kind", f"{what}, functions: {bodies:,}"),
        ("Features", ", ".join(facts.features if facts else ()) or "none beyond WebAssembly 1.0"),
    )
