"""The text format against the specification's suite and wasm-tools: bytes, refusals, places.

What is listed here as an exception is one for a reason that the specification gives.
"""

from collections import Counter

import pytest

from tests.support import component_suite
from tests.support.spec_suite import core_files
from tests.support.text_suite import (
    ParseFailure,
    TextCommand,
    commands,
    component_binaries,
    component_commands,
    missing,
    parse_failures,
    snapshots,
)
from wasm2oci.engine.errors import MalformedError
from wasm2oci.engine.text import TextError, assemble, print_text

pytestmark = pytest.mark.skipif(missing() is not None, reason=missing() or "")

SAMPLE = 29
"""In the fast tests, one text of so many."""
TEXTS, MALFORMED, PARSED, FAILURES = 5_652, 1_290, 15, 58
PRINTED, AS_PRINTED = 2_745, 2_550
COMPONENTS, MALFORMED_COMPONENTS, PRINTED_COMPONENTS = 1_762, 23, 363
PRINTED_SAME = 3_626
"""Prints of the binaries in three suites, flat and folded, that assemble to the same bytes."""


# Two use shared functions and tables of a proposal (shared-everything-threads); one has instructions that are not in
# parentheses among the operands of a folded one, which the grammar does not have (core specification, 6.5.11).
UNREAD = {("legacy-indices", 71), ("shared-everything-threads/not-accepted", 13), ("async/streams-massive-send", 10)}

# These were malformed before 64-bit memories; WebAssembly 3.0 calls the same texts invalid (memory.wast).
OUTDATED = {("proposals_threads_memory", line) for line in (84, 88, 92)}


def check(found: list[TextCommand]) -> tuple[int, int, int]:
    """Counts of texts that became the same bytes, of texts refused, and of quoted texts that are modules."""
    same = refused = parsed = 0
    for command in found:
        place = f"{command.file}:{command.line}"
        wrong = "malformed" in command.type and command.quoted
        if wrong and (command.file, command.line) not in OUTDATED:
            with pytest.raises(TextError):
                pytest.fail(f"{place} is not refused: {assemble(command.text, confusing=True)!r}")
            refused += 1
            continue
        # names.wast has texts that run from right to left.
        binary = assemble(command.text, confusing=True)
        if wrong:
            refused += 1
        elif command.quoted:
            parsed += 1
        else:
            assert binary == command.binary, place
            same += 1
    return same, refused, parsed


@pytest.mark.spec
def test_every_text_of_the_core_suite_becomes_the_bytes_of_wasm_tools_or_is_refused() -> None:
    assert check(commands()) == (TEXTS, MALFORMED, PARSED)


def test_one_text_of_many_becomes_the_bytes_of_wasm_tools_or_is_refused() -> None:
    same, refused, _ = check(commands(SAMPLE))
    assert same > TEXTS // SAMPLE // 2
    assert refused > MALFORMED // SAMPLE // 2


def check_prints(printed: dict[str, str]) -> int:
    """How many printed modules assemble, print and assemble to the same bytes and the same text."""
    same = 0
    for name, text in printed.items():
        binary = assemble(text, confusing=True)
        for folded in (False, True):
            again = "".join(print_text(binary, folded=folded))
            assert assemble(again) == binary, name
            assert "".join(print_text(assemble(again), folded=folded)) == again, name
        same += 1
    return same


@pytest.mark.spec
def test_every_module_that_wasm_tools_printed_is_read_and_printed_without_a_change() -> None:
    assert check_prints(snapshots("testsuite")) == PRINTED


def test_one_printed_module_of_many_is_read_and_printed_without_a_change() -> None:
    printed = dict(sorted(snapshots("testsuite").items())[::SAMPLE])
    assert check_prints(printed) > PRINTED // SAMPLE // 2


@pytest.mark.spec
def test_modules_of_the_suite_print_as_wasm_tools_prints_them() -> None:
    printed = snapshots("testsuite")
    same = sum("".join(print_text(assemble(text, confusing=True))) == text for text in printed.values())
    # The others: names where wasm-tools gives an export's index, and a point in every subnormal number.
    assert same >= AS_PRINTED


