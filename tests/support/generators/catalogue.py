"""The generators of random programs, one row each, and the search for programs that translation gets wrong.

To add one, write a function from seeds to a `Case` and add its row: the tests and `tests/fuzz/differential.py` take it
from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.support.generators.cases import Referee, interpreting, trace_linker, trace_wasmtime, translating
from tests.support.generators.flow import flow_case
from tests.support.generators.graph import graph_case
from tests.support.generators.instructions import program_case
from tests.support.generators.loops import loop_case
from tests.support.generators.shrink import printed, shrink
from tests.support.generators.stack import stack_case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.support.generators.cases import Case, Observation

__all__ = ["GENERATORS", "Disagreement", "Generator", "disagreements"]

_ALL: Final = (Referee.WASMTIME, Referee.INTERPRETER)


@dataclass(frozen=True, slots=True)
class Generator:
    """A way to make random programs.

    Attributes:
        about: what its programs are made of.
        make: the programs of some seeds as one case; the same for the same seeds.
        batch: how many seeds go into one module.
        referees: what translation is compared with; the first decides where calls end.
    """

    about: str
    make: Callable[[Sequence[int]], Case]
    batch: int = 1
    referees: tuple[Referee, ...] = (Referee.WASMTIME,)


GENERATORS: Final[dict[str, Generator]] = {
    "flow": Generator(
        "structured control flow: ends that coincide, values on branches, handlers, dead code", flow_case, 20, _ALL
    ),
    "graph": Generator("control-flow graphs, nested as compilers nest them", graph_case, 20, _ALL),
    "stack": Generator("one instruction after the other, whatever the stack allows", stack_case, 20, _ALL),
    "instructions": Generator(
        "every instruction of 3.0, behind signatures of numbers", lambda seeds: program_case(seeds[0])
    ),
    "signatures": Generator(
        "the same behind any signature, which wasmtime's Python binding cannot call",
        lambda seeds: program_case(seeds[0], numbers_only=False),
        referees=(Referee.INTERPRETER,),
    ),
    "loops": Generator("loops that count, with bounds at the edges of integers", lambda seeds: loop_case(seeds[0])),
}


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A program that does something else translated.

    Attributes:
        seeds: more than one where the programs of a module disagree only together.
        case: with all its calls.
        option: see `translating`.
        referees: what it was compared with.
    """

    name: str
    seeds: tuple[int, ...]
    case: Case
    option: int
    referees: tuple[Referee, ...]

    def __str__(self) -> str:
        """The seeds, the first difference, and the smallest program that shows one."""
        small = shrink(self.case, self.option, self.referees)
        differences = [
            f";; {this.call.export}{this.call.arguments}: {referee.value} {that[1:]}, translated {this[1:]}"
            for referee, trace in _expected(small, self.referees, self.option).items()
            for this, that in zip(trace_linker(small, translating(self.option)), trace, strict=False)
            if this != that
        ]
        seeds = ", ".join(map(str, self.seeds))
        return "\n".join(
            [f";; generator {self.name}, seed {seeds}, option {self.option % 4}", *differences, printed(small)]
        )


def _expected(case: Case, referees: Sequence[Referee], option: int) -> dict[Referee, list[Observation]]:
    found: dict[Referee, list[Observation]] = {}
    for referee in referees:
        count = min(map(len, found.values()), default=None)
        found[referee] = (
            trace_wasmtime(case) if referee is Referee.WASMTIME else trace_linker(case, interpreting(option), count)
        )
    return found


def _differs(generator: Generator, case: Case, option: int) -> bool:
    # Interpreting takes longer than all the rest: where another decides, it is asked about an eighth of the programs.
    referees = generator.referees if option % 8 == 0 else generator.referees[:1]
    traces = list(_expected(case, referees, option).values())
    if not traces[0]:
        return False  # its first call used the fuel up
    traces.append(trace_linker(case, translating(option), len(traces[0])))
    return any(trace != traces[0] for trace in traces)


def disagreements(name: str, first: int, count: int) -> Iterator[Disagreement]:
    """The disagreements among the programs with seeds from `first` on, each not shrunk yet."""
    generator = GENERATORS[name]
    for start in range(first, first + count, generator.batch):
        seeds = tuple(range(start, min(start + generator.batch, first + count)))
        option = start // generator.batch
        case = generator.make(seeds)
        if not _differs(generator, case, option):
            continue
        alone = [
            Disagreement(name, (seed,), single, option, generator.referees)
            for seed in seeds
            if _differs(generator, single := generator.make((seed,)), option)
        ]
        yield from alone or [Disagreement(name, seeds, case, option, generator.referees)]
