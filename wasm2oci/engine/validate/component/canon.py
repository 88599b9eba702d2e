"""Canonical functions: options, and the core types they ask for. Spec: component model, CanonicalABI.md, `canon`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wasm2oci.engine.binary.types import host_function
from wasm2oci.engine.errors import InvalidModuleError
from wasm2oci.engine.syntax.canon import BUILTINS
from wasm2oci.engine.syntax.matching import matches_limits
from wasm2oci.engine.syntax.types import (
    FUNCREF,
    I32,
    I64,
    DefType,
    FuncType,
    GlobalType,
    Limits,
    MemoryType,
    TableType,
    type_text,
)
from wasm2oci.engine.syntax.values import (
    MAX_FLAT_ASYNC_PARAMS,
    MAX_FLAT_PARAMS,
    MAX_FLAT_RESULTS,
    ValueType,
    contains_pointer,
    flatten,
    flatten_all,
)
from wasm2oci.engine.validate.component.gc_abi import gc_signature
from wasm2oci.engine.validate.component.types import Function, NamedResource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wasm2oci.engine.syntax.component import CanonFunction, CanonOptions
    from wasm2oci.engine.syntax.types import ExternType
    from wasm2oci.engine.syntax.values import Val
    from wasm2oci.engine.validate.component.scope import Scope
    from wasm2oci.engine.validate.component.types import Work

__all__ = ["canonical_function", "core_sort"]

_ENCODING: Final = "string-encoding="
_NO_SHARED: Final = "thread.spawn-ref", "thread.spawn-indirect", "thread.available-parallelism"


class Options(NamedTuple):
    """The options of a canonical function.

    Attributes:
        memory: the memory, or None.
        pointer: bytes of an address in it.
        realloc, post_return, callback: core functions, or None.
        is_async: whether it is called asynchronously.
        core_type: for values of garbage-collected types, the core function type; None where none is given.
        gc: whether values are of garbage-collected types.
        encoding: of strings.
    """

    memory: MemoryType | None
    pointer: int
    realloc: DefType | None
    post_return: DefType | None
    callback: DefType | None
    is_async: bool
    core_type: DefType | None
    gc: bool
    encoding: str

    @property
    def address(self) -> int:
        """The core type of an address."""
        return I64 if self.pointer == 8 else I32

    def require(self, option: str, offset: int) -> None:
        """Refuses to do without `memory` or `realloc`."""
        if self.memory is None:
            raise InvalidModuleError("canonical option `memory` is required", offset)
        if option == "realloc" and self.realloc is None:
            raise InvalidModuleError("canonical option `realloc` is required", offset)


def core_sort(type_: ExternType) -> str:
    """The sort of a core item, by its type."""
    if isinstance(type_, DefType):
        return "core func"
    if isinstance(type_, TableType):
        return "core table"
    if isinstance(type_, MemoryType):
        return "core memory"
    return "core global" if isinstance(type_, GlobalType) else "core tag"


def canonical_function(scope: Scope, canon: CanonFunction, defs: Mapping[int, DefType], work: Work) -> None:
    """Validates one, and gives it its index."""
    offset, keyword = canon.offset, canon.keyword
    if keyword == "lift":
        _lift(scope, canon, defs, work)
        return
    row = BUILTINS[keyword]
    if keyword in _NO_SHARED:
        raise InvalidModuleError(
            f"`{keyword}` needs shared-everything-threads, which this engine does not know", offset
        )
    options = _options(scope, canon.options, offset)
    if "options" in row.operands:
        _check_lower(options, keyword, offset)
    if keyword == "lower":
        function = scope.at("func", _index(canon, "func"), offset)
        type_ = _lowered(function, options, defs, work, offset)
    elif keyword == "task.return":
        result = _result(scope, canon)
        function = Function(("v",) * (result is not None), () if result is None else (result,), None, is_async=False)
        if options.realloc is not None or options.post_return is not None or options.is_async:
            raise InvalidModuleError("cannot specify `realloc`, `post-return` or `async` on `task.return`", offset)
        type_ = _lowered(function, options, defs, work, offset)
    else:
        type_ = _builtin(scope, canon, options)
        if options.core_type is not None:
            _check_core_type(options.core_type.func, type_, offset)
    scope.push("core func", host_function(type_))


def _index(canon: CanonFunction, operand: str) -> int:
    return int(canon.operands[operand] or 0)


def _result(scope: Scope, canon: CanonFunction) -> Val | None:
    type_ = canon.operands["result"]
    if type_ is None or isinstance(type_, str):
        return type_
    found: ValueType = scope.typed(int(type_), ValueType, "a defined type", canon.offset)
    return found


# --- options --------------------------------------------------------------------------------------------------------


def _options(scope: Scope, given: CanonOptions, offset: int) -> Options:
    found: dict[str, Any] = {}
    for keyword, index in given.given:
        name, _, value = keyword.partition("=")
        if name in found:
            if value:
                one, other = (each.replace("+", "-") for each in (found[name], value))
                raise InvalidModuleError(f"canonical encoding option `{one}` conflicts with option `{other}`", offset)
            raise InvalidModuleError(f"canonical option `{name}` is specified more than once", offset)
        if name == "memory":
            found[name] = _memory(scope, index or 0, offset)
        elif name == "core-type":
            found[name] = _core_function_type(scope, index or 0, offset)
        else:
            found[name] = value or (True if index is None else scope.at("core func", index, offset))
    memory = found.get("memory")
    options = Options(
        memory,
        8 if memory is not None and memory.limits.is64 else 4,
        found.get("realloc"),
        found.get("post-return"),
        found.get("callback"),
        "async" in found,
        found.get("core-type"),
        "gc" in found,
        found.get("string-encoding", "utf8"),
    )
    _check_together(options, offset)
    return options


def _check_together(options: Options, offset: int) -> None:
    if options.callback is not None and not options.is_async:
        raise InvalidModuleError("cannot specify callback without async", offset)
    if options.post_return is not None and options.is_async:
        raise InvalidModuleError("cannot specify post-return function in async", offset)
    if options.core_type is not None and not options.gc:
        raise InvalidModuleError("cannot specify `core-type` without `gc`", offset)
    if options.realloc is not None:
        if options.memory is None:
            raise InvalidModuleError("canonical option `realloc` requires `memory` to also be specified", offset)
        address = options.address
        if options.realloc.func != FuncType((address,) * 4, (address,)):
            raise InvalidModuleError(
                "canonical option `realloc` uses a core function with an incorrect signature", offset
            )


def _memory(scope: Scope, index: int, offset: int) -> MemoryType:
    memory: MemoryType = scope.at("core memory", index, offset)
    if memory.shared:
        raise InvalidModuleError("mismatch in the shared flag for memories", offset)
    return memory


def _core_function_type(scope: Scope, index: int, offset: int) -> DefType:
    type_ = scope.at("core type", index, offset)
    if not isinstance(type_, DefType) or not isinstance(type_.composite, FuncType):
        raise InvalidModuleError("canonical option `core-type` must reference a core function type", offset)
    return type_


def _check_lower(options: Options, keyword: str, offset: int) -> None:
    """Refuses options that only lifting has."""
    for name, value in (("post-return", options.post_return), ("callback", options.callback)):
        if value is not None:
            raise InvalidModuleError(f"canonical option `{name}` cannot be specified for lowerings", offset)
    if options.gc and options.core_type is None:
        raise InvalidModuleError("cannot specify `gc` without also specifying a `core-type` for lowerings", offset)
    if keyword.startswith("error-context") and options.is_async:
        raise InvalidModuleError(f"cannot specify `async` option on `{keyword}`", offset)


# --- lift and lower ---------------------------------------------------------------------------------------------------


def _lift(scope: Scope, canon: CanonFunction, defs: Mapping[int, DefType], work: Work) -> None:
    offset = canon.offset
    function: Function = scope.typed(_index(canon, "type"), Function, "a function type", offset)
    core: FuncType = scope.at("core func", _index(canon, "core-func"), offset).func
    options = _options(scope, canon.options, offset)
    if options.post_return is not None and options.post_return.func != FuncType(core.results, ()):
        raise InvalidModuleError(
            "canonical option `post-return` uses a core function with an incorrect signature", offset
        )
    if options.callback is not None and options.callback.func != _CALLBACK:
        raise InvalidModuleError("canonical option `callback` uses a core function with an incorrect signature", offset)
    if options.core_type is not None:
        raise InvalidModuleError("canonical option `core-type` is not allowed in `canon lift`", offset)
    _check_async(function, options, offset)
    wanted = (
        gc_signature(function, core, defs, work, offset, encoding=options.encoding)
        if options.gc
        else _lifted(function, options, offset)
    )
    for what, has, wants in (("parameter", core.params, wanted.params), ("result", core.results, wanted.results)):
        if has != wants:
            raise InvalidModuleError(
                f"lowered {what} types `{_texts(wants)}` do not match {what} types `{_texts(has)}` of core function",
                offset,
            )
    scope.push("func", function)


_CALLBACK: Final = FuncType((I32, I32, I32), (I32,))


def _check_async(function: Function, options: Options, offset: int) -> None:
    if options.is_async and not function.is_async:
        raise InvalidModuleError("the `async` canonical option requires an async function type", offset)


def _lifted(function: Function, options: Options, offset: int) -> FuncType:
    """The core type of a function that is to be lifted."""
    params = flatten_all(function.params, MAX_FLAT_PARAMS, options.pointer)
    if any(map(contains_pointer, function.params)) or params is None:
        options.require("realloc", offset)
    if function.result is not None and contains_pointer(function.result):
        options.require("memory", offset)
    core = (options.address,) if params is None else params
    if options.is_async:
        if function.result is not None and flatten(function.result, options.pointer) is None:
            options.require("memory", offset)
        return FuncType(core, () if options.callback is None else (I32,))
    results = _flat_results(function, options, offset)
    return FuncType(core, (options.address,) if results is None else results)


def _lowered(function: Function, options: Options, defs: Mapping[int, DefType], work: Work, offset: int) -> FuncType:
    """The core type of a function that is lowered."""
    _check_async(function, options, offset)
    if options.gc and options.core_type is not None:
        core = options.core_type.func
        wanted = gc_signature(function, core, defs, work, offset, encoding=options.encoding)
        _check_core_type(core, wanted, offset)
        return core
    most = MAX_FLAT_ASYNC_PARAMS if options.is_async else MAX_FLAT_PARAMS
    params = flatten_all(function.params, most, options.pointer)
    if any(map(contains_pointer, function.params)) or params is None:
        options.require("memory", offset)
    params = (options.address,) if params is None else params
    result = function.result
    if result is not None and contains_pointer(result):
        options.require("realloc", offset)
    if options.is_async:
        if result is not None:
            options.require("memory", offset)
            params = (*params, options.address)
        return FuncType(params, (I32,))
    results = _flat_results(function, options, offset)
    return FuncType((*params, options.address), ()) if results is None else FuncType(params, results)


def _flat_results(function: Function, options: Options, offset: int) -> tuple[int, ...] | None:
    """The core values that the result is passed as; None where it goes through memory, which has to be there."""
    if function.result is None:
        return ()
    flat = flatten_all((function.result,), MAX_FLAT_RESULTS, options.pointer)
    if flat is None:
        options.require("memory", offset)
    return flat


def _check_core_type(declared: FuncType, actual: FuncType, offset: int) -> None:
    for what, has, wants in (
        ("parameter", declared.params, actual.params),
        ("result", declared.results, actual.results),
    ):
        if has != wants:
            raise InvalidModuleError(
                f"declared core type has `{_texts(has)}` {what} types, but actual lowering has `{_texts(wants)}`",
                offset,
            )


def _texts(types: tuple[int, ...]) -> str:
    return f"[{', '.join(map(type_text, types))}]"


# --- the others -------------------------------------------------------------------------------------------------------


def _builtin(scope: Scope, canon: CanonFunction, options: Options) -> FuncType:
    row, keyword, offset = BUILTINS[canon.keyword], canon.keyword, canon.offset
    letters = {"i": I32, "l": I64, "p": options.address}
    for operand in row.operands.split():
        if operand == "type":
            letters["r"] = _check_type(scope, canon, row.wants, options)
        elif operand == "memory":
            memory = _memory(scope, _index(canon, operand), offset)
            letters["p"] = I64 if memory.limits.is64 else I32
        elif operand == "slot":
            letters["s"] = _check_slot(scope, canon)
        elif operand == "core-type":
            _check_start(scope, canon)
        elif operand == "table":
            table: TableType = scope.at("core table", _index(canon, operand), offset)
            if table.element != FUNCREF or not matches_limits(table.limits, Limits(0)):
                raise InvalidModuleError("the table is not a 32-bit table of (ref null func)", offset)
    if keyword.startswith("error-context") and row.operands:
        options.require("realloc" if keyword.endswith("message") else "memory", offset)
    return FuncType(tuple([letters[letter] for letter in row.params]), tuple([letters[each] for each in row.results]))


def _check_type(scope: Scope, canon: CanonFunction, wants: str, options: Options) -> int:
    """Checks the type of a built-in; gives what represents the resource, where it is one."""
    offset, keyword, index = canon.offset, canon.keyword, _index(canon, "type")
    if wants.endswith("resource"):
        named = scope.typed(index, NamedResource, "a resource type", offset)
        rep = scope.defined.get(named.resource)
        if rep is None and wants.startswith("local"):
            raise InvalidModuleError(f"type {index} is not a local resource", offset)
        return rep or I32
    type_ = scope.typed(index, ValueType, "a defined type", offset)
    if type_.kind != wants:
        raise InvalidModuleError(f"`{keyword}` requires a {wants} type", offset)
    if "options" in BUILTINS[keyword].operands and type_.types[0] is not None:
        reads = keyword.endswith(".read") and contains_pointer(type_.types[0])
        options.require("realloc" if reads else "memory", offset)
    return I32


def _check_slot(scope: Scope, canon: CanonFunction) -> int:
    """Checks a slot of the context; gives its type."""
    type_ = _index(canon, "slot type")
    if scope.slot not in {None, type_}:
        raise InvalidModuleError(f"`{canon.keyword}` type must match previous context type", canon.offset)
    scope.slot = type_
    if _index(canon, "slot") > 1:
        raise InvalidModuleError(f"`{canon.keyword}` immediate must be zero or one", canon.offset)
    return type_


def _check_start(scope: Scope, canon: CanonFunction) -> None:
    type_ = scope.at("core type", _index(canon, "core-type"), canon.offset)
    if not isinstance(type_, DefType) or not isinstance(type_.composite, FuncType):
        raise InvalidModuleError("start type must be a function", canon.offset)
    if type_.func.params != (I32,):
        raise InvalidModuleError("start function must take a single `i32` argument", canon.offset)
    if type_.func.results:
        raise InvalidModuleError("start function must not return any values", canon.offset)
