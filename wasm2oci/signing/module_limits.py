"""What a policy lets a module do: which imports and features it may have, and how large it may be."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.syntax.features import FEATURE_NAMES, PROPOSALS, VERSIONS, feature_names

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["InvalidLimitsError", "ModuleLimits", "read_limits"]

_PREVIEW0: Final = "wasi_unstable."
_PREVIEW1: Final = "wasi_snapshot_preview1."


_LISTS: Final = ("deny_imports", "allow_imports", "deny_features", "allow_features")
_SETS: Final = PROPOSALS | VERSIONS
"""Other names of features, and names of several."""


class InvalidLimitsError(Exception):
    """The table means something else than it seems. Never leaves `signing`."""


@dataclass(frozen=True, slots=True)
class ModuleLimits:
    """What a module may do. Patterns are of the shell: `wasi_snapshot_preview1.sock_*`.

    Attributes:
        deny_imports: imports (`module.name`, or a component's `wasi:http/types@0.2.0`) that it may not have. A pattern
            for a module or an interface denies all of it, in every version. What is denied of preview 1 of WASI is
            denied of preview 0 (`wasi_unstable`) as well: they are the same functions.
        allow_imports: the only imports it may have; None for any.
        deny_features: features that it may not use.
        allow_features: the only features that it may use; None for any.
        max_size: of the module, in bytes; None for any.
    """

    deny_imports: tuple[str, ...] = ()
    allow_imports: tuple[str, ...] | None = None
    deny_features: tuple[str, ...] = ()
    allow_features: tuple[str, ...] | None = None
    max_size: int | None = None

    @property
    def any(self) -> bool:
        """Whether there is anything to check."""
        return self != ModuleLimits()

    @property
    def lines(self) -> list[str]:
        """In words, one line each: `deny imports "wasi_snapshot_preview1.sock_*"`."""
        found = [f'deny imports "{one}"' for one in self.deny_imports]
        found += [] if self.allow_imports is None else [f"allow only imports {_quoted(self.allow_imports)}"]
        found += [f'deny feature "{one}"' for one in self.deny_features]
        found += [] if self.allow_features is None else [f"allow only features {_quoted(self.allow_features)}"]
        return found + ([] if self.max_size is None else [f"allow at most {self.max_size:,} bytes"])

    def faults(self, size: int, imports: Iterable[str], features: Iterable[str]) -> list[str]:
        """What a module breaks, one sentence each."""
        found = []
        if self.max_size is not None and size > self.max_size:
            found.append(f"the module has {size:,} bytes, and the policy allows {self.max_size:,}")
        for name in dict.fromkeys(imports):
            pattern = next((one for one in self.deny_imports if _denies(one, name)), None)
            if pattern is not None:
                found.append(f"the module imports {name}, and the policy denies {pattern!r}")
            elif self.allow_imports is not None and not any(fnmatchcase(name, one) for one in self.allow_imports):
                found.append(f"the module imports {name}, and the policy does not allow it")
        for name in dict.fromkeys(features):
            pattern = next((one for one in self.deny_features if name in _features(one)), None)
            if pattern is not None:
                found.append(f"the module uses the feature {name}, and the policy denies {pattern!r}")
            elif self.allow_features is not None and not any(name in _features(one) for one in self.allow_features):
                found.append(f"the module uses the feature {name}, and the policy does not allow it")
        return found


def _denies(pattern: str, name: str) -> bool:
    """Whether a pattern names an import, its module, or its interface without the version."""
    names = (name, name.replace(_PREVIEW0, _PREVIEW1, 1)) if name.startswith(_PREVIEW0) else (name,)
    return any(fnmatchcase(each, one) for each in names for one in (pattern, f"{pattern}.*", f"{pattern}@*"))


def _features(pattern: str) -> tuple[str, ...]:
    """The features that a pattern, a proposal's name or a version of the specification (`wasm2`) names."""
    if pattern in _SETS:
        return feature_names(_SETS[pattern])
    return tuple(name for name in FEATURE_NAMES.values() if fnmatchcase(name, pattern))


def read_limits(value: object) -> ModuleLimits:
    """Reads the table `module` of a rule.

    Raises:
        InvalidLimitsError: it is none, has a key that is unknown, or names a feature that there is not.
    """
    if not isinstance(value, dict):
        raise InvalidLimitsError("is not a table")
    texts = {name: _texts(value, name) for name in _LISTS}
    unknown = next((name for name in value if name not in {*_LISTS, "max_size"}), None)
    if unknown is not None:
        raise InvalidLimitsError(f"has {unknown!r}, which means nothing")
    for name in ("deny_features", "allow_features"):
        stranger = next((one for one in texts[name] or () if not _features(one)), None)
        if stranger is not None:
            raise InvalidLimitsError(f"{name} names {stranger!r}, which is not a feature")
    size = value.get("max_size")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
        raise InvalidLimitsError("max_size is not a number of bytes")
    return ModuleLimits(
        deny_imports=texts["deny_imports"] or (),
        allow_imports=texts["allow_imports"],
        deny_features=texts["deny_features"] or (),
        allow_features=texts["allow_features"],
        max_size=size,
    )


def _texts(value: dict[str, Any], name: str) -> tuple[str, ...] | None:
    found = value.get(name)
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise InvalidLimitsError(f"{name} is not a list of texts")
    return tuple(found)


def _quoted(texts: Iterable[str]) -> str:
    return ", ".join(f'"{one}"' for one in texts)
