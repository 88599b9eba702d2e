"""Scopes: parsing, merging and covering."""

import pytest

from wasm2oci.registry.scope import Scope, covers, merge, parse_scopes


def test_a_scope_reads_as_it_is_written() -> None:
    (scope,) = parse_scopes("repository:a/b:pull,push")
    assert scope == Scope.repository("a/b", "push", "pull")
    assert str(scope) == "repository:a/b:pull,push"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("registry:catalog:*", [Scope("registry", "catalog", frozenset("*"))]),
        ("repository:host:5000/a:pull", [Scope.repository("host:5000/a", "pull")]),
        ("repository:a:pull repository:b:push", [Scope.repository("a", "pull"), Scope.repository("b", "push")]),
        ("repository:a:", [Scope.repository("a")]),
        ("nonsense a:b", []),
        ("repository::pull", [Scope.repository("", "pull")]),  # of zot 1.4, for `/v2/`: a login failed without
        ("", []),
    ],
)
def test_what_is_read_of_a_scope_parameter(text: str, expected: list[Scope]) -> None:
    assert list(parse_scopes(text)) == expected


def test_every_action_is_one_star() -> None:
    assert str(Scope.repository("a", "pull", "*")) == "repository:a:*"


def test_merging_joins_actions_and_puts_pushes_first() -> None:
    merged = merge(
        [
            Scope.repository("a", "pull"),
            Scope.repository("z", "push"),
            Scope.repository("z", "pull"),
            Scope.repository("b"),
            Scope.repository("c", "*"),
        ]
    )
    assert [str(scope) for scope in merged] == [
        "repository:c:*",
        "repository:z:pull,push",
        "repository:a:pull",
    ]


def test_a_token_covers_what_it_allows_and_no_more() -> None:
    held = [Scope.repository("a", "pull", "push"), Scope.repository("b", "*")]
    assert covers(held, [Scope.repository("a", "pull")])
    assert covers(held, [Scope.repository("b", "delete"), Scope.repository("a", "push")])
    assert not covers(held, [Scope.repository("a", "delete")])
    assert not covers(held, [Scope.repository("c", "pull")])
    assert covers(held, [])
