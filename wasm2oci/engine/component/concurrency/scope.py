"""The definition of a canonical built-in with what it refers to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from wasm2oci.engine.component.abi import left_component
from wasm2oci.engine.runtime.trap import WasmException

if TYPE_CHECKING:
    from wasm2oci.engine.component.concurrency.threads import Loop
    from wasm2oci.engine.component.functions import Options
    from wasm2oci.engine.component.instance import ComponentInstance
    from wasm2oci.engine.syntax.component import CanonFunction
    from wasm2oci.engine.syntax.values import Val

__all__ = ["BuiltinScope"]


class BuiltinScope(NamedTuple):
    """A definition, the instance that it is in, and the loop of its store."""

    loop: Loop
    instance: ComponentInstance
    definition: CanonFunction

    @property
    def keyword(self) -> str:
        """What it makes."""
        return self.definition.keyword

    def number(self, operand: str) -> int:
        """An operand that is a number."""
        return int(self.definition.operands[operand] or 0)

    def flag(self, operand: str) -> bool:
        """An operand that is a flag."""
        return bool(self.definition.operands[operand])

    def item(self, sort: str, operand: str) -> Any:
        """What an operand refers to."""
        return self.instance.at(sort, self.number(operand))

    def result(self) -> Val | None:
        """The type of a result."""
        found: Val | None = self.instance.value(self.definition.operands["result"])
        return found

    def options(self) -> Options:
        """The options; code that makes room for values sees nothing of the task that runs, and calls nothing."""
        instance = self.instance
        options = instance.options(self.definition)
        realloc = options.realloc
        if realloc is None:
            return options

        def apart(*sizes: int) -> int:
            before, instance.may_leave = instance.may_leave, False
            try:
                with self.loop.apart():
                    return realloc(*sizes)
            except WasmException as error:
                raise left_component() from error
            finally:
                instance.may_leave = before

        return options._replace(realloc=apart)
