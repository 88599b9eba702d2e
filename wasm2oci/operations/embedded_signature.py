"""The signature that a module holds itself: which keys it names, and whether a given key made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.base.files import local_errors
from wasm2oci.signing.cosign_key import KEY_FILE_MAX
from wasm2oci.signing.embedded import find_signatures, read_embedded_key, verify_embedded
from wasm2oci.signing.strict import SignatureRefusedError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["check_embedded", "embedded_key_ids"]


def check_embedded(data: bytes, key: Path) -> None:
    """Checks that all of a module was signed by a key, in the module itself.

    Raises:
        SignatureRefusedError: it was not.
        InvalidKeyError: the file holds no Ed25519 public key.
        FileNotThereError: there is no such file.
    """
    with local_errors(key), key.open("rb") as file:
        raw = file.read(KEY_FILE_MAX)
    verify_embedded(data, read_embedded_key(raw))


def embedded_key_ids(data: bytes) -> tuple[str, ...]:
    """The ids of the keys that signed a module, as it names them; empty without a signature that can be read."""
    try:
        found = find_signatures(data)
    except SignatureRefusedError:
        return ()
    return () if found is None else found.key_ids
