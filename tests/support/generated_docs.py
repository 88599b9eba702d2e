"""The generated pages of docs/: made from the tables, so that they cannot say anything else than the code does."""

import importlib
import inspect
import io
import pkgutil
from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType
from typing import Final

import wasm2oci
from tests.support.data import ROOT
from tests.support.json_schemas import RESULTS, schema_page
from tests.support.opcode_docs import opcodes_page
from wasm2oci.cli.catalogue import COMMANDS, DROP_IN, SECTIONS, Command
from wasm2oci.cli.commands import declaration_of
from wasm2oci.cli.help import help_text
from wasm2oci.cli.overview import overview
from wasm2oci.cli.setting_rows import setting_rows
from wasm2oci.cli.settings import OTHER_VARIABLES
from wasm2oci.errors import ExitCode, Wasm2OciError
from wasm2oci.packager.profiles import PROFILES
from wasm2oci.packager.recognise import ARCHIVE_LAYERS, raw_layers
from wasm2oci.registry.flavours import FLAVOURS

__all__ = ["PAGES", "all_modules", "error_classes"]

_HEAD: Final = "<!-- Generated: `pytest tests/architecture --bless` rewrites this page. -->\n"

_MEANINGS: Final = {
    ExitCode.OK: "success",
    ExitCode.BUG: "a bug of wasm2oci: a traceback, and a request to report it",
    ExitCode.USAGE: "the command line is wrong",
    ExitCode.INVALID: "an input is malformed or invalid: reference, digest, option, module, manifest",
    ExitCode.NOT_FOUND: "a tag, manifest, blob, file or export is not there",
    ExitCode.ACCESS: "the registry requires credentials, or rejects those that were sent",
    ExitCode.INTEGRITY: "bytes do not match their digest, size or signature, or a policy is not met",
    ExitCode.REGISTRY: "the registry or the network failed",
    ExitCode.UNSUPPORTED: "not supported by this tool, this registry or this system",
    ExitCode.LOCAL_IO: "the local machine refused: disk full, permission, unwritable output",
    ExitCode.TIMED_OUT: "`run`: the time limit passed",
    ExitCode.TOOL_FAILED: "`run`: wasm2oci failed, not the guest",
    ExitCode.INTERRUPTED: "Ctrl-C, which ends the process as a signal does: a shell says 130, and ends its loop",
    ExitCode.TRAP: "`run`: the guest trapped",
    ExitCode.OUT_OF_MEMORY: "`run`: the guest ran out of memory",
}


def all_modules() -> Iterator[ModuleType]:
    """Every module of the package, imported."""
    yield wasm2oci
    for info in pkgutil.walk_packages(wasm2oci.__path__, "wasm2oci."):
        if not info.name.endswith("__main__"):
            yield importlib.import_module(info.name)


def error_classes() -> list[type[Wasm2OciError]]:
    """Every error class, below its parent."""
    list(all_modules())

    def below(kind: type[Wasm2OciError]) -> Iterator[type[Wasm2OciError]]:
        for child in sorted(kind.__subclasses__(), key=lambda child: (child.__module__, child.__name__)):
            if child.__module__.startswith("wasm2oci."):
                yield child
                yield from below(child)

    return list(dict.fromkeys(below(Wasm2OciError)))


def _first_line(kind: type) -> str:
    return inspect.cleandoc(kind.__doc__ or "").split("\n\n", maxsplit=1)[0].replace("\n", " ")


def _errors_page() -> str:
    page = io.StringIO()
    page.write(f"{_HEAD}\n# Errors and exit codes\n\n")
    page.write(
        "An error is one line on standard error, `error: ...`, then lines that show what it means (a caret under a\n"
        "character, two digests), then `hint: ...` if there is something to do about it. Scripts look at the exit\n"
        "code.\n\n"
    )
    page.write("| exit | meaning |\n|---|---|\n")
    page.writelines(f"| {code.value} | {_MEANINGS[code]} |\n" for code in ExitCode)
    page.write(
        "\n`run` ends with the program's own code. 141 means that the reader of a pipe went away, 143 that the\n"
        "process was asked to stop (SIGTERM).\n"
    )
    classes = error_classes()
    for code in ExitCode:
        group = [kind for kind in classes if kind.exit_code is code]
        if not group:
            continue
        page.write(f"\n## Exit {code.value}: {_MEANINGS[code]}\n\n| error | raised in | when |\n|---|---|---|\n")
        for kind in group:
            where = kind.__module__.removeprefix("wasm2oci.")
            page.write(f"| `{kind.__name__}` | `{where}` | {_first_line(kind)} |\n")
    return page.getvalue()


