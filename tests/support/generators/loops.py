"""Random loops: what translation takes for granted of a loop is wrong at the edges, if anywhere.

Programs are text, of a shape compilers emit: counted loops that test before or after a turn, up or down, to a constant
or a parameter, signed or unsigned or until equal, with starts and ends around 0, 2**30, 2**31, 2**32 and their 64-bit
likes; arithmetic whose operands repeat and whose masks can wait; loads and stores through pointers that walk; early
exits, calls, growing memory. Some counters are read nowhere but in their loop, and some steps are locals above zero.
Nothing keeps a loop from running for long but wasmtime's fuel: a call that uses it up is left out of the trace, and so
is everything after it.
"""

import random
from typing import Final

from tests.support.generators.cases import Call, Case
from wasm2oci.engine.text import assemble

__all__ = ["loop_case"]

FUEL: Final = 6_000
CALLS: Final = 5
_I32_EDGES: Final = (
    0,
    1,
    2,
    7,
    40,
    -1,
    -2,
    -18,
    255,
    1 << 16,
    (1 << 30) - 2,
    1 << 30,
    (1 << 31) - 3,
    -(1 << 31),
    -(1 << 30),
)
_I64_EDGES: Final = (*_I32_EDGES, (1 << 32) - 2, 1 << 32, (1 << 60) - 1, (1 << 63) - 2, -(1 << 63), 0x100000001B3)
_F64: Final = ("0", "1", "-1.5", "0.5", "3", "1e10", "1e-3")
_PARAMS: Final = ("i32", "i32", "i64", "f64")
_LOCALS: Final = (*_PARAMS, "i32", "i32", "i32", "i32", "i32", "i64", "i64", "f64", "f64")
_BY_TYPE: Final = {t: [i for i, u in enumerate(_LOCALS) if u == t] for t in ("i32", "i64", "f64")}
_HIDDEN: Final = ("i32", "i32", "i64", "i64")
"""Locals that count, and are not among the results."""
_STEPS: Final = ("i32", "i64")
"""Locals to count by."""
_MEMORY: Final = 65536


