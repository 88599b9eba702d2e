"""Annotations that a module states in custom sections, and those of package files."""

from __future__ import annotations

import json
import random

import pytest

from tests.cli.transcripts import HELLO
from wasm2oci.errors import InvalidInputError
from wasm2oci.packager.metadata import IMAGE, InvalidPackageFileError, module_metadata, package_metadata

COMPONENT = b"\0asm\x0d\0\x01\0"


def leb(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def custom(name: str, content: bytes) -> bytes:
    body = leb(len(name.encode())) + name.encode() + content
    return b"\0" + leb(len(body)) + body


@pytest.mark.parametrize("head", [HELLO, COMPONENT])
def test_a_module_states_its_metadata_in_custom_sections(head: bytes) -> None:
    sections = {
        "version": "1.2.3",
        "description": "Says hello \u2665",
        "authors": "A <a@b>",
        "licenses": "MIT",
        "source": "https://example.com/src",
        "homepage": "https://example.com",
        "revision": "abc",
        "name": "hello",
    }
    raw = head + b"".join(custom(name, text.encode()) for name, text in sections.items())
    assert module_metadata([raw]) == {
        f"{IMAGE}version": "1.2.3",
        f"{IMAGE}description": "Says hello \u2665",
        f"{IMAGE}authors": "A <a@b>",
        f"{IMAGE}licenses": "MIT",
        f"{IMAGE}source": "https://example.com/src",
        f"{IMAGE}url": "https://example.com",
        f"{IMAGE}revision": "abc",
    }
    # The same in pieces of any size.
    assert module_metadata(raw[at : at + 3] for at in range(0, len(raw), 3)) == module_metadata([raw])


def test_sections_inside_of_others_and_large_ones_do_not_count() -> None:
    inner = COMPONENT + custom("version", b"inner")
    raw = COMPONENT + b"\x04" + leb(len(inner)) + inner + custom("description", b"x" * 5000) + custom("version", b"2")
    assert module_metadata([raw]) == {f"{IMAGE}version": "2"}


@pytest.mark.parametrize(
    "tail",
    [
        b"",
        b"\0",
        b"\0\xff\xff\xff\xff\xff\xff",
        b"\0\x05\x10ab",
        b"\x01\x7f",
        custom("version", b"\xff\xfe"),
        custom("version", b""),
        custom("version", b" \0"),
    ],
)
def test_what_makes_no_sense_states_nothing(tail: bytes) -> None:
    assert module_metadata([HELLO + tail]) == {}
    assert module_metadata([b"not a module" + tail]) == {}


def test_random_bytes_after_a_module_raise_nothing() -> None:
    source = random.Random(7)
    for _ in range(300):
        module_metadata([HELLO + source.randbytes(source.randrange(60))])


CARGO = """
[package]
name = "app"
version = "0.3.0"
description = "An app"
license = "Apache-2.0"
repository = "https://example.com/src"
authors = ["A <a@b>", "C"]
"""
PROJECT = """
[project]
version = "4"
license = { text = "MIT" }
authors = [{ name = "A", email = "a@b" }]
[project.urls]
Homepage = "https://example.com"
"""
NODE = {
    "version": "1.0.0",
    "author": {"name": "A"},
    "license": "MIT",
    "repository": {"type": "git", "url": "git+https://example.com/src.git"},
}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "Cargo.toml",
            CARGO,
            {
                "version": "0.3.0",
                "description": "An app",
                "licenses": "Apache-2.0",
                "source": "https://example.com/src",
                "authors": "A <a@b>, C",
            },
        ),
        (
            "pyproject.toml",
            PROJECT,
            {"version": "4", "licenses": "MIT", "authors": "A <a@b>", "url": "https://example.com"},
        ),
        ("wkg.toml", '[metadata]\nlicenses = "MIT"\n', {"licenses": "MIT"}),
        (
            "package.json",
            json.dumps(NODE),
            {"version": "1.0.0", "authors": "A", "licenses": "MIT", "source": "https://example.com/src"},
        ),
        (
            "config.json",
            json.dumps({"config": {"Labels": {f"{IMAGE}version": "9", "other": "x"}}}),
            {"version": "9"},
        ),
    ],
)
def test_a_package_file_states_them(name: str, text: str, expected: dict[str, str]) -> None:
    assert package_metadata(text.encode(), name) == {IMAGE + key: value for key, value in expected.items()}


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("Cargo.toml", b"version = "),
        ("Cargo.toml", b"\xff"),
        ("Cargo.toml", b"[workspace]\n"),
        ("package.json", b"{"),
        ("package.json", b"[]"),
        ("package.json", b"{}"),
        ("package.json", b'{"version": 3, "author": [[["x"]]]}'),
        ("x", b"[" * 100_000),
        ("x.toml", b"x = " + b"[" * 5000),
        ("x.toml", b"x = " + b"1" * 5000),
    ],
)
def test_what_is_no_package_file_is_refused(name: str, raw: bytes) -> None:
    with pytest.raises(InvalidInputError):
        package_metadata(raw, name)
    assert issubclass(InvalidPackageFileError, InvalidInputError)
