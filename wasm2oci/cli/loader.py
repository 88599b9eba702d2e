"""From the table to typer: each command's module is imported, and its typer command made, when it is asked for.

`expand` replaces a command's parameters that are option groups (see `cli.options`) by the options of the group, and
`session: Session` by nothing: the session is handed in from the context.
"""

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Final, get_args, get_origin

import typer
from typer.core import TyperCommand, TyperGroup
from typer.models import OptionInfo

from wasm2oci.cli import catalogue
from wasm2oci.cli.declare import Argument, Option, Prefix, group_title
from wasm2oci.cli.session import Session

__all__ = ["PARSER_SETTINGS", "CommandGroup", "expand", "load", "make_command", "root"]

PARSER_SETTINGS: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Sectioned(TyperCommand):
    """A command whose help shows the options group by group."""

    sections: ClassVar[tuple[str, ...]] = ()
    rewrite: Callable[[list[str]], list[str]] | None = None

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Parse what follows the command's name, after the command had a look at its own part of it."""
        if self.rewrite is not None:
            own = self._own(ctx, args)
            args = [*self.rewrite(args[:own]), *args[own:]]
        return super().parse_args(ctx, args)

    def _own(self, ctx: typer.Context, args: list[str]) -> int:
        """How many words are options and their values; what follows may be somebody else's."""
        valued = {
            name
            for param in self.get_params(ctx)
            if not getattr(param, "is_flag", False)
            for name in param.opts
            if name.startswith("-")
        }
        at = 0
        while at < len(args) and args[at].startswith("-") and args[at] not in {"-", "--"}:
            word = args[at]
            last = word if word.startswith("--") else f"-{word[-1]}"
            at += 2 if last in valued and word[:2] not in valued - {last} else 1
        return at

    def collect_usage_pieces(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """The arguments by the names that their descriptions use."""
        names = [
            param.metavar or ""
            for param in self.get_params(ctx)
            if param.param_type_name == "argument" and not getattr(param, "hidden", False)
        ]
        return ["[OPTIONS]", *names]

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
                    formatter.write_dl(records)


class CommandGroup(TyperGroup):
    """The root command: its subcommands are the rows of the table."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Every name, in the order of the table."""
        del ctx
        return [command.name for command in catalogue.COMMANDS]

    def get_command(self, ctx: typer.Context, cmd_name: str) -> TyperCommand | None:  # type: ignore[override]
        """The command of this name, imported now."""
        del ctx
        row = catalogue.find(cmd_name)
        return None if row is None else load(row.module, row.name)


def root() -> CommandGroup:
    """The whole tool as one typer command, for running and for completion."""
    return CommandGroup(name="wasm2oci", rich_markup_mode=None, context_settings=dict(PARSER_SETTINGS))


def load(module: str, name: str) -> TyperCommand:
    """Import the module of one command and make its typer command.

    The module holds `command`, and may hold `CONTEXT_SETTINGS` for the parser, and `rewrite`, which gets the words
    before the first argument as they were typed and returns them as the parser takes them.
    """
    loaded = importlib.import_module(module)
    made = make_command(name, loaded.command, getattr(loaded, "CONTEXT_SETTINGS", {}))
    made.rewrite = getattr(loaded, "rewrite", None)
    return made


def make_command(
    name: str, function: Callable[..., int | None], settings: Mapping[str, Any] = MappingProxyType({})
) -> _Sectioned:
    """The typer command of one function that is written with option groups and a session."""
    app = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
    settings = {**PARSER_SETTINGS, **settings}
    app.command(name, cls=_Sectioned, context_settings=settings, help=_help_text(function))(expand(function))
    made = typer.main.get_command(app)
    assert isinstance(made, _Sectioned)  # noqa: S101 - an app of one command is that command
    return made


def _help_text(command: Callable[..., int | None]) -> str:
    # Paragraphs that are indented (examples) keep their lines; the others are filled.
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    return "\n\n".join(f"\b\n{text}" if text.startswith("  ") else text for text in paragraphs)


def expand(command: Callable[..., int | None]) -> Callable[..., int | None]:
    """A function typer understands, for a command written with option groups and a session."""
    plain: list[inspect.Parameter] = []
    grouped: list[inspect.Parameter] = []
    makers: list[tuple[str, type, dict[str, str]]] = []
    session_name = None
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        kind, prefix = _kind_of(parameter.annotation)
        if kind is Session:
            session_name = parameter.name
        elif group_title(kind) is not None:
            options = _options_of(kind, prefix)
            grouped.extend(options.values())
            makers.append((parameter.name, kind, {field: option.name for field, option in options.items()}))
        else:
            annotation = _for_typer(parameter.annotation)
            plain.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=annotation))
    context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)

    @functools.wraps(command)
    def expanded(ctx: typer.Context, **values: Any) -> int | None:
        if session_name is not None:
            values[session_name] = ctx.obj
        for name, kind, names in makers:
            values[name] = kind(**{field: values.pop(option) for field, option in names.items()})
        return command(**values)

    parameters = [context, *plain, *grouped]
    expanded.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    expanded.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del expanded.__wrapped__  # typer would look through it
    return expanded


def _kind_of(annotation: Any) -> tuple[Any, str]:
    if get_origin(annotation) is Annotated:
        kind, *marks = get_args(annotation)
        prefix = next((mark for mark in marks if isinstance(mark, Prefix)), None)
        return (kind, prefix.text) if prefix is not None else (annotation, "")
    return annotation, ""


def _for_typer(annotation: Any) -> Any:
    # Our declarations in typer's words; typer's own stay.
    if get_origin(annotation) is not Annotated:
        return annotation
    base, declared, *_ = get_args(annotation)
    info: Any = declared
    if isinstance(declared, Argument):
        info = typer.Argument(metavar=declared.metavar, help=declared.help, show_default=False)
    elif isinstance(declared, Option):
        info = typer.Option(*declared.names, metavar=declared.metavar, help=declared.help)
    return Annotated[base, info]


def _options_of(group: Any, prefix: str) -> dict[str, inspect.Parameter]:
    # Field name -> the option's parameter, titled by the group.
    title = group_title(group) or ""
    if prefix:
        title = f"{title} ({prefix})"
    result = {}
    annotations = inspect.get_annotations(group, eval_str=True)
    for field in group._fields:
        base, info = get_args(_for_typer(annotations[field]))[:2]
        assert isinstance(info, OptionInfo)  # noqa: S101 - the fields of a group are options
        info = _copy_option(info, title, prefix)
        result[field] = inspect.Parameter(
            f"{prefix}_{field}" if prefix else field,
            inspect.Parameter.KEYWORD_ONLY,
            default=group._field_defaults[field],
            annotation=Annotated[base, info],
        )
    return result


def _copy_option(info: OptionInfo, title: str, prefix: str) -> OptionInfo:
    from copy import copy

    info = copy(info)
    info.rich_help_panel = title
    if prefix:
        # With Annotated, typer holds the first declaration in `default`.
        declared = [info.default, *(info.param_decls or ())]
        long = [f"--{prefix}-{text[2:]}" for text in declared if isinstance(text, str) and text.startswith("--")]
        info.default, info.param_decls = long[0], tuple(long[1:])
    return info
