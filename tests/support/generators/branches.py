"""Random branches: to any label around, with what it carries, for good or on a condition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.generators.operands import I31, Operands

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.generators.operands import Label

__all__ = ["Branches"]


class Branches(Operands):
    """Adds instructions that leave, or may leave, the place they stand at."""

    def targets(self, wanted: Callable[[Label], bool]) -> list[Label]:
        """Labels to choose from: near ones are listed more often."""
        found = [label for label in self.labels if wanted(label)]
        if self.plain:
            return [label for label in found if not label.types] or found
        return found + found[-3:] + found[-1:]

    def pay(self, *labels: Label) -> None:
        """A tick, where a branch goes back to a loop that asks for one."""
        if any(label.ticks for label in labels):
            self.emit("(call $tick)")

    def jump(self) -> None:
        """Leaves for good."""
        draw = self.random
        pick = draw.random()
        if pick < 0.5:
            label = draw.choice(self.targets(lambda _: True))
            self.pay(label)
            self.extra()
            for type_ in label.types:
                self.push(type_)
            self.emit(f"br {label.name}")
        elif pick < 0.75:
            self.table(draw.choice(self.labels).types)
        elif pick < 0.87:
            for type_ in self.results:
                self.push(type_)
            self.emit("return")
        elif pick < 0.91:
            self.emit("(call $tick)")
            self.emit(f"(return_call ${self.name} {self.value()} {self.value()})")
        elif pick < 0.97:
            self.emit(f"(throw $number {self.value()})" if draw.random() < 0.5 else "throw $empty")
        else:
            self.emit("unreachable")
        self.dead = True
        if draw.random() < 0.3:
            self.after()

    def extra(self) -> None:
        """Operands that a branch leaves behind."""
        for _ in range(self.random.choice((0, 0, 0, 0, 1, 2))):
            self.push(self.random.choice(("i32", "i64")))

    def table(self, types: tuple[str, ...]) -> None:
        """A br_table to labels that carry the same."""
        draw = self.random
        same = self.targets(lambda label: label.types == types)
        chosen = [draw.choice(same) for _ in range(draw.randint(1, 5))]
        self.pay(*chosen)
        for type_ in types:
            self.push(type_)
        self.push("i32")
        if draw.random() < 0.7:
            self.emit("(i32.const 7) i32.and")
        self.emit(f"br_table {' '.join(label.name for label in chosen)}")

    def after(self) -> None:
        """Code that is never reached, with operands that are not there."""
        draw = self.random
        for _ in range(draw.randint(1, 3)):
            label = draw.choice(self.labels)
            self.emit(
                draw.choice(
                    (
                        "drop",
                        "i32.eqz drop",
                        "i32.add local.set $c",
                        "select drop",
                        "i64.extend_i32_u local.set $w",
                        f"br {label.name}",
                        f"br_table {label.name} {label.name}",
                        "unreachable",
                        "return",
                    )
                )
            )

    def conditional(self) -> None:
        """Leaves, or does not."""
        draw = self.random
        label = draw.choice(self.targets(lambda _: True))
        self.pay(label)
        types = label.types
        pick = draw.random()
        if types and types[-1] == I31 and pick < 0.8:
            kind = f"br_on_cast {label.name} anyref {I31}"
            self.branch_on(types[:-1], kind, ("anyref",))
        elif types and types[-1] == "anyref" and pick < 0.4:
            self.branch_on(types[:-1], f"br_on_cast_fail {label.name} anyref {I31}", (I31,))
        elif types and types[-1] == "anyref" and pick < 0.8:
            self.branch_on(types[:-1], f"br_on_non_null {label.name}", ())
        elif pick < 0.12 and not self.plain:
            self.branch_on(types, f"br_on_null {label.name}", ("anyref",))
        elif pick < 0.2 and not self.plain:
            self.emit(f"(call $throws {self.value()})")
        else:
            self.extra_held(types, label.name)

    def branch_on(self, carried: tuple[str, ...], instruction: str, left: tuple[str, ...]) -> None:
        for type_ in carried:
            self.push(type_)
        self.emit(self.reference())
        self.emit(instruction)
        self.take_all((*carried, *left))

    def extra_held(self, types: tuple[str, ...], name: str) -> None:
        """A br_if, sometimes with operands below what it carries."""
        below = ("i32",) if self.random.random() < 0.15 else ()
        for type_ in (*below, *types):
            self.push(type_)
        self.emit(self.condition())
        self.emit(f"br_if {name}")
        self.take_all((*below, *types))
