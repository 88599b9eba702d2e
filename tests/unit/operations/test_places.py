"""Where operations read and write: what is there at the end of an operation that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wasm2oci.content.archive import ArchiveChangedError
from wasm2oci.content.target import ContentNotFoundError
from wasm2oci.oci.reference import Reference, parse_location
from wasm2oci.operations.attach import AttachRequest, attach
from wasm2oci.operations.delete import delete
from wasm2oci.operations.environment import Environment
from wasm2oci.operations.sign import AttestRequest, SignRequest, attest, sign
from wasm2oci.operations.tag import tag
from wasm2oci.signing.keys import PrivateKey

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wasm2oci.oci.reference import Location

KEY = PrivateKey.generate()


def test_an_archive_that_cannot_be_written_leaves_no_folder_and_no_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[bool] = []
    first, second = (parse_location(f"oci-archive:{tmp_path}/{name}.tar") for name in ("first", "second"))
    with pytest.raises(ArchiveChangedError), Environment({}, tmp_path).places() as places:  # noqa: PT012 - the end raises
        places.read(Reference.parse("registry.example/app"))
        monkeypatch.setattr(places.connector, "close", lambda: closed.append(True))
        places.write(first)
        places.write(second)
        (tmp_path / "first.tar").write_bytes(b"of another process")
    assert [path.name for path in tmp_path.iterdir()] == ["first.tar"]
    assert closed


@pytest.mark.parametrize("place", ["oci-layout:{}/new:v1", "oci-archive:{}/new.tar:v1"])
@pytest.mark.parametrize(
    "change",
    [
        lambda where, world: sign(SignRequest(where, KEY), world),
        lambda where, world: attest(AttestRequest(where, KEY, "custom", b"x"), world),
        lambda where, world: attach(AttachRequest(where, "a/b", (), {}), world),
        lambda where, world: tag(where, ("v2",), world),
        delete,
    ],
    ids=["sign", "attest", "attach", "tag", "delete"],
)
def test_what_changes_an_artifact_makes_no_layout(
    tmp_path: Path, place: str, change: Callable[[Location, Environment], object]
) -> None:
    with pytest.raises(ContentNotFoundError, match="no such"):
        change(parse_location(place.format(tmp_path)), Environment({}, tmp_path))
    assert list(tmp_path.iterdir()) == []
