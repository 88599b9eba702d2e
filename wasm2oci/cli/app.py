"""The two applications and the one place that exits."""

import sys
from typing import NoReturn

__all__ = ["main", "main_wasm_to_oci"]


def main() -> NoReturn:
    """Run `wasm2oci` on the command line of this process."""
    sys.exit(0)


def main_wasm_to_oci() -> NoReturn:
    """Run `wasm-to-oci`, which takes the old tool's flags, on the command line of this process."""
    sys.exit(0)
