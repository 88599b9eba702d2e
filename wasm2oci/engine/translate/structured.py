"""Control flow as Python's own: `while True:`, `if`, `break` and `continue`; `branches` writes what leaves them.

A loop is a `while True:` that ends with a `break`; a leading exit test becomes its condition. A block costs nothing
unless `shape` found that only a loop of its own will do. Exceptions are used for the guest's own only (`try_table`).
"""

from typing import TYPE_CHECKING, Any

from wasm2oci.engine.translate.branches import Branches
from wasm2oci.engine.translate.counting import at_the_end, find_tail
from wasm2oci.engine.translate.emitter import Emitter, Range, Steady, merge, type_mask
from wasm2oci.engine.translate.instructions import FUNCTION_END, Catch, Construct
from wasm2oci.engine.translate.lowering import LOWERING
from wasm2oci.engine.translate.shape import GROUP, Chain, Frame
from wasm2oci.engine.translate.value import READ, V, negated

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Structured"]

BLOCK, LOOP, IF, ELSE, END, BR, BR_IF, BR_TABLE, RETURN = 0x02, 0x03, 0x04, 0x05, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F
TRY_TABLE, TEE = 0x1F, 0x22
BR_ON_NULL, BR_ON_NON_NULL, BR_ON_CAST, BR_ON_CAST_FAIL = 0xD5, 0xD6, 0xFB0018, 0xFB0019


_FREE = frozenset((BLOCK, LOOP, ELSE, END))
"""They only mark places, and cost no fuel."""
_COUNTS = [0x20, 0x41, 0x6A, 0x22, 0x41, 0x47, BR_IF]
"""local.get, i32.const, i32.add, local.tee, i32.const, i32.ne, br_if"""


class Structured(Branches):
    """One walk over a function, writing it as it goes.

    Args:
        e: where operands and lines are kept.
        hints: for loops, what an earlier walk learned about locals at their back edges.
        caps: for loops, how far locals were found to be aligned; None: nothing is assumed of what a loop assigns.

    Attributes:
        proven: loops whose counters were found not to wrap in this walk, where that was not clear beforehand.
    """

    def __init__(
        self, e: Emitter, hints: dict[int, dict[int, Range]], caps: dict[int, dict[int, int]] | None = None
    ) -> None:
        super().__init__(e)
        self.hints = hints
        self.trusts = caps is not None
        self.caps = {} if caps is None else caps
        self.assumed: dict[int, dict[int, int]] = {}
        self.entered: list[dict[int, Range]] = []  # what was known where each open `if` or `try` began
        self.special: dict[int, int | Frame] = {}  # instructions that are more than their lowering, see `step`
        self.proven: set[int] = set()

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
