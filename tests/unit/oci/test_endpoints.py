"""The table of endpoints is complete, and client and server go by it."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from tests.support.data import ROOT
from tests.support.network import Answer, Network
from wasm2oci.oci import endpoints
from wasm2oci.oci.endpoints import ENDPOINTS, Endpoint, find_endpoints, link_to
from wasm2oci.registry.messages import request_for
from wasm2oci.registry.urls import Origin
from wasm2oci.server.call import Rules
from wasm2oci.server.memory import MemoryStorage
from wasm2oci.server.messages import Request
from wasm2oci.server.registry import HANDLERS, Registry

if TYPE_CHECKING:
    from pathlib import Path

HOME = Origin.at("https", "registry.example")
DIGEST = f"sha256:{'0' * 64}"
SPEC = {f"end-{number}" for number in range(1, 15)}
"""The endpoints of the specification; 4, 7 and 9 have variants, which the table names with a letter."""


def test_every_endpoint_of_the_specification_is_in_the_table() -> None:
    assert {re.sub(r"[a-z]\Z", "", row.id) for row in ENDPOINTS} - {"catalo"} == SPEC
    assert len(set(ENDPOINTS)) == len(ENDPOINTS)
    named = {value for value in vars(endpoints).values() if isinstance(value, Endpoint)}
    assert named == set(ENDPOINTS)


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: f"{row.id} {row.method}")
def test_every_row_is_complete(row: Endpoint) -> None:
    assert row.method in {"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"}
    assert row.path.startswith("/v2/")
    assert row.success
    assert all(200 <= status < 300 for status in (*row.success, *row.tolerated))
    assert not set(row.success) & set(row.tolerated)
    assert row.action in {"pull", "push", "delete"}
    assert (row.action == "pull") == (row.method in {"GET", "HEAD"}) or row.id == "end-13"


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: f"{row.id} {row.method}")
def test_the_server_answers_every_row(row: Endpoint) -> None:
    match = find_endpoints(row.at("team/app", DIGEST))
    assert match is not None
    assert row in match.rows[row.method] or row.method == "HEAD"
    assert match.name == ("team/app" if "{name}" in row.path else "")
    assert match.rows["GET" if row.method == "HEAD" else row.method][0] in HANDLERS
    target = row.at("team/app", DIGEST)
    query = "&".join(f"{name}=x" for name in row.query if name != "n")
    answer = Registry(MemoryStorage()).handle(Request(row.method, f"{target}?{query}"))
    assert answer.status not in {405, 500}
    assert b"nothing at this path" not in answer.read()


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: f"{row.id} {row.method}")
def test_the_server_asks_for_the_action_of_the_row(row: Endpoint) -> None:
    read_only = Registry(MemoryStorage(), rules=Rules(read_only=True))
    refused = b"read-only" in read_only.handle(Request(row.method, row.at("team/app", DIGEST))).read()
    assert refused is (row.action != "pull")


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: f"{row.id} {row.method}")
def test_the_client_makes_requests_of_every_row(row: Endpoint) -> None:
    location = "https://registry.example/v2/x?state=1" if row.in_upload else None
    request = request_for(row, HOME, "team/app", DIGEST, location=location, query=[(name, "v") for name in row.query])
    assert (request.method, request.repeatable) == (row.method, row.repeatable)
    assert request.url.startswith(location or f"https://registry.example{row.at('team/app', DIGEST)}")
    with pytest.raises(AssertionError):
        request_for(row, HOME, "team/app", DIGEST, location=location, query=[("unknown", "v")])


def test_a_path_of_no_endpoint_is_found_nowhere() -> None:
    for path in ("/", "/v1/", "/v2/a", "/v2/a/blobs", "/v2/blobs/x", "/v2/a/tags/lists", "/v2/a/manifests/a/b"):
        assert find_endpoints(path) is None
    start = find_endpoints("/v2/a/blobs/uploads")
    assert start is not None
    assert list(start.rows) == ["POST"]


def test_a_link_leads_back_to_its_row() -> None:
    link = link_to(endpoints.LIST_TAGS, "a/b", "", {"n": "2", "last": "v1&x"})
    assert link == '</v2/a/b/tags/list?n=2&last=v1%26x>; rel="next"'


def test_a_token_allows_what_the_row_asks_for() -> None:
    network = Network({"https://registry.example": lambda _: Answer(200)})
    exchange = network.repository("registry.example/a")._exchange
    assert [str(scope) for scope in exchange.scopes(endpoints.GET_BLOB)] == ["repository:a:pull"]
    assert [str(scope) for scope in exchange.scopes(endpoints.PUT_MANIFEST)] == ["repository:a:pull,push"]
    assert [str(scope) for scope in exchange.scopes(endpoints.DELETE_BLOB)] == ["repository:a:delete,pull"]
    assert [str(scope) for scope in exchange.for_writing().scopes(endpoints.GET_BLOB)] == ["repository:a:pull,push"]


def _texts(path: Path) -> list[str]:
    tree = ast.parse(path.read_text())
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation
    ]


def test_no_other_module_writes_a_path_of_the_api() -> None:
    elsewhere = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "wasm2oci").rglob("*.py")
        if path.name != "endpoints.py" and any(re.search(r"/v2/|/blobs/|/manifests/", text) for text in _texts(path))
    }
    assert not elsewhere
