"""What is asked of an engine, and what came of it: plain values, the same for every engine."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from wasm2oci.errors import ExitCode, NotFoundError, UsageError, Wasm2OciError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wasm2oci.wasi.context import Clock, Preopen
    from wasm2oci.wasi.network import NetworkRule

__all__ = [
    "DEFAULT_MAX_MEMORY",
    "DEFAULT_MAX_STACK",
    "MEMORY_MAX",
    "STACK_MAX",
    "TIMEOUT_MAX_S",
    "DirectoryError",
    "Ending",
    "EngineChoice",
    "EntryError",
    "FunctionTime",
    "GuestSetupError",
    "RunLimits",
    "RunOutcome",
    "RunRequest",
    "StackFrame",
    "TrapReport",
    "exit_status",
    "readable_name",
]

DEFAULT_MAX_MEMORY: Final = 1 << 30
"""Bytes a guest's memory may have unless more is allowed."""

DEFAULT_MAX_STACK: Final = 2 << 20
"""Bytes a guest's call stack may have unless more is allowed: Go's own tests need 1.9 MiB on wasmtime."""

TIMEOUT_MAX_S: Final = 14 * 24 * 3600
"""Seconds that a time limit may have: the calls of the host that wait take little more."""

MEMORY_MAX: Final = 1 << 62
"""Bytes that the limit of the memory may have: the limits of a process take little more."""

STACK_MAX: Final = 1 << 30
"""Bytes that the limit of the call stack may have: a thread is started with that stack."""


class EngineChoice(StrEnum):
    """Which engine is wanted, or ran."""

    AUTO = "auto"
    EMBEDDED = "embedded"
    WASMTIME = "wasmtime"


class GuestSetupError(Wasm2OciError):
    """The guest could not be started, or the tool failed while it ran; the guest itself did not fail."""

    exit_code = ExitCode.TOOL_FAILED


class DirectoryError(GuestSetupError):
    """A directory for the guest cannot be opened.

    Args:
        host: the directory.
        reason: the host's message.
    """

    def __init__(self, host: Path, reason: str) -> None:
        hint = "a directory under another name is written HOST::GUEST" if ":" in str(host) else None
        super().__init__(f"cannot open the directory {host}: {reason}", hint=hint)


class EntryError(NotFoundError):
    """The module has no function with the name that is to be called."""


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What a guest may use.

    Attributes:
        timeout_s: seconds from the start, loading included, at most `TIMEOUT_MAX_S`; None for no limit.
        fuel: about so many instructions; None for no limit.
        max_memory: bytes for all of its memories, tables, objects and generated code; at most `MEMORY_MAX`.
        max_stack: bytes for its call stack, on wasmtime, at most `STACK_MAX`; the embedded engine allows a call for
            each 128 of them.
    """

    timeout_s: float | None = None
    fuel: int | None = None
    max_memory: int = DEFAULT_MAX_MEMORY
    max_stack: int = DEFAULT_MAX_STACK

    def __post_init__(self) -> None:
        """Refuse what is no limit, before anything is fetched.

        Raises:
            TypeError: a limit is no number, or is no whole number where it counts.
            ValueError: a limit is not more than 0, or is more than it may be.
        """
        for name, kind, most in (
            ("timeout_s", int | float, TIMEOUT_MAX_S),
            ("fuel", int, None),
            ("max_memory", int, MEMORY_MAX),
            ("max_stack", int, STACK_MAX),
        ):
            value = getattr(self, name)
            if value is None:
                continue
            if not isinstance(value, kind):
                wanted = "an int" if kind is int else "a number"
                raise TypeError(f"{name} is {wanted}, not {type(value).__name__}: {value!r:.80}")
            if not value > 0:
                raise ValueError(f"{name} is more than 0, not {value}")
            if most is not None and value > most:
                raise ValueError(f"{name} is at most {most}, not {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """A guest and its world.

    Attributes:
        module: a core module's or a component's bytes.
        sha256: the digest of `module` in hexadecimal, where it is known.
        args: its command line, the program's name first.
        environment: its environment variables; nothing is taken over from this process.
        preopens: directories it may use.
        listeners: listening sockets it may accept from, as descriptors of this process.
        network: the hosts of the network it may reach.
        stdin: a descriptor of this process, or bytes.
        stdout: a descriptor of this process, or a function that takes bytes.
        stderr: the same.
        invoke: the exported function to call instead of the program's start.
        values: the text of its arguments.
        limits: what it may use.
        engine: which engine to take.
        missing_as_traps: let it start although it imports functions that are not offered; calling one of them traps.
        trace: takes a line for each WASI call; None for no trace.
        timings: whether to say where time went (embedded engine).
        deferred: whether a large module's bodies may be validated when they are called first (embedded engine).
        cache: a folder for code made from modules; None to keep none.
        clock: where its times come from; None for this machine's.
        random: where its randomness comes from.
        isolated: run it in a child process, where the system has them as needed: then the limits on time and memory
            hold whatever it does. Its trace is written from there.

    Raises:
        UsageError: an argument or a variable is not bytes.
    """

    module: bytes = field(default=b"", repr=False)
    sha256: str | None = None
    args: tuple[bytes, ...] = ()
    environment: tuple[tuple[bytes, bytes], ...] = ()
    preopens: tuple[Preopen, ...] = ()
    listeners: tuple[int, ...] = ()
    network: tuple[NetworkRule, ...] = ()
    stdin: int | bytes = b""
    stdout: int | Callable[[bytes], object] = 1
    stderr: int | Callable[[bytes], object] = 2
    invoke: str | None = None
    values: tuple[str, ...] = ()
    limits: RunLimits = RunLimits()
    engine: EngineChoice = EngineChoice.AUTO
    missing_as_traps: bool = False
    trace: Callable[[str], object] | None = None
    timings: bool = False
    deferred: bool = True
    cache: Path | None = None
    clock: Clock | None = None
    random: Callable[[int], bytes] = os.urandom
    isolated: bool = False

    def __post_init__(self) -> None:
        texts: tuple[object, ...] = (*self.args, *(part for pair in self.environment for part in pair))
        if not all(isinstance(text, bytes) for text in texts):
            raise UsageError("arguments and variables of a guest are bytes: encode them as UTF-8")

    @property
    def not_text(self) -> bytes | None:
        """The first argument, variable or name of a directory that is not UTF-8; None when all are."""
        names = [name for preopen in self.preopens for name in (os.fspath(preopen.host), preopen.guest)]
        strings = [*self.args, *(part for pair in self.environment for part in pair), *map(os.fsencode, names)]
        for string in strings:
            try:
                string.decode()
            except UnicodeDecodeError:
                return string
        return None


class Ending(StrEnum):
    """How a run ended."""

    EXITED = "exited"
    TRAPPED = "trapped"
    TIMED_OUT = "timed out"
    INTERRUPTED = "interrupted"
    OUT_OF_MEMORY = "out of memory"


@dataclass(frozen=True, slots=True)
class StackFrame:
    """One function on the guest's stack.

    Attributes:
        function: its index in the module; -1 where only its name is known.
        name: its name, where the module says it.
        offset: where in the module's bytes it was, or None.
    """

    function: int
    name: str | None
    offset: int | None

    def __str__(self) -> str:
        name = (readable_name(self.name) if self.name else "") or f"function {self.function}"
        return name if self.offset is None else f"{name} at {self.offset:#x}"


@dataclass(frozen=True, slots=True)
class TrapReport:
    """Why a guest was stopped, in the specification's words, and where: innermost function first."""

    reason: str
    frames: tuple[StackFrame, ...] = ()

    @property
    def lines(self) -> list[str]:
        """The backtrace, a line each; the middle of a long one is left out."""
        texts = [f"{index:>3}: {frame}" for index, frame in enumerate(self.frames)]
        if len(texts) > _SHOWN_FRAMES:
            half = _SHOWN_FRAMES // 2
            texts[half:-half] = [f"     ... {len(texts) - 2 * half} more ..."]
        return texts


