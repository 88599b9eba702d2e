"""Control flow as Python's own: `while True:`, `if`, `break` and `continue`; `shape` says how branches find their way.

A loop is a `while True:` that ends with a `break`; a leading exit test becomes its condition. A block costs nothing
unless `shape` found that only a loop of its own will do. Exceptions are used for the guest's own only (`try_table`).
"""

from typing import TYPE_CHECKING, Any

from wasm2oci.engine.translate.counting import at_the_end, at_the_start, find_tail
from wasm2oci.engine.translate.emitter import Emitter, Range, Steady, merge, type_mask
from wasm2oci.engine.translate.instructions import FUNCTION_END, Catch, Construct
from wasm2oci.engine.translate.lowering import LOWERING
from wasm2oci.engine.translate.lowering.references import test_text
from wasm2oci.engine.translate.shape import GROUP, MAX_BLOCKS, MAX_INDENT, Chain, Frame, Shape
from wasm2oci.engine.translate.value import M32, PURE, READ, SMALL, V, boolean, mask, negated, paren

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Structured", "TooDeep"]

BLOCK, LOOP, IF, ELSE, END, BR, BR_IF, BR_TABLE, RETURN = 0x02, 0x03, 0x04, 0x05, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F
TRY_TABLE, TEE = 0x1F, 0x22
BR_ON_NULL, BR_ON_NON_NULL, BR_ON_CAST, BR_ON_CAST_FAIL = 0xD5, 0xD6, 0xFB0018, 0xFB0019


_FREE = frozenset((BLOCK, LOOP, ELSE, END))
"""They only mark places, and cost no fuel."""
_COUNTS = [0x20, 0x41, 0x6A, 0x22, 0x41, 0x47, BR_IF]
"""local.get, i32.const, i32.add, local.tee, i32.const, i32.ne, br_if"""


class TooDeep(Exception):  # noqa: N818 - not an error: another way is taken
    """CPython's limits on nesting do not allow structured control flow."""


