"""Each rule of OCI has one place: what only that place may write is looked for in all others.

The table is that of docs/architecture.md. A second copy of a rule cannot be recognised as such, but the text that it
cannot do without can: the name of an annotation, a regular expression's beginning, a call of the system.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.support.data import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = ROOT / "wasm2oci"


@cache
def strings() -> dict[str, list[str]]:
    """Every string of every module that is not documentation; of an f-string, its fixed parts."""
    return {path.relative_to(PACKAGE).as_posix(): _strings(path) for path in sorted(PACKAGE.rglob("*.py"))}


def _strings(path: Path) -> list[str]:
    tree = ast.parse(path.read_text())
    documentation = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation
    ]


@cache
def attributes() -> dict[str, set[str]]:
    """Every `name.attribute` of every module."""
    return {
        path.relative_to(PACKAGE).as_posix(): {
            f"{node.value.id}.{node.attr}"
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        }
        for path in sorted(PACKAGE.rglob("*.py"))
    }


@pytest.mark.parametrize(
    ("pattern", "places"),
    [
        (r"org\.opencontainers\.image\.ref\.name", {"oci/layout_index.py"}),
        (r"imageLayoutVersion", {"oci/layout_index.py", "content/layout_reader.py"}),
        (r"\.azurecr\.io|\.amazonaws\.com|docker\.pkg\.dev|quay\.io", {"registry/flavours.py"}),
        (r"registry-1\.docker\.io|index\.docker\.io\Z", {"oci/host.py"}),
        (r"00000000-0000-0000-0000-000000000000", {"registry/flavours.py"}),
        (r"GITHUB_TOKEN", {"registry/flavours.py"}),
        (r"rel=\"next\"", {"oci/endpoints.py"}),
        (r"bytes \(\[0-9\]|bytes\[ =\]", {"oci/http.py"}),
        (r"\A\.?localhost\Z", {"oci/host.py", "oci/reference.py", "server/site.py"}),
        (r"application/vnd\.(?:oci\.|docker\.distribution)", {"oci/media_type.py"}),
        (r"\A(?:sha256|sha512)-", set()),
    ],
)
def test_what_belongs_to_a_rule_is_written_in_its_place_only(pattern: str, places: set[str]) -> None:
    found = {name for name, texts in strings().items() if any(re.search(pattern, text) for text in texts)}
    assert found == places


@pytest.mark.parametrize(
    "name",
    ["os.fsync", "os.O_EXCL", "os.O_NOFOLLOW", "os.O_CLOEXEC", "os.pread", "os.preadv", "fcntl.flock", "os.geteuid"],
)
def test_the_platform_is_known_in_base_only(name: str) -> None:
    """`wasi` is left out: it is a POSIX interface made from the POSIX interface of the host."""
    found = {module for module, names in attributes().items() if name in names and not module.startswith("wasi/")}
    assert not {module for module in found if not module.startswith("base/")} - KNOWN.get(name, set())


KNOWN = {
    # An upload's file is appended to between requests, so it is not one that `base.files` writes as a whole.
    "os.fsync": {"server/blob_writer.py"},
    "os.O_EXCL": {"server/blob_writer.py"},
}


def test_whom_a_tls_client_trusts_is_decided_in_one_place() -> None:
    found = {module for module, names in attributes().items() if "ssl.create_default_context" in names}
    assert found == {"base/authorities.py"}


def test_only_one_class_is_called_headers() -> None:
    found = [
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and node.name == "Headers"
    ]
    assert found == ["oci/http.py"]


def test_a_tag_and_a_digest_differ_by_type() -> None:
    """A digest in text has a colon: who looks for one knows neither tags nor digests."""
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(r"""["']:["'] (?:not )?in (?:self\.)?\w*(?:reference|digest|tag)\b""", path.read_text())
    }
    assert not found


LOWER = {"base", "oci", "content", "registry", "server"}
SHARED_NAMES = {"Body", "Request", "Response", "Session"}
"""Both sides of HTTP use these words: a client's request has an address, a server's has a path."""


def test_client_server_and_what_lies_below_give_a_class_name_one_meaning() -> None:
    places: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        package = path.relative_to(PACKAGE).parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            if package in LOWER and isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, set()).add(package)
    shared = {name for name, packages in places.items() if len(packages) > 1}
    assert not shared - SHARED_NAMES
