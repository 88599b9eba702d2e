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

__all__ = ["ValidateRequest", "Validated", "validate"]


class ValidateRequest(NamedTuple):
    """What is validated, and by which rules.

    Attributes:
        subject: a file, where an artifact is, or the bytes.
        features: what the module may use.
        wanted: which module, when the artifact holds several: a title, a path in an archive, or a digest.
        platform: which entry of an index.
    """

    subject: Path | Location | bytes
    features: Feature = DEFAULT
    wanted: str | None = None
    platform: str | None = None


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


def validate(request: ValidateRequest, environment: Environment) -> Validated:
    """Validate a core module, or a component and every core module in it.

    Raises:
        MalformedError: it does not decode. Like the next ones with `reason`, and `offset` in the whole file.
        InvalidModuleError: it does not type-check.
        FeatureError: it uses a feature that is not allowed.
        Wasm2OciError: it cannot be read or fetched.
    """
    from wasm2oci.engine.facts import validated
    from wasm2oci.oci.digest import Digest
    from wasm2oci.operations.fetch_module import FetchPolicy, Pull, fetch
    from wasm2oci.operations.subject import subject_name

    name = subject_name(request.subject)
    policy = FetchPolicy(pull=Pull.ALWAYS, wanted=request.wanted, platform=request.platform)
    data = fetch(request.subject, policy, environment).data
    try:
        result = validated(data, request.features)
    except ModuleError as error:
        raise error.about(f"{name} is not valid") from error
    return Validated(name, True, ModuleInfo(Digest.of(data), len(data), result.facts), result.modules)
