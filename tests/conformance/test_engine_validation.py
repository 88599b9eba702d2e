"""The specification's suite, as far as modules are accepted and refused; running them is `test_engine_execution`.

Spec: core, appendix, validation algorithm: "the algorithm ... is expressed in typed pseudo code", and the suite's
commands: `module` must be accepted, `assert_malformed` must not decode, `assert_invalid` must decode and not validate.
"""

import pytest

from tests.support.spec_suite import (
    Command,
    SpecFile,
    core_files,
    custom_files,
    legacy_files,
    missing,
    proposal_files,
)
from wasm2oci.engine.binary import decode_module
from wasm2oci.engine.errors import InvalidModuleError, MalformedError, ModuleError
from wasm2oci.engine.syntax.features import DEFAULT, Feature
from wasm2oci.engine.validate import validate_module

pytestmark = [pytest.mark.spec, pytest.mark.skipif(missing() is not None, reason=missing() or "")]

_ACCEPTED = {"module", "module_definition", "assert_unlinkable", "assert_uninstantiable", "assert_trap"}
_REFUSED: dict[str, type[ModuleError]] = {"assert_malformed": MalformedError, "assert_invalid": InvalidModuleError}


def _verdict(binary: bytes, allowed: Feature) -> ModuleError | None:
    try:
        validate_module(decode_module(binary), allowed)
    except ModuleError as error:
        return error
    return None


def _check(file: SpecFile, allowed: Feature = DEFAULT, unless: frozenset[str] = frozenset()) -> None:
    """Checks every command of a file that has a binary; `unless` holds texts of assertions that do not apply."""
    seen, wrong = 0, []
    for command in file.commands():
        binary = command.binary
        if binary is None or command.text in unless or command.type == "assert_invalid_custom":
            continue
        seen += 1
        error = _verdict(binary, allowed)
        wanted = _REFUSED.get(command.type)
        if wanted is None:
            assert command.type in _ACCEPTED, command.type
        if (wanted is None) != (error is None) or (wanted is not None and not isinstance(error, wanted)):
            wrong.append(_line(command, error))
        elif error is not None:
            assert 0 <= error.offset <= len(binary), _line(command, error)
    assert not wrong, "\n".join(wrong)
    assert seen or not any(command.binary for command in file.commands())


def _line(command: Command, error: ModuleError | None) -> str:
    return f"line {command.line}: {command.type} {command.text!r}: {type(error).__name__} {error}"


@pytest.mark.parametrize("file", core_files(), ids=lambda file: file.name)
def test_core(file: SpecFile) -> None:
    _check(file)


@pytest.mark.parametrize("file", custom_files(), ids=lambda file: file.name)
def test_custom(file: SpecFile) -> None:
    _check(file)


@pytest.mark.parametrize("file", legacy_files(), ids=lambda file: file.name)
def test_legacy_exceptions(file: SpecFile) -> None:
    _check(file)


@pytest.mark.parametrize("file", proposal_files("wide-arithmetic"), ids=lambda file: file.name)
def test_wide_arithmetic(file: SpecFile) -> None:
    _check(file, DEFAULT | Feature.WIDE_ARITHMETIC)


@pytest.mark.parametrize("file", proposal_files("threads"), ids=lambda file: file.name)
def test_threads(file: SpecFile) -> None:
    # The proposal's files stand on version 1, which has one memory and one table.
    _check(file, DEFAULT | Feature.THREADS, frozenset({"multiple memories", "multiple tables"}))


@pytest.mark.parametrize("file", proposal_files("custom-page-sizes"), ids=lambda file: file.name)
def test_custom_page_sizes(file: SpecFile) -> None:
    _check(file, DEFAULT | Feature.CUSTOM_PAGE_SIZES)