def _help_of(program: str, command: Command) -> str:
    name = f"{program} {command.name}"
    return f"\n## {name}\n\n```text\n{help_text(declaration_of(command), name)}\n```\n"


def _cli_page() -> str:
    page = io.StringIO()
    page.write(f"{_HEAD}\n# The command line\n\n```text\n{overview()}```\n")
    for section in SECTIONS:
        for command in COMMANDS:
            if command.section == section:
                page.write(_help_of("wasm2oci", command))
    page.write(
        "\n# The drop-in\n\n`wasm-to-oci` takes the command line of engineerd/wasm-to-oci 0.1.2. What differs, and\n"
        "why: [decision 2](decisions/0002-the-drop-in.md).\n"
    )
    for command in DROP_IN:
        page.write(_help_of("wasm-to-oci", command))
    return page.getvalue()


def _profiles_page() -> str:
    page = io.StringIO()
    page.write(f"{_HEAD}\n# Profiles\n\n")
    page.write(
        "How a module is laid out in a registry. `wasm2oci push --profile NAME` writes one; `pull` reads them all,\n"
        "and everything else that is listed below, whatever the config's type is.\n\n"
        "| profile | what it is | who pulls it |\n|---|---|---|\n"
    )
    for row in PROFILES.values():
        page.write(f"| `{row.name}` | {row.summary} | {', '.join(row.consumers)} |\n")
    page.write("\n| profile | config | layer | manifest says its media type |\n|---|---|---|---|\n")
    for row in PROFILES.values():
        says = "yes" if row.has_media_type else "no"
        page.write(f"| `{row.name}` | `{row.config_type}` | `{row.layer_type}` | {says} |\n")
    page.write("\n## Layers that `pull` takes as a module\n\n")
    page.writelines(f"- `{kind}`\n" for kind in raw_layers())
    page.write("- any other type, if its title ends in `.wasm`\n")
    page.write("\n## Layers that `pull` looks into for a module\n\n")
    page.writelines(f"- `{kind}`\n" for kind in ARCHIVE_LAYERS)
    return page.getvalue()


