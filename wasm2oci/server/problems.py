"""What the registry answers when it does not do what was asked.

One table: the specification's error codes, the status each is sent with, and what it says when nothing better is
known. Spec: distribution-spec, Error Codes.
"""

from __future__ import annotations

import json
from typing import Final

from wasm2oci.server.messages import BytesBody, Response

__all__ = ["PROBLEMS", "ProblemError", "problem_response"]

PROBLEMS: Final[dict[str, tuple[int, str]]] = {
    "BLOB_UNKNOWN": (404, "blob is not known in this repository"),
    "BLOB_UPLOAD_INVALID": (400, "upload is not valid"),
    "BLOB_UPLOAD_UNKNOWN": (404, "upload is not known: it ended, was abandoned, or never was"),
    "DIGEST_INVALID": (400, "digest is malformed, or not that of the content"),
    "MANIFEST_BLOB_UNKNOWN": (404, "manifest names content that this repository does not have"),
    "MANIFEST_INVALID": (400, "manifest is not valid"),
    "MANIFEST_UNKNOWN": (404, "manifest is not known in this repository"),
    "NAME_INVALID": (400, "repository name is malformed"),
    "NAME_UNKNOWN": (404, "repository is not known"),
    "SIZE_INVALID": (400, "content does not have its declared length, or is too long"),
    "UNAUTHORIZED": (401, "credentials are needed"),
    "DENIED": (403, "access is denied"),
    "UNSUPPORTED": (405, "operation is not supported"),
    "TOOMANYREQUESTS": (429, "too many requests"),
}


class ProblemError(Exception):
    """A request that is refused; the core turns it into a response.

    Args:
        code: a row of `PROBLEMS`.
        message: for people; the row's own when None.
        status: the row's own when None.
        headers: sent with the response.
    """

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        status: int | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        row_status, row_message = PROBLEMS[code]
        super().__init__(message or row_message)
        self.code = code
        self.message = message or row_message
        self.status = status or row_status
        self.headers = headers

    def response(self) -> Response:
        """The response that says so."""
        return problem_response(self.status, self.code, self.message, self.headers)


def problem_response(status: int, code: str, message: str, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """A response whose body is the specification's JSON form of one error."""
    body = json.dumps({"errors": [{"code": code, "message": message, "detail": None}]}).encode()
    return Response(status, (("Content-Type", "application/json"), *headers), BytesBody(body))
