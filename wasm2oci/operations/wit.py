"""Show what a component imports and exports, with all types, as WIT."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment

__all__ = ["Wit", "WitRequest", "wit"]


class WitRequest(NamedTuple):
    """What is shown.

    Attributes:
        subject: a file, where an artifact is, or the bytes.
        wanted: which module, when the artifact holds several.
        platform: which entry of an index.
    """

    subject: Path | Location | bytes
    wanted: str | None = None
    platform: str | None = None


class Wit(NamedTuple):
    """The WIT of a component or of a package.

    Attributes:
        subject: what was read, by its name.
        module: the digest of the bytes that were read.
        text: the WIT.
    """

    subject: str
    module: Digest
    text: str


def wit(request: WitRequest, environment: Environment) -> Wit:
    """The world of a component, or the interfaces and worlds of a WIT package.

    Raises:
        ModuleError: it is no component, or its types are invalid.
        Wasm2OciError: it cannot be read or fetched.
    """
    from wasm2oci.engine.wit.document import wit_text
    from wasm2oci.operations.fetch_module import FetchPolicy, Pull, fetch
    from wasm2oci.operations.subject import subject_name

    policy = FetchPolicy(pull=Pull.ALWAYS, wanted=request.wanted, platform=request.platform)
    fetched = fetch(request.subject, policy, environment).checked(component=True)
    return Wit(subject_name(request.subject), fetched.digest, wit_text(fetched.data))