def _registries_page() -> str:
    lines = [
        _HEAD,
        "# Registries\n",
        (
            "Every registry that implements the OCI Distribution Specification works. The sections below say what is"
            " special about some of\nthem; they are made from the table that the client itself reads"
            " (`registry/flavours.py`). [In a CI](ci.md) has whole jobs.\n"
        ),
        "## Mirrors, insecure registries, certificates\n",
        (
            "The settings of containers' tools apply to every command:\n\n"
            "* `registries.conf` (containers-registries.conf(5)): mirrors, other locations, blocked and insecure"
            " registries. Mirrors are tried in\n  order, for reading only, with the credentials that are stored for"
            " them and never with those of `-u`. One that fails,\n  whatever the reason, is passed over with a"
            " warning; one that is silent is waited for once.\n"
            "* `HOST:PORT/ca.crt`, `client.cert` and `client.key` in the folder `certs.d` of `containers`, `docker` or"
            " `containerd` in `~/.config` or\n  `/etc`: certificates for one host.\n"
            "* `HOST/hosts.toml` of containerd in the same folders, where no rule of `registries.conf` applies: mirrors"
            " (`capabilities`), `server`,\n  `ca`, `client`, `skip_verify`, `header` and `override_path`; a"
            " mirror may be below any path (`https://MIRROR/PATH/v2`).\n\n"
            "[Settings](settings.md) names the variables that choose other files or none.\n"
        ),
    ]
    for flavour in FLAVOURS:
        lines.append(f"## {flavour.product}\n")
        if flavour.hosts:
            names = ", ".join(f"`{'*' if end[0] in '.-' else ''}{end}`" for end in flavour.hosts)
            lines.append(f"* Hosts: {names}.")
        lines += [f"* Log in: `{command}`" for command in flavour.login]
        if flavour.token_variable is not None:
            password, user = flavour.token_variable
            lines.append(f"* In a CI: `{password}` is used as the password, and `{user}` as the user name.")
        if flavour.ci is not None:
            lines.append(f"* Log in from its CI or cloud: `{flavour.ci}`")
        if flavour.profile is not None:
            lines.append(f"* Push with `--profile {flavour.profile}`: it takes no other.")
        lines.append(f"* Referrers (signatures, attestations): {flavour.referrers}.")
        lines.append(f"* Size of a chunk, where an upload goes in chunks: {flavour.chunk / (1 << 20):g} MiB.")
        lines += [f"* {note}" for note in flavour.notes]
        if flavour.deleting is not None:
            lines.append(f"* {flavour.deleting}.")
        if flavour.refusals:
            lines += ["", "| it says | when | what to do |", "|---|---|---|"]
            for refusal in flavour.refusals:
                says = f"`{refusal.says}`" if refusal.says else "anything else about access"
                when = "pushing" if refusal.pushing else "always"
                lines.append(f"| {says} | {when} | {refusal.hint.format(host='HOST', name='NAME')} |")
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def _settings_page() -> str:
    page = io.StringIO()
    page.write(
        f"{_HEAD}\n# Settings\n\nAn option may be set in four places. The first of them that sets it counts:\n\n"
        "1. the command line;\n2. the variable of the environment, unless it is empty;\n3. the configuration file;\n"
        "4. the default.\n\n`wasm2oci config` shows each value and where it comes from.\n\n"
        "The configuration file is the one that `WASM2OCI_CONFIG` names, else `wasm2oci/config.toml` in"
        " `$XDG_CONFIG_HOME` (`~/.config`). No\nconfiguration file in the folder of a project is read. It is TOML:\n\n"
        '```toml\ntimeout = 20\nca-file = "company.pem"   # a path beside this file\n'
        'header = ["X-Team: web"]\n\n[push]\nprofile = "cncf"\n```\n\n'
        "Passwords are not settings: `wasm2oci login` stores them, and for CI there are the variables"
        " `WASM2OCI_REGISTRY...` below.\n\n"
        "In a variable, a switch is `1`, `true`, `yes` or `on`, or `0`, `false`, `no` or `off`; a repeatable option has"
        " one value on each line.\nOn the command line `--plain-http=false` overrides a variable or the file. For the"
        " destination of a copy, settings apply only if one\nof its `--to-...` options is given.\n\n"
        "| option | key | variable | default | what it is | commands |\n|---|---|---|---|---|---|\n"
    )
    for row in setting_rows():
        option = f"`{row.option}`" if row.option else ""
        few = ", ".join(f"`{name}`" for name in row.commands) if len(row.commands) < 4 else "all that have it"
        default = f"`{row.default}`" if row.default else ""
        page.write(f"| {option} | `{row.key}` | `{row.variable}` | {default} | {row.help} | {few} |\n")
    page.write("\n## Other variables\n\n| variable | what it is |\n|---|---|\n")
    page.writelines(f"| `{name}` | {text} |\n" for name, text in OTHER_VARIABLES.items())
    for flavour in FLAVOURS:
        if flavour.token_variable is not None:
            password, user = flavour.token_variable
            place = f"{flavour.hosts[0] if flavour.hosts else flavour.product}, when nothing else has one"
            page.write(f"| `{password}`, `{user}` | Password and user name for {place}. |\n")
    page.write(
        "\n## Credentials\n\nThe first of these that has credentials for the registry counts:\n\n"
        "1. `-u` with `--password-stdin`;\n2. `--registry-config`, and then nothing below;\n"
        "3. `WASM2OCI_REGISTRY_USER` and `WASM2OCI_REGISTRY_PASSWORD`, for the registry in `WASM2OCI_REGISTRY`;\n"
        "4. `DOCKER_AUTH_CONFIG`;\n5. `REGISTRY_AUTH_FILE`, or podman's files;\n6. docker's files;\n"
        "7. the token of the CI (last row above).\n\nIn each file a credential helper comes before an entry.\n"
    )
    return page.getvalue()


PAGES: Final[dict[str, Callable[[], str]]] = {
    "cli.md": _cli_page,
    "engine-opcodes.md": lambda: opcodes_page(_HEAD),
    "errors.md": _errors_page,
    "profiles.md": _profiles_page,
    "registries.md": _registries_page,
    "settings.md": _settings_page,
    **{f"schemas/{command}.json": partial(schema_page, command) for command in RESULTS},
}
"""File in docs/ -> what it should say."""

DOCS: Final = ROOT / "docs"
