"""Validate: is this module valid WebAssembly, and what does it use? Spec: core, validation (ch. 3).

A component is checked in outline, and each core module in it, however deep, in full.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.base.records import NamedTuple
from wasm2oci.engine.errors import ModuleError
from wasm2oci.engine.syntax.features import DEFAULT
from wasm2oci.operations.module_info import ModuleInfo

if TYPE_CHECKING:
    from pathlib import Path

    from wasm2oci.engine.facts import CoreModule
    from wasm2oci.engine.syntax.features import Feature
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment
    from wasm2oci.operations.fetch_module import FetchPolicy

__all__ = ["Validated", "validate"]


class Validated(NamedTuple):
    """A file that is valid.

    Attributes:
        subject: what was validated, by its name.
        valid: True; a module that is not is an error.
        module: the file, and what it declares.
        core_modules: the module itself, or the core modules in a component.
    """

    subject: str
    valid: bool
    module: ModuleInfo
    core_modules: tuple[CoreModule, ...]


def validate(
    subject: Path | Location | bytes, policy: FetchPolicy, environment: Environment, features: Feature = DEFAULT
) -> Validated:
    """Validate a core module, or a component and every core module in it."""
    from wasm2oci.engine.facts import validated
    from wasm2oci.oci.digest import Digest
    from wasm2oci.operations.fetch_module import fetch
    from wasm2oci.operations.subject import subject_name

    name = subject_name(subject)
    data = fetch(subject, policy, environment).data
    try:
        result = validated(data, features)
    except ModuleError as error:
        raise error.about(f"{name} is not valid") from error
    return Validated(name, True, ModuleInfo(Digest.of(data), len(data), result.facts), result.modules)
