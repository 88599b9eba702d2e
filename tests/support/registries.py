"""The four set-ups of Debian's docker-registry that end-to-end tests run against, each with what a client has to say.

with open_registry("bearer", folder) as case:
    case.host; case.options        # keyword arguments of ConnectOptions
    case.flags                     # the same as flags of the command line
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.certificates import make_authority
from tests.support.docker_registry import PASSWORD, USERNAME, DockerRegistry, docker_registry
from tests.support.token_server import TokenServer, token_server

__all__ = ["SETUPS", "Case", "open_registry"]

SETUPS = ("plain", "basic", "tls", "bearer")


@dataclass(frozen=True)
class Case:
    """A registry that runs, and how to talk to it."""

    setup: str
    registry: DockerRegistry
    options: dict[str, Any] = field(default_factory=dict)
    flags: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        """The registry."""
        return self.registry.host


@contextmanager
def open_registry(setup: str, folder: Path, *, life: float = 300.0) -> Iterator[Case]:
    """Run one of `SETUPS` while the block lasts; tokens of `bearer` live so many seconds."""
    login = {"username": USERNAME, "password": PASSWORD}
    flags = ("-u", USERNAME, "-p", PASSWORD)
    with ExitStack() as stack:
        if setup == "plain":
            yield Case(setup, stack.enter_context(docker_registry(folder)))
        elif setup == "basic":
            yield Case(setup, stack.enter_context(docker_registry(folder, basic=True)), login, flags)
        else:
            authority = make_authority(folder / "ca")
            tokens = None
            if setup == "bearer":
                tokens = TokenServer(authority.issue("signer", rsa_key=True), life=life)
                stack.enter_context(token_server(tokens, certificate=authority.issue("tokens")))
            registry = stack.enter_context(
                docker_registry(folder, certificate=authority.issue("registry"), authority=authority, tokens=tokens)
            )
            trust = {"ca_file": authority.ca_file}
            trusted = ("--ca-file", str(authority.ca_file))
            yield Case(
                setup,
                registry,
                {**trust, **login} if tokens else trust,
                (*trusted, *flags) if tokens else trusted,
            )
