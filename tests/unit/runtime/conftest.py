"""What the tests of runs need before the first of them."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil

import pytest


@pytest.fixture(scope="session", autouse=True)
def everything_is_imported() -> None:
    """A guest that is broken off while Python imports a module for it leaves that module's file open."""
    for name in ("wasm2oci.engine", "wasm2oci.wasi", "wasm2oci.runtime"):
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            with contextlib.suppress(ImportError):  # wasmtime is an extra
                importlib.import_module(module.name)