class _Writer:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.lines: list[str] = []
        self.labels = 0
        self.counters: set[int] = set()
        self.loops = 0
        self.readable = {type_: list(locals_) for type_, locals_ in _BY_TYPE.items()}

    # --- expressions -----------------------------------------------------------------------------
    def local(self, type_: str) -> str:
        return f"(local.get {self.random.choice(self.readable[type_])})"

    def constant(self, type_: str) -> str:
        if type_ == "f64":
            return f"(f64.const {self.random.choice(_F64)})"
        edges = _I32_EDGES if type_ == "i32" else _I64_EDGES
        return f"({type_}.const {self.random.choice(edges)})"

    def address(self, depth: int) -> str:
        inner = self.expression("i32", depth - 1)
        size = self.random.choice((0xFF, 0xFFC, 0xFF8, 0xFFFF))
        form = self.random.randrange(4)
        if form == 0:
            return f"(i32.and {inner} (i32.const {size}))"
        if form == 1:
            return f"(i32.shl (i32.and {inner} (i32.const 1023)) (i32.const {self.random.choice((1, 2, 3))}))"
        if form == 2:
            return f"(i32.add (i32.and {inner} (i32.const {size})) (i32.and {self.local('i32')} (i32.const {size})))"
        return self.local("i32")

    def expression(self, type_: str, depth: int) -> str:
        draw = self.random
        if depth <= 0 or draw.random() < 0.2:
            return self.local(type_) if draw.random() < 0.75 else self.constant(type_)
        if type_ == "f64":
            return self.float_(depth)
        other = "i64" if type_ == "i32" else "i32"
        pick = draw.randrange(22)
        left, right = self.expression(type_, depth - 1), self.expression(type_, depth - 1)
        if pick < 9:
            op = draw.choice(("add", "add", "sub", "mul", "and", "or", "xor", "xor", "add"))
            return f"({type_}.{op} {left} {right})"
        if pick < 12:
            op = draw.choice(("shl", "shr_u", "shr_s", "rotl", "rotr"))
            return f"({type_}.{op} {left} ({type_}.const {draw.randrange(66)}))"
        if pick == 20:  # few of the bits are looked at
            return f"({type_}.and {left} ({type_}.const {draw.choice((1, 0xFF, 0xFFFF, 0xFFF0, 0x7FFF))}))"
        if pick == 21:
            op = draw.choice(("and", "or", "xor"))
            return f"({type_}.{op} {left} ({type_}.const {draw.choice((-24575, -256, -65536, 0x7FFF8005))}))"
        if pick == 12:
            return f"({type_}.{draw.choice(('shl', 'shr_u', 'shr_s', 'rotl'))} {left} {right})"
        if pick == 13:
            c = self.local(type_)
            a, b = draw.choice((("and", "xor"), ("and", "or")))
            return f"({type_}.{b} ({type_}.{a} {left} {c}) ({type_}.{a} ({type_}.xor {c} ({type_}.const -1)) {right}))"
        if pick == 14:
            return f"({type_}.{draw.choice(('div_u', 'rem_u'))} {left} ({type_}.const {draw.choice((3, 10, -7))}))"
        if pick == 15:
            op = draw.choice(("load", "load8_u", "load8_s", "load16_u", "load16_s"))
            return f"({type_}.{op} offset={draw.choice((0, 0, 4, 3, 16))} {self.address(depth)})"
        if pick == 16:
            return f"(select {left} {right} {self.condition(depth - 1)})"
        if pick == 17:
            inner = self.expression(other, depth - 1)
            return f"(i32.wrap_i64 {inner})" if type_ == "i32" else f"(i64.extend_i32_{draw.choice('su')} {inner})"
        if pick == 18:
            return self.condition(depth - 1) if type_ == "i32" else f"(i64.load32_s {self.address(depth)})"
        return f"({type_}.{draw.choice(('extend8_s', 'extend16_s', 'clz', 'popcnt'))} {left})"

    def float_(self, depth: int) -> str:
        draw = self.random
        left, right = self.expression("f64", depth - 1), self.expression("f64", depth - 1)
        pick = draw.randrange(10)
        if pick < 7:
            if draw.random() < 0.3:
                right = left
            return f"(f64.{draw.choice(('add', 'sub', 'mul', 'mul', 'div'))} {left} {right})"
        if pick == 7:
            type_ = draw.choice(("i32", "i64"))
            return f"(f64.convert_{type_}_{draw.choice('su')} {self.expression(type_, depth - 1)})"
        return (
            f"(f64.{draw.choice(('neg', 'abs', 'sqrt'))} {left})" if pick == 8 else f"(f64.load {self.address(depth)})"
        )

    def condition(self, depth: int) -> str:
        draw = self.random
        type_ = draw.choice(("i32", "i32", "i64", "f64"))
        left = self.expression(type_, depth - 1)
        right = self.expression(type_, depth - 1)
        if draw.random() < 0.4:
            right = self.constant(type_)
        if type_ == "f64":
            return f"(f64.{draw.choice(('lt', 'gt', 'le', 'ge', 'eq', 'ne'))} {left} {right})"
        if draw.random() < 0.1:
            return f"({type_}.eqz {left})"
        op = draw.choice(("lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u", "eq", "ne"))
        return f"({type_}.{op} {left} {right})"

    # --- statements ------------------------------------------------------------------------------
    def label(self) -> str:
        self.labels += 1
        return f"$b{self.labels}"

    def assign(self, exits: list[str]) -> str:
        _ = exits
        type_ = self.random.choice(("i32", "i32", "i64", "f64"))
        choices = [i for i in _BY_TYPE[type_] if i not in self.counters] or [max(_BY_TYPE[type_])]
        return f"(local.set {self.random.choice(choices)} {self.expression(type_, 3)})"

    def store(self, exits: list[str]) -> str:
        _ = exits
        draw = self.random
        type_ = draw.choice(("i32", "i32", "i64", "f64"))
        op = "store" if type_ == "f64" else draw.choice(("store", "store8", "store16"))
        value = self.expression(type_, 2)
        if type_ == "f64":  # the bits of a NaN are anybody's
            value = self.local(type_)
            value = f"(select {value} (f64.const 7) (f64.eq {value} {value}))"
        return f"({type_}.{op} offset={draw.choice((0, 4, 8))} {self.address(2)} {value})"

    def branch(self, exits: list[str]) -> str:
        draw = self.random
        if exits and draw.random() < 0.7:
            return f"(br_if {draw.choice(exits)} {self.condition(2)})"
        body, other = self.some(exits), self.some(exits)
        return f"(if {self.condition(2)} (then {body}) (else {other}))"

    def block(self, exits: list[str]) -> str:
        name = self.label()
        return f"(block {name} {self.some([*exits, name])} {self.some([*exits, name])})"

    def call(self, exits: list[str]) -> str:
        _ = exits
        draw = self.random
        pick = draw.randrange(4)
        if pick == 0:
            return f"(global.set {draw.randrange(2)} {self.expression('i32', 2)})"
        if pick == 1:
            return "(drop (memory.grow (i32.const 1)))"
        target = draw.choice([i for i in _BY_TYPE["i32"] if i not in self.counters] or [_BY_TYPE["i32"][-1]])
        return f"(local.set {target} (call $help {self.expression('i32', 2)} {self.local('i64')}))"

    def loop(self, exits: list[str]) -> str:
        draw = self.random
        if self.loops >= 3:
            return self.assign(exits)
        type_ = draw.choice(("i32", "i32", "i32", "i64"))
        free = [i for i in _BY_TYPE[type_] if i not in self.counters]
        if not free:
            return self.assign(exits)
        hidden = [
            len(_LOCALS) + place
            for place, other in enumerate(_HIDDEN)
            if other == type_ and len(_LOCALS) + place not in self.counters
        ]
        counter = draw.choice(hidden) if hidden and draw.random() < 0.25 else draw.choice(free)
        step = draw.choice((1, 1, 1, 2, 4, 8, 12, -1, -1, -2, 3))
        turns = draw.choice((0, 1, 1, 2, 3, 5, 8, 16, 20))
        start = draw.choice(_I32_EDGES if type_ == "i32" else _I64_EDGES)
        first_text = f"({type_}.const {start})"
        pick = draw.random()
        if pick < 0.18:
            first_text = self.local(type_)
        elif pick < 0.36:  # anywhere before the last
            start = draw.choice((3, 15, 255))
            first_text = f"({type_}.and {self.local(type_)} ({type_}.const {start}))"
        last = start + step * turns + draw.choice((0, 0, 0, 0, 0, 1))
        bits = 32 if type_ == "i32" else 64
        last = (last + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)
        last_text = self.local(type_) if draw.random() < 0.2 else f"({type_}.const {last})"
        get = f"(local.get {counter})"
        advance = f"({type_}.add {get} ({type_}.const {step}))"
        by = ""
        pick = draw.random()
        if pick < 0.1:
            advance = f"({type_}.add {get} {self.local(type_)})"
        elif pick < 0.2:
            local = len(_LOCALS) + len(_HIDDEN) + _STEPS.index(type_)
            most = draw.choice((0, 7, 255, -1))
            small = f"({type_}.and {self.local(type_)} ({type_}.const {most}))"
            by = f"(local.set {local} ({type_}.add {small} ({type_}.const 1)))"
            advance = f"({type_}.add {get} (local.get {local}))"
        elif pick < 0.26:
            advance = draw.choice(
                (f"({type_}.xor {get} ({type_}.const 1))", f"({type_}.add {self.local(type_)} ({type_}.const 1))")
            )
        elif step < 0 and draw.random() < 0.5:
            advance = f"({type_}.sub {get} ({type_}.const {-step}))"
        up = step > 0
        goes_on = draw.choice(("ne", "ne", "lt_u" if up else "gt_u", "lt_s" if up else "gt_s"))
        if draw.random() < 0.05:
            goes_on = draw.choice(("lt_u", "gt_u", "lt_s", "gt_s"))
        stops = {"ne": "eq", "lt_u": "ge_u", "gt_u": "le_u", "lt_s": "ge_s", "gt_s": "le_s"}[goes_on]
        bound = f"(local.set {draw.choice(free)} {last_text})" if draw.random() < 0.2 else ""
        fixed = draw.random() < 0.85
        if fixed or counter in hidden:
            self.counters.add(counter)
        if counter in hidden:
            self.readable[type_] += [counter, counter]
        self.loops += 1
        out, top = self.label(), self.label()
        inside = [*exits, out] if draw.random() < 0.4 else []
        body = self.body(inside)
        extra = self.assign([]) if draw.random() < 0.2 else ""
        self.loops -= 1
        self.counters.discard(counter)
        if counter in hidden:
            del self.readable[type_][-2:]
        begin = f"(local.set {counter} {first_text}) {bound} {by}"
        if counter in hidden and draw.random() < 0.3:
            begin = f"{bound} {by}"
        form = draw.randrange(4)
        if form == 0:
            test = f"({type_}.{goes_on} (local.tee {counter} {advance}) {last_text})"
            return f"{begin} (block {out} (loop {top} {body} (br_if {top} {test})))"
        if form == 1:
            test = f"({type_}.{stops} {get} {last_text})"
            end = f"(local.set {counter} {advance}) {extra} (br {top})"
            return f"{begin} (block {out} (loop {top} (br_if {out} {test}) {body} {end}))"
        if form == 2:
            test = f"({type_}.{goes_on} {get} {last_text})"
            end = f"(local.set {counter} {advance}) {extra} (br_if {top} {test})"
            return f"{begin} (block {out} (loop {top} {body} {end}))"
        test = (
            f"(local.tee {counter} {advance})"
            if type_ == "i32"
            else f"(i64.ne (local.tee {counter} {advance}) (i64.const 0))"
        )
        return f"{begin} (block {out} (loop {top} {body} {extra} (br_if {top} {test})))"

    def body(self, exits: list[str]) -> str:
        """What a loop does in a turn: something, nothing, or much that is the same in every turn."""
        draw = self.random
        pick = draw.random()
        free = [i for i in _BY_TYPE["i64"] if i not in self.counters]
        if pick < 0.06:
            return ""
        if pick < 0.1 and len(free) >= 2:
            sums, same = draw.sample(free, 2)
            factors = draw.sample(range(3, 100), 30)
            terms = (f"(i64.mul (local.get {same}) (i64.const {factor}))" for factor in factors)
            return " ".join(f"(local.set {sums} (i64.xor (local.get {sums}) {term}))" for term in terms)
        return self.some(exits) + self.some(exits) + (self.some(exits) if draw.random() < 0.5 else "")

    def ends_soon(self, exits: list[str]) -> str:
        """A loop that looks as if it counted: it assigns a constant, or steps by nothing."""
        _ = exits
        draw = self.random
        type_ = draw.choice(("i32", "i64"))
        free = [i for i in _BY_TYPE[type_] if i not in self.counters]
        if len(free) < 2:
            return self.assign(exits)
        counter, turns = draw.sample(free, 2)
        get, top, out = f"(local.get {counter})", self.label(), self.label()
        test = f"({type_}.{draw.choice(('lt_s', 'lt_u', 'ne'))} {get} ({type_}.const 3))"
        if draw.random() < 0.5:
            return f"(loop {top} (local.set {counter} ({type_}.const 3)) (br_if {top} {test}))"
        turn = f"(local.tee {turns} ({type_}.add (local.get {turns}) ({type_}.const 1)))"
        leave = f"(br_if {out} ({type_}.gt_u {turn} ({type_}.const 9)))"
        step = f"(local.set {counter} ({type_}.add {get} ({type_}.const 0)))"
        return f"(local.set {turns} ({type_}.const 0)) (block {out} (loop {top} {leave} {step} (br_if {top} {test})))"

    def some(self, exits: list[str]) -> str:
        draw = self.random
        makers = (
            self.assign,
            self.assign,
            self.assign,
            self.store,
            self.branch,
            self.loop,
            self.loop,
            self.call,
            self.block,
            self.ends_soon,
        )
        weights = (6, 6, 6, 3, 3, 3, 2, 1, 1, 1)
        return " ".join(draw.choices(makers, weights)[0](exits) for _ in range(draw.randint(1, 3)))


