"""The WIT of every component of the component model's suites that is valid here."""

import pytest

from tests.support.component_suite import SUITES, binaries, missing
from wasm2oci.engine.binary import decode_module
from wasm2oci.engine.binary.definitions import decode_definitions
from wasm2oci.engine.errors import ModuleError
from wasm2oci.engine.validate.component.definitions import validate_component
from wasm2oci.engine.wit.document import wit_text

pytestmark = [pytest.mark.spec, pytest.mark.skipif(missing() is not None, reason=missing() or "")]


def valid(data: bytes) -> bool:
    try:
        definitions = decode_definitions(data, {})
        modules = {(start, end): decode_module(data[start:end]) for start, end in definitions.all_modules()}
        validate_component(definitions, modules, {})
    except ModuleError:
        return False
    return True


@pytest.mark.parametrize("suite", SUITES)
def test_every_valid_component_has_a_wit(suite: str) -> None:
    shown = 0
    for command in binaries(suite):
        if valid(command.binary):
            text = wit_text(command.binary)
            assert text.startswith("package "), command.place
            shown += 1
    assert shown > 100
