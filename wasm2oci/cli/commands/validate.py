"""`wasm2oci validate`."""

from typing import TYPE_CHECKING, Annotated

from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.options import Connection, ModuleOption, PlatformOption, Reporting
from wasm2oci.cli.output import fields, size_text
from wasm2oci.cli.session import Session

if TYPE_CHECKING:
    from wasm2oci.operations.validate import Validation

__all__ = ["command"]


def command(
    session: Session,
    *,
    subject: Annotated[
        str,
        Argument("FILE|REF", "A file, - for standard input, HOST/NAME:TAG, HOST/NAME@DIGEST, oci-layout:DIR:TAG."),
    ],
    features: Annotated[
        str | None,
        Option.of("--features", metavar="LIST", help="What it may use: wasm1, wasm2, wasm3, +gc,-simd128, ..."),
    ] = None,
    module: ModuleOption = None,
    platform: PlatformOption = None,
    reporting: Reporting,
    connection: Connection,
) -> None:
    """Check that a module is valid WebAssembly, every function of it.

    Exit code 0 if it is, 3 if it is not (with the offset of the first thing that is
    wrong). Of a component the outline is checked, and each core module in it whole;
    its types, instances and functions are not checked, and the output says so.

      wasm2oci validate hello.wasm
      wasm2oci validate ghcr.io/me/hello:v1 --features wasm2
      wasm-tools parse hello.wat | wasm2oci validate -
    """
    from wasm2oci.engine.errors import ModuleError
    from wasm2oci.engine.syntax.features import DEFAULT, parse_features
    from wasm2oci.oci.digest import Digest
    from wasm2oci.operations.fetch_module import FetchPolicy, Pull, fetch
    from wasm2oci.operations.subject import parse_subject
    from wasm2oci.operations.validate import validate

    output = session.output(reporting)
    allowed = DEFAULT if features is None else parse_features(features)
    if subject == "-":
        subject, data = "standard input", session.stdin.read()
        digest = Digest.of(data)
    else:
        policy = FetchPolicy(pull=Pull.ALWAYS, wanted=module, platform=platform)
        fetched = fetch(parse_subject(subject), policy, session.environment(output, connection))
        data, digest = fetched.data, fetched.digest
    try:
        result = validate(data, allowed)
    except ModuleError as error:
        error.message = f"{subject} is not valid: {error.message}"
        raise
    document = {"subject": subject, "valid": True, "digest": str(digest), **result.to_json()}
    output.result(document, _lines(subject, str(digest), result), quiet=str(digest))


def _lines(subject: str, digest: str, result: "Validation") -> list[str]:
    bodies = sum(module.counts["bodies"] for module in result.modules)
    what = f"component with {len(result.modules)} core modules" if result.kind == "component" else "core module"
    return fields(
        ("Valid", subject),
        ("Module", digest),
        ("Size", size_text(result.size)),
        ("Kind", f"{what}, functions: {bodies:,}"),
        ("Features", ", ".join(result.features) or "none beyond WebAssembly 1.0"),
        ("Not checked", "the component's types, instances and functions" if result.kind == "component" else None),
    )
