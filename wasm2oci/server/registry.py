"""The core: `Registry.handle`, a request in and a response out.

No sockets, no clock and no randomness of its own: a storage, rules of access and limits are handed in, and all that
is decided is in the response. The same core answers over HTTP (`http_server`) and in a test without any network.
Spec: distribution-spec 1.1, and of its next edition `digest-algorithm` (end-4c), `tag` (end-7b), end-14.
"""

from __future__ import annotations

import errno
import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from wasm2oci.errors import InvalidInputError, LocalIOError, Wasm2OciError
from wasm2oci.oci import endpoints
from wasm2oci.oci.digest import InvalidDigestError
from wasm2oci.oci.http import basic_credentials
from wasm2oci.oci.reference import InvalidReferenceError, check_repository
from wasm2oci.server import blobs, listing, manifests
from wasm2oci.server.access import ANONYMOUS, Everyone
from wasm2oci.server.call import Call, Rules
from wasm2oci.server.exposure import is_address, is_foreign
from wasm2oci.server.fairness import Effort, Peer, Turns
from wasm2oci.server.messages import BytesBody
from wasm2oci.server.problems import ProblemError, problem_response
from wasm2oci.server.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.server.access import Access
    from wasm2oci.server.messages import Request, Response
    from wasm2oci.server.storage import Storage

__all__ = ["HANDLERS", "Registry"]

HANDLERS: Final[dict[endpoints.Endpoint, Callable[[Call], Response]]] = {
    endpoints.PING: listing.base,
    endpoints.LIST_REPOSITORIES: listing.catalog,
    endpoints.LIST_TAGS: listing.tags,
    endpoints.LIST_REFERRERS: listing.referrers,
    endpoints.GET_BLOB: blobs.get,
    endpoints.DELETE_BLOB: blobs.delete,
    endpoints.START_UPLOAD: blobs.start,
    endpoints.PATCH_UPLOAD: blobs.append,
    endpoints.PUT_UPLOAD: blobs.finish,
    endpoints.UPLOAD_STATUS: blobs.status,
    endpoints.CANCEL_UPLOAD: blobs.cancel,
    endpoints.GET_MANIFEST: manifests.get,
    endpoints.PUT_MANIFEST: manifests.put,
    endpoints.DELETE_MANIFEST: manifests.delete,
}
"""What answers each row, and the rows that differ from it in their parameters only.

HEAD is answered as GET; the HTTP server leaves the body out.
"""


_IN_MEMORY: Final = 64 << 10
"""Bytes of a response that are kept in memory until they are sent."""


