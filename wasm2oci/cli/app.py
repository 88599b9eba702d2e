"""The two applications, and the one place that turns an outcome into an exit code.

`wasm2oci` and `wasm-to-oci` find their commands in the table (`cli.catalogue`). A command declares what it takes
(`cli.declare`), one parser reads every command line (`cli.parser`), and the values that a command asks for by type
(`Output`, `Client`, `Terminal`) are made here.
"""

from __future__ import annotations

import atexit
import errno
import gc
import os
import sys
from contextlib import nullcontext, suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NoReturn

from wasm2oci.cli.catalogue import find, similar
from wasm2oci.cli.output import Output, StandardOutputError
from wasm2oci.cli.terminal import Terminal
from wasm2oci.errors import ExitCode, LocalIOError, UsageError, Wasm2OciError
from wasm2oci.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType
    from typing import TextIO

    from wasm2oci.cli.catalogue import Command
    from wasm2oci.cli.declare import Declaration

__all__ = ["invoke", "main", "main_wasm_to_oci"]

_BROKEN_PIPE: Final = 141
_TERMINATED: Final = 143
_NO_THREAD: Final = "can't start new thread"
"""The message of Python's error when the system starts no further thread, for want of memory or by a limit."""
_PASSWORD_MAX: Final = 1 << 20
"""Bytes of standard input that are read as a password."""
_OUTPUT_ERRORS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF, errno.EFBIG})


class _Terminated(BaseException):
    """The process received SIGTERM or SIGHUP: unwind, so that temporary files are removed."""


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
    code: int = ExitCode.BUG
    try:
        if not {"--version", "-V"} & set(arguments[:1]):  # which leave nothing behind
            _unwind_when_terminated()
        code = invoke(arguments, Terminal.of_process(program))
        sys.stdout.flush()
    except BrokenPipeError:
        code = _BROKEN_PIPE
        _silence(sys.stdout)
    except OSError as error:
        # Standard output refused at the last moment; the message must be ours, not Python's.
        with suppress(OSError):
            if code != ExitCode.LOCAL_IO:  # else it was printed already
                sys.stderr.write(f"error: cannot write standard output: {error.strerror}\n")
        code = ExitCode.LOCAL_IO
        _silence(sys.stdout)
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
        _silence(sys.stdout)
    # What is alive now ends with the process. Python would look through all of it for garbage twice on the way out,
    # which takes a tenth of the time of a small push; frozen objects are left alone.
    gc.freeze()
    try:
        sys.stderr.flush()
    except OSError:
        _silence(sys.stderr)  # a remark that cannot be written leaves the exit code as it is
    threading = sys.modules.get("threading")
    held = threading is not None and threading.active_count() > 1
    interrupted = code is ExitCode.INTERRUPTED and hasattr(os, "WIFSIGNALED")
    if held or interrupted:
        atexit._run_exitfuncs()  # noqa: SLF001 - what `sys.exit` would do first: translated code is kept
    if interrupted:
        import signal

        # A shell ends its loop only when Ctrl-C killed the command. A guest that ends with 130 gives a plain number.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.raise_signal(signal.SIGINT)
    if held:
        # A transfer that failed leaves threads that a silent peer holds. Python crashes or hangs now and then when it
        # takes itself apart while they are inside of OpenSSL.
        os._exit(code)
    sys.exit(code)


def invoke(arguments: Sequence[str], terminal: Terminal) -> int:
    """Run one command line and return its exit code; everything that goes wrong is printed here.

    Args:
        arguments: what follows the name of the program.
        terminal: the streams and variables to use.
    """
    try:
        code = _dispatch(arguments, terminal)
        terminal.stdout.flush()
    except Wasm2OciError as error:
        return _failed(error, arguments, terminal)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except _Terminated:
        return _TERMINATED
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - this is where bugs become exit 1
        if isinstance(error, OSError) and error.filename is None and error.errno in _OUTPUT_ERRORS:
            # The overview and other texts are not written through `Output`.
            from wasm2oci.cli.failure import print_error

            refused = StandardOutputError(f"cannot write standard output: {error.strerror}")
            print_error(refused, terminal.stderr, color=terminal.color)
            return refused.exit_code
        if isinstance(error, OSError) and error.filename is not None:
            # A name that is too long, a folder that is closed: this machine refused it.
            return _failed(LocalIOError(f"{error.filename}: {error.strerror}"), arguments, terminal)
        if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and str(error) == _NO_THREAD):
            # A limit of this process or machine: Python says so in two ways.
            short = "memory" if isinstance(error, MemoryError) else "memory or threads"
            hint = "check the limits of this shell or container (ulimit -a), and what else runs there"
            return _failed(LocalIOError(f"this machine has no more {short}", hint=hint), arguments, terminal)
        from wasm2oci.cli.failure import print_bug

        _settle(terminal)
        print_bug(error, terminal.stderr)
        return ExitCode.BUG
    return code


