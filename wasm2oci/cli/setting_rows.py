"""The table of settings: each key with its option, its variable and its default, read from the commands."""

from __future__ import annotations

from typing import NamedTuple

from wasm2oci.cli.catalogue import COMMANDS
from wasm2oci.cli.commands import declaration_of
from wasm2oci.cli.declare import Option
from wasm2oci.cli.settings import KEYS, TOOL_KEYS, variable_of

__all__ = ["SettingRow", "setting_rows"]


class SettingRow(NamedTuple):
    """One setting.

    Attributes:
        key: in the configuration file; `push.profile` is `profile` in its table `[push]`.
        variable: of the environment.
        option: of the command line; None where there is none.
        default: what counts without them; None for nothing.
        help: what it is, in one sentence.
        commands: the commands that have the option; empty for all that use it.
    """

    key: str
    variable: str
    option: str | None
    default: str | None
    help: str
    commands: tuple[str, ...]


def setting_rows() -> tuple[SettingRow, ...]:
    """Every setting, in the order of `KEYS`."""
    found: dict[str, tuple[Option, object, list[str]]] = {}
    for command in COMMANDS:
        for parameter in declaration_of(command).parameters:
            option = parameter.declared
            if isinstance(option, Option) and option.setting is not None and not option.prefix:
                found.setdefault(option.setting, (option, parameter.default, []))[2].append(command.name)
    rows = []
    for key in KEYS:
        option, default, commands = found[key]
        shown = option.default or (None if option.make is not None else _text(default))
        rows.append(SettingRow(key, variable_of(key), option.names[0], shown, option.summary, tuple(commands)))
    rows += [SettingRow(key, variable_of(key), None, None, text, ()) for key, text in TOOL_KEYS.items()]
    return tuple(rows)


def _text(value: object) -> str | None:
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)
