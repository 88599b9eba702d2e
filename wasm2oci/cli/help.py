"""The help of a command, laid out by typer from the same declaration that the parser reads."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from typer.core import TyperArgument, TyperCommand, TyperOption

from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.parser import HELP

if TYPE_CHECKING:
    import typer

    from wasm2oci.cli.declare import Declaration, Parameter

__all__ = ["help_text"]


def help_text(declaration: Declaration, program: str, width: int = 80) -> str:
    """The help of a command.

    Args:
        declaration: of the command.
        program: the words that start it: `wasm2oci push`.
        width: columns.
    """
    command = _Command(
        program,
        params=[_param(each) for each in declaration.parameters],
        help=_whole_words(_description(declaration.function.__doc__ or "")),
        context_settings={"help_option_names": list(HELP[::-1])},
        rich_markup_mode=None,
    )
    settings: dict[str, Any] = {"terminal_width": width, "max_content_width": width}
    with command.make_context(program, [], resilient_parsing=True, **settings) as context:
        return command.get_help(context).replace(_HYPHEN, "-").replace(" [=", "[=")


_NARROW: Final = 60
"""Columns below which a description is written below its option, not beside it."""
_NAMES_MAX: Final = 30
_NAMES_NARROW: Final = 4
"""Columns for the names of options; a description goes below names that are longer."""
_HYPHEN: Final = "\u2011"
"""A hyphen at which no line is broken."""


class _Command(TyperCommand):
    """A command whose help names its arguments as their descriptions do, and shows the options group by group."""

    def collect_usage_pieces(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """What follows the program in the first line."""
        arguments = [param for param in self.get_params(ctx) if param.param_type_name == "argument"]
        return ["[OPTIONS]", *(param.metavar or "" for param in arguments)]

    def format_options(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        """Write the arguments, the command's own options, then each group under its title."""
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                own = "Arguments" if param.param_type_name == "argument" else "Options"
                groups.setdefault(getattr(param, "rich_help_panel", None) or own, []).append(record)
        for title, records in groups.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records, col_max=_NAMES_MAX if formatter.width >= _NARROW else _NAMES_NARROW)


def _param(parameter: Parameter) -> TyperArgument | TyperOption:
    declared = parameter.declared
    if isinstance(declared, Argument):
        return TyperArgument(
            param_decls=[parameter.target],
            metavar=declared.metavar,
            help=_whole_words(declared.described),
            show_default=False,
        )
    assert isinstance(declared, Option)  # noqa: S101 - there is nothing else
    default = parameter.default if declared.default is None else declared.default
    shown = isinstance(default, (str, int)) and not isinstance(default, bool)
    metavar = declared.metavar or "|".join(parameter.choices) or ("N" if parameter.kind is int else "TEXT")
    return TyperOption(
        param_decls=[parameter.field or parameter.target, *declared.names],
        is_flag=parameter.flag,
        default=default if shown else None,
        show_default=shown,
        metavar=None if parameter.flag else f"[={metavar}]" if declared.bare is not None else metavar,
        help=_whole_words(declared.described),
        required=parameter.required,
        rich_help_panel=declared.title,
    )


def _whole_words(text: str) -> str:
    return text.replace("-", _HYPHEN)  # lines must not break within `oci-layout:DIR:TAG`


def _description(text: str) -> str:
    # Paragraphs that are indented (examples) keep their lines; the others are filled.
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(f"\b\n{each}" if each.startswith("  ") else each for each in paragraphs)
