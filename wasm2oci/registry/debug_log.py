"""What the debug log shows of requests and answers: no secret.

Of an address, its query and its user are left out; of a header field, its value, unless it is known to hold no secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.base.text import one_line
from wasm2oci.registry.urls import redact

if TYPE_CHECKING:
    from wasm2oci.registry.messages import Request, Response

__all__ = ["request_line", "response_line"]

_SHOWN: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "content-length",
        "content-range",
        "content-type",
        "date",
        "docker-content-digest",
        "docker-distribution-api-version",
        "etag",
        "if-match",
        "oci-chunk-min-length",
        "oci-filters-applied",
        "oci-subject",
        "oci-tag",
        "range",
        "ratelimit-limit",
        "ratelimit-remaining",
        "retry-after",
        "server",
        "transfer-encoding",
        "user-agent",
        "warning",
    }
)
"""Header fields whose values are shown. Of every other, the name only: its value may be a secret."""
_URLS: Final = frozenset({"location", "link", "referer"})


def request_line(request: Request) -> str:
    """A request with its header fields."""
    headers = "".join(f"; {name}: {_shown(name, value)}" for name, value in request.headers.items())
    return f"> {request.method} {redact(request.url)}{headers}"


def response_line(response: Response) -> str:
    """An answer with its header fields."""
    headers = "".join(f"; {name.lower()}: {_shown(name, value)}" for name, value in response.headers)
    return f"< {response.status} {redact(response.url)}{headers}"


def _shown(name: str, value: str) -> str:
    lower = name.lower()
    if lower in _SHOWN:
        return one_line(value)
    if lower in _URLS:
        return one_line(redact(value))
    return "..."
