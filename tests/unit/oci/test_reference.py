from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import digests, repositories, tags
from tests.support.work import lines_run
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.reference import (
    InvalidReferenceError,
    LayoutReference,
    Reference,
    check_tag,
    parse_location,
)
from wasm2oci.operations.names import check_host

HEX = "a" * 64
HOSTS = [
    "ghcr.io",
    "localhost",
    "localhost:5000",
    "127.0.0.1:5000",
    "[::1]:5000",
    "[::1]",
    "a-b.example.com:1",
    "REG.io",
]


@given(st.sampled_from(HOSTS), repositories(), st.none() | tags(), st.none() | digests())
def test_a_reference_reads_what_it_writes(host: str, name: str, tag: str | None, digest: Digest | None) -> None:
    reference = Reference(host, name, tag, digest)
    assert Reference.parse(str(reference)) == reference
    assert parse_location(str(reference)) == reference
    assert reference.name == f"{host}/{name}"
    assert reference.identifier == (digest or tag)


@pytest.mark.parametrize(
    ("text", "caret", "message"),
    [
        ("https://ghcr.io/a/b:1", 5, "has no scheme"),
        ("://", 0, "has no scheme"),
        ("ghcr.io", 7, "lacks a registry or a repository"),
        ("ghcr.io/", 8, "lacks a registry or a repository"),
        ("", 0, "lacks a registry or a repository"),
        ("library/alpine", 0, "'library' is not a registry host"),
        ("ghcr.io/Team/app", 8, "repository name is malformed"),
        ("ghcr.io/team/aPp:1", 14, "repository name is malformed"),
        ("ghcr.io/team//app", 13, "repository name is malformed"),
        ("ghcr.io/team/app..x", 17, "repository name is malformed"),
        ("ghcr.io/team/../../etc", 13, "repository name is malformed"),
        ("ghcr.io/team/app:", 17, "tag is empty"),
        ("ghcr.io/team/app:-x", 17, "tag is malformed"),
        ("ghcr.io/team/app:1 2", 18, "tag is malformed"),
        ("ghcr.io/team/app:1/2", 18, "tag is malformed"),
        ("ghcr.io/team/app:" + "x" * 129, 145, "longer than 128 characters"),
        ("ghcr.io/team/app@sha256:12", 17, "bad digest: sha256 digest is not 64"),
        ("ghcr.io/team/app@", 17, "bad digest: not a digest"),
        (f"ghcr.io/team/app@sha256:{HEX}:1", 17, "bad digest"),
        ("gh_cr.io/team/app", 2, "registry host is malformed"),
        ("-ghcr.io/team/app", 0, "registry host is malformed"),
        ("ghcr.io:/a", 8, "port is not a number"),
        ("ghcr.io:x/a", 8, "port is not a number"),
        ("ghcr.io:0/a", 8, "port is not a number"),
        ("ghcr.io:65536/a", 8, "port is not a number"),
        ("[::1/a", 4, "closing bracket"),
        ("[::1]x/a", 6, "closing bracket"),
        ("[::1]:/a", 6, "port is not a number"),
        ("[x:]/a", 1, "not an IPv6 address"),
        ("ghcr.io/" + "a/" * 130 + "a", 8 + 255, "longer than 255"),
        ("ghcr.io/team/app\x00:1", 16, "malformed"),
    ],
)
def test_a_bad_reference_is_shown_with_a_caret_under_the_character(text: str, caret: int, message: str) -> None:
    with pytest.raises(InvalidReferenceError, match=message) as caught:
        Reference.parse(text)
    shown, pointer = caught.value.detail.split("\n")
    assert pointer.index("^") == caret
    assert len(shown) == len(text)
    assert shown.isprintable()


@given(st.text(max_size=40))
def test_any_text_is_a_location_or_an_error_that_points_into_it(text: str) -> None:
    try:
        parse_location(text)
    except InvalidReferenceError as error:
        assert 0 <= error.position <= len(text)  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("alpine/x", "for Docker Hub write docker.io/alpine/x"),
        ("https://ghcr.io/a/b", "write ghcr.io/a/b"),
        ("ghcr.io/Team/App", "repository names are lowercase: team/app"),
        ("ghcr.io", "a reference looks like HOST/NAME:TAG"),
    ],
)
def test_a_hint_says_what_to_write(text: str, hint: str) -> None:
    with pytest.raises(InvalidReferenceError) as caught:
        Reference.parse(text)
    assert caught.value.hint is not None
    assert hint in caught.value.hint.replace("Team", "team").replace("App", "app")


