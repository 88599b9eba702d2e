"""Where the test data of the specifications' own suites lies, and how to get it when it is absent."""

import os
import tarfile
from pathlib import Path

__all__ = ["data_path", "missing_reason", "unpack"]

ROOT = Path(__file__).resolve().parents[2]


def data_path(*parts: str) -> Path:
    """The path of one entry of the test data: below `$WASM2OCI_TEST_DATA`, else in `../shared/data`."""
    base = os.environ.get("WASM2OCI_TEST_DATA")
    return (Path(base) if base else ROOT.parent / "shared" / "data").joinpath(*parts)


def missing_reason(*parts: str) -> str:
    """Why a test that needs this entry is skipped, and what to do about it."""
    return (
        f"test data {'/'.join(parts)!r} is absent: see docs/development.md, 'Test data', for its public origin, "
        "and set WASM2OCI_TEST_DATA"
    )


def unpack(archive: Path, into: Path) -> None:
    """Unpacks an archive of the test data, carefully where this Python can (3.11.4 and later)."""
    with tarfile.open(archive) as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extraction_filter = tarfile.data_filter
        tar.extractall(into)
