"""Gives an instance's functions their code: translated, or taken from the cache, when they are first called.

Until then a function's `call` is a stand-in that makes the real thing and puts it wherever the stand-in was copied
(`Function.become`), so later calls go straight from one generated function to the next.
"""

from __future__ import annotations

import atexit
import hashlib
from array import array
from threading import RLock
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final
from weakref import ref

from wasm2oci.engine.binary import decode_names
from wasm2oci.engine.collector import Pause
from wasm2oci.engine.translate.cache import CodeCache, Entry
from wasm2oci.engine.translate.namespace import TailCall, define, new_namespace
from wasm2oci.engine.translate.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from wasm2oci.engine.runtime.function import Function
    from wasm2oci.engine.runtime.instance import ModuleInstance
    from wasm2oci.engine.translate.function import Source

__all__ = ["FILE_PREFIX", "Loader", "file_name", "prepare"]

FILE_PREFIX: Final = "<wasm "


def file_name(digest: str, index: int) -> str:
    """The file name generated code claims: tracebacks, profilers and `traps` go by it."""
    return f"{FILE_PREFIX}{digest[:12]} f{index}>"


def compile_source(source: Source, name: str) -> CodeType:
    """The code of the one function a source defines.

    Raises:
        MemoryError: Python has not enough memory to compile it.
    """
    try:
        module = compile(source.text, name, "exec", dont_inherit=True, optimize=2)
    except SystemError as error:  # CPython 3.11 may forget to say that memory ran out
        raise MemoryError(str(error)) from error
    return next(constant for constant in module.co_consts if isinstance(constant, CodeType))


class _Unsaved:
    """The code caches of instances: saved some time after the instance has ended, or when the process ends.

    A finalizer would be called in whatever frame collects garbage, the guest's deepest one too, where Python has no
    frame left for it. So instances are looked at when others are prepared, each time that their number has doubled.
    """

    def __init__(self) -> None:
        self._lock = RLock()  # a signal's handler may prepare an instance while this thread holds the lock
        self._caches: list[tuple[ref[Loader], CodeCache]] = []
        self._next_look = _FIRST_LOOK
        atexit.register(self._save_all)

    def add(self, loader: Loader) -> None:
        """Remember an instance that was prepared."""
        with self._lock:
            if len(self._caches) >= self._next_look:
                self._save_ended()
            self._caches.append((ref(loader), loader.cache))

    def _save_ended(self) -> None:
        caches, self._caches = self._caches, []
        for begun, cache in caches:
            if begun() is None:
                cache.save()
            else:
                self._caches.append((begun, cache))
        self._next_look = max(_FIRST_LOOK, 2 * len(self._caches))

    def _save_all(self) -> None:
        for _, cache in self._caches:
            cache.save()


_FIRST_LOOK = 8
_unsaved = _Unsaved()


class Loader:
    """The code of one instance.

    Args:
        instance: its functions get their code from here.
        options: what the code is to be able to do.
        cache: where code of this module is kept.
        check: validates the body of a function, by its index, where that was not done before.

    Attributes:
        maps: for each function loaded so far, the offset of each of its lines.
    """

    def __init__(
        self,
        instance: ModuleInstance,
        options: Options,
        cache: CodeCache,
        check: Callable[[int], None] | None = None,
    ) -> None:
        self.instance = instance
        self.options = options
        self.digest = cache.digest
        self._check = check
        self.maps: dict[int, Sequence[int]] = {}
        self.cache = cache
        _unsaved.add(self)
        self.namespace = new_namespace(instance)
        self.namespace["ORIGIN"] = self
        self._names: Mapping[int, str] | None = None

    def lines(self, index: int) -> Sequence[int]:
        """For each line of a loaded function the offset of its instruction in the module."""
        return self.maps.get(index, ())

    def function_name(self, index: int) -> str | None:
        """A function's name, for people: from the name section, or an export's."""
        if self._names is None:
            self._names = decode_names(self.instance.module).functions
        return self._names.get(index) or self.instance.funcs[index].name

    def stand_in(self, function: Function) -> Callable[..., Any]:
        """What a function is until it is first called."""
        load = self.load

        def call(*arguments: Any) -> Any:
            return load(function)(*arguments)

        return call

    def load(self, function: Function) -> Callable[..., Any]:
        """Gives a function its code."""
        index = function.index
        entry = self.cache.get(index)
        if entry is not None:
            self.maps[index] = entry.offsets
            return self.link(function, entry.code, tails=entry.tails)
        name = file_name(self.digest, index)
        with Pause():
            if self._check is not None:
                self._check(index)
            from wasm2oci.engine.translate.function import translate_function  # noqa: PLC0415 - not for cached code

            source = translate_function(self.instance.module, index, self.options)
            code = compile_source(source, name)
        self.cache.put(index, Entry(code, source.tails, array("I", source.offsets)))
        self.maps[index] = source.offsets
        return self.link(function, code, tails=source.tails)

    def link(self, function: Function, code: CodeType, *, tails: bool) -> Callable[..., Any]:
        """Makes a function of code and installs it."""
        namespace = self.namespace
        for name in code.co_names:
            if name not in namespace:
                define(self.instance, name)
        made: Callable[..., Any] = FunctionType(code, namespace)
        if tails:
            function.tail = made
            made = _trampoline(made)
        function.become(made)
        return made


def _trampoline(body: Callable[..., Any]) -> Callable[..., Any]:
    """A function that may return tail calls, wrapped so that it makes them."""

    def call(*arguments: Any) -> Any:
        result = body(*arguments)
        while result.__class__ is TailCall:
            function = result.function
            result = (function.tail or function.call)(*result.arguments)
        return result

    return call


def prepare(
    instance: ModuleInstance,
    options: Options | None = None,
    cache: CodeCache | Path | None = None,
    check: Callable[[int], None] | None = None,
) -> None:
    """Gives every function an instance defines its `call`.

    Args:
        instance: allocated; nothing has copied its functions' `call` yet.
        options: what generated code is to be able to do.
        cache: where the module's code is kept; or a folder for generated code, private to this user; or None.
        check: validates the body of a function, by its index, before it is translated. What it raises leaves the call.
    """
    options = options or Options()
    if not isinstance(cache, CodeCache):
        cache = CodeCache(cache, hashlib.sha256(instance.module.data).hexdigest(), options)
    loader = Loader(instance, options, cache, check)
    for function in instance.funcs[instance.module.imported_funcs :]:
        function.call = loader.stand_in(function)