class Registry:
    """A registry over a storage.

    Args:
        storage: where everything is kept.
        access: who may do what; by default everyone everything.
        rules: limits and switches.
        site: answers what is not below `/v2/`, for an identified user; None for a registry without pages.
        now: seconds that only grow.
        new_id: 32 lowercase hex digits that cannot be guessed.
        report: takes what went wrong here, for who runs the registry.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        access: Access | None = None,
        rules: Rules | None = None,
        site: Callable[[Request, str], Response | None] | None = None,
        now: Callable[[], float] = time.monotonic,
        new_id: Callable[[], str] = lambda: secrets.token_hex(16),
        report: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._report = report
        self.storage = storage
        self._access = access or Everyone()
        self._rules = rules or Rules()
        self._site = site
        self._turns = Turns(1)
        self._uploads = Uploads(storage, now, new_id, idle=self._rules.upload_idle, most=self._rules.uploads_max)

    def handle(self, request: Request) -> Response:
        """Answer one request. Raises nothing but what the request's own body raises, and bugs."""
        try:
            return self._lightened(self._answer(request))
        except ProblemError as problem:
            return problem.response()
        except InvalidDigestError as error:
            return problem_response(400, "DIGEST_INVALID", error.message)
        except InvalidReferenceError as error:
            return problem_response(400, "NAME_INVALID", error.message)
        except InvalidInputError as error:
            return problem_response(400, "MANIFEST_INVALID", error.message)
        except LocalIOError as error:
            # The message has paths of this machine in it: it is for the operator, not for clients.
            self._report(error.message)
            full = isinstance(error.__cause__, OSError) and error.__cause__.errno in (errno.ENOSPC, errno.EDQUOT)
            if full:
                return problem_response(507, "UNKNOWN", "the registry's disk is full")
            return problem_response(500, "UNKNOWN", "the registry's disk refuses")
        except Wasm2OciError as error:
            self._report(error.message)
            return problem_response(500, "UNKNOWN", "the registry cannot do this; its log says why")

    def collect(self) -> int:
        """Drop abandoned uploads; says how many. To be called now and then."""
        return self._uploads.collect()

    def close(self) -> None:
        """Drop every upload and close the storage."""
        self._uploads.collect(everything=True)
        self.storage.close()

    def _lightened(self, response: Response) -> Response:
        """The response, without a large body in memory: hundreds of clients may take theirs slowly at once."""
        if not isinstance(response.body, BytesBody) or response.body.length <= _IN_MEMORY:
            return response
        aside = self.storage.new_blob()
        try:
            aside.write(response.body.data)
            return replace(response, body=aside.hand_out())
        except BaseException:
            aside.discard()
            raise

    def _answer(self, request: Request) -> Response:
        match = endpoints.find_endpoints(request.path)
        authorization = request.headers.combined("Authorization")
        user = self._access.identify(authorization, request.peer)
        if user == ANONYMOUS and is_foreign(request.headers.combined("Host"), self._rules.hosts):
            raise ProblemError("DENIED", "this registry does not go by this name; its operator can allow it")
        if user is None:
            wrong = "user name or password is wrong" if basic_credentials(authorization) else None
            raise ProblemError("UNAUTHORIZED", wrong, headers=(("WWW-Authenticate", self._access.challenge),))
        if match is None:
            response = self._site(request, user) if self._site is not None else None
            if response is None:
                raise ProblemError("UNSUPPORTED", "there is nothing at this path", status=404)
            return response
        return self._endpoint(request, match, user)

    def _endpoint(self, request: Request, match: endpoints.EndpointMatch, user: str) -> Response:
        rows = match.rows.get(request.method)
        if rows is None:
            allowed = ", ".join(sorted(match.rows))
            raise ProblemError("UNSUPPORTED", f"{request.method} is not supported here", headers=(("Allow", allowed),))
        action = rows[0].action
        repository = check_repository(match.name) if match.name else ""
        if not self._access.allows(user, action, repository):
            raise ProblemError("DENIED", f"{user or 'anonymous'} may not {action} {repository or 'here'}")
        if action != "pull" and _comes_from_elsewhere(request, user):
            raise ProblemError("DENIED", "pages of other sites may not change this registry")
        if self._rules.read_only and action != "pull":
            raise ProblemError("UNSUPPORTED", "this registry is read-only", headers=(("Allow", "GET, HEAD"),))
        try:
            query = request.query
        except ValueError as error:
            raise ProblemError("UNSUPPORTED", "too many query parameters", status=400) from error
        method = "GET" if request.method == "HEAD" else request.method
        with Effort(self._turns, Peer.of(request.peer)) as effort:
            call = Call(
                rows=rows,
                request=request,
                query=query,
                repository=repository,
                reference=match.reference,
                user=user,
                storage=self.storage,
                uploads=self._uploads,
                access=self._access,
                rules=self._rules,
                effort=effort,
            )
            return HANDLERS[match.rows[method][0]](call)


def _comes_from_elsewhere(request: Request, user: str) -> bool:
    # A browser says when a page makes it write somewhere: a registry on the loopback has no other wall against that.
    # Nor is a name one that is ours because the page was fetched by it: its owner may have had it point here since.
    origin, host = request.headers.combined("Origin"), request.headers.combined("Host") or ""
    if origin is None:
        return False
    return origin.partition("://")[2] != host or (user == ANONYMOUS and not is_address(host))
