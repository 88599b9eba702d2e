"""What is settled before a module runs: an engine's settings, and a module that was decoded and validated."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING

from wasm2oci.engine.binary import decode_module
from wasm2oci.engine.collector import Pause
from wasm2oci.engine.errors import ModuleError
from wasm2oci.engine.syntax.features import EXECUTED, feature_names
from wasm2oci.engine.syntax.types import extern_text
from wasm2oci.engine.translate import Options
from wasm2oci.engine.translate.cache import CodeCache
from wasm2oci.engine.validate import ModuleValidator, validate_module
from wasm2oci.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from wasm2oci.engine.syntax import module as syntax
    from wasm2oci.engine.syntax.features import Feature
    from wasm2oci.engine.syntax.types import ExternKind, ExternType

__all__ = ["Engine", "ExportType", "ImportType", "Module"]


@dataclass(frozen=True, slots=True)
class Engine:
    """Settings that modules and instances share.

    Args:
        features: what modules may use: all of 3.0 and atomics (on one thread), or less. What lies beyond, such as
            legacy exceptions, is for validation only.
        cache: a folder for generated code, or None to generate it anew in every process.
        fuel: count instructions, and trap when what `Linker.fuel` grants is used up. Costs speed.
        interruptible: let `Linker.interrupt` stop running code. Costs a little speed.
        deferred: in modules with more bytes of code than this, the body of a function is validated when the function
            is called first. None: all bodies are, before a module is there.

    Raises:
        UsageError: `features` has some that cannot be executed.
    """

    features: Feature = EXECUTED
    cache: Path | None = None
    fuel: bool = False
    interruptible: bool = False
    deferred: int | None = None

    def __post_init__(self) -> None:
        beyond = self.features & ~EXECUTED
        if beyond:
            raise UsageError(
                f"this engine does not run {', '.join(feature_names(beyond))}", hint="it can only validate them"
            )


@dataclass(frozen=True, slots=True)
class ImportType:
    """What a module asks its host for."""

    module: str
    name: str
    kind: ExternKind
    type: ExternType

    def __str__(self) -> str:
        """The type as the text format writes it: `func (param i32) (result i64)`."""
        return extern_text(self.type)


@dataclass(frozen=True, slots=True)
class ExportType:
    """What a module's instances will offer."""

    name: str
    kind: ExternKind
    type: ExternType

    def __str__(self) -> str:
        """The type as the text format writes it: `func (param i32) (result i64)`."""
        return extern_text(self.type)


class Module:
    """A valid module, ready to be instantiated.

    A module whose code the engine's cache knows was validated when that was written, and is not validated again.

    Args:
        engine: its settings apply.
        data: the module in the binary format.
        digest: the SHA-256 of `data` in hexadecimal, where it is known; the cache goes by it.
        start: where the module begins in what offsets of errors count from: the component it is in.

    Attributes:
        syntax: the module as decoded.
        check: validates the body of a function before it is executed; None where all bodies are validated.

    Raises:
        MalformedError: the bytes are not a module.
        InvalidModuleError: the module does not type-check.
        FeatureError: it uses a feature the engine refuses.
    """

    def __init__(self, engine: Engine, data: bytes, *, digest: str | None = None, start: int = 0) -> None:
        self.engine = engine
        self.check: Callable[[int], None] | None = None
        self._start = start
        self._lock = RLock()  # a signal's handler may call a function while this thread holds the lock
        self._validator: ModuleValidator | None = None
        with self._errors(), Pause():
            self.syntax: syntax.Module = decode_module(data)
        self.options = Options(fuel=engine.fuel, poll=engine.interruptible)
        features = str(int(engine.features))
        if engine.deferred is not None and sum([end - at for at, end in self.syntax.codes]) > engine.deferred:
            features += " deferred"
            self.check = self._check
        self.code = CodeCache(engine.cache, digest or hashlib.sha256(data).hexdigest(), self.options, features)
        if self.code.known:
            return
        with self._errors(), Pause():
            if self.check is None:
                validate_module(self.syntax, engine.features)
            else:
                self._validator = ModuleValidator(self.syntax, engine.features)
                self._validator.definitions()
                self._validator.features()

    def _check(self, index: int) -> None:
        with self._lock, self._errors():
            validator = self._validator or ModuleValidator(self.syntax, self.engine.features)
            self._validator = None  # one that has refused a feature would refuse all that comes after
            validator.body(index)
            validator.features()
            self._validator = validator

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Has offsets count from where the module's do not."""
        try:
            yield
        except ModuleError as error:
            raise error.moved(self._start) from error

    @property
    def imports(self) -> tuple[ImportType, ...]:
        """What it imports, in order."""
        return tuple(ImportType(i.module, i.name, i.kind, i.type) for i in self.syntax.imports)

    @property
    def exports(self) -> tuple[ExportType, ...]:
        """What it exports, in order."""
        extern_type = self.syntax.extern_type
        return tuple(ExportType(e.name, e.kind, extern_type(e.kind, e.index)) for e in self.syntax.exports)