_SHOWN_FRAMES: Final = 30


@dataclass(frozen=True, slots=True)
class FunctionTime:
    """The time of one function.

    Attributes:
        name: of the function.
        calls: how often it was called.
        own_s: seconds in the function itself.
        total_s: seconds in it and what it called.
    """

    name: str
    calls: int
    own_s: float
    total_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """How a run went.

    Attributes:
        ending: how it ended.
        exit_code: what the process should end with: the guest's code, 124, 130, 134 or 137.
        engine: which engine ran.
        why: why that one, for the curious.
        results: of an invoked function, as text.
        trap: why and where, when it trapped.
        timings: functions by time, the most expensive first.
    """

    ending: Ending
    exit_code: int
    engine: EngineChoice
    why: str = ""
    results: tuple[str, ...] = ()
    trap: TrapReport | None = None
    timings: tuple[FunctionTime, ...] = ()


def exit_status(code: int) -> int:
    """What a process can end with, for any code a guest gave: its low byte, but never 0 for what was not 0."""
    return code & 0xFF or int(code != 0)


def readable_name(name: str) -> str:
    """A symbol as its author wrote it: Rust's legacy mangling (`_ZN...17h<hash>E`) is undone, others are kept.

    The mangled name is a list of parts, each after its length in decimal; what is not put together like that is kept.
    """
    if not (name.startswith("_ZN") and name.endswith("E")):
        return name
    parts, at, end = [], 3, len(name) - 1
    while at < end:
        match = _LENGTH.match(name, at)
        if match is None or match.end() + int(match[0]) > end:
            return name
        at = match.end() + int(match[0])
        part = name[match.end() : at]
        parts.append(part[1:] if part.startswith("_$") else part)
    if len(parts) > 1 and parts[-1].startswith("h") and len(parts[-1]) == _HASH:
        parts.pop()
    text = "::".join(parts)
    for code, plain in _MANGLED:
        text = text.replace(code, plain)
    return text or name


_LENGTH: Final = re.compile(r"[0-9]{1,6}")
_HASH: Final = 17
_MANGLED: Final = (
    ("..", "::"),
    ("$LT$", "<"),
    ("$GT$", ">"),
    ("$RF$", "&"),
    ("$BP$", "*"),
    ("$C$", ","),
    ("$LP$", "("),
    ("$RP$", ")"),
    ("$u20$", " "),
    ("$u7b$", "{"),
    ("$u7d$", "}"),
    ("$u5b$", "["),
    ("$u5d$", "]"),
)
