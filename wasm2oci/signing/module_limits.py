"""What a policy lets a module do: which imports and features it may have, and how large it may be."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ModuleLimits"]

_PREVIEW0: Final = "wasi_unstable."
_PREVIEW1: Final = "wasi_snapshot_preview1."


@dataclass(frozen=True, slots=True)
class ModuleLimits:
    """What a module may do. Patterns are of the shell: `wasi_snapshot_preview1.sock_*`.

    Attributes:
        deny_imports: imports (`module.name`, or a component's `wasi:http/types@0.2.0`) that it may not have. What is
            denied of preview 1 of WASI is denied of preview 0 (`wasi_unstable`) as well: they are the same functions.
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
        for what, names, denied, allowed in (
            ("imports", imports, self.deny_imports, self.allow_imports),
            ("uses the feature", features, self.deny_features, self.allow_features),
        ):
            for name in dict.fromkeys(names):
                spellings = (name, name.replace(_PREVIEW0, _PREVIEW1, 1)) if name.startswith(_PREVIEW0) else (name,)
                pattern = next((one for one in denied if any(fnmatchcase(each, one) for each in spellings)), None)
                if pattern is not None:
                    found.append(f"the module {what} {name}, and the policy denies {pattern!r}")
                elif allowed is not None and not any(fnmatchcase(name, one) for one in allowed):
                    found.append(f"the module {what} {name}, and the policy does not allow it")
        return found


def _quoted(texts: Iterable[str]) -> str:
    return ", ".join(f'"{one}"' for one in texts)
