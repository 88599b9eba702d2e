"""The distribution-spec's own table of endpoints; every request of this client starts from one of its rows.

Spec: distribution-spec, Endpoints, end-1 to end-14.
"""

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from wasm2oci.registry.messages import Request
from wasm2oci.registry.urls import quote_path, with_query

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wasm2oci.registry.messages import Body
    from wasm2oci.registry.urls import Origin

__all__ = ["ENDPOINTS", "Endpoint", "endpoint"]


class Endpoint(NamedTuple):
    """One row: what is asked, which answers mean that it was done, and what a token must allow.

    Args:
        id: the row's name in the specification.
        method: of the request.
        path: below the registry's origin, with `{name}` and `{target}` (a tag or digest) to fill in.
        done: statuses that mean success.
        actions: what the token must allow on the repository, or empty for none.
        repeatable: whether sending it twice does no more than sending it once.
    """

    id: str
    method: str
    path: str
    done: frozenset[int]
    actions: tuple[str, ...]
    repeatable: bool = True

    def request(
        self,
        origin: "Origin",
        name: str = "",
        target: str = "",
        *,
        query: "Sequence[tuple[str, str]]" = (),
        headers: "Mapping[str, str] | None" = None,
        body: "Body | bytes | None" = None,
    ) -> Request:
        """The request of this row.

        Args:
            origin: of the registry.
            name: of the repository.
            target: tag or digest.
            query: parameters, in order.
            headers: to send besides the ones every request has.
            body: bytes to send, or None.
        """
        path = self.path.format(name=quote_path(name), target=quote_path(target))
        return Request(
            self.method, with_query(f"{origin}{path}", query), dict(headers or {}), body, repeatable=self.repeatable
        )


_PULL: Final = ("pull",)
_PUSH: Final = ("pull", "push")
_DELETE: Final = ("delete", "pull")


def _row(
    id_: str, method: str, path: str, done: "Sequence[int]", actions: tuple[str, ...], *, repeatable: bool = True
) -> tuple[str, Endpoint]:
    return id_, Endpoint(id_, method, path, frozenset(done), actions, repeatable)


_BLOB: Final = "/v2/{name}/blobs/{target}"
_MANIFEST: Final = "/v2/{name}/manifests/{target}"
_UPLOADS: Final = "/v2/{name}/blobs/uploads/"

# Rows end-5, end-6, end-13 and end-14 have no path of their own: they go to the Location that the registry gave.
# ECR answers 201 to end-5; some registries answer 200 or 204 to deletes; end-7 and end-6 are 201 by the letter.
ENDPOINTS: Final["Mapping[str, Endpoint]"] = MappingProxyType(
    dict(
        (
            _row("end-1", "GET", "/v2/", (200,), ()),
            _row("end-2", "GET", _BLOB, (200, 206), _PULL),
            _row("end-2h", "HEAD", _BLOB, (200,), _PULL),
            _row("end-3", "GET", _MANIFEST, (200,), _PULL),
            _row("end-3h", "HEAD", _MANIFEST, (200,), _PULL),
            _row("end-4a", "POST", _UPLOADS, (202,), _PUSH),
            _row("end-4b", "POST", _UPLOADS, (201, 202), _PUSH),
            _row("end-5", "PATCH", "", (200, 201, 202, 204), _PUSH, repeatable=False),
            _row("end-6", "PUT", "", (200, 201, 204), _PUSH, repeatable=False),
            _row("end-7", "PUT", _MANIFEST, (200, 201, 202), _PUSH),
            _row("end-8", "GET", "/v2/{name}/tags/list", (200,), _PULL),
            _row("end-9", "DELETE", _MANIFEST, (200, 202, 204), _DELETE),
            _row("end-10", "DELETE", _BLOB, (200, 202, 204), _DELETE),
            _row("end-11", "POST", _UPLOADS, (201, 202), _PUSH),
            _row("end-12", "GET", "/v2/{name}/referrers/{target}", (200,), _PULL),
            _row("end-13", "GET", "", (200, 202, 204), _PUSH),
            _row("end-14", "DELETE", "", (200, 202, 204), _PUSH),
        )
    )
)
"""Row by its id. `end-2h` and `end-3h` are the HEAD halves of their rows."""


def endpoint(id_: str) -> Endpoint:
    """The row of this id."""
    return ENDPOINTS[id_]
