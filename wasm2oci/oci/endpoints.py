"""The endpoints of the distribution specification, as one table for the client and for the server.

The client makes requests from a row, and reads in it which answers mean success and what a token must allow. The
server finds the row of a request, and reads in it what the user must be allowed and which parameters there are.

Spec: distribution-spec, Endpoints, end-1 to end-14 of version 1.1; of the next one `digest-algorithm` (end-4c), `tag`
(end-7b) and end-14. `catalog` is Docker's, which many tools still ask for.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final, Literal
from urllib.parse import quote

from wasm2oci.base.records import NamedTuple

__all__ = [
    "API_ROOT",
    "ENDPOINTS",
    "Action",
    "Endpoint",
    "EndpointMatch",
    "find_endpoints",
    "link_to",
    "path_patterns",
]

API_ROOT: Final = "/v2"
"""How the path of every endpoint begins, except at mirrors that have theirs below another path."""

Action = Literal["pull", "push", "delete"]
"""What a user may be allowed to do in a repository."""


class Endpoint(NamedTuple):
    """One row.

    Args:
        id: the row's name in the specification.
        method: of the request.
        path: with `{name}` of a repository and `{reference}`: a tag, a digest, or the id of an upload.
        success: the statuses that the specification gives for success.
        action: what the user must be allowed in the repository.
        query: the parameters that the row knows.
        tolerated: further statuses by which registries in use answer success.
        repeatable: whether sending the request twice does no more than sending it once.
    """

    id: str
    method: str
    path: str
    success: tuple[int, ...]
    action: Action
    query: tuple[str, ...] = ()
    tolerated: tuple[int, ...] = ()
    repeatable: bool = True

    @property
    def in_upload(self) -> bool:
        """Whether the path is that of an upload, which a client takes from `Location` and never makes itself."""
        return self.path == _UPLOAD

    def succeeded(self, status: int) -> bool:
        """Whether an answer with this status means that what was asked for is done."""
        return status in self.success or status in self.tolerated

    def at(self, name: str = "", reference: object = "", *, root: str = API_ROOT) -> str:
        """The path with these parts in it, percent-encoded; `root` takes the place of `API_ROOT` at its beginning."""
        path = self.path.format(name=_quoted(name), reference=_quoted(str(reference)))
        return path if root == API_ROOT else root + path.removeprefix(API_ROOT)


_PART: Final = re.compile(r"\{[a-z]+\}")
_BASE: Final = "/v2/"
_BLOB: Final = "/v2/{name}/blobs/{reference}"
_MANIFEST: Final = "/v2/{name}/manifests/{reference}"
_UPLOADS: Final = "/v2/{name}/blobs/uploads/"
_UPLOAD: Final = "/v2/{name}/blobs/uploads/{reference}"
_TAGS: Final = "/v2/{name}/tags/list"
_REFERRERS: Final = "/v2/{name}/referrers/{reference}"

PING: Final = Endpoint("end-1", "GET", _BASE, (200,), "pull")
GET_BLOB: Final = Endpoint("end-2", "GET", _BLOB, (200, 206), "pull")
HEAD_BLOB: Final = Endpoint("end-2", "HEAD", _BLOB, (200,), "pull")
GET_MANIFEST: Final = Endpoint("end-3", "GET", _MANIFEST, (200,), "pull")
HEAD_MANIFEST: Final = Endpoint("end-3", "HEAD", _MANIFEST, (200,), "pull")
START_UPLOAD: Final = Endpoint("end-4a", "POST", _UPLOADS, (202,), "push")
PUSH_BLOB: Final = Endpoint("end-4b", "POST", _UPLOADS, (201, 202), "push", ("digest",), repeatable=False)
START_UPLOAD_HASHED: Final = Endpoint("end-4c", "POST", _UPLOADS, (202,), "push", ("digest-algorithm",))
# ECR answers 201 to a chunk.
PATCH_UPLOAD: Final = Endpoint("end-5", "PATCH", _UPLOAD, (202,), "push", (), (200, 201, 204), repeatable=False)
PUT_UPLOAD: Final = Endpoint("end-6", "PUT", _UPLOAD, (201,), "push", ("digest",), (200, 204), repeatable=False)
PUT_MANIFEST: Final = Endpoint("end-7a", "PUT", _MANIFEST, (201,), "push", (), (200, 202))
PUT_MANIFEST_TAGGED: Final = Endpoint("end-7b", "PUT", _MANIFEST, (201,), "push", ("tag",), (200, 202))
LIST_TAGS: Final = Endpoint("end-8", "GET", _TAGS, (200,), "pull", ("n", "last"))
DELETE_MANIFEST: Final = Endpoint("end-9", "DELETE", _MANIFEST, (202,), "delete", (), (200, 204))
DELETE_BLOB: Final = Endpoint("end-10", "DELETE", _BLOB, (202,), "delete", (), (200, 204))
MOUNT_BLOB: Final = Endpoint("end-11", "POST", _UPLOADS, (201, 202), "push", ("mount", "from"))
LIST_REFERRERS: Final = Endpoint("end-12", "GET", _REFERRERS, (200,), "pull", ("artifactType", "n", "last"))
UPLOAD_STATUS: Final = Endpoint("end-13", "GET", _UPLOAD, (204,), "push", (), (200, 202))
CANCEL_UPLOAD: Final = Endpoint("end-14", "DELETE", _UPLOAD, (204,), "push", (), (200, 202))
LIST_REPOSITORIES: Final = Endpoint("catalog", "GET", "/v2/_catalog", (200,), "pull", ("n", "last"))

ENDPOINTS: Final = (
    PING,
    GET_BLOB,
    HEAD_BLOB,
    GET_MANIFEST,
    HEAD_MANIFEST,
    START_UPLOAD,
    PUSH_BLOB,
    START_UPLOAD_HASHED,
    PATCH_UPLOAD,
    PUT_UPLOAD,
    PUT_MANIFEST,
    PUT_MANIFEST_TAGGED,
    LIST_TAGS,
    DELETE_MANIFEST,
    DELETE_BLOB,
    MOUNT_BLOB,
    LIST_REFERRERS,
    UPLOAD_STATUS,
    CANCEL_UPLOAD,
    LIST_REPOSITORIES,
)


class EndpointMatch(NamedTuple):
    """A path that is an endpoint's: its rows by method, and the parts of the path, which are not checked yet.

    Rows that share method and path differ in their parameters only; `HEAD` is there wherever `GET` is.
    """

    rows: dict[str, tuple[Endpoint, ...]]
    name: str
    reference: str


def find_endpoints(path: str) -> EndpointMatch | None:
    """The endpoint that a decoded path belongs to, or None. A missing `/` at its end is no difference."""
    for pattern, rows in path_patterns():
        match = pattern.match(path)
        if match is not None:
            groups = match.groupdict()
            return EndpointMatch(rows, groups.get("name") or "", groups.get("reference") or "")
    return None


def link_to(row: Endpoint, name: str, reference: object, query: dict[str, str]) -> str:
    """A `Link` field that leads to the next page of a listing. Spec: RFC 8288; distribution-spec, Pagination."""
    parameters = "&".join(f"{key}={quote(value, safe='')}" for key, value in query.items())
    return f'<{row.at(name, reference)}?{parameters}>; rel="next"'


@cache
def path_patterns() -> list[tuple[re.Pattern[str], dict[str, tuple[Endpoint, ...]]]]:
    """The pattern of each path of the table, and its rows by method."""
    found = []
    # The path with the most fixed characters first: /blobs/uploads/ is not the blob `uploads`.
    for path in sorted({row.path for row in ENDPOINTS}, key=lambda path: -len(_PART.sub("", path))):
        text = re.escape(path).replace(r"\{name\}", "(?P<name>.+)").replace(r"\{reference\}", "(?P<reference>[^/]+)")
        text += r"\Z" if not path.endswith("/") else r"?\Z"
        rows: dict[str, tuple[Endpoint, ...]] = {}
        for row in ENDPOINTS:
            if row.path == path:
                rows[row.method] = (*rows.get(row.method, ()), row)
        if "GET" in rows:
            rows.setdefault("HEAD", rows["GET"])
        found.append((re.compile(text, re.DOTALL), rows))
    return found


def _quoted(text: str) -> str:
    # The characters of names, tags and digests stay as they are.
    return quote(text, safe="/:._-")
