"""The two installed commands: `wasm2oci`, and `wasm-to-oci`, the drop-in for engineerd/wasm-to-oci."""

import gc

# Starting up makes tens of thousands of objects that stay. Looking through all of them for garbage, again and again
# while they are made, would take a twelfth of the time of a small push.
gc.set_threshold(50_000, 20, 20)

try:
    from wasm2oci.cli.app import main, main_wasm_to_oci
except KeyboardInterrupt:  # so early that there is nothing to clean up
    import os
    import signal

    if hasattr(os, "WIFSIGNALED"):
        # A shell ends its loop only when Ctrl-C killed the command.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.raise_signal(signal.SIGINT)
    raise SystemExit(130) from None

__all__ = ["main", "main_wasm_to_oci"]

if __name__ == "__main__":
    main()
