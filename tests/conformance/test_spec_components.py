"""The component model's suites, as far as components are accepted and refused.

Of 1,900 binaries, 20 verdicts differ from what the scripts say, each for a reason that is listed here: the script turns
a feature off that is on here, states what wasmtime alone does not implement, or needs a proposal that this engine does
not know. Where wasm-tools with all features agrees with a script, so does this engine, except for those proposals.
"""

import pytest

from tests.support.component_suite import SUITES, ComponentCommand, binaries, missing
from wasm2oci.engine.errors import InvalidModuleError, MalformedError, ModuleError
from wasm2oci.engine.facts import validated
from wasm2oci.engine.syntax.features import parse_features

pytestmark = [pytest.mark.spec, pytest.mark.skipif(missing() is not None, reason=missing() or "")]

_ALL = parse_features("all")
_REFUSED: dict[str, tuple[type[ModuleError], ...]] = {
    "assert_malformed": (MalformedError,),
    "assert_invalid": (InvalidModuleError, MalformedError),  # "invalid leading byte" is malformed, too
}
_ASYNC = "synchronous reads and writes of streams and futures are allowed here"
_CM64 = "memories of 64 bits are allowed here"
_WASMTIME = "a restriction of wasmtime's: the component is valid"
_SHARED = "needs shared-everything-threads"
_NESTED = "needs nested namespaces and packages, which the specification gates"
_ACCEPTED = {
    "wasm-tools/async/futures:156": _ASYNC,
    "wasm-tools/async/futures:190": _ASYNC,
    "wasm-tools/async/streams:147": _ASYNC,
    "wasm-tools/async/streams:182": _ASYNC,
    "wasm-tools/memory64:46": _CM64,
    "wasm-tools/options:55": _CM64,
    "wasm-tools/resources:52": _CM64,
    "wasmtime/implements-disabled:4": "the attribute `implements` is allowed here",
    "wasmtime/import:2": _WASMTIME,
    "wasmtime/restrictions:2": _WASMTIME,
    "wasmtime/restrictions:6": _WASMTIME,
    "wasmtime/restrictions:10": _WASMTIME,
    "wasmtime/restrictions:17": _WASMTIME,
    "wasmtime/simple:25": _WASMTIME,
    "wasmtime/simple:31": _WASMTIME,
}
"""Refused by the script, valid here, and why."""
_NOT_KNOWN = {
    "wasm-tools/legacy-indices:71": _SHARED,
    "wasm-tools/shared-everything-threads/not-accepted:13": _SHARED,
    "wasm-tools/nested-names:6": _NESTED,
    "wasm-tools/nested-names:13": _NESTED,
    "wasm-tools/nested-names:24": _NESTED,
}
"""Accepted by the script, refused here, and why."""
_COUNTS = {"component-model": 736, "wasm-tools": 844, "wasmtime": 320}


def _verdict(binary: bytes) -> ModuleError | None:
    try:
        validated(binary, _ALL)
    except ModuleError as error:
        return error
    return None


def _wrong(command: ComponentCommand, error: ModuleError | None) -> bool:
    if command.place in _ACCEPTED:
        return error is not None
    if command.place in _NOT_KNOWN:
        return error is None
    wanted = _REFUSED.get(command.type)
    return error is not None if wanted is None else not isinstance(error, wanted)


@pytest.mark.parametrize("suite", SUITES)
def test_every_binary_of_a_suite_is_judged_as_its_script_says(suite: str) -> None:
    commands, wrong = binaries(suite), []
    for command in commands:
        error = _verdict(command.binary)
        if error is not None:
            assert 0 <= error.offset <= len(command.binary), (command.place, str(error))
        if _wrong(command, error):
            wrong.append(f"{command.place}: {command.type} {command.reason!r}: {type(error).__name__} {error}")
    assert not wrong, "\n".join(wrong)
    assert len(commands) == _COUNTS[suite]


def test_exceptions_name_what_exists() -> None:
    places = {command.place for suite in SUITES for command in binaries(suite)}
    assert places.issuperset(_ACCEPTED)
    assert places.issuperset(_NOT_KNOWN)