class Structured:
    """One walk over a function, writing it as it goes.

    Args:
        e: where operands and lines are kept.
        hints: for loops, what an earlier walk learned about locals at their back edges.
        caps: for loops, how far locals were found to be aligned; None: nothing is assumed of what a loop assigns.

    Attributes:
        given: loops whose counters were found not to wrap in an earlier walk.
        proven: the same for this walk, where it was not clear beforehand.
        refused: loops that turned out not to be writable as `for`.
    """

    def __init__(
        self, e: Emitter, hints: dict[int, dict[int, Range]], caps: dict[int, dict[int, int]] | None = None
    ) -> None:
        self.e = e
        self.shape = Shape()
        self.hints = hints
        self.learned: dict[int, dict[int, Range]] = {}
        self.trusts = caps is not None
        self.caps = {} if caps is None else caps
        self.assumed: dict[int, dict[int, int]] = {}
        self.open_: list[Construct] = [e.body.constructs[0]]
        self.entered: list[dict[int, Range]] = []  # what was known where each open `if` or `try` began
        self.special: dict[int, int | Frame] = {}  # instructions that are more than their lowering, see `step`
        self.given: set[int] = set()
        self.proven: set[int] = set()
        self.refused: set[int] = set()
        self.next = 0
        self.flags = 0

    def walk(self) -> None:
        """Translates the whole body."""
        e = self.e
        code = e.body.code
        handlers: dict[int, Callable[[Any], None]] = {
            BLOCK: self.open,
            LOOP: self.open,
            IF: self.open_if,
            TRY_TABLE: self.open,
            ELSE: self.else_,
            END: self.end,
            BR: self.br,
            RETURN: self.br,
            BR_IF: self.br_if,
            BR_TABLE: self.br_table,
            BR_ON_NULL: self.br_on_null,
            BR_ON_NON_NULL: self.br_on_non_null,
            BR_ON_CAST: self.br_on_cast,
            BR_ON_CAST_FAIL: self.br_on_cast_fail,
        }
        lowerings, fuel = LOWERING, e.fuel
        special = self.special
        for index, (op, item, offset) in enumerate(code):
            e.at = offset
            e.place = index
            if fuel and op not in _FREE:
                e.count += 1
            if op in lowerings:
                if index in special:
                    self.step(special[index], op, item)
                else:
                    lowerings[op](e, item)
            else:
                self.next = index + 1
                handlers[op](item)

    def step(self, what: "int | Frame", op: int, item: Any) -> None:
        """An instruction whose result is kept (a number) or was kept (its complement), or a loop's counter."""
        e = self.e
        if not isinstance(what, Frame):
            LOWERING[op](e, item)
            if what >= 0:
                e.keep(what)
            else:
                e.reuse(~what)
        elif what.count is not None:  # the `for` assigns it
            e.local_steps(item, e.stack.pop())
            if op == TEE:
                e.stack.append(e.local_get(item))
        else:
            v = e.stack[-1]
            if v.lo >= 0 and v.hi <= what.tail.mask:
                self.proven.add(what.owner.start)
            LOWERING[op](e, item)

    # --- constructs ------------------------------------------------------------------------------
    def open(self, c: Construct) -> None:
        """Opens a block, loop or try_table."""
        e = self.e
        chain = c.chain
        self.open_.append(c)
        if chain is not None and c.kind == "block" and (chain.loop is not None or c is not chain.blocks[-1]):
            c.height = len(e.stack)
            self.shape.bases[c] = self.shape.bases[self.open_[-2]]
            if c is chain.blocks[0]:
                self.segment(chain, 0)
            return
        e.enter(c, settle_params=c.params > 0)
        self.open_frames(c)
        if c.kind == "loop":
            self.loop_header(c)
        elif c.kind == "try":
            e.guarded += 1
            self.entered.append(dict(e.ranges))
        if chain is not None and c is chain.blocks[0]:
            self.segment(chain, 0)

    def loop_header(self, c: Construct) -> None:
        """What is known of locals at a loop's start."""
        e = self.e
        if c.targeted:
            before = e.ranges
            e.forget(c.assigned)
            counted = self.counter(c, before)
            hint = self.hints.get(c.start)
            if hint is not None:
                for index, (lo, hi, _) in merge(before, hint).items():
                    if index >= 0 and c.assigned >> 2 * index & 1:
                        e.ranges[index] = (lo, hi, 0)  # alignment is `align`'s
            if counted is not None:
                e.ranges[counted[0]] = counted[1]
            if self.trusts:
                self.align(c, before)
            self.count(c, before)
            e.charge()
            e.poll()

    def count(self, c: Construct, before: dict[int, Range]) -> None:
        """Looks whether a loop counts, and writes it as a `for` if that is clear already."""
        e, frame = self.e, self.shape.frames[-1]
        if not frame.steady or e.fuel or e.polls or c.start in self.refused:
            return
        tail = frame.tail = find_tail(e.body, c)
        if tail is None:
            return
        self.special[tail.at] = frame
        frame.before = before
        if tail.relation:
            count = frame.count = at_the_end(e.body, c, tail, before)
            if count is not None:
                e.out[frame.header] = f"{frame.ind}{count.header}"
                if count.range is not None:
                    e.ranges[tail.local] = count.range

    def counter(self, c: Construct, before: dict[int, Range]) -> tuple[int, Range] | None:
        """The counter of a loop that ends with `counter += step; if counter != last: continue`, and nothing else.

        It starts at a known number, is assigned nowhere else, and hits the last number exactly: so it stays between.
        """
        code = self.e.body.code
        if c.targeted != 1 or c.params or c.end - c.start < 7:
            return None
        tail = code[c.end - 7 : c.end]
        opcodes = [op for op, _, _ in tail]
        if opcodes == _COUNTS:
            local, step, last = tail[0][1], tail[1][1], tail[4][1]
            if tail[3][1] != local:
                return None
        else:
            return None
        start = before.get(local)
        if tail[6][1] is not c or start is None or start[0] != start[1]:
            return None
        first = start[0]
        if not first < last or not step or (last - first) % step:
            return None
        if sum(op in {0x21, 0x22} and item == local for op, item, _ in code[c.start : c.end]) != 1:
            return None
        tz = min((number & -number).bit_length() - 1 if number else 64 for number in (first, step))
        return local, (first, last - step, tz)

    def align(self, c: Construct, before: dict[int, Range]) -> None:
        """Assumes that locals a loop assigns stay as aligned as they come in; `unfounded` says where that was wrong."""
        ranges = self.e.ranges
        capped = self.caps.setdefault(c.start, {})
        used = self.assumed[c.start] = {}
        for index, (_, _, tz) in before.items():
            if index < 0 or not c.assigned >> 2 * index & 1:
                continue
            tz = min(tz, capped.get(index, 64))  # noqa: PLW2901 - narrowed
            known = ranges.get(index)
            if tz > (known[2] if known is not None else 0):
                lo, hi = (known[0], known[1]) if known is not None else (0, self.e.masks[index])
                ranges[index] = (lo, hi, tz)
                used[index] = tz

    def unfounded(self) -> bool:
        """Whether an assumption of `align` did not hold; it is given up for the next walk."""
        wrong = False
        for start, used in self.assumed.items():
            learned = self.learned.get(start, {})
            for index, tz in used.items():
                found = learned.get(index, (0, 0, 0))[2]
                if found < tz:
                    self.caps[start][index] = found
                    wrong = True
        return wrong

    def open_if(self, c: Construct) -> None:
        """Opens an if."""
        e = self.e
        condition = e.pop_condition()
        self.open_.append(c)
        e.enter(c, settle_params=c.params > 0)
        self.open_frames(c, condition)
        e.charge()
        before = dict(e.ranges)
        e.assume(condition)
        taken, e.ranges = e.ranges, before
        e.assume(negated(condition))
        self.entered.append(e.ranges)
        e.ranges = taken

    def open_frames(self, c: Construct, condition: V | None = None) -> None:
        """Writes and pushes the Python frames of a construct."""
        e, shape = self.e, self.shape
        if c.chain is not None and (c.kind == "loop" or c.chain.loop is None):
            chain = c.chain
            e.line(f"{chain.name}=0")
            frame = self.push_loop(c)
            frame.chain = chain
            outermost = chain.blocks[-1]
            frame.brk = chain.loop.after if chain.loop is not None else outermost.after
            if chain.loop is not None:
                frame.conts[chain.loop.cont] = 0
            for block in chain.blocks:
                if (chain.loop is not None or block is not outermost) and block.cont != frame.brk:
                    frame.conts[block.cont] = block.selector
        elif c.plan == "loop" or (c.kind == "loop" and c.targeted):
            frame = self.push_loop(c)
            frame.brk = c.after
            if c.kind == "loop":
                frame.conts[c.cont] = None
        shape.bases[c] = len(shape.frames)
        if c.kind == "if" and condition is not None:
            frame = shape.push(Frame("arm", c, e.ind))
            opposite = negated(condition)
            frame.text = (condition.s, opposite.s)
            frame.header = e.line(f"if {condition.s}:")
            e.ind += " "
        elif c.kind == "try":
            frame = shape.push(Frame("try", c, e.ind))
            e.line(f"e{c.depth}=None")
            frame.header = e.line("try:")
            e.ind += " "
        self.check_depth()

    def push_loop(self, c: Construct) -> Frame:
        """Opens a Python loop."""
        e = self.e
        frame = self.shape.push(Frame("loop", c, e.ind))
        frame.marks = e.line("")
        before = e.line("")
        e.out[-2] = e.out[-1] = None
        frame.header = e.line("while True:")
        if c.kind == "loop" and c.targeted and c.chain is None and not e.compact:
            frame.steady = True
            e.loops.append(Steady(c.assigned, before, len(e.ind), len(e.ind) + 1))
        e.ind += " "
        return frame

    def segment(self, chain: Chain, number: int) -> None:
        """Begins a segment of a chain."""
        e, shape = self.e, self.shape
        _, frame = shape.loop_frame()
        if frame is None:
            raise AssertionError(number)
        base = frame.ind + " "
        group, place = divmod(number, GROUP)
        if place == 0:
            for depth, text in chain.head[group]:
                e.ind = base + " " * depth
                e.line(text)
        e.ind = base + " " * chain.depth[group]
        last = place == GROUP - 1 or number == chain.segments - 1
        if not last:
            e.line(f"if {chain.name}<={number}:")
            e.ind += " "
        segment = shape.push(Frame("segment", chain.blocks[0], e.ind))
        segment.header = len(e.out)
        self.check_depth()
        e.charge()

    def end_segment(self, chain: Chain, number: int) -> None:
        """Ends a segment; what follows is the next one, or the end of the loop."""
        e, shape = self.e, self.shape
        segment = shape.frames.pop()
        if segment.kind != "segment":
            raise AssertionError(segment.kind)
        e.ind = segment.ind
        if number == chain.segments - 1:
            if not e.dead:
                e.line("break")
        elif (number + 1) % GROUP == 0 and not e.dead:
            e.line(f"{chain.name}={number + 1}")
        if len(e.out) == segment.header:
            e.line("pass")

    def check_depth(self) -> None:
        """Gives up where CPython would."""
        if self.shape.blocks > MAX_BLOCKS or len(self.e.ind) > MAX_INDENT:
            raise TooDeep

    def close_ifs(self, c: Construct) -> None:
        """Closes the `if`s that branches to a construct opened."""
        e, frames = self.e, self.shape.frames
        while frames and frames[-1].kind == "if" and frames[-1].owner.depth >= c.depth:
            frame = frames.pop()
            if e.empty(frame.header):
                e.line("pass")
            e.ind = frame.ind

    def close_arm_ifs(self, c: Construct) -> None:
        """Closes every `if` opened inside an arm."""
        e, frames = self.e, self.shape.frames
        while frames[-1].kind == "if":
            # Only blocks that end here, too, may have opened one.
            frame = frames.pop()
            if e.empty(frame.header):
                e.line("pass")
            e.ind = frame.ind
        if frames[-1].owner is not c:
            raise AssertionError(frames[-1].kind)

    def settle_results(self, c: Construct) -> None:
        """Moves results into their slots where another path meets this one."""
        e = self.e
        if e.dead or not c.results:
            return
        values = e.popn(c.results)
        if c.after == FUNCTION_END:
            self.return_values(values)
            return
        e.flush(READ)
        for i, v in enumerate(values):
            v.m = v.m or type_mask(c.result_types[i])
        e.assign_slots(c.height, values)

    def else_(self, c: Construct) -> None:
        """From the first arm to the second."""
        e, frames = self.e, self.shape.frames
        self.settle_results(c)
        falls = not e.dead
        if falls:
            c.state = merge(c.state, e.ranges)
        self.close_arm_ifs(c)
        frame = frames[-1]
        frame.falls = falls
        before = self.entered[-1]
        e.ranges = dict(before)
        del e.stack[c.height :]
        for i, type_ in enumerate(c.param_types):
            e.stack.append(e.slot(c.height + i, type_mask(type_)))
        e.ind = frame.ind
        empty = e.empty(frame.header)
        if falls and not empty:
            e.line("else:")
            frame.header = len(e.out) - 1
            e.ind += " "
        elif falls:
            e.out[frame.header] = f"{frame.ind}if {frame.text[1]}:"
            e.ind += " "
        else:
            frames.pop()
            if frame.skip is not None:
                if empty:
                    e.out[frame.header] = f"{frame.ind}if {frame.text[1]}:"
                    header = frame.header
                else:
                    header = e.line("else:")
                rest = self.shape.push(Frame("if", frame.skip, frame.ind))
                rest.header = header
                e.ind += " "
            elif empty:
                raise AssertionError("an arm that ends without a line")
            c.plan = "flat" + c.plan
        e.dead = False
        e.charge()

    def end(self, c: Construct) -> None:
        """Closes a construct."""
        e, shape = self.e, self.shape
        frames = shape.frames
        if c.kind == "function":
            self.end_function()
            return
        self.open_.pop()
        chain = c.chain
        joins = c.targeted > 0 and c.kind != "loop"
        flat = c.plan.startswith("flat")
        if flat:
            c.plan = c.plan[4:]
        python_loop = bool(frames) and any(f.kind == "loop" and f.owner is c for f in frames)
        if joins or c.kind == "if" or (python_loop and c.results):
            self.settle_results(c)
            settled = True
        else:
            settled = False
        alive = not e.dead
        keep: tuple[Construct, str, bool] | None = None
        if chain is not None and c.kind == "block":
            self.close_ifs(c)
            self.end_segment(chain, c.selector - 1)
        elif chain is not None and c.kind == "loop":
            self.end_segment(chain, chain.segments - 1)
        else:
            self.close_ifs(c)
            if c.kind == "if" and not flat:
                keep = self.end_arm(c)
                alive = alive or keep is not None
        if c.kind == "if":
            before = self.entered.pop()
            if c.els < 0:
                # The path that skipped the arm.
                e.ranges = merge(e.ranges, before) if not e.dead else dict(before)
                alive = True
            e.dead = not alive
            if c.els >= 0 and c.state is not None:
                alive = True
        elif c.kind == "try":
            alive = self.end_try(c) or alive
        # What is known where paths meet.
        if joins and c.state is not None:
            e.ranges = merge(c.state, e.ranges) if not e.dead else c.state
            alive = True
        elif c.kind == "if" and c.state is not None:
            e.ranges = merge(c.state, e.ranges) if not e.dead else c.state
        c.state = None
        frame = frames[-1] if frames else None
        if frame is not None and frame.kind == "loop" and frame.owner is c:
            # The end may be reached by branches that were written as breaks of loops inside, where nothing else falls
            # out: of an `if` from its first arm, of a block from a loop that is its last item.
            self.end_loop(c, frame, alive=not e.dead if c.kind == "loop" else alive)
        elif keep is not None:
            self.reopen(keep)
        e.dead = not alive
        if settled or e.dead:
            del e.stack[c.height :]
            e.stack += e.typed_slots(c.height, c.result_types)
        if chain is not None and c.kind == "block":
            if chain.loop is not None or c is not chain.blocks[-1]:
                self.segment(chain, c.selector)
        elif alive:
            e.charge()

    def end_arm(self, c: Construct) -> tuple[Construct, str, bool] | None:
        """Closes the arm of an if that is open; returns what its `else` is to hold, if a branch asked for it."""
        e, frames = self.e, self.shape.frames
        self.close_arm_ifs(c)
        frame = frames.pop()
        e.ind = frame.ind
        if frame.skip is not None:
            if c.els >= 0 or not e.dead:
                self.shape.failed.add(frame.skip)
                return None
            if e.empty(frame.header):
                e.out[frame.header] = f"{frame.ind}if {frame.text[1]}:"
                return frame.skip, frame.ind, True
            return frame.skip, frame.ind, False
        if e.empty(frame.header):
            if c.els >= 0 and frame.falls and e.out[frame.header] == f"{frame.ind}else:":
                e.take_back(frame.header)
            else:
                e.line(" pass")
        return None

    def reopen(self, keep: tuple[Construct, str, bool]) -> None:
        """The rest of a block goes into the `else` of the arm just closed."""
        e = self.e
        target, ind, inverted = keep
        rest = self.shape.push(Frame("if", target, ind))
        e.ind = ind
        rest.header = len(e.out) - 1 if inverted else e.line("else:")
        e.ind = ind + " "
        self.check_depth()

    def end_loop(self, c: Construct, frame: Frame, *, alive: bool) -> None:
        """Closes a Python loop, and branches on for those that broke out of it for somewhere else."""
        e, frames = self.e, self.shape.frames
        frames.pop()
        if frame.steady:
            e.end_steady(frame.header)
        if alive and frame.chain is None and not frame.falls:
            e.ind = frame.ind + " "
            e.line("break")
        elif e.empty(frame.header):
            e.ind = frame.ind + " "
            e.line("pass")
        e.ind = frame.ind
        if frame.count is not None and frame.count.last:
            e.line("else:")
            e.ind += " "
            e.line(frame.count.last)
            e.ind = frame.ind
        if not frame.flags:
            return
        e.out[frame.marks] = f"{frame.ind}{frame.flag}=0"
        nests: list[tuple[int, Construct]] = []
        for number, target in enumerate(frame.flags, 1):
            way, detail = self.shape.resolve(target, None, conditional=True)
            test = f"{frame.flag}=={number}" if len(frame.flags) > 1 else frame.flag
            if way == "nest":
                nests.append((number, target))
            else:
                e.line(f"if {test}:{self.jump_text(way, detail, target)}")
        # The outermost target first: its `if` has to hold the others'.
        for number, target in sorted(nests, key=lambda item: item[1].depth):
            header = e.line(f"if {frame.flag}!={number}:")
            rest = self.shape.push(Frame("if", target, e.ind))
            rest.header = header
            e.ind += " "
            self.check_depth()
        _ = c

    def end_try(self, c: Construct) -> bool:
        """Closes a try body and writes its handlers; returns whether one of them comes out at its end."""
        e, frames = self.e, self.shape.frames
        self.close_arm_ifs(c)
        frame = frames.pop()
        e.guarded -= 1
        if e.empty(frame.header):
            e.line("pass")
        e.ind = frame.ind
        name = f"e{c.depth}"
        e.line(f"except WasmException as w:{name}=w")
        before = self.entered.pop()
        e.ranges, after = before, e.ranges
        e.forget(c.assigned)
        known, e.ranges = e.ranges, after
        start = e.ind
        e.line(f"if {name} is not None:")
        everything = False
        reached = False
        for clause in c.catches:
            e.ind = start + " "
            if clause.kind < 2:
                e.line(f"if {name}.tag is X{clause.tag}:")
                e.ind += " "
            else:
                everything = True
            reached |= self.handler(clause, name, known)
            if everything:
                break
        e.ind = start + " "
        if not everything:
            e.line(f"raise {name}")
        e.ind = start
        return reached

    def handler(self, clause: Catch, name: str, known: dict[int, Range]) -> bool:
        """One clause: its values, and the branch."""
        e = self.e
        target = clause.target
        count = target.arity - (clause.kind & 1)
        names = [f"s{target.height + i}" for i in range(target.arity)]
        target.state = merge(target.state, known)
        way, detail = self.shape.resolve(target, None, conditional=False)
        if way == "return":
            parts = [f"*{name}.values"] if count else []
            if clause.kind & 1:
                parts.append(name)
            if target.arity == 1:
                e.line(f"return {name}.values[0]" if count else f"return {name}")
            elif count and not clause.kind & 1:
                e.line(f"return {name}.values")
            else:
                e.line(f"return ({','.join(parts)})" if parts else "return")
            return False
        if count:
            e.line(f"{','.join(names[:count])},={name}.values")
        if clause.kind & 1:
            e.line(f"{names[-1]}={name}")
        e.line(self.jump_text(way, detail, target))
        return way == "fall"

    def end_function(self) -> None:
        """The last `end`."""
        e = self.e
        top = e.body.constructs[0]
        frames = self.shape.frames
        if not e.dead:
            self.return_values(e.popn(top.results))
        while frames:
            frame = frames.pop()
            if e.empty(frame.header):
                e.ind = frame.ind + " "
                e.line("pass")

    # --- branches -----------------------------------------------------------------------------------
    def return_text(self, values: list[V]) -> str:
        """A return statement."""
        e = self.e
        types = e.body.constructs[0].result_types
        for v, type_ in zip(values, types, strict=True):
            v.m = v.m or type_mask(type_)
        texts = [e.exact(v) for v in values]
        if len(texts) == 1:
            return f"return {texts[0].s}"
        return f"return {','.join(v.s if v.p < 13 else f'({v.s})' for v in texts)}" if texts else "return"

    def return_values(self, values: list[V]) -> None:
        """Writes a return."""
        e = self.e
        e.flush(READ)
        types = e.body.constructs[0].result_types
        m = type_mask(types[0]) if len(values) == 1 else 0
        if m and values[0].p == 4 and not 0 <= values[0].lo <= values[0].hi <= m:
            v = values[0]
            v.m = m
            name = f"s{len(e.stack)}"
            if v.lo >= 0 and v.hi <= 2 * m and not e.compact and not v.deps & e.mixed:
                # A sum, rarely out of its range.
                e.line(f"return {name} if ({name}:={v.s})<={SMALL} else {name}&{m}")
                e.dead = True
                return
            values = [e.store(name, v)]
        text = self.return_text(values)
        e.line(text)
        e.dead = True

    def jump_text(self, way: str, detail: Any, target: Construct) -> str:
        """The statements of a jump whose values are in place."""
        if way == "continue":
            frame, selector = detail
            return "continue" if selector is None else f"{frame.chain.name}={selector};continue"
        if way == "break":
            return "break"
        if way == "flag":
            frame, number = detail
            if not frame.flag:
                frame.flag = f"x{self.flags}"
                self.flags += 1
            return f"{frame.flag}={number};break"
        if way == "return":
            values = self.e.typed_slots(target.height, target.result_types)
            return self.return_text(values)
        return "pass"  # fall, skip, fail

    def note(self, target: Construct, ranges: dict[int, Range]) -> None:
        """Records what is known where a branch leaves for its target."""
        if target.kind == "loop":
            self.learned[target.start] = merge(self.learned.get(target.start), ranges)
        elif target.kind != "function":
            target.state = merge(target.state, ranges)

    def br(self, target: Construct) -> None:
        """An unconditional branch or a return."""
        e = self.e
        values = e.popn(target.arity)
        way, detail = self.shape.resolve(target, self.open_[-1], conditional=False)
        if way == "return":
            self.return_values(values)
            return
        # The values are evaluated after what is pending below them, which may still trap or act.
        e.flush(READ)
        self.typed(values, target)
        if way == "fall":
            e.assign_slots(target.height, values)
            del e.stack[target.height :]
            e.stack += e.typed_slots(target.height, target.result_types)
            self.note(target, e.ranges)
            return
        e.assign_slots(target.height, values)
        self.note(target, e.ranges)
        if way != "skip" and not self.repeats(way, detail, target):
            e.line(self.jump_text(way, detail, target))
        e.dead = True

    def repeats(self, way: str, detail: Any, target: Construct) -> bool:
        """Whether control goes back to a loop's start without a word: only ends are left before the loop's own."""
        if way != "continue" or detail[1] is not None or target.kind != "loop":
            return False
        code = self.e.body.code
        for index in range(self.next, len(code)):
            op, c, _ = code[index]
            if op != END:
                return False
            if c is target:
                return True
            if c.kind != "block" or c.targeted:
                return False  # another path comes out here, and leaves the loop
        return False

    def typed(self, values: list[V], target: Construct) -> None:
        """Gives lazy values the mask of the type their label has."""
        types = target.param_types if target.kind == "loop" else target.result_types
        for v, type_ in zip(values, types, strict=True):
            v.m = v.m or type_mask(type_)

    def br_if(self, target: Construct) -> None:
        """A conditional branch."""
        condition = self.e.pop_condition()
        self.branch_if(condition, target, target.arity)

    def branch_if(self, condition: V, target: Construct, arity: int) -> None:
        """Branches with the topmost operands, which stay on the stack for the other path."""
        e = self.e
        here = self.open_[-1]
        # Whatever happens, what is pending below happens first.
        e.flush(READ)
        values = e.stack[len(e.stack) - arity :] if arity else []
        self.typed(values, target)
        code = e.body.code
        ahead, outer, _ = code[self.next]
        shape = self.shape
        if (
            ahead == END
            and outer is here
            and here.after == target.cont
            and here.kind == "block"
            and here.plan == ""
            and here.chain is None
            and target is here
        ):
            # Both paths lead to the end of this block.
            if condition.cls:
                e.line(condition.s)
            e.charge()
            return
        _, frame = shape.loop_frame()
        opposite = negated(condition)
        if (
            ahead == END
            and outer is here is target
            and here.kind == "loop"
            and frame is not None
            and frame.owner is here
            and frame is shape.frames[-1]
            and frame.chain is None
            and not arity
            and not here.results
        ):
            # The end of a loop that goes on while the condition holds.
            taken = dict(e.ranges)
            e.assume(condition)
            self.note(target, e.ranges)
            e.ranges = taken
            e.assume(opposite)
            if frame.count is None:
                e.line(f"if {opposite.s}:break")
            frame.falls = True
            e.charge(resume=False)
            return
        if frame is not None and frame.count is not None and target is frame.owner:
            self.refused.add(target.start)
        way, detail = shape.resolve(target, here, conditional=True)
        taken = e.ranges
        e.ranges = dict(taken)
        e.assume(condition)
        self.note(target, e.ranges)
        e.ranges = dict(taken)
        e.assume(opposite)
        moves = self.moves(values, target)
        if way == "return":
            e.line(f"if {condition.s}:{self.return_text(values)}")
        elif way == "nest":
            if moves:
                e.line(f"if {condition.s}:{moves}")
                header = e.line("else:")
            else:
                header = e.line(f"if {opposite.s}:")
            rest = shape.push(Frame("if", target, e.ind))
            rest.header = header
            e.ind += " "
            self.check_depth()
        else:
            jump = self.jump_text(way, detail, target)
            if jump == "break" and not moves and frame is not None and self.counts(frame, opposite):
                pass
            elif jump == "break" and not moves and frame is not None and frame.count is None and e.fresh(frame.header):
                # An exit test before anything else is the loop's condition.
                before = (e.out[frame.header] or "").strip()[6:-1]
                test = opposite.s if before == "True" else f"{before} and {paren(opposite, 11)}"
                if opposite.p > 11 and before == "True":
                    test = f"({test})"
                e.out[frame.header] = f"{frame.ind}while {test}:"
                e.offsets[frame.header] = e.at
            else:
                e.line(f"if {condition.s}:{moves}{';' if moves else ''}{jump}")
        e.charge()

    def counts(self, frame: Frame, stays: V) -> bool:
        """Whether a loop that begins with an exit test counts; its first line is written then."""
        e, tail = self.e, frame.tail
        if tail is None or tail.relation or frame.count is not None or not e.fresh(frame.header):
            return False
        if e.out[frame.header] != f"{frame.ind}while True:":
            return False
        c = frame.owner
        count = frame.count = at_the_start(e.body, c, tail, stays, frame.before, proven=c.start in self.given)
        if count is None:
            return False
        e.out[frame.header] = f"{frame.ind}{count.header}"
        e.offsets[frame.header] = e.at
        return True

    def moves(self, values: list[V], target: Construct) -> str:
        """The assignment of a branch's values, or nothing."""
        e = self.e
        if not values or target.cont == FUNCTION_END:
            return ""
        height = target.height
        pairs = [(f"s{height + i}", v) for i, v in enumerate(values) if v.s != f"s{height + i}"]
        texts = [e.exact(v) for _, v in pairs]
        if not pairs:
            return ""
        right = ",".join(v.s if v.p < 13 else f"({v.s})" for v in texts)
        return f"{','.join(name for name, _ in pairs)}={right}"

    def br_on_null(self, target: Construct) -> None:
        """Branches where a reference is null, else keeps it."""
        e = self.e
        v = e.hold()
        self.branch_if(boolean(f"{v.s} is None", 9, f"{v.s} is not None", 9, v), target, target.arity)
        e.stack.append(v)

    def br_on_non_null(self, target: Construct) -> None:
        """Branches with a reference that is not null, else drops it."""
        e = self.e
        v = e.hold()
        e.stack.append(v)
        self.branch_if(boolean(f"{v.s} is not None", 9, f"{v.s} is None", 9, v), target, target.arity)
        e.stack.pop()

    def br_on_cast(self, imm: tuple[int, Construct, int, int]) -> None:
        """Branches where a reference has a type."""
        self.cast(imm, negate=False)

    def br_on_cast_fail(self, imm: tuple[int, Construct, int, int]) -> None:
        """Branches where a reference does not have a type."""
        self.cast(imm, negate=True)

    def cast(self, imm: tuple[int, Construct, int, int], *, negate: bool) -> None:
        """Both casts."""
        e = self.e
        flags, target, _, heap = imm
        v = e.hold()
        e.stack.append(v)
        condition = test_text(v, heap, nullable=bool(flags & 2))
        self.branch_if(negated(condition) if negate else condition, target, target.arity)

    # --- br_table -------------------------------------------------------------------------------------
    def br_table(self, targets: list[Construct]) -> None:
        """A branch by index."""
        e = self.e
        v = mask(e.stack.pop(), M32)
        distinct = _distinct(targets)
        by_cont = {target.cont: target for target in distinct}
        arity = targets[-1].arity
        if len(distinct) == 1:
            if v.cls != PURE:
                e.flush_for(v.cls)
                e.line(v.s)
            self.br(distinct[0])
            return
        e.flush(READ)
        v = e.exact(v)
        if not v.s.isidentifier():
            e.line(f"z={v.s}")
            v = V("z", 0, v.lo, v.hi)
        values = e.popn(arity)
        for target in distinct:
            self.typed(values, target)
        for target in set(targets):
            self.note(target, e.ranges)
        ways = {target.cont: self.shape.resolve(target, None, conditional=False) for target in distinct}
        jumps = {}
        for cont, target in by_cont.items():
            way, detail = ways[cont]
            if way == "return":
                jumps[cont] = self.return_text([*values])
            else:
                moves = self.moves(values, target)
                jumps[cont] = f"{moves}{';' if moves else ''}{self.jump_text(way, detail, target)}"
        e.dead = True
        selectors = self.selectors(targets, ways, plain=not arity)
        if selectors is not None:
            name, table = selectors
            self.table_line(name, v, table)
            for cont, (way, detail) in ways.items():
                if not (way == "continue" and detail[1] is not None and detail[0].chain.name == name):
                    number = -1 - list(ways).index(cont)
                    e.line(f"if {name}=={number}:{jumps[cont]}")
            e.line("continue")
            return
        runs: list[tuple[int, int]] = []  # (first index, continuation): the default's run is the last
        for index, target in enumerate(targets):
            if not runs or runs[-1][1] != target.cont:
                runs.append((index, target.cont))
        self.dispatch(v.s, runs, jumps, e.ind)

    def table_line(self, name: str, v: V, table: list[int]) -> None:
        """Looks a selector up; the last item is the default."""
        e = self.e
        default = table[-1]
        while len(table) > 1 and table[-2] == default:
            del table[-2]
        count = len(table) - 1
        if not count:
            e.line(f"{name}={default}")
            return
        texts = ",".join(map(str, table[:-1]))
        if v.hi < count:
            e.line(f"{name}=({texts},)[{v.s}]")
        else:
            e.line(f"{name}=({texts},)[{v.s}] if {v.s}<{count} else {default}")

    def selectors(
        self, targets: list[Construct], ways: dict[int, tuple[str, Any]], *, plain: bool
    ) -> tuple[str, list[int]] | None:
        """The selector of each index, where at least two targets are segments of the innermost chain."""
        _, frame = self.shape.loop_frame()
        if frame is None or frame.chain is None or not plain:
            return None
        numbers: dict[int, int] = {}
        inside = 0
        for place, (cont, (way, detail)) in enumerate(ways.items()):
            if way == "continue" and detail[0] is frame:
                numbers[cont] = detail[1]
                inside += 1
            else:
                numbers[cont] = -1 - place
        if inside < 2:
            return None
        return frame.chain.name, [numbers[target.cont] for target in targets]

    def dispatch(self, name: str, runs: list[tuple[int, int]], jumps: dict[int, str], ind: str) -> None:
        """A tree of comparisons; every leaf ends in a jump."""
        e = self.e
        if len(runs) <= 4:
            for place, (_, cont) in enumerate(runs[:-1]):
                limit = runs[place + 1][0]
                e.ind = ind
                single = limit - runs[place][0] == 1 and place == 0 and runs[place][0] == limit - 1 == 0
                test = f"not {name}" if single else f"{name}<{limit}"
                e.line(f"if {test}:{jumps[cont]}")
            e.line(jumps[runs[-1][1]])
            return
        middle = len(runs) // 2
        e.ind = ind
        e.line(f"if {name}<{runs[middle][0]}:")
        e.ind = ind + " "
        self.check_depth()
        self.dispatch(name, runs[:middle], jumps, ind + " ")
        e.ind = ind
        self.dispatch(name, runs[middle:], jumps, ind)


def _distinct(targets: list[Construct]) -> list[Construct]:
    """Targets of a br_table that are different places."""
    seen: dict[int, Construct] = {}
    for target in targets:
        seen.setdefault(target.cont, target)
    return list(seen.values())
