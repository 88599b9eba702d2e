"""The two installed commands: `wasm2oci`, and `wasm-to-oci`, the drop-in for engineerd/wasm-to-oci."""

from wasm2oci.cli.app import main, main_wasm_to_oci

__all__ = ["main", "main_wasm_to_oci"]

if __name__ == "__main__":
    main()
