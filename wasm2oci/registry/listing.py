"""A listing over its pages: tags of a repository, repositories of a registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wasm2oci.errors import InvalidInputError
from wasm2oci.oci.wire import load_object
from wasm2oci.registry.paging import Pages
from wasm2oci.registry.problems import ResponseError
from wasm2oci.registry.web_pages import is_page, page_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wasm2oci.errors import Wasm2OciError
    from wasm2oci.registry.messages import Response
    from wasm2oci.registry.session import Session

__all__ = ["list_entries"]


def list_entries(
    session: Session,
    url: str,
    member: str,
    read: Callable[[str], tuple[Response, bytes]],
    refusal: Callable[[Response, bytes], Wasm2OciError],
) -> Iterator[Any]:
    """The entries of a listing, page by page, unchecked.

    Args:
        session: with the registry.
        url: of the first page.
        member: of the JSON object that has the entries.
        read: gets a page.
        refusal: makes an error of an answer that is not 200.

    Raises (when iterated):
        ResponseError: a page is not what it should be.
        RegistryError: the listing continues at another address, or has too many pages.
    """
    pages = Pages(url)
    following: str | None = url
    while following is not None:
        response, body = read(following)
        if response.status != 200:
            raise refusal(response, body)
        if not body.strip():
            raise ResponseError(f"{session.host} answers with an empty page of {member}")
        try:  # whatever its Content-Type is: some send JSON as text/html
            value = load_object(body, f"page of {member}", lenient=True)
        except InvalidInputError as error:
            if is_page(response, body):
                raise page_error(session, response, f"with {member}") from error
            raise ResponseError(f"{session.host}: {error.message}") from error
        entries = value.get(member) or []
        if not isinstance(entries, list) or (value and not value.keys() & {member, "name"}):  # {"errors": ...}
            raise ResponseError(f"{session.host} answers with something that is not a list of {member}")
        pages.charge(body, len(entries))
        yield from entries
        following = pages.after(following, response.headers.all("link"))
