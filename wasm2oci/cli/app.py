"""The two applications, and the one place that turns an outcome into an exit code.

`wasm2oci` finds its commands in the table (`cli.catalogue`). `wasm-to-oci` has two, `push` and `pull`, with the flags
and the output of engineerd/wasm-to-oci (`cli.drop_in`).

Nothing heavy is imported here: `--version` and `--help` answer from the table, before typer is even loaded.
"""

import errno
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NoReturn

from wasm2oci.cli.catalogue import find, similar
from wasm2oci.errors import ExitCode, UsageError, Wasm2OciError
from wasm2oci.version import __version__

if TYPE_CHECKING:
    from types import FrameType
    from typing import TextIO

    from typer.core import TyperGroup

    from wasm2oci.cli.session import Session

__all__ = ["invoke", "main", "main_wasm_to_oci"]

_BROKEN_PIPE: Final = 141
_TERMINATED: Final = 143
_OUTPUT_ERRORS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF, errno.EFBIG})


class _Terminated(BaseException):
    """SIGTERM or SIGHUP came: unwind, so that temporary files are removed."""


def main() -> NoReturn:
    """Run `wasm2oci` on the command line of this process."""
    _run("wasm2oci")


def main_wasm_to_oci() -> NoReturn:
    """Run `wasm-to-oci`, which takes the old tool's flags, on the command line of this process."""
    _run("wasm-to-oci")


def _run(program: str) -> NoReturn:
    arguments = sys.argv[1:]
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:
        _fill_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    code: int | None = None
    try:
        code = _quick(program, arguments)
        if code is None:
            import signal

            from wasm2oci.cli.session import Session

            for number in (signal.SIGTERM, signal.SIGHUP):
                if signal.getsignal(number) is not signal.SIG_IGN:  # nohup has said that SIGHUP is to be ignored
                    signal.signal(number, _terminate)
            code = invoke(arguments, Session.of_process(program))
        sys.stdout.flush()
    except BrokenPipeError:
        code = _BROKEN_PIPE
        _silence(sys.stdout)
    except OSError as error:
        # Standard output refused at the last moment; Python must not say so in its own words.
        with suppress(OSError):
            if code != ExitCode.LOCAL_IO:  # else it was said already
                sys.stderr.write(f"error: cannot write standard output: {error.strerror}\n")
        code = ExitCode.LOCAL_IO
        _silence(sys.stdout)
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
        _silence(sys.stdout)
    # What is alive now ends with the process. Python would look through all of it for garbage twice on the way out,
    # which takes a tenth of the time of a small push; frozen objects are left alone.
    gc.freeze()
    sys.exit(code)


def _quick(program: str, arguments: Sequence[str]) -> int | None:
    # The answers that need no typer: the version and the overview.
    if program != "wasm2oci":
        return None
    if arguments in (["--version"], ["-V"]):
        sys.stdout.write(f"wasm2oci {__version__}\n")
        return ExitCode.OK
    if not arguments or arguments in (["--help"], ["-h"], ["help"]):
        from wasm2oci.cli.overview import overview

        (sys.stdout if arguments else sys.stderr).write(overview())
        return ExitCode.OK if arguments else ExitCode.USAGE
    return None


def invoke(arguments: Sequence[str], session: "Session") -> int:
    """Run one command line and return its exit code; everything that goes wrong is printed here.

    Args:
        arguments: what follows the name of the program.
        session: the streams and variables to use.
    """
    color = session.stderr.isatty() and "NO_COLOR" not in session.variables and session.variables.get("TERM") != "dumb"
    try:
        code = _dispatch(arguments, session)
        session.stdout.flush()
    except Wasm2OciError as error:
        from wasm2oci.cli.failure import print_error

        _settle(session)
        print_error(error, session.stderr, color=color)
        return error.exit_code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except _Terminated:
        return _TERMINATED
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - this is where bugs become exit 1
        if isinstance(error, OSError) and error.filename is None and error.errno in _OUTPUT_ERRORS:
            # typer's help and the like, written past `Output`.
            from wasm2oci.cli.failure import print_error
            from wasm2oci.cli.output import StandardOutputError

            refused = StandardOutputError(f"cannot write standard output: {error.strerror}")
            print_error(refused, session.stderr, color=color)
            return refused.exit_code
        from wasm2oci.cli.failure import print_bug

        _settle(session)
        print_bug(error, session.stderr)
        return ExitCode.BUG
    return code


