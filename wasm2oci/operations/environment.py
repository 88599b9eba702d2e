"""The one wiring point: what operations need from the world, made from plain data.

Only here do the cores meet their concrete parts: variables and home folder, clock, credentials, cache, and the targets
that a location opens. Tests hand in another `Environment`.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Access", "Environment"]


@dataclass(frozen=True, slots=True)
class Access:
    """How registries are reached and as whom, as the user said it; nothing said means the usual ways are tried."""

    plain_http: bool = False
    insecure: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    identity_token: bool = False
    credentials_file: Path | None = None


def _say_nothing(text: str) -> None:
    del text


@dataclass(frozen=True, slots=True)
class Environment:
    """The world as operations see it.

    Args:
        variables: environment variables.
        home: the user's home folder.
        access: how registries are reached.
        warn: takes text that may need the user's attention.
        note: takes text that only a curious user wants.
        clock: seconds since the epoch.
    """

    variables: Mapping[str, str]
    home: Path
    access: Access = field(default_factory=Access)
    warn: Callable[[str], None] = _say_nothing
    note: Callable[[str], None] = _say_nothing
    clock: Callable[[], float] = time.time