def _module(seed: int) -> bytes:
    """A module whose exported "run" has four parameters and gives back its locals."""
    writer = _Writer(seed)
    body = " ".join(writer.loop([]) + writer.some([]) for _ in range(2))
    results = " ".join(_LOCALS)
    declared = (*_LOCALS[len(_PARAMS) :], *_HIDDEN, *_STEPS)
    gets = " ".join(f"(local.get {i})" for i in range(len(_LOCALS)))
    text = f"""(module (memory (export "memory") 1 3) (global (mut i32) (i32.const 5)) (global (mut i32) (i32.const -1))
      (func $help (param i32 i64) (result i32) (i32.add (i32.load8_u (i32.and (local.get 0) (i32.const 0xffff)))
        (i32.wrap_i64 (local.get 1))))
      (func (export "run") (param {" ".join(_PARAMS)}) (result {results}) (local {" ".join(declared)})
        {body} {gets})
      (export "first" (global 0)) (export "second" (global 1)))"""
    return assemble(text)


def _arguments(seed: int) -> list[tuple[int, int, int, float]]:
    draw = random.Random(seed ^ 0xA5)
    return [
        (
            draw.choice((3, 8, draw.choice(_I32_EDGES))) & 0xFFFFFFFF,
            draw.choice((0, 5, draw.choice(_I32_EDGES), draw.getrandbits(31))) & 0xFFFFFFFF,
            draw.choice((6, draw.choice(_I64_EDGES), draw.getrandbits(63))) & 0xFFFFFFFFFFFFFFFF,
            draw.choice((0.0, -0.0, 2.5, 1e300, -3.0)),
        )
        for _ in range(CALLS)
    ]


def loop_case(seed: int) -> Case:
    """A program and calls of it, with little fuel: nothing else keeps a loop from running for long."""
    return Case(_module(seed), tuple(Call("run", given) for given in _arguments(seed)), fuel=FUEL)
