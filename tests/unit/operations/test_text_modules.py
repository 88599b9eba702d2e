"""A module in the text format is described as the binary that it is assembled to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci import Client
from wasm2oci.engine.text import assemble
from wasm2oci.oci.digest import Digest

if TYPE_CHECKING:
    from pathlib import Path

TEXT = '(module (func (export "f") (result i32) (i32.const 1)))'


def test_digest_and_size_are_those_of_what_is_pushed(tmp_path: Path) -> None:
    path = tmp_path / "f.wat"
    path.write_text(TEXT)
    client = Client()
    place = f"oci-layout:{tmp_path / 'layout'}:v1"
    client.push(path, place)
    found = [
        client.inspect(place).module,
        client.inspect_file(path).module,
        client.inspect_file(TEXT.encode()).module,
        client.validate(path).module,
        client.validate(TEXT.encode()).module,
    ]
    binary = assemble(TEXT)
    for module in found:
        assert module is not None
        assert (module.digest, module.size) == (Digest.of(binary), len(binary))
