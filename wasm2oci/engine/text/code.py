"""Expressions and function bodies, from text to binary. Spec: core, text format, instructions (6.5).

Most runs of atoms are whole instructions, and few are different: each is assembled once and then found in
`Context.memo`. What names a local is forgotten with its function; what names a label is never kept.

Folded instructions nest as deep as the text pleases: they are kept on a list, not on Python's stack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.text.encode import uleb, vector
from wasm2oci.engine.text.frames import PARTS, TRY_PARTS, UNTYPED, Hinted, OpenBlock, goes_on, takes_operands
from wasm2oci.engine.text.instructions import CONTROL, PLAIN, block_opcode, instruction
from wasm2oci.engine.text.labels import Labels
from wasm2oci.engine.text.patterns import HINTS
from wasm2oci.engine.text.spaces import IndexSpace

if TYPE_CHECKING:
    from wasm2oci.engine.text.context import Context
    from wasm2oci.engine.text.cursor import Cursor

__all__ = ["Code"]

_BLOCKS: Final = frozenset({"block", "loop", "if", "try_table", "try"})
_CLAUSES: Final = ("catch", "catch_ref", "catch_all", "catch_all_ref")
_HINT: Final = "(@metadata.code.branch_hint"
_END: Final = b"\x0b"


class Code:
    """Assembles the instructions of one expression or function body.

    Args:
        context: the module's.
        cursor: where the instructions start.
        locals_: the locals' index space.
        body: it is a function's body, not a constant expression.

    Attributes:
        labels: those of the blocks around the place that is read.
        lasting: whether the instruction that is being read means the same everywhere in the module.
    """

    context: Context
    cursor: Cursor

    def __init__(
        self, context: Context, cursor: Cursor, locals_: IndexSpace | None = None, *, body: bool = False
    ) -> None:
        self.context = context
        self.cursor = cursor
        self.labels = Labels()
        self.lasting = True
        self._body = body
        self._locals = locals_ or IndexSpace("local")
        self._parts: list[bytes] = []
        self._local_runs: list[str] = []
        self._named_local = False
        self._hints: dict[int, bytes] = {}  # of flat instructions, by the number of their part
        self._has_hints = False

    def expression(self) -> bytes:
        """Reads instructions up to a closing parenthesis, which is left; gives them with their `end`."""
        self._instructions()
        return b"".join(self._parts) + _END

    def folded(self) -> bytes:
        """Reads one folded instruction; gives it as an expression."""
        if self.cursor.peek() != "(":
            raise self.cursor.error("unexpected token, expected an instruction in parentheses")
        self._instructions(single=True)
        return b"".join(self._parts) + _END

    def hints(self) -> list[tuple[int, bytes]]:
        """The branch hints, each with the offset of its instruction in the expression."""
        out, offset = [], 0
        for number, part in enumerate(self._parts if self._has_hints else ()):
            hint = part.hint if isinstance(part, Hinted) else self._hints.get(number)
            if hint is not None:
                out.append((offset, hint))
            offset += len(part)
        return out

    # --- what instructions name ---------------------------------------------------------------------------------

    def data(self) -> int:
        """Reads the index of a data segment."""
        if self._body:
            self.context.needs_data_count = True
        else:
            self.lasting = False  # the same instruction in a body says something about the module
        return self.context.datas.index(self.cursor)

    def local(self) -> int:
        """Reads the index of a local."""
        if self.cursor.peek()[:1] == "$":
            self._named_local = True
        return self._locals.index(self.cursor)

    def label(self) -> int:
        """Reads a label; gives its depth."""
        if self.cursor.peek()[:1] == "$":
            self.lasting = False
        return self.labels.depth(self.cursor)

    # --- the loop -----------------------------------------------------------------------------------------------

    def _instructions(self, *, single: bool = False) -> None:
        """Reads instructions up to a parenthesis that closes none of them, or one folded instruction."""
        cursor = self.cursor
        tokens, get, emit, labels = cursor.tokens, self.context.memo.get, self._parts.append, self.labels
        frames: list[bytes | OpenBlock] = []  # folded instructions that wait for their operands, and folded blocks
        operands = False  # only folded instructions may follow
        if cursor.left:
            self._flat()
        pos = cursor.pos
        while True:
            token = tokens[pos]
            found = get(token)
            if found is not None and not operands:
                emit(found)
                pos += 1
                continue
            if token == "(":
                found = get(tokens[pos + 1])
                if found is None:
                    cursor.pos = pos
                    self._form(frames)
                    operands = takes_operands(frames)
                    if cursor.left:
                        self._flat()
                    pos = cursor.pos
                elif tokens[pos + 2] == ")":
                    emit(found)
                    pos += 3
                else:
                    frames.append(found)
                    pos += 2
                    operands = True
                    continue
            elif token == ")" and frames:
                top = frames[-1]
                if isinstance(top, bytes):
                    emit(top)
                    frames.pop()
                    pos += 1
                else:
                    cursor.pos = pos
                    self._close(frames, top)
                    if cursor.left:
                        self._flat()
                    pos = cursor.pos
                operands = takes_operands(frames)
            elif token in {")", ""}:
                cursor.pos = pos
                break
            elif operands:
                cursor.pos = pos
                self._continued(frames)
                pos = cursor.pos
            elif token == "end" and len(labels.stack) > labels.floor and tokens[pos + 1][:1] != "$":
                labels.leave()
                emit(_END)
                pos += 1
            elif token in UNTYPED and tokens[pos + 1][:1] not in "($":
                opening, kind = UNTYPED[token]
                labels.enter(None, kind)
                labels.count += 1
                emit(opening)
                pos += 1
            else:
                cursor.pos = pos
                self._flat()
                pos = cursor.pos
            if single and not frames:
                break
        cursor.pos = pos
        if frames or len(labels.stack) > labels.floor:
            raise cursor.error("unexpected token, expected end")
        for run in self._local_runs:
            self.context.memo.pop(run, None)
        self._local_runs.clear()

    def _flat(self) -> None:
        """Reads the instructions of a run that the memo lacks, or of the rest of one."""
        cursor, memo = self.cursor, self.context.memo
        if not cursor.left and goes_on(cursor.tokens[cursor.pos]) and cursor.tokens[cursor.pos - 1] in memo:
            # An instruction that was found in the memo goes on in the next line.
            cursor.pos -= 1
            self._parts.pop()
        start, whole = cursor.pos, not cursor.left
        self.lasting, self._named_local = True, False
        while True:
            mnemonic = cursor.next()
            if mnemonic in CONTROL:
                self.lasting = False
                self._control(mnemonic)
            else:
                assembled = PLAIN.get(mnemonic) or instruction(self, mnemonic)
                self._parts.append(assembled)
            if not cursor.left:
                break
            self.lasting = False
            whole = False
        if whole and self.lasting and cursor.pos == start + 1:
            self._keep(cursor.tokens[start], assembled)

    def _keep(self, run: str, assembled: bytes) -> None:
        self.context.memo[run] = assembled
        if self._named_local:
            self._local_runs.append(run)

    # --- folded instructions ------------------------------------------------------------------------------------

    def _form(self, frames: list[bytes | OpenBlock]) -> None:
        """Reads the head of a folded instruction."""
        cursor = self.cursor
        top = frames[-1] if frames else None
        start = cursor.pos + 1
        head = cursor.head_at(cursor.pos)
        if head == _HINT:
            self._hint(frames)
            return
        cursor.pos += 1
        if head[:2] == "(@" or not head:
            raise cursor.error("unexpected token, expected an instruction")
        cursor.next()
        if isinstance(top, OpenBlock) and (head == "then" or top.kind in TRY_PARTS):
            self._part(frames, top, head)
        elif head in {"then", "else", "do", "catch", "catch_all", "delegate", "end"}:
            raise cursor.error_before(f"unexpected token {head}")
        elif head in _BLOCKS:
            opening, id_ = self._opening(head)
            if head == "if":
                frames.append(OpenBlock("if", id_, opening, 0, self.labels.floor))
                self._nothing_left()
            else:
                self._parts.append(opening)
                frames.append(self._entered("try" if head == "try" else "block", id_))
        else:
            self.lasting, self._named_local = True, False
            assembled = PLAIN.get(head) or instruction(self, head)
            self._nothing_left()
            if self.lasting and cursor.pos == start + 1:
                self._keep(cursor.tokens[start], assembled)
            frames.append(assembled)

    def _continued(self, frames: list[bytes | OpenBlock]) -> None:
        """Reads the head of a folded instruction again that goes on in the next line."""
        cursor = self.cursor
        if not (isinstance(frames[-1], bytes) and goes_on(cursor.peek()) and cursor.tokens[cursor.pos - 2] == "("):
            raise cursor.error("unexpected token, expected ')' or an operand")
        cursor.pos -= 1
        frames[-1] = instruction(self, cursor.next())
        self._nothing_left()

    def _nothing_left(self) -> None:
        """Checks that a run is used up: operands stand in parentheses."""
        if self.cursor.left:
            raise self.cursor.error("unexpected token, expected ')' or an operand")

    def _part(self, frames: list[bytes | OpenBlock], top: OpenBlock, head: str) -> None:
        """Enters `(then`, `(else`, or a part of a folded `try`."""
        cursor = self.cursor
        if head not in PARTS.get(top.kind, ()):
            raise cursor.error_before(f"unexpected token {head}")
        if head == "then":
            self._parts.append(top.opening)
            frames[-1] = self._entered("then", top.id)
            return
        if head in {"catch", "catch_all"}:
            self._parts.append(self._catch(head))
        elif head == "delegate":
            self.labels.leave()
            self._parts.append(block_opcode("delegate") + uleb(self.label()))
            cursor.close()
            cursor.close()
            frames.pop()
            self.labels.floor = top.outer
            return
        frames[-1] = top._replace(kind="try after catch_all" if head == "catch_all" else "try after do")
        frames.append(top._replace(kind=head))

    def _entered(self, kind: str, id_: str | None) -> OpenBlock:
        """The frame of a folded block that is entered now."""
        outer = self.labels.floor
        self.labels.enter(id_, kind)
        self.labels.floor = len(self.labels.stack)
        return OpenBlock(kind, id_, b"", self.labels.floor, outer)

    def _close(self, frames: list[bytes | OpenBlock], top: OpenBlock) -> None:
        """Passes the parenthesis that closes a folded block, or a part of one."""
        cursor = self.cursor
        if top.kind == "if":
            raise cursor.error("unexpected token, expected then")
        if top.kind == "try":
            raise cursor.error("unexpected token, expected do")
        if len(self.labels.stack) > top.height:
            raise cursor.error("unexpected token, expected end")
        cursor.close()
        frames.pop()
        if top.kind in {"do", "catch", "catch_all"}:
            return
        if top.kind == "then":
            if cursor.open("else"):
                self._parts.append(block_opcode("else"))
                frames.append(top._replace(kind="else"))
                return
            cursor.close()
        elif top.kind == "else":
            cursor.close()
        self._parts.append(_END)
        self.labels.leave()
        self.labels.floor = top.outer

    # --- blocks -------------------------------------------------------------------------------------------------

    def _opening(self, mnemonic: str) -> tuple[bytes, str | None]:
        """Reads a block's label and type, and a `try_table`'s clauses; gives its opening and its identifier."""
        id_ = self.labels.declare(self.cursor)
        opening = block_opcode(mnemonic) + self.context.types.block(self.cursor)
        if mnemonic == "try_table":
            clauses = []
            while kind := self.cursor.open(*_CLAUSES):
                tag = b"" if "all" in kind else uleb(self.context.tags.index(self.cursor))
                clauses.append(bytes([_CLAUSES.index(kind)]) + tag + uleb(self.label()))
                self.cursor.close()
            opening += vector(clauses)
        return opening, id_

    def _control(self, mnemonic: str) -> None:
        """Reads what belongs to a flat block instruction, `else`, `end` or the like."""
        labels, emit = self.labels, self._parts.append
        if mnemonic in _BLOCKS:
            opening, id_ = self._opening(mnemonic)
            emit(opening)
            labels.enter(id_, mnemonic)
        elif mnemonic == "end":
            labels.flat(self.cursor, mnemonic)
            self._repeated(labels.leave())
            emit(_END)
        elif mnemonic == "else":
            id_ = labels.flat(self.cursor, mnemonic, "if")
            labels.become("else")
            self._repeated(id_)
            emit(block_opcode("else"))
        elif mnemonic == "delegate":
            labels.flat(self.cursor, mnemonic, "try")
            labels.leave()
            emit(block_opcode("delegate") + uleb(self.label()))
        else:
            labels.flat(self.cursor, mnemonic, "try", "catch")
            labels.become(mnemonic)
            emit(self._catch(mnemonic))

    def _catch(self, mnemonic: str) -> bytes:
        """Reads the tag of a `catch`; gives that instruction, or `catch_all`."""
        tag = uleb(self.context.tags.index(self.cursor)) if mnemonic == "catch" else b""
        return block_opcode(mnemonic) + tag

    def _repeated(self, id_: str | None) -> None:
        """Reads an identifier that may repeat that of the block."""
        if self.cursor.peek()[:1] == "$":
            again = self.cursor.identifier()
            if again != id_:
                raise self.cursor.error_before(f"mismatching label {again}")

    def _hint(self, frames: list[bytes | OpenBlock]) -> None:
        """Reads a branch hint, and the head of the instruction after it where that is folded."""
        cursor = self.cursor
        cursor.open(_HINT)
        hint = cursor.strings()
        if hint not in HINTS:
            raise cursor.error_before("@metadata.code.branch_hint annotation: invalid value")
        cursor.close()
        self._has_hints = True
        if cursor.at_form(_HINT):
            raise cursor.error("@metadata.code.branch_hint annotation: duplicate annotation")
        depth = len(frames)
        if cursor.peek() == "(":
            self._form(frames)
        if len(frames) == depth:
            self._hints[len(self._parts)] = hint
            return
        top = frames[-1]
        if isinstance(top, bytes):
            frames[-1] = Hinted(top, hint)
        else:
            frames[-1] = top._replace(opening=Hinted(top.opening, hint))
