"""Exchanges about one repository: a row of the endpoint table in, the answer out.

The row says method and path, and which scopes the token needs; the session does the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wasm2oci.oci.media_type import says_markup
from wasm2oci.registry.messages import request_for
from wasm2oci.registry.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wasm2oci.errors import Wasm2OciError
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.endpoints import Endpoint
    from wasm2oci.registry.messages import Request, Response
    from wasm2oci.registry.session import Session

__all__ = ["Exchange"]

_ACTIONS = {"pull": ("pull",), "push": ("pull", "push"), "delete": ("delete", "pull")}
"""What a token has to allow for each action of a row: registries let only those push who may pull."""


class Exchange:
    """A session with a registry, bound to one of its repositories.

    Args:
        session: with the registry.
        name: of the repository, as the registry calls it.
        writes: whether the repository is going to be written to, so that the first token already allows that.
    """

    __slots__ = ("name", "session", "writes")

    def __init__(self, session: Session, name: str, *, writes: bool = False) -> None:
        self.session = session
        self.name = name
        self.writes = writes

    def __str__(self) -> str:
        return f"{self.session.host}/{self.name}"

    def for_writing(self) -> Exchange:
        """The same repository, read with tokens that allow writing too."""
        return self if self.writes else Exchange(self.session, self.name, writes=True)

    def request(self, row: Endpoint, reference: object = "", **parts: Any) -> Request:
        """The request of a row; `parts` are those of `messages.request_for`."""
        return request_for(row, self.session.origin, self.name, reference, root=self.session.root, **parts)

    def scopes(self, row: Endpoint) -> tuple[Scope, ...]:
        """What a token must allow for a row."""
        action = "push" if self.writes and row.action == "pull" else row.action
        return (Scope.repository(self.name, *_ACTIONS[action]),)

    def send(self, row: Endpoint, reference: object = "", *, also: Sequence[Scope] = (), **parts: Any) -> Response:
        """Send the request of a row; see `Session.send` for the answer and the errors.

        Args:
            row: of the endpoint table.
            reference: the tag or digest.
            also: what a token must allow besides.
            parts: of the request; see `messages.request_for`.
        """
        return self.forward(row, self.request(row, reference, **parts), also=also)

    def forward(self, row: Endpoint, request: Request, *, also: Sequence[Scope] = ()) -> Response:
        """Send a request that was made from this row before."""
        return self.session.send(request, (*self.scopes(row), *also))

    def read(
        self, row: Endpoint, reference: object = "", *, limit: int, what: str, roam: bool = True, **parts: Any
    ) -> tuple[Response, bytes]:
        """Send the request of a row and read the answer's body; see `Session.read`."""
        return self.session.read(self.request(row, reference, **parts), self.scopes(row), limit, what, roam=roam)

    def refusal(
        self, response: Response, body: bytes, what: str, *, kind: str = "repository", pushing: bool = False
    ) -> Wasm2OciError:
        """The error that an answer means; see `problems.error_for`."""
        return self.session.refusal(response, body, what, name=self.name, kind=kind, pushing=pushing)

    def says_present(self, response: Response, body: bytes, descriptor: Descriptor, what: str) -> bool:
        """Whether the content of this descriptor is here, whole, as the answer to a HEAD of it says.

        Raises:
            AccessError: the registry does not let us look.
        """
        if response.status == 200:
            if response.length is None:  # a web page mostly comes in chunks, and so without its length
                return not says_markup(response.headers.get("content-type") or "")
            return response.length == descriptor.size
        if response.status in {400, 404, 405, 410} or response.status >= 500:
            return False  # where asking fails, sending shows what is wrong, if anything is
        raise self.refusal(response, body, what, kind="manifest" if descriptor.is_manifest else "blob")
