"""`wasm2oci config`."""

from pathlib import Path
from typing import NamedTuple

from wasm2oci.cli.output import Output
from wasm2oci.cli.settings import OTHER_VARIABLES, load_settings
from wasm2oci.cli.terminal import Terminal

__all__ = ["Configuration", "SettingValue", "command"]

_SECRET = "header"  # noqa: S105 - the key of header fields, which may hold a token


class SettingValue(NamedTuple):
    """A setting and its value here.

    Attributes:
        key: in the configuration file.
        variable: of the environment.
        option: of the command line; null where there is none.
        value: what counts without an option on the command line; null for nothing.
        default: what counts when nothing sets it; null for nothing.
        origin: `default`, the name of the variable, or the path of the file.
    """

    key: str
    variable: str
    option: str | None
    value: str | None
    default: str | None
    origin: str


class Configuration(NamedTuple):
    """The settings.

    Attributes:
        file: the configuration file; null for none.
        present: whether it is there.
        settings: each with its value.
    """

    file: Path | None
    present: bool
    settings: tuple[SettingValue, ...]


def command(output: Output, terminal: Terminal) -> None:
    """Show every setting, its value, and where that comes from.

    An option of the command line counts first, then the variable of the
    environment, then the configuration file, then the default. The file is the one
    that WASM2OCI_CONFIG names, else ~/.config/wasm2oci/config.toml:

      timeout = 20
      ca-file = "company.pem"
      [push]
      profile = "cncf"

    The config of an artifact is another thing: wasm2oci manifest config REF.
    """
    from wasm2oci.cli.setting_rows import setting_rows

    settings = load_settings(terminal.variables)
    values, rows = [], setting_rows()
    known = {*OTHER_VARIABLES, *(row.variable for row in rows)}
    for name in sorted(terminal.variables):
        if name.startswith("WASM2OCI_") and name not in known:
            output.warn(f"the variable {name} is not known and has no effect")
    for row in rows:
        found = settings.find(row.key)
        if found is None:
            value, origin = row.default, "default"
        else:
            value = _shown(row.key, found.value)
            origin = row.variable if found.folder is None else str(settings.file)
        values.append(SettingValue(row.key, row.variable, row.option, value, row.default, origin))
    present = settings.values is not None
    where = "none" if settings.file is None else f"{settings.file}{'' if present else ' (not there)'}"
    first = max(len(one.key) for one in values)
    second = max(len(one.value or "-") for one in values)
    lines = [f"File: {where}", ""]
    lines += [f"{one.key:{first}}  {one.value or '-':{second}}  {one.origin}".rstrip() for one in values]
    output.result(Configuration(settings.file, present, tuple(values)), lines, quiet=where)


def _shown(key: str, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    texts = [str(each) for each in value] if isinstance(value, list) else str(value).splitlines()
    return ", ".join(f"{text.partition(':')[0]}: ..." if key == _SECRET else text for text in texts)
