"""Challenges, in all the shapes that RFC 9110 and real registries have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasm2oci.registry.challenge import parse_challenges

CASES = [
    (
        'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"',
        [
            (
                "bearer",
                {
                    "realm": "https://auth.docker.io/token",
                    "service": "registry.docker.io",
                    "scope": "repository:a/b:pull,push",
                },
            )
        ],
    ),
    ('Basic realm="a, b"', [("basic", {"realm": "a, b"})]),
    ("BASIC", [("basic", {})]),
    ('Basic realm="x", Bearer realm="y"', [("basic", {"realm": "x"}), ("bearer", {"realm": "y"})]),
    ("Negotiate, Basic realm=x", [("negotiate", {}), ("basic", {"realm": "x"})]),
    ("Negotiate YWJj==, Bearer realm=y", [("negotiate", {}), ("bearer", {"realm": "y"})]),
    ("NTLM TlRMTVNTUAAB", [("ntlm", {})]),
    ('Bearer Realm = "x" , SERVICE=y', [("bearer", {"realm": "x", "service": "y"})]),
    (r'Bearer realm="a\"b\\c"', [("bearer", {"realm": 'a"b\\c'})]),
    ('Bearer realm="unterminated, service=x', [("bearer", {"realm": "unterminated, service=x"})]),
    ("Bearer realm=x,,, ,service=y,", [("bearer", {"realm": "x", "service": "y"})]),
    ('Bearer realm="x",realm="second"', [("bearer", {"realm": "x"})]),
    ('Bearer realm="x",error="insufficient_scope"', [("bearer", {"realm": "x", "error": "insufficient_scope"})]),
    ("Bearer realm=", [("bearer", {"realm": ""})]),
    ("", []),
    (" , ", []),
    ('"nonsense"', []),
    ("Bearer @@", [("bearer", {})]),
    ('Bearer a="b" "c"', [("bearer", {"a": "b"})]),
    ("Bearer a=/x", [("bearer", {"a": "/x"})]),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_one_header(text: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    assert [(one.scheme, dict(one.parameters)) for one in parse_challenges([text])] == expected


def test_several_headers_keep_their_order() -> None:
    found = parse_challenges(["Basic realm=a", 'Bearer realm="b",scope="x", Digest realm=c'])
    assert [(one.scheme, one.get("realm")) for one in found] == [("basic", "a"), ("bearer", "b"), ("digest", "c")]
    assert found[0].get("absent") == ""


def test_commas_and_case_do_not_matter_between_challenges() -> None:
    joined = parse_challenges(['bEaReR rEaLm="x",Service="y",Basic ReAlM=z'])
    assert [(one.scheme, dict(one.parameters)) for one in joined] == [
        ("bearer", {"realm": "x", "service": "y"}),
        ("basic", {"realm": "z"}),
    ]


def test_a_header_of_a_megabyte_is_cut() -> None:
    (found,) = parse_challenges([f'Bearer realm="x",a="{"y" * 1_000_000}"'])
    assert found.get("realm") == "x"
    assert len(found.get("a")) < 20_000


@given(st.lists(st.text(alphabet=st.characters(max_codepoint=0x7E), max_size=60), max_size=3))
def test_anything_is_survived(headers: list[str]) -> None:
    for challenge in parse_challenges(headers):
        assert challenge.scheme == challenge.scheme.lower()