@pytest.mark.spec
def test_every_binary_of_the_suite_is_printed_or_refused() -> None:
    counts = Counter[str]()
    for file in core_files():
        for path in sorted(file.folder.glob("*.wasm")):
            data = path.read_bytes()
            try:
                printed = "".join(print_text(data))
            except MalformedError:
                counts["malformed"] += 1
                continue
            counts["same" if assemble(printed) == data else "written otherwise"] += 1
            assert "".join(print_text(assemble(printed))) == printed, path
    assert counts["same"] > counts["written otherwise"] * 40


def check_components(found: list[TextCommand]) -> tuple[int, int]:
    """Counts of texts of components that became the bytes of wasm-tools, and of texts refused."""
    same = refused = 0
    for command in found:
        place = (command.file.partition("/js/")[2], command.line)
        if command.quoted:
            with pytest.raises(TextError):
                pytest.fail(f"{place} is not refused: {assemble(command.text)!r}")
            refused += 1
        elif place in UNREAD:
            with pytest.raises(TextError):
                assemble(command.text)
        else:
            assert assemble(command.text, confusing=True) == command.binary, place
            same += 1
    return same, refused


@pytest.mark.skipif(component_suite.missing() is not None, reason=component_suite.missing() or "")
@pytest.mark.spec
def test_every_text_of_a_component_becomes_the_bytes_of_wasm_tools_or_is_refused() -> None:
    assert check_components(component_commands()) == (COMPONENTS, MALFORMED_COMPONENTS)


@pytest.mark.skipif(component_suite.missing() is not None, reason=component_suite.missing() or "")
def test_one_text_of_a_component_of_many_becomes_the_bytes_of_wasm_tools() -> None:
    assert check_components(component_commands(SAMPLE))[0] > COMPONENTS // SAMPLE // 2


def check_printed_components(binaries: dict[str, bytes]) -> Counter[str]:
    counts = Counter[str]()
    for name, data in binaries.items():
        for folded in (False, True):
            try:
                printed = "".join(print_text(data, folded=folded))
            except MalformedError:
                counts["malformed"] += 1
                continue
            counts["same" if assemble(printed, confusing=True) == data else "written otherwise"] += 1
            assert "".join(print_text(assemble(printed, confusing=True), folded=folded)) == printed, name
    return counts


@pytest.mark.skipif(component_suite.missing() is not None, reason=component_suite.missing() or "")
@pytest.mark.spec
def test_every_component_is_printed_so_that_it_reads_the_same_or_refused() -> None:
    counts = check_printed_components(component_binaries())
    assert counts["same"] >= PRINTED_SAME
    assert counts["written otherwise"] * 100 < counts["same"]


@pytest.mark.skipif(component_suite.missing() is not None, reason=component_suite.missing() or "")
def test_one_component_of_many_is_printed_so_that_it_reads_the_same() -> None:
    sample = dict(sorted(component_binaries().items())[::SAMPLE])
    assert check_printed_components(sample)["same"] > len(sample)


@pytest.mark.spec
def test_components_that_wasm_tools_printed_are_read() -> None:
    printed = snapshots("component-model")
    unread = {"legacy-indices.wast/5", "shared-everything-threads/not-accepted.wast/1"}
    assert len(printed) == PRINTED_COMPONENTS
    for name, text in printed.items():
        if name not in unread:
            assemble(text)


def test_there_are_as_many_parse_failures_as_wasm_tools_has() -> None:
    assert len(parse_failures()) == FAILURES


@pytest.mark.parametrize("case", parse_failures(), ids=lambda case: case.name)
def test_a_text_is_refused_where_wasm_tools_refuses_it(case: ParseFailure) -> None:
    with pytest.raises(TextError) as caught:
        assemble(case.text)
    assert (caught.value.line, caught.value.column) == (case.line, case.column)
