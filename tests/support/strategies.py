"""Hypothesis strategies for OCI values and artifact graphs."""

import itertools
import json
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.support.artifacts import Stash
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import ALGORITHMS, Digest

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

__all__ = [
    "annotations",
    "chunked",
    "descriptors",
    "digests",
    "graphs",
    "json_values",
    "media_types",
    "repositories",
    "tags",
]

_LOWER = "abcdefghijklmnopqrstuvwxyz0123456789"
_WORD = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + _LOWER


@st.composite
def digests(draw: "DrawFn") -> Digest:
    algorithm = draw(st.sampled_from(sorted(ALGORITHMS)))
    return Digest.of(draw(st.binary(max_size=8)), algorithm)


def media_types() -> "SearchStrategy[str]":
    name = st.text(st.sampled_from(_WORD + "!#$&^_.+-"), min_size=1, max_size=20).filter(lambda text: text[0].isalnum())
    return st.builds("{}/{}".format, name, name)


def annotations() -> "SearchStrategy[dict[str, str]]":
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    return st.dictionaries(text.filter(bool), text, max_size=3)


@st.composite
def descriptors(draw: "DrawFn") -> Descriptor:
    return Descriptor(
        media_type=draw(media_types()),
        digest=draw(digests()),
        size=draw(st.integers(0, 1 << 43)),
        annotations=draw(annotations()),
        artifact_type=draw(st.none() | media_types()),
        platform=draw(st.none() | st.just({"os": "wasip1", "architecture": "wasm"})),
        urls=tuple(draw(st.lists(st.just("https://example.com/blob"), max_size=2))),
        data=draw(st.none() | st.binary(max_size=20)),
    )


def tags() -> "SearchStrategy[str]":
    first = st.sampled_from(_WORD + "_")
    return st.builds(str.__add__, first, st.text(st.sampled_from(_WORD + "_.-"), max_size=20))


def repositories() -> "SearchStrategy[str]":
    word = st.text(st.sampled_from(_LOWER), min_size=1, max_size=6)
    separator = st.sampled_from([".", "_", "__", "-", "---"])
    component = st.builds(lambda a, s, b: a + s + b, word, separator, word) | word
    return st.lists(component, min_size=1, max_size=4).map("/".join)


def json_values() -> "SearchStrategy[Any]":
    leaf = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=10)
    return st.recursive(
        leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    )


@st.composite
def chunked(draw: "DrawFn", data: bytes) -> list[bytes]:
    """The same bytes in pieces of any size, empty ones included."""
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=6)))
    edges = [0, *cuts, len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


@st.composite
def graphs(draw: "DrawFn") -> tuple[Stash, Descriptor]:
    """A stash that holds an artifact graph of manifests and indexes that share content, tagged `root`."""
    stash = Stash()
    blobs = [
        stash.put(mt.OCTET_STREAM, data) for data in draw(st.lists(st.binary(max_size=30), min_size=1, max_size=5))
    ]
    manifests: list[Descriptor] = []
    for number in range(draw(st.integers(1, 6))):
        mark: dict[str, Any] = {"annotations": {"number": str(number)}}
        is_index: bool = draw(st.booleans())
        if manifests and is_index:
            manifests.append(stash.index(*draw(st.lists(st.sampled_from(manifests), max_size=3)), **mark))
        else:
            subject = draw(st.sampled_from([None, *manifests]))
            manifests.append(
                stash.manifest(*draw(st.lists(st.sampled_from(blobs), max_size=3)), subject=subject, **mark)
            )
    root = manifests[-1]
    stash.target.tag(root, "root")
    assert json.loads(stash.get(root))["schemaVersion"] == 2
    return stash, root
