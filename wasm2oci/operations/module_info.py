"""A module as every result shows it: which bytes, and what they declare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from wasm2oci.base.records import NamedTuple

if TYPE_CHECKING:
    from wasm2oci.engine.facts import ModuleFacts
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.digest import Digest

__all__ = ["ModuleInfo"]


class ModuleInfo(NamedTuple):
    """A WebAssembly file.

    Attributes:
        digest: of its bytes.
        size: bytes.
        facts: what it declares; None where it was not looked into.
    """

    digest: Digest
    size: int
    facts: ModuleFacts | None = None

    @classmethod
    def of(cls, descriptor: Descriptor, facts: ModuleFacts | None = None) -> Self:
        """The module that this descriptor names."""
        return cls(descriptor.digest, descriptor.size, facts)
