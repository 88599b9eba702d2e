"""Show what a component imports and exports, with all types, as WIT."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment
    from wasm2oci.operations.fetch_module import FetchPolicy

__all__ = ["Wit", "wit"]


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


def wit(subject: Path | Location | bytes, policy: FetchPolicy, environment: Environment) -> Wit:
    """The world of a component, or the interfaces and worlds of a WIT package."""
    from wasm2oci.engine.wit.document import wit_text
    from wasm2oci.operations.fetch_module import fetch
    from wasm2oci.operations.subject import subject_name

    fetched = fetch(subject, policy, environment).checked(component=True)
    return Wit(subject_name(subject), fetched.digest, wit_text(fetched.data))
