"""Guarded bodies and their handlers as Python text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.engine.translate.body import FUNCTION_END
from wasm2oci.engine.translate.branch_statements import BranchStatements
from wasm2oci.engine.translate.tree import Carry

if TYPE_CHECKING:
    from wasm2oci.engine.translate.body import Catch
    from wasm2oci.engine.translate.emitter import Emitter
    from wasm2oci.engine.translate.loops import LoopFacts
    from wasm2oci.engine.translate.tree import Catches, Node, Raise, Try

__all__ = ["HandlerStatements"]


class HandlerStatements(BranchStatements):
    """The nodes that guard, catch and raise."""

    def __init__(self, e: Emitter, loops: LoopFacts) -> None:
        super().__init__(e, loops)
        self.caught: list[str] = []

    def try_(self, node: Try) -> None:
        """A guarded body and its handler."""
        e = self.e
        ind = e.ind
        name = f"e{node.number}"
        e.line(f"{name}=None")
        self.block("try:", node.body)
        e.line(f"except WasmException as w:{name}=w")
        self.caught.append(name)
        self.block(f"if {name} is not None:", node.handler)
        self.caught.pop()
        e.ind = ind

    def raise_(self, _: Raise) -> None:
        """The exception again."""
        self.e.line(f"raise {self.caught[-1]}")

    def catches(self, node: Catches) -> None:
        """The clauses of a try_table, each with its values and its jump."""
        e, name = self.e, self.caught[-1]
        ind = e.ind
        joint = False  # a clause before falls out of the handler
        for clause, nodes in node.clauses:
            if clause.kind < 2:
                header = e.line(f"{'elif' if joint else 'if'} {name}.tag is X{clause.tag}:")
                e.ind = ind + " "
            elif joint:
                header = e.line("else:")
                e.ind = ind + " "
            else:
                header = -1
            self.clause(clause, nodes, name)
            if header >= 0 and e.empty(header):
                e.line("pass")
            e.ind = ind
            joint = joint or (len(nodes) == 1 and isinstance(nodes[0], Carry))
        if joint and node.orelse:
            self.block("else:", node.orelse)
        else:
            self.write(node.orelse)

    def clause(self, clause: Catch, nodes: list[Node], name: str) -> None:
        """One clause."""
        e, target = self.e, clause.target
        count = target.arity - (clause.kind & 1)
        if target.cont == FUNCTION_END:
            parts = [f"*{name}.values"] if count else []
            if clause.kind & 1:
                parts.append(name)
            if target.arity == 1:
                e.line(f"return {name}.values[0]" if count else f"return {name}")
            elif count and not clause.kind & 1:
                e.line(f"return {name}.values")
            else:
                e.line(f"return ({','.join(parts)})" if parts else "return")
            return
        names = [f"s{target.height + i}" for i in range(target.arity)]
        if count:
            e.line(f"{','.join(names[:count])},={name}.values")
        if clause.kind & 1:
            e.line(f"{names[-1]}={name}")
        self.write(nodes[1:])
