"""What can be wrong with a module, one class for each phase of the specification.

    MalformedError        ch. 5  the bytes are not a module (assert_malformed)
    InvalidModuleError    ch. 3  the module does not type-check (assert_invalid)
      FeatureError               it uses a feature that is not allowed here
    UnlinkableError       ch. 4  an import is missing or of another type (assert_unlinkable)

Traps and exceptions are outcomes of running, not faults of a module: they live in `runtime`. Whatever else escapes the
engine is a bug of ours.
"""

from __future__ import annotations

from copy import copy
from typing import Self

from wasm2oci.errors import InvalidInputError, Remedy, RemedyKind

__all__ = ["FeatureError", "InvalidModuleError", "MalformedError", "ModuleError", "UnlinkableError"]


class ModuleError(InvalidInputError):
    """A module that is malformed or invalid.

    Args:
        message: what is wrong, in the specification's words.
        offset: where, in bytes from the start of the module (for a component: of the whole file).
        hint: what to do next, or None.
        remedy: the same as data, or None.
    """

    def __init__(self, message: str, offset: int, *, hint: str | None = None, remedy: Remedy | None = None) -> None:
        super().__init__(f"{message} (at offset {offset:#x})", hint=hint, remedy=remedy)
        self.reason = message
        self.offset = offset

    def moved(self, start: int) -> ModuleError:
        """The same error in a file in which the module starts at `start`."""
        return type(self)(self.reason, self.offset + start, hint=self.hint)

    def about(self, what: str) -> Self:
        """The same error with its message after `what` and a colon."""
        error = copy(self)
        error.message = f"{what}: {self.message}"
        error.args = (error.message,)
        return error

    def __reduce__(self) -> tuple[object, ...]:
        """Errors cross process borders (validation in a pool), so they pickle with all their parts."""
        return (_rebuild, (type(self), self.reason, self.offset, self.hint))


class MalformedError(ModuleError):
    """The bytes do not decode to a module. Spec: core, binary format (ch. 5)."""


class InvalidModuleError(ModuleError):
    """The module decodes but does not type-check. Spec: core, validation (ch. 3)."""


class FeatureError(InvalidModuleError):
    """The module needs a feature that is not allowed here: invalid by the rules that were asked for.

    Args:
        feature: the feature's name, as in `syntax.features`.
        offset: where it is used first, in bytes from the start of the module.
    """

    def __init__(self, feature: str, offset: int) -> None:
        super().__init__(
            f"feature {feature} is not allowed",
            offset,
            remedy=Remedy(RemedyKind.ADD_FEATURE, feature),
        )
        self.feature = feature

    def moved(self, start: int) -> FeatureError:
        """See `ModuleError.moved`."""
        return FeatureError(self.feature, self.offset + start)

    def __reduce__(self) -> tuple[object, ...]:
        """See `ModuleError.__reduce__`."""
        return (FeatureError, (self.feature, self.offset))


class UnlinkableError(InvalidInputError):
    """An import is missing, or the value provided for it has another type. Spec: core, instantiation (4.7.2)."""


def _rebuild(kind: type[ModuleError], reason: str, offset: int, hint: str | None) -> ModuleError:
    return kind(reason, offset, hint=hint)
