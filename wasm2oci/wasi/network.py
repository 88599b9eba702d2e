"""Which hosts of the network a guest may reach: none, unless they are named."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ["NetworkRule", "allows"]

_RULE: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+|[0-9a-fA-F]*:[0-9a-fA-F:.]+)(?::([0-9]{1,5}))?")
_PORTS: Final = 65536


class NetworkRule(NamedTuple):
    """A host that may be reached.

    Attributes:
        host: a name or an address, in lower case, without brackets.
        port: the only one; None for all of them.
    """

    host: str
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> NetworkRule | None:
        """The rule of `HOST`, `HOST:PORT` or `[IPv6]:PORT`; None when the text is none of these."""
        found = _RULE.fullmatch(text)
        if found is None or int(found[2] or 0) >= _PORTS:
            return None
        return cls(found[1].strip("[]").lower().rstrip("."), None if found[2] is None else int(found[2]))


def allows(rules: tuple[NetworkRule, ...], host: str, port: int) -> bool:
    """Whether a host, by the name that the guest uses, may be reached at a port."""
    name = host.strip("[]").lower().rstrip(".")
    return any(rule.host == name and rule.port in {None, port} for rule in rules)