def _failed(error: Wasm2OciError, arguments: Sequence[str], terminal: Terminal) -> int:
    from wasm2oci.cli.failure import print_error, print_failure

    _settle(terminal)
    if _wants_json(arguments, terminal):
        print_failure(error, terminal.stdout)
    print_error(error, terminal.stderr, color=terminal.color)
    return error.exit_code


def _dispatch(arguments: Sequence[str], terminal: Terminal) -> int:
    program = terminal.program
    if program == "wasm-to-oci" and arguments[:1] != ["__complete"]:
        from wasm2oci.cli.drop_in import reorder

        arguments = reorder(arguments)
    name, *words = arguments or ["--help"]
    if name in {"--version", "-V"}:
        if words:
            raise UsageError(f"unexpected argument: {words[0] or repr(words[0])}")
        terminal.stdout.write(f"{program} {__version__}\n")
        return ExitCode.OK
    if name in {"--help", "-h"} or arguments == ["help"]:
        from wasm2oci.cli.overview import overview

        (terminal.stdout if arguments else terminal.stderr).write(overview(program, terminal.help_columns))
        return ExitCode.OK if arguments else ExitCode.USAGE
    if name == "__complete":
        from wasm2oci.cli.completion import candidates

        terminal.stdout.writelines(f"{line}\n" for line in candidates(words, terminal))
        return ExitCode.OK
    if name == "help":
        name, words = words[0], ["--help"]
    command = find(name, program)
    if command is None:
        raise _unknown(name, program)
    return _execute(command, words, terminal)


def _execute(command: Command, words: Sequence[str], terminal: Terminal) -> int:
    from wasm2oci.cli.commands import declaration_of
    from wasm2oci.cli.parser import parse
    from wasm2oci.cli.settings import load_settings

    declaration = declaration_of(command)
    settings = load_settings(terminal.variables)
    terminal = terminal._replace(variables=settings.with_tool_keys())
    path = f"{terminal.program} {command.name}"
    try:
        values = parse(declaration, words, lambda: terminal.stdin.read(_PASSWORD_MAX), settings)
    except UsageError as error:
        raise UsageError(error.message, hint=error.hint or f"`{path} --help` shows how it is used") from error
    if values is None:
        from wasm2oci.cli.help import help_text

        terminal.stdout.write(help_text(declaration, path, terminal.help_columns) + "\n")
        return ExitCode.OK
    return _call(declaration, values, terminal, settings.unknown() if settings.values else ())


def _call(declaration: Declaration, values: dict[str, Any], terminal: Terminal, warnings: Sequence[str]) -> int:
    # Call the command with what it asks for by type.
    targets = {kind: target for target, kind in declaration.given.items()}
    output = terminal.output(values[targets[Output]]) if Output in targets else None
    if output is not None:
        for text in warnings:
            output.warn(text)
    client = None
    for kind, target in targets.items():
        if kind is Terminal:
            values[target] = terminal
        elif kind is Output:
            values[target] = output
        elif output is not None:
            client = values[target] = terminal.client(output, values[target])
    with nullcontext() if client is None else client:
        return declaration.function(**values) or ExitCode.OK


def _wants_json(arguments: Sequence[str], terminal: Terminal) -> bool:
    # A command line that could not be read has no options yet: look for this one as it is usually written.
    words = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if "--format" in words or any(word.startswith("--format=") for word in words):
        return "--format=json" in words or ("--format", "json") in pairwise(words)
    from wasm2oci.cli.settings import load_settings

    try:
        found = load_settings(terminal.variables).find("format")
    except Wasm2OciError:
        return False
    return found is not None and found.value == "json"


def _unknown(name: str, program: str) -> UsageError:
    overview = f"`{program} --help` lists the commands"
    if name.startswith("-"):
        return UsageError(f"no such option: {name}", hint=f"options come after the command; {overview}")
    others = " or ".join(f"`{program} {other}`" for other in similar(name, program))
    return UsageError(f"there is no command {name!r}", hint=f"did you mean {others}?" if others else overview)


def _fill_closed_streams() -> None:
    """Put something in the place of standard streams that are closed (`<&-`, `>&-`).

    Otherwise the next file or connection that is opened would get their number. Input is empty, and remarks are
    discarded; a result for standard output is an error, as for any output that cannot be written.
    """
    for name, mode, flags in (("stdin", "r", os.O_RDONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY)):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.open(os.devnull, flags), mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def _settle(terminal: Terminal) -> None:
    # Results that were printed before the error are written before it, if that is possible.
    try:
        terminal.stdout.flush()
    except OSError:
        return


def _silence(stream: TextIO) -> None:
    # Python would report an error about buffered output at exit: send it to the null device.
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _unwind_when_terminated() -> None:
    import signal

    for name in ("SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, _terminate)


def _terminate(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise _Terminated
