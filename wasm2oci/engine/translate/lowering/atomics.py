"""Lowerings of the threads proposal: each is a call of a function of `runtime.atomics`, `atomic.fence` is nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.syntax.features import Feature
from wasm2oci.engine.syntax.opcodes import OPCODES
from wasm2oci.engine.syntax.types import I32
from wasm2oci.engine.translate.lowering.memory import effective_address, statement_call
from wasm2oci.engine.translate.lowering.operands import call
from wasm2oci.engine.translate.value import EFFECT, M32, M64, V, mask

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.syntax.opcodes import Opcode
    from wasm2oci.engine.translate.emitter import Emitter

    Lowering = Callable[[Emitter, Any], None]

__all__ = ["ATOMICS"]


_OPERATION: Final = re.compile(r"[.]([a-z]+)")


def _fence(_e: Emitter, _immediate: Any) -> None:
    pass


def _access(row: Opcode) -> Lowering:
    """A call of the helper for a row, with the memory, the effective address and, but for notify, the width first."""
    name = f"atomic_{_OPERATION.findall(row.mnemonic)[-1]}"
    params = row.params or ()
    masks = [M32 if type_ == I32 else M64 for type_ in params[1:]]
    fixed = [] if name == "atomic_notify" else [str(row.width)]
    status = name in {"atomic_notify", "atomic_wait"}

    def lower(e: Emitter, immediate: Any) -> None:
        offset, memory = immediate
        address, *values = e.popn(len(params))
        operands = [e.exact(mask(value, m)) for value, m in zip(values, masks, strict=True)]
        place = effective_address(e, address, memory, offset)
        if row.results:
            arguments = [V(f"M{memory}", 0, 1, 0), place, *(V(text, 0, 1, 0) for text in fixed), *operands]
            call(e, name, arguments, EFFECT, M32 if status else (1 << 8 * row.width) - 1)
        else:
            statement_call(e, name, [f"M{memory}"], [place, *(V(text, 0, 1, 0) for text in fixed), *operands])

    return lower


ATOMICS: Final[dict[str, Lowering]] = {
    row.mnemonic: _fence if row.mnemonic == "atomic.fence" else _access(row)
    for row in OPCODES.values()
    if row.feature == Feature.THREADS
}
"""Mnemonic to lowering."""
