"""What lies in the folders of notation is read only where it is a regular file."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from wasm2oci.errors import LocalIOError
from wasm2oci.operations.notation import _certificates

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_in_a_trust_store_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    store = tmp_path / "truststore" / "x509" / "ca" / "acme"
    store.mkdir(parents=True)
    pipe = store / "root.pem"
    os.mkfifo(pipe)

    def write() -> None:  # so that who reads from it fails, and does not hang
        with suppress(OSError):
            pipe.write_bytes(b"no certificate")

    threading.Thread(target=write, daemon=True).start()
    with pytest.raises(LocalIOError, match="not a regular file"):
        _certificates(tmp_path, "ca:acme")
