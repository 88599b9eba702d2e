"""Where Python's `break` and `continue` lead, and how a branch gets to its label with them.

While a function is walked, `Shape` keeps a stack of Python frames: loops, arms of an `if`, `try` bodies. A branch
names a continuation (see `instructions`), and `resolve` finds the cheapest way there:

    fall      it is where control goes anyway
    return    it leaves the function
    continue  the innermost Python loop starts there (a chain of blocks: after setting its selector)
    break     the innermost Python loop ends there
    nest      what is left of the target block goes into an `if` of the opposite condition
    skip      the same for a branch that ends an arm: the rest goes into the `else`
    flag      break, remembering where to; what comes after that loop branches on
    fail      none of these: the target becomes a `while True:` of its own, and the walk starts again

The walk is done without writing until nothing fails; what was found then holds for the walk that writes.
"""

from typing import Any, Final

from wasm2oci.engine.translate.instructions import FUNCTION_END, Body, Construct

__all__ = ["Chain", "Frame", "Shape", "chains"]

MAX_BLOCKS: Final = 17
"""Nested loops and try bodies; CPython refuses the 21st."""
MAX_INDENT: Final = 80
"""Indentation levels; CPython refuses the 100th."""
MAX_NESTS: Final = 8
"""More `if`s than this for one block, and it becomes a loop."""
MIN_CHAIN: Final = 5
GROUP: Final = 5
"""Segments of a chain tested one after the other."""


