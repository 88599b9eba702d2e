"""A policy about modules looks into each module of an artifact, wherever its bytes are named before."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import pytest

from tests.support.artifacts import WASM, Stash, tar
from wasm2oci.oci import media_type as mt
from wasm2oci.operations.modules_of import look_at_modules

if TYPE_CHECKING:
    from wasm2oci.errors import Wasm2OciError
    from wasm2oci.oci.descriptor import Descriptor

HIDDEN = WASM + b"\0\x02\x01x"
PLAIN = "application/octet-stream"
IMAGE = tar({"app.wasm": HIDDEN})


def looked_at(stash: Stash, root: Descriptor) -> set[bytes]:
    found: list[bytes] = []

    def unknown(error: Wasm2OciError) -> NoReturn:
        raise error

    look_at_modules(stash.target, root, found.append, unknown)
    assert len(found) == len(set(found))
    return set(found)


@pytest.mark.parametrize("first", [PLAIN, mt.OCI_LAYER_TAR_GZIP], ids=["before", "after"])
def test_an_archive_that_the_same_manifest_also_has_as_other_content_is_looked_into(first: str) -> None:
    stash = Stash()
    second = mt.OCI_LAYER_TAR_GZIP if first == PLAIN else PLAIN
    root = stash.manifest(stash.put("application/wasm", WASM), stash.put(first, IMAGE), stash.put(second, IMAGE))
    assert looked_at(stash, root) == {WASM, HIDDEN}


def test_an_archive_that_another_manifest_has_as_other_content_is_looked_into() -> None:
    stash = Stash()
    plain = stash.manifest(stash.put("application/wasm", WASM), stash.put(PLAIN, IMAGE))
    assert looked_at(stash, stash.index(plain, stash.image(IMAGE))) == {WASM, HIDDEN}


def test_a_module_that_the_upper_layer_of_another_manifest_hides_is_looked_at() -> None:
    stash = Stash()
    covered = stash.image(IMAGE, tar({".wh.app.wasm": b"", "other.wasm": WASM}))
    assert looked_at(stash, covered) == {WASM}
    assert looked_at(stash, stash.index(covered, stash.image(IMAGE))) == {WASM, HIDDEN}


def test_what_many_manifests_have_is_looked_at_once() -> None:
    stash = Stash()
    other = stash.image(IMAGE, tar({"note": b""}))
    manifests = [stash.image(IMAGE, annotations={"number": str(number)}) for number in range(3)]
    assert looked_at(stash, stash.index(*manifests, other, stash.module(HIDDEN))) == {HIDDEN}