def _dispatch(arguments: Sequence[str], session: "Session") -> int:
    if session.program == "wasm2oci":
        if len(arguments) > 1 and arguments[0] == "run" and not arguments[1].startswith("-"):
            from wasm2oci.cli.running import run_plain

            return run_plain(arguments[1], arguments[2:], session)
        code = _plain(arguments, session)
        if code is not None:
            return code
    import typer

    from wasm2oci.cli import loader

    if session.program == "wasm2oci" and arguments[:1] == ["__complete"]:
        from wasm2oci.cli.completion import candidates

        session.stdout.writelines(f"{line}\n" for line in candidates(arguments[1:]))
        return ExitCode.OK
    command: TyperGroup
    if session.program == "wasm-to-oci":
        from wasm2oci.cli import drop_in

        arguments, command = drop_in.reorder(arguments), drop_in.root()
    else:
        arguments, command = _named(list(arguments)), loader.root()
    # typer keeps its UsageError in a private module; its public child leads there.
    usage_error: type[Exception] = typer.BadParameter.__bases__[0]
    try:
        result = command.main(list(arguments), prog_name=session.program, standalone_mode=False, obj=session)
    except SystemExit as stop:
        # So typer ends when the reader of standard output went away, and only then.
        raise BrokenPipeError from stop
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    except usage_error as error:
        raise _usage(error, session.program) from error
    return result if isinstance(result, int) else ExitCode.OK


def _plain(arguments: Sequence[str], session: "Session") -> int | None:
    # A plain command line needs no typer; None when it is not plain.
    from importlib import import_module

    from wasm2oci.cli.quick import parse

    row = find(arguments[0]) if arguments else None
    if row is None:
        return None
    module = import_module(row.module)
    if hasattr(module, "CONTEXT_SETTINGS"):
        return None
    values = parse(module.command, arguments[1:], session)
    if values is None:
        return None
    result = module.command(**values)
    return result if isinstance(result, int) else ExitCode.OK


def _named(arguments: list[str]) -> list[str]:
    # `help X` means `X --help`; a name that is not in the table gets suggestions.
    if len(arguments) > 1 and arguments[0] == "help":
        arguments = [arguments[1], "--help"]
    name = arguments[0] if arguments else ""
    if name and not name.startswith("-") and find(name) is None:
        others = " or ".join(f"`wasm2oci {other}`" for other in similar(name))
        raise UsageError(
            f"there is no command {name!r}",
            hint=f"did you mean {others}?" if others else "`wasm2oci --help` lists the commands",
        )
    return arguments


def _usage(error: Exception, program: str) -> UsageError:
    # typer's complaint in our form: no full stop, a hint that names the right help.
    text = str(getattr(error, "format_message", lambda: error)()).strip().rstrip(".")
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else program
    return UsageError(text[:1].lower() + text[1:], hint=f"`{path} --help` shows how it is used")


def _fill_closed_streams() -> None:
    """Put something in the place of standard streams that are closed (`<&-`, `>&-`).

    Otherwise the next file or connection to be opened would get their number. Input is empty, remarks go nowhere; a
    result that should go to standard output is an error like any other there.
    """
    for name, mode, flags in (("stdin", "r", os.O_RDONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY)):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.open(os.devnull, flags), mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def _settle(session: "Session") -> None:
    # What was printed before the error comes out before it, if it still can.
    try:
        session.stdout.flush()
    except OSError:
        return


def _silence(stream: "TextIO") -> None:
    # What is still buffered would be complained about at exit: let it go nowhere.
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _terminate(number: int, frame: "FrameType | None") -> None:
    del number, frame
    raise _Terminated