def test_tag_and_digest_are_both_kept_and_the_digest_rules() -> None:
    reference = Reference.parse(f"ghcr.io/a/b:v1@sha256:{HEX}")
    assert (reference.tag, reference.identifier) == ("v1", Digest("sha256", HEX))
    assert reference.with_digest(Digest.parse(f"sha256:{HEX}")).tag == reference.tag
    assert Reference.parse("ghcr.io/a/b").identifier is None


@pytest.mark.parametrize(
    ("text", "folder", "tag", "digest"),
    [
        ("oci-layout:dir", "dir", None, None),
        ("oci-layout:dir:v1", "dir", "v1", None),
        ("oci-layout:/a/b.c/d:v1", "/a/b.c/d", "v1", None),
        ("oci-layout:a:b/c", "a:b/c", None, None),
        ("oci-layout:a:b/c:v1", "a:b/c", "v1", None),
        (f"oci-layout:dir@sha256:{HEX}", "dir", None, f"sha256:{HEX}"),
        (f"oci-layout:dir:v1@sha256:{HEX}", "dir", "v1", f"sha256:{HEX}"),
        ("oci-layout:me@home/dir", "me@home/dir", None, None),
        ("oci-layout:my@shared/dir:v1", "my@shared/dir", "v1", None),
        (f"oci-layout:my@sha/dir:v1@sha256:{HEX}", "my@sha/dir", "v1", f"sha256:{HEX}"),
    ],
)
def test_a_layout_is_a_folder_and_a_tag(text: str, folder: str, tag: str | None, digest: str | None) -> None:
    location = parse_location(text)
    assert isinstance(location, LayoutReference)
    assert (location.folder, location.tag) == (Path(folder), tag)
    assert location.identifier == (Digest.parse(digest) if digest else tag)
    assert str(location) == text


@pytest.mark.parametrize(
    ("text", "caret", "message"),
    [
        ("oci-layout:", 11, "lacks a folder"),
        ("oci-layout::v1", 11, "lacks a folder"),
        ("oci-layout:a\0b", 11, "lacks a folder"),
        ("oci-layout:dir:", 15, "tag is empty"),
        ("oci-layout:dir:é", 15, "tag is malformed"),
        ("oci-layout:dir@sha256:12", 15, "64 lowercase hex"),
    ],
)
def test_a_bad_layout_reference_points_too(text: str, caret: int, message: str) -> None:
    with pytest.raises(InvalidReferenceError, match=message) as caught:
        parse_location(text)
    assert caught.value.position == caret


@given(tags())
def test_tags_are_taken(tag: str) -> None:
    assert check_tag(tag) == tag


def test_a_tag_alone_is_its_own_source() -> None:
    with pytest.raises(InvalidReferenceError) as caught:
        check_tag("a b")
    assert caught.value.detail == "a b\n ^"


def test_a_tag_of_megabytes_is_refused_without_being_read() -> None:
    """Each character cost four microseconds: a listing of 64 MiB took five minutes."""
    short, long = (lines_run(partial(check_tag, "a" * size), InvalidReferenceError) for size in (200, 20_000))
    assert long == short


def test_the_scheme_of_helm_is_a_registry() -> None:
    """To helm and flux `oci://HOST/NAME` is a registry; to skopeo `oci:FOLDER:TAG` is an image layout."""
    with pytest.raises(InvalidReferenceError) as caught:
        parse_location("oci://registry.example/a:v1")
    assert caught.value.hint == "write registry.example/a:v1"
    with pytest.raises(InvalidReferenceError) as caught:
        parse_location("oci:folder:v1")
    assert caught.value.hint == "an image layout is written oci-layout:folder:v1"


@pytest.mark.parametrize(
    "text",
    ["user:hidden@ghcr.io/a/b", "https://user:hidden@ghcr.io/a/b", "user:hid@den@ghcr.io/a", "oci://hidden@ghcr.io/a"],
)
def test_a_password_in_a_reference_is_not_repeated(text: str) -> None:
    with pytest.raises(InvalidReferenceError) as caught:
        parse_location(text)
    error = caught.value
    assert error.message == "a registry host has no user name and no password"
    shown, pointer = error.detail.split("\n")
    assert shown[pointer.index("^") :].startswith("***@ghcr.io/a")
    shown = f"{error.message} {error.detail} {error.hint} {error.source}"
    assert "hid" not in shown
    assert error.hint == f"log in to ghcr.io, then write {text.rpartition('@')[2]}"


@pytest.mark.parametrize("text", ["user:hidden@ghcr.io", "https://user:hidden@ghcr.io/v2/"])
def test_a_password_in_a_host_is_not_repeated(text: str) -> None:
    with pytest.raises(InvalidReferenceError) as caught:
        check_host(text)
    assert "hidden" not in f"{caught.value.message} {caught.value.detail} {caught.value.hint}"
