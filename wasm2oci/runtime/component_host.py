"""An instance of a component on the embedded engine, with our WASI around it."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wasm2oci.engine import UnlinkableError
from wasm2oci.engine.component.handles import ResourceType
from wasm2oci.engine.component.host import HostCall
from wasm2oci.engine.component.store import Store
from wasm2oci.engine.runtime.limits import ResourceLimitError
from wasm2oci.engine.runtime.trap import Trap, TrapKind
from wasm2oci.errors import Remedy, RemedyKind
from wasm2oci.runtime.embedded import ceilings
from wasm2oci.runtime.request import GuestSetupError
from wasm2oci.runtime.streams import open_wasi
from wasm2oci.wasi.preview2.functions import FUNCTIONS, RESOURCES
from wasm2oci.wasi.preview2.state import Preview2
from wasm2oci.wasi.preview2.streams import MisuseError
from wasm2oci.wasi.preview2.trace import traced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from wasm2oci.engine.component.concurrency.threads import Loop
    from wasm2oci.engine.component.functions import ComponentFunction
    from wasm2oci.engine.component.instance import ComponentInstance
    from wasm2oci.engine.component.store import LoadedComponent
    from wasm2oci.runtime.request import RunRequest
    from wasm2oci.wasi.preview2.streams import Pollable
    from wasm2oci.wasi.waiting import Interrupt

__all__ = ["ComponentHost", "ComponentRun", "call", "exported", "instantiated"]

_OFFERED: Final = "WASI 0.2 and 0.3"
_VERSIONED: Final = re.compile(r"(wasi:[a-z-]+/[a-z-]+)@0\.([23])\.[0-9]+")


class ComponentRun(NamedTuple):
    """An instance, what its host offers, and the state of that."""

    instance: ComponentInstance
    host: ComponentHost
    state: Preview2


@contextlib.contextmanager
def instantiated(component: LoadedComponent, request: RunRequest, interrupt: Interrupt) -> Iterator[ComponentRun]:
    """An instance for as long as the block runs.

    Args:
        component: what is instantiated.
        request: what it is given, and its limits.
        interrupt: ends every wait of the guest.

    Raises:
        GuestSetupError: it imports what is not offered, asks for too much, or a directory cannot be opened.
        Trap: a start function trapped.
    """
    with open_wasi(request, interrupt) as wasi, Preview2(wasi) as state:
        host = ComponentHost(state)
        store = Store(
            component,
            host,
            limits=ceilings(request.limits),
            fuel=request.limits.fuel,
            missing_as_traps=request.missing_as_traps,
            watch=None if request.trace is None else _watch(request.trace),
        )
        host.loop = store.loop
        try:
            try:
                with _misuse_as_trap():
                    instance = store.instantiate()
            except UnlinkableError as error:
                raise GuestSetupError(str(error), remedy=Remedy(RemedyKind.TRAP_MISSING, _OFFERED)) from error
            except ResourceLimitError as error:
                raise GuestSetupError(str(error)) from error
            yield ComponentRun(instance, host, state)
        finally:
            store.close()


def exported(instance: ComponentInstance, path: tuple[str, ...]) -> ComponentFunction:
    """The function that an instance exports, by the names of what holds it and its own; its type has it there."""
    items = instance.exports
    for name in path[:-1]:
        items = items[name][1]
    function: ComponentFunction = items[path[-1]][1]
    return function


def call(function: ComponentFunction, *values: Any) -> Any:
    """Call a function of an instance, and have its task end.

    Raises:
        Trap: it trapped.
    """
    with _misuse_as_trap():
        return (function.to_end or function.call)(*values)


@contextlib.contextmanager
def _misuse_as_trap() -> Iterator[None]:
    try:
        yield
    except MisuseError as error:
        raise Trap(TrapKind.UNREACHABLE, str(error)) from error


def _watch(write: Callable[[str], object]) -> Callable[[tuple[str, str], HostCall], Callable[..., Any]]:
    return lambda name, offered: traced("#".join(name), offered.call, write)


class ComponentHost:
    """WASI 0.2 and 0.3 as a host of components.

    Args:
        state: that of the run.

    Attributes:
        loop: that of the store, for streams and futures of WASI 0.3.
    """

    def __init__(self, state: Preview2) -> None:
        self._state = state
        self.loop: Loop | None = None
        self._interfaces = _interfaces(RESOURCES, FUNCTIONS, state)
        self._later: dict[str, dict[str, HostCall | ResourceType]] | None = None

    def interface(self, name: str) -> Mapping[str, HostCall | ResourceType] | None:
        """See `Host.interface`."""
        found = _VERSIONED.fullmatch(name)
        if found is None:
            return None
        return (self._interfaces if found[2] == "2" else self._preview3()).get(found[1])

    def _preview3(self) -> dict[str, dict[str, HostCall | ResourceType]]:
        """The interfaces of WASI 0.3, made when the first of them is imported."""
        if self._later is None:
            from wasm2oci.engine.component.concurrency.host_side import HostSide  # noqa: PLC0415 - as below
            from wasm2oci.wasi.preview3 import functions  # noqa: PLC0415 - few components need it
            from wasm2oci.wasi.preview3.state import Preview3  # noqa: PLC0415 - as above

            state = Preview3(self._state, HostSide(self.loop))
            self._later = _interfaces(functions.RESOURCES, functions.FUNCTIONS, state)
        return self._later

    def wait(self, waits: Sequence[Pollable], *, block: bool) -> Sequence[int]:
        """See `Host.wait`."""
        return self._state.wait(waits, block=block)


def _interfaces(
    resources: Mapping[str, Sequence[str]], functions: Sequence[Any], state: Any
) -> dict[str, dict[str, HostCall | ResourceType]]:
    """The items of each interface of a table, for a run."""
    made: dict[str, dict[str, HostCall | ResourceType]] = {}
    for interface, names in resources.items():
        made.setdefault(interface, {}).update({name: ResourceType(name, None, _close) for name in names})
    for row in functions:
        made.setdefault(row.interface, {})[row.name] = HostCall(row.signature, row.bind(state))
    return made


def _close(resource: Any) -> None:
    """Lets go of what a resource holds, if it holds something."""
    close = getattr(resource, "close", None)
    if close is not None:
        close()