class Chain:
    """Blocks opened one right after the other, as one loop around a dispatch on a selector.

    Segment 0 is the innermost block's body, segment j what stands between the ends of blocks j - 1 and j, counted from
    the inside. A branch to block j sets the selector to j + 1.

    Attributes:
        blocks: innermost first.
        loop: the loop directly around them, when it is the same Python loop; else None.
        segments: how many there are.
        name: the selector's variable.
        head: for each group of segments the lines that lead to it: (depth, text).
        depth: for each group how deep it stands.
    """

    __slots__ = ("blocks", "depth", "head", "loop", "name", "segments")

    def __init__(self, blocks: list[Construct], loop: Construct | None, number: int) -> None:
        self.blocks = blocks
        self.loop = loop
        self.segments = len(blocks) + (loop is not None)
        self.name = f"p{number}"
        groups = -(-self.segments // GROUP)
        self.head: list[list[tuple[int, str]]] = [[] for _ in range(groups)]
        self.depth = [0] * groups
        self._divide(0, groups, 0)

    def rename(self, name: str) -> None:
        """Uses another selector."""
        self.head = [[(depth, text.replace(self.name, name, 1)) for depth, text in lines] for lines in self.head]
        self.name = name

    def _divide(self, low: int, high: int, depth: int) -> None:
        if high - low == 1:
            self.depth[low] = depth
            return
        middle = (low + high) // 2
        self.head[low].append((depth, f"if {self.name}<{middle * GROUP}:"))
        self._divide(low, middle, depth + 1)
        self.head[middle].append((depth, "else:"))
        self._divide(middle, high, depth + 1)


def chains(body: Body) -> None:
    """Finds chains and notes them in their constructs: `chain` in each, `selector` in each block."""
    constructs = body.constructs
    number = 0
    i = 0
    while i < len(constructs):
        first = constructs[i]
        run = [first] if first.kind == "block" and not first.params else []
        i += 1
        while (
            run
            and i < len(constructs)
            and constructs[i].kind == "block"
            and not constructs[i].params
            and constructs[i].start == constructs[i - 1].start + 1
        ):
            run.append(constructs[i])
            i += 1
        if len(run) >= MIN_CHAIN or (len(run) >= 2 and run[-1].has_table):
            outer = run[0].parent
            fused = (
                outer is not None
                and outer.kind == "loop"
                and outer.start == run[0].start - 1
                and not outer.params
                and outer.targeted
            )
            run.reverse()
            chain = Chain(run, outer if fused else None, number)
            number += 1
            for j, block in enumerate(run):
                block.chain = chain
                block.selector = j + 1
            if fused and outer is not None:
                outer.chain = chain
                outer.selector = 0


class Frame:
    """One level of Python's structure.

    Attributes:
        kind: "loop" (also a chain), "if" (opened by a branch, closed with `owner`), "arm", "try" or "segment".
        owner: the construct it ends with.
        brk: the continuation `break` leads to.
        conts: continuation to selector (None: the loop's start) for `continue`.
        ind: the indentation around it.
        header: its first line.
        flags: targets of branches that break out and go on from there.
        flag: the variable that says which.
        skip: for an arm: the block whose rest goes into the `else`.
        chain: the chain it is.
        text: the condition of an arm, and its opposite.
        steady: expressions may be moved out of the loop it is.
        tail: how the loop counts, if it does.
        before: what is known of locals before such a loop.
        count: how it is written as a `for`, if it is.
    """

    __slots__ = (
        "before",
        "brk",
        "chain",
        "conts",
        "count",
        "falls",
        "flag",
        "flag_lines",
        "flags",
        "header",
        "ind",
        "kind",
        "marks",
        "owner",
        "saved",
        "skip",
        "steady",
        "tail",
        "text",
    )

    def __init__(self, kind: str, owner: Construct, ind: str) -> None:
        self.kind = kind
        self.owner = owner
        self.ind = ind
        self.brk = -2
        self.conts: dict[int, int | None] = {}
        self.header = -1
        self.flags: list[Construct] = []
        self.flag = ""
        self.flag_lines: list[int] = []
        self.skip: Construct | None = None
        self.chain: Chain | None = None
        self.text = ("", "")
        self.saved: Any = None
        self.falls = False
        self.marks = -1
        self.steady = False
        self.tail: Any = None
        self.before: dict[int, tuple[int, int, int]] = {}
        self.count: Any = None


class Shape:
    """The frames of a walk, and what came of it.

    Attributes:
        failed: targets no way was found to.
        blocks, indents: the most there were of nested blocks and of frames.
    """

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.bases: dict[Construct, int] = {}
        self.failed: set[Construct] = set()
        self.blocks = 0
        self.indents = 0
        self.nests: dict[Construct, int] = {}

    def push(self, frame: Frame) -> Frame:
        """Opens a frame."""
        self.frames.append(frame)
        self.indents = max(self.indents, len(self.frames))
        if frame.kind in {"loop", "try"}:
            self.blocks = max(self.blocks, sum(f.kind in {"loop", "try"} for f in self.frames))
        return frame

    def loop_frame(self) -> tuple[int, Frame | None]:
        """The innermost Python loop, and its place."""
        for index in range(len(self.frames) - 1, -1, -1):
            if self.frames[index].kind == "loop":
                return index, self.frames[index]
        return -1, None

    def resolve(self, target: Construct, here: Construct | None, *, conditional: bool) -> tuple[str, Any]:
        """The way from here, in construct `here`, to a label."""
        cont = target.cont
        if (
            not conditional
            and here is not None
            and here.kind in {"block", "if", "try"}
            and here.chain is None
            and here.plan in {"", "flat"}
            and here.after == cont
            and cont != FUNCTION_END
            and target.kind != "loop"
        ):
            return "fall", None
        if cont == FUNCTION_END:
            return "return", None
        index, frame = self.loop_frame()
        if frame is not None:
            if cont in frame.conts:
                return "continue", (frame, frame.conts[cont])
            if frame.brk == cont:
                return "break", frame
        base = self.bases.get(target, 0)
        if target.kind != "loop" and index < base:
            above = self.frames[base:]
            if conditional:
                if all(f.kind == "if" and (f.owner.depth <= target.depth or f.owner.cont == cont) for f in above):
                    self.nests[target] = self.nests.get(target, 0) + 1
                    if self.nests[target] > MAX_NESTS:
                        self.failed.add(target)
                    return "nest", None
            elif (
                above
                and here is not None
                and here.kind == "if"
                and above[-1].kind == "arm"
                and above[-1].owner is here
                and above[-1].skip is None
                and not above[-1].falls
                and all(f.kind == "if" and f.owner.depth <= target.depth for f in above[:-1])
            ):
                above[-1].skip = target
                return "skip", None
        if frame is not None and index >= base:
            if target not in frame.flags:
                frame.flags.append(target)
            return "flag", (frame, frame.flags.index(target) + 1)
        self.failed.add(target)
        return "fail", None
