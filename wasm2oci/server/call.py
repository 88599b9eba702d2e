"""What every endpoint is given: the request, taken apart, and the registry's parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wasm2oci.oci.wire import MANIFEST_MAX
from wasm2oci.server.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wasm2oci.oci.endpoints import Endpoint
    from wasm2oci.server.access import Access
    from wasm2oci.server.fairness import Effort
    from wasm2oci.server.messages import Request
    from wasm2oci.server.storage import Storage
    from wasm2oci.server.uploads import Uploads

__all__ = ["Call", "Rules", "page_size"]

GIB: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Rules:
    """Limits and switches of a registry.

    Attributes:
        read_only: refuse whatever would change something.
        blob_max: bytes of one blob.
        manifest_max: bytes of one manifest.
        upload_idle: seconds of silence after which an upload is abandoned.
        uploads_max: uploads open at once.
        page: entries of a listing's page, at most.
        sparse: take manifests whose layers or members are not in the repository.
        hosts: names, beside addresses and `localhost`, that clients without credentials may call the registry by (the
            host of the `Host` field); None for any. A page of another site can make its own name lead here, and read.
    """

    read_only: bool = False
    blob_max: int = 16 * GIB
    manifest_max: int = MANIFEST_MAX
    upload_idle: float = 3600.0
    uploads_max: int = 1024
    page: int = 1000
    sparse: bool = False
    hosts: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way to its endpoint; `repository` is checked, `reference` is not.

    `rows` are those of the endpoint table: they have the same method and path, and each its own parameters. Work that
    may take long without waiting for the client (parsing a large manifest) is announced to `effort` before.
    """

    rows: tuple[Endpoint, ...]
    request: Request
    query: Mapping[str, list[str]]
    repository: str
    reference: str
    user: str
    storage: Storage
    uploads: Uploads
    access: Access
    rules: Rules
    effort: Effort

    def parameter(self, name: str) -> str | None:
        """The last value of a query parameter that the endpoint has, or None."""
        values = self.parameters(name)
        return values[-1] if values else None

    def parameters(self, name: str) -> list[str]:
        """Every value of a query parameter that the endpoint has."""
        if not any(name in row.query for row in self.rows):
            raise AssertionError(f"no row of {self.rows[0].path} has the parameter {name}")
        return list(self.query.get(name, ()))


def page_size(call: Call) -> int:
    """Entries the client wants on a page (`n`), at most what the rules allow.

    Raises:
        ProblemError: it is not a whole number from 0 on.
    """
    text = call.parameter("n")
    if text is None:
        return call.rules.page
    if not text.isascii() or not text.isdigit():
        raise ProblemError("UNSUPPORTED", "n is not a whole number", status=400)
    return min(int(text[:9]), call.rules.page)
