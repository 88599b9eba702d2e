"""Functions: lifted, lowered, and those for resources. Spec: component model, CanonicalABI.md, `canon`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from wasm2oci.engine.component.abi import Context, left_component, trap_if
from wasm2oci.engine.component.flat import lifter, lowerer
from wasm2oci.engine.component.handles import Handle, Scope
from wasm2oci.engine.component.load import loader
from wasm2oci.engine.component.put import storer
from wasm2oci.engine.host import Caller, HostFunction
from wasm2oci.engine.runtime.trap import WasmException
from wasm2oci.engine.syntax.types import I32
from wasm2oci.engine.syntax.values import MAX_FLAT_PARAMS, MAX_FLAT_RESULTS, ValueType, flatten_all, layout

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.component.handles import ResourceType
    from wasm2oci.engine.component.instance import ComponentInstance
    from wasm2oci.engine.runtime.function import Function as CoreFunction
    from wasm2oci.engine.runtime.memory import Memory
    from wasm2oci.engine.syntax.values import Val
    from wasm2oci.engine.validate.component.types import Function

__all__ = [
    "ComponentFunction",
    "Options",
    "Passing",
    "giver",
    "lift",
    "lower",
    "passing_of",
    "resource_drop",
    "resource_new",
    "resource_rep",
    "taker",
]


class ComponentFunction(NamedTuple):
    """A function of a component or of the host.

    Attributes:
        type: its type.
        call: takes component values, and gives one, or None where there is no result.
        name: for people.
        owner: the instance whose function it is; None for the host's.
        begin: begins a call, where functions are asynchronous (`concurrency.functions`): gets what gives the arguments
            and what takes the result.
        to_end: like `call`, and lets the task end that has given its result.
    """

    type: Function
    call: Callable[..., Any]
    name: str = ""
    owner: ComponentInstance | None = None
    begin: Callable[[Callable[[], Any], Callable[[Any], object]], Any] | None = None
    to_end: Callable[..., Any] | None = None


class Options(NamedTuple):
    """The options of a canonical function, with what they refer to."""

    memory: Memory | None
    realloc: Callable[..., int] | None
    post_return: Callable[..., Any] | None
    encoding: str
    is_async: bool = False
    callback: Callable[[int, int, int], int] | None = None

    def context(self, instance: ComponentInstance) -> Context:
        """The context of one call."""
        return Context(self.memory, self.realloc, self.encoding, instance.handles)


class Passing(NamedTuple):
    """How parameters and the result are passed.

    Attributes:
        flat: core types of the parameters; None where they go through memory.
        params: the type of all parameters together, as they lie in memory.
        results: core types of the result; None where it goes through memory.
    """

    flat: tuple[int, ...] | None
    params: ValueType
    results: tuple[int, ...] | None


def passing_of(function: Function, most: int = MAX_FLAT_PARAMS) -> Passing:
    """How parameters and the result of a function are passed.

    Args:
        function: its type.
        most: core values that parameters are passed as, at most.
    """
    return Passing(
        flatten_all(function.params, most),
        ValueType("tuple", (), function.params),
        () if function.result is None else flatten_all((function.result,), MAX_FLAT_RESULTS),
    )


def lift(instance: ComponentInstance, core: CoreFunction, options: Options, type_: Function) -> ComponentFunction:
    """A core function of an instance as one of the component."""
    passing = passing_of(type_)
    lowerers = [] if passing.flat is None else [lowerer(param) for param in type_.params]
    store_params = storer(passing.params) if passing.flat is None else None
    take = taker(type_.result, through_memory=passing.results is None)
    invoke, post_return = core.invoke, options.post_return

    def call(*values: Any) -> Any:
        trap_if(instance.entered or instance.broken, "cannot enter component instance")
        context = options.context(instance)
        context.scope = scope = Scope()
        instance.entered = True
        try:
            instance.may_leave = False
            flat: list[Any] = []
            if store_params is not None:
                alignment, size = layout(passing.params)
                at = context.allocate(size, alignment)
                store_params(context, values, at)
                flat.append(at)
            else:
                for lower_one, value in zip(lowerers, values, strict=True):
                    lower_one(context, value, flat)
            instance.may_leave = True
            got = invoke(*flat)
            value = take(context, got)
            if post_return is not None:
                instance.may_leave = False
                post_return(*(() if got is None else (got,)))
                instance.may_leave = True
            trap_if(scope.borrows, "borrow handles still remain at the end of the call")
            return value
        except BaseException:
            instance.broken = True
            raise
        finally:
            instance.entered = False

    return ComponentFunction(type_, call, owner=instance)


def taker(result: Val | None, *, through_memory: bool) -> Callable[[Context, Any], Any]:
    """A function (context, what the core function gave) -> the result."""
    if result is None:
        return lambda _, __: None
    if not through_memory:
        lift_result = lifter(result)
        return lambda context, got: lift_result(context, iter((got,)))
    load = loader(result)
    alignment, size = layout(result)

    def take(context: Context, got: Any) -> Any:
        address = got & 0xFFFFFFFF
        context.check(address, size, alignment, "result pointer")
        return load(context, address)

    return take


def lower(instance: ComponentInstance, function: ComponentFunction, options: Options) -> CoreFunction:
    """A function as a core function that an instance may call."""
    type_ = function.type
    passing = passing_of(type_)
    params = (I32,) if passing.flat is None else passing.flat
    count = len(params)
    if passing.results is None:
        params = (*params, I32)
    lifters = [] if passing.flat is None else [lifter(param) for param in type_.params]
    load_params = loader(passing.params) if passing.flat is None else None
    give = giver(type_.result, through_memory=passing.results is None)
    call = function.call
    # A component and those around it are never on the stack twice, so neither calls the other.
    recursive = function.owner is not None and (
        instance in function.owner.around() or function.owner in instance.around()
    )

    def lowered(*flat: Any) -> Any:
        trap_if(not instance.may_leave, "cannot leave component instance")
        trap_if(recursive, "cannot enter component instance")
        context = options.context(instance)
        lenders: list[Handle] = []
        context.lenders = lenders
        if load_params is not None:
            alignment, size = layout(passing.params)
            context.check(flat[0], size, alignment, "parameter pointer")
            values = load_params(context, flat[0])
        else:
            items = iter(flat)
            values = [lift_one(context, items) for lift_one in lifters]
        try:
            result = call(*values)
        except WasmException as error:
            raise left_component() from error
        for handle in lenders:
            handle.lends -= 1
        instance.may_leave = False
        try:
            return give(context, result, flat[count:])
        finally:
            instance.may_leave = True

    host = HostFunction(params, passing.results or (), lowered, raw=True)
    return host.bind(Caller(), function.name or None)


def giver(result: Val | None, *, through_memory: bool) -> Callable[[Context, Any, tuple[Any, ...]], Any]:
    """A function (context, result, where to put it) -> what the core function gives."""
    if result is None:
        return lambda _, __, ___: None
    if through_memory:
        store = storer(result)
        alignment, size = layout(result)

        def put(context: Context, value: Any, where: tuple[Any, ...]) -> None:
            context.check(where[0], size, alignment, "result pointer")
            store(context, value, where[0])

        return put
    lower_result = lowerer(result)

    def give(context: Context, value: Any, _: tuple[Any, ...]) -> Any:
        out: list[Any] = []
        lower_result(context, value, out)
        return out[0]

    return give


def resource_new(instance: ComponentInstance, type_: ResourceType) -> CoreFunction:
    """`resource.new`: a handle for what represents a resource."""

    def new(rep: int) -> int:
        trap_if(not instance.may_leave, "cannot leave component instance")
        return instance.handles.add(Handle(type_, rep))

    return HostFunction((I32,), (I32,), new, raw=True).bind(Caller(), "resource.new")


def resource_rep(instance: ComponentInstance, type_: ResourceType) -> CoreFunction:
    """`resource.rep`: what represents the resource of a handle."""

    def rep(index: int) -> Any:
        return instance.handles.get(index, type_).rep

    return HostFunction((I32,), (I32,), rep, raw=True).bind(Caller(), "resource.rep")


def resource_drop(instance: ComponentInstance, type_: ResourceType) -> CoreFunction:
    """`resource.drop`: gives a handle up, and with the last one the resource."""

    def drop(index: int) -> None:
        trap_if(not instance.may_leave, "cannot leave component instance")
        handle = instance.handles.remove(index, type_)
        if handle.scope is not None:
            handle.scope.borrows -= 1
        elif type_.destructor is not None:
            owner = type_.owner
            if owner is not None and owner is not instance:
                trap_if(owner.entered or owner.broken, "cannot enter component instance")
            try:
                type_.destructor(handle.rep)
            except WasmException as error:
                raise left_component() from error

    return HostFunction((I32,), (), drop, raw=True).bind(Caller(), "resource.drop")
